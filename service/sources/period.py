"""What a source's words about a period mean: dates, a close rule, rounds, or a doubt; never a guess."""

from datetime import date
from typing import Literal

from msgspec import Struct

from service.catalogue.event import CloseRule

Verdict = Literal["read", "none", "doubt", "refuse", "rounds"]
MOST_QUOTED = 120


class Round(Struct, frozen=True, kw_only=True):
    """One window of several, with the words that name it. `start` and `end` are EDTF or not known."""

    name: str
    start: str | None
    end: str | None


class Period(Struct, frozen=True, kw_only=True):
    """A period text as it was read.

    | verdict | what it says |
    |---|---|
    | read | `start` and `end` hold |
    | none | there is a rule and no date, as in "until used up" |
    | doubt | there are dates, for a person to look at |
    | refuse | nothing can be said |
    | rounds | there are several windows, in `rounds` |

    `close_rule` is null for what is no window. `previous` is what the text itself says held before. `reason`
    is a sentence; `quote` is an exact substring of the text, at most 120 characters of it.
    """

    verdict: Verdict
    start: str | None = None
    end: str | None = None
    close_rule: CloseRule | None = "unknown"
    timezone: str = "Asia/Seoul"
    previous: Round | None = None
    rounds: tuple[Round, ...] = ()
    flags: tuple[str, ...] = ()
    reason: str
    quote: str | None = None


def read_period(text: str, published: date | None, *, event: bool = False) -> Period:
    """How a period text is read. `published` is the day of its notice, `event` says that it is no call."""
    if not text.strip():
        return Period(verdict="none", reason="The source gives no period.")
    return Period(verdict="doubt", reason="No rule reads this text yet.", quote=text[:MOST_QUOTED])
