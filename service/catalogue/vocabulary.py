"""The words that stand in calendars, and that pages and messages share with them, in Korean and English."""

from typing import Literal

import msgspec

from service.catalogue.date_labels import Words
from service.catalogue.event import Kind, Language, PartRole, Text


class Phrases(msgspec.Struct, frozen=True, kw_only=True):
    """Every phrase of one language; `{}` is filled in."""

    cancelled: str
    postponed: str
    moved: str
    extended: str
    unclear: str
    opens: str
    closes: str
    window: str
    moved_from: str
    was_on: str
    disputed: str
    uncertain: str
    approximate: str
    closing_day_only: str
    closing_unknown: str
    close_text: str
    end_unknown: str
    hour_shown: str
    applications: str
    part_of: str
    place: str
    apply: str
    website: str
    page: str
    online: str
    source: str
    translated: str


PHRASES: dict[Language, Phrases] = {
    "ko": Phrases(
        cancelled="[취소] {}",
        postponed="[연기] {}",
        moved="[변경] {}",
        extended="[연장] {}",
        unclear="[날짜 미정] {} ({})",
        opens="접수 시작: {}",
        closes="접수 마감: {}",
        window="접수: {}",
        moved_from="일정이 바뀌었습니다. 이전: {}",
        was_on="원래 일정: {}",
        disputed="출처마다 날짜가 다릅니다. 확인이 필요합니다.",
        uncertain="날짜가 확실하지 않습니다.",
        approximate="날짜가 대략적입니다.",
        closing_day_only="마감 시각은 공고에 없습니다.",
        closing_unknown="마감일 미발표",
        close_text="마감: {}",
        end_unknown="종료일 미정: {}",
        hour_shown="종료 시각은 발표되지 않아 {}분으로 표시합니다.",
        applications="접수: {}",
        part_of="{}의 일부",
        place="장소: {}",
        apply="신청: {}",
        website="누리집: {}",
        page="자세히: {}",
        online="온라인: {}",
        source="출처: {}",
        translated="(번역: Dday)",
    ),
    "en": Phrases(
        cancelled="[cancelled] {}",
        postponed="[postponed] {}",
        moved="[moved] {}",
        extended="[extended] {}",
        unclear="[date tbc] {} ({})",
        opens="Opens: {}",
        closes="Closes: {}",
        window="Open: {}",
        moved_from="Moved from {}",
        was_on="Was planned for {}",
        disputed="Sources disagree about the date; please check.",
        uncertain="The date is uncertain.",
        approximate="The date is approximate.",
        closing_day_only="The notice gives no closing time.",
        closing_unknown="Closing date not announced",
        close_text="Closes: {}",
        end_unknown="End not known: {}",
        hour_shown="The end has not been announced; {} minutes are shown.",
        applications="Applications: {}",
        part_of="Part of {}",
        place="Place: {}",
        apply="Apply: {}",
        website="Website: {}",
        page="More: {}",
        online="Online: {}",
        source="Source: {}",
        translated="(translated by Dday)",
    ),
}

KINDS: dict[Kind, Words] = {
    "ministerial": Words(ko="장관회의", en="ministerial"),
    "summit": Words(ko="서밋", en="summit"),
    "conference": Words(ko="콘퍼런스", en="conference"),
    "forum": Words(ko="포럼", en="forum"),
    "exhibition": Words(ko="전시", en="exhibition"),
    "networking": Words(ko="네트워킹", en="networking"),
    "ceremony": Words(ko="기념식", en="ceremony"),
    "session": Words(ko="세션", en="session"),
    "briefing": Words(ko="설명회", en="briefing"),
    "launch": Words(ko="출범", en="launch"),
    "showcase": Words(ko="쇼케이스", en="showcase"),
    "council": Words(ko="협의회", en="council"),
    "contest": Words(ko="경진대회", en="contest"),
    "milestone": Words(ko="일정", en="milestone"),
    "application_window": Words(ko="접수", en="call"),
    "other": Words(ko="행사", en="event"),
}
STATUSES: dict[str, Words] = {
    "tentative": Words(ko="잠정", en="tentative"),
    "scheduled": Words(ko="확정", en="scheduled"),
    "postponed": Words(ko="연기", en="postponed"),
    "cancelled": Words(ko="취소", en="cancelled"),
}
# Only those who make the event happen; speakers and exhibitors would fill the entry.
ROLES: dict[PartRole, Words] = {
    "host": Words(ko="주최", en="Host"),
    "organizer": Words(ko="주관", en="Organizer"),
    "co_organizer": Words(ko="공동주관", en="Co-organizer"),
    "operator": Words(ko="운영", en="Operator"),
}
# CSS3 names, the only ones RFC 7986 COLOR takes.
Edge = Literal["event", "milestone", "opens", "closes", "window"]
COLORS: dict[Edge, str] = {
    "event": "royalblue",
    "milestone": "darkorange",
    "opens": "seagreen",
    "closes": "crimson",
    "window": "darkkhaki",
}


def pick(words: Words | Text, lang: Language) -> str:
    """The text in one language, or in the other where there is none."""
    first, second = (words.ko, words.en) if lang == "ko" else (words.en, words.ko)
    return first or second or ""
