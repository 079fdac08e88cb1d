"""What feed entries, pages and chat messages say alike, in Korean and English.

Each of them has a table of its own besides: `service.catalogue.entries`, `service.pages.phrases` and
`service.reminders.messages.phrases`. How dates are written is in `service.catalogue.date_labels`.
"""

import msgspec

from feeds.text import closed
from service.catalogue.event import Language, Text


class LocalizedText(msgspec.Struct, frozen=True, kw_only=True):
    """A text of our own, in both languages."""

    ko: str
    en: str


class Phrase:
    """A phrase in a table of phrases, where it reads as its text in the table's language."""

    def __init__(self, ko: str, en: str) -> None:
        self._ko, self._en = ko, en

    def __get__(self, phrases: "SharedPhrases", owner: type) -> str:
        return self._ko if phrases.lang == "ko" else self._en


class SharedPhrases:
    """The phrases that more than one surface uses; the table of a surface extends it. `{}` is filled in."""

    def __init__(self, lang: Language) -> None:
        self.lang = lang

    apply = Phrase("신청하기", "Apply")
    website = Phrase("누리집", "Website")
    uncertain = Phrase("날짜가 확실하지 않습니다.", "The date is uncertain.")
    approximate = Phrase("날짜가 대략적입니다.", "The date is approximate.")
    unsupported = Phrase("출처로 뒷받침되지 않는 날짜입니다: {}", "No source supports this date: {}")
    contradicted = Phrase("모든 출처가 다르게 말합니다: {}", "All sources say otherwise: {}")
    closing_day_only = Phrase("마감 시각은 공고에 없습니다.", "The notice gives no closing time.")
    translated = Phrase("번역: Dday", "translated by Dday")


def pick(text: LocalizedText | Text, lang: Language) -> str:
    """The text in one language, or in the other where there is none; it may be written amid other words."""
    first, second = (text.ko, text.en) if lang == "ko" else (text.en, text.ko)
    return closed(first or second or "")


def table(rows: str) -> dict[str, LocalizedText]:
    """Reads `code | Korean | English`, one a line."""
    cells = ([cell.strip() for cell in row.split("|")] for row in rows.strip().splitlines())
    return {code: LocalizedText(ko=ko, en=en) for code, ko, en in cells}


KINDS = table("""
ministerial        | 장관회의   | ministerial
summit             | 서밋       | summit
conference         | 콘퍼런스   | conference
forum              | 포럼       | forum
exhibition         | 전시       | exhibition
networking         | 네트워킹   | networking
ceremony           | 기념식     | ceremony
session            | 세션       | session
briefing           | 설명회     | briefing
launch             | 출범       | launch
showcase           | 쇼케이스   | showcase
council            | 협의회     | council
contest            | 경진대회   | contest
milestone          | 일정       | milestone
application_window | 접수       | call
other              | 행사       | event
""")
STATUSES = table("""
tentative | 잠정 | tentative
scheduled | 확정 | scheduled
postponed | 연기 | postponed
cancelled | 취소 | cancelled
""")
# In front of the name of an event that does not take place as planned.
MARKS = table("""
postponed | [연기] {} | [postponed] {}
cancelled | [취소] {} | [cancelled] {}
""")
# Those who make an event happen come first: feed entries name these only.
ROLES = table("""
host         | 주최     | Host
organizer    | 주관     | Organizer
co_organizer | 공동주관 | Co-organizer
supervisor   | 감독     | Supervisor
operator     | 운영     | Operator
sponsor      | 후원     | Sponsor
partner      | 협력     | Partner
speaker      | 발표     | Speaker
investor     | 투자     | Investor
exhibitor    | 전시     | Exhibitor
selected     | 선정     | Selected
participant  | 참여     | Participant
""")
FIELDS = table("""
start         | 시작           | Start
end           | 끝             | End
contains      | 진행 중인 날   | A day of it
status        | 상태           | Status
name          | 이름           | Name
place         | 장소           | Place
organizations | 기관           | Organizations
edition       | 회차           | Edition
close_rule    | 마감 방식      | How it closes
related       | 관계           | Relation
claim         | 출처의 주장    | Claim of the source
""")
# The dates of a window are named by what they are for.
WINDOW_DATES = table("""
start | 접수 시작 | Opening
end   | 접수 마감 | Closing
""")
