"""The badge of an event: D-7, D-DAY, or in honest words why there is no number."""

from datetime import date, datetime
from typing import Literal

import msgspec

from service.catalogue import dates, evidence
from service.catalogue.dates import Edtf
from service.catalogue.event import Event, Language
from service.catalogue.vocabulary import pick
from service.catalogue.windows import Phase
from service.pages.phrases import PHRASES
from service.pages.words import CLOSE_BADGES, PHASES

Tone = Literal["urgent", "soon", "open", "calm", "unsure", "over"]
URGENT_DAYS = 3


class Badge(msgspec.Struct, frozen=True, kw_only=True):
    """`about` says in full what `text` abbreviates; empty where it is said already."""

    text: str
    tone: Tone
    about: str = ""


def badge(event: Event, phase: Phase, *, now: datetime, lang: Language) -> Badge:
    """How far away the next thing is that one may miss. Only a known day is counted to."""
    phrases = PHRASES[lang]
    today = now.astimezone(dates.zone(event.timezone)).date()
    if phase in ("open", "closing_soon"):
        days = _days(_close(event), today)
        if days is None:
            return Badge(text=pick(CLOSE_BADGES[event.close_rule or "unknown"], lang), tone="open")
        tone: Tone = "urgent" if days <= URGENT_DAYS else "soon" if phase == "closing_soon" else "open"
        later = (phrases.today_closes, phrases.tomorrow_closes, phrases.to_close)
        return _counted(days, tone, later)
    days = _days(dates.parse(event.start), today) if phase == "upcoming" and event.start else None
    if days is None:
        return Badge(text=pick(PHASES[phase], lang), tone=_TONES.get(phase, "calm"))
    if event.is_window:
        return _counted(days, "calm", (phrases.today_opens, phrases.tomorrow_opens, phrases.to_open))
    return _counted(days, "calm", (phrases.today_starts, phrases.tomorrow_starts, phrases.to_start))


_TONES: dict[Phase, Tone] = {
    "ongoing": "open",
    "unknown": "unsure",
    "postponed": "unsure",
    "cancelled": "over",
    "ended": "over",
    "closed": "over",
}


def _close(event: Event) -> Edtf | None:
    """Of disputed deadlines the earliest: who keeps it misses none."""
    text = evidence.earliest_close(event)
    return dates.parse_end(text) if text else None


def _days(edtf: Edtf | None, today: date) -> int | None:
    if edtf is None or edtf.first is None or edtf.precision not in ("day", "minute"):
        return None
    days = (edtf.first - today).days
    return days if days >= 0 and not (edtf.uncertain or edtf.approximate) else None


def _counted(days: int, tone: Tone, words: tuple[str, str, str]) -> Badge:
    """`words` for today, tomorrow and later."""
    about = words[min(days, 2)].format(days)
    return Badge(text=f"D-{days}" if days else "D-DAY", tone=tone, about=about)
