"""What the catalogue's codes are called on a page, in Korean and English."""

from typing import get_args

from service.catalogue.date_labels import Words
from service.catalogue.event import (
    CloseRule,
    EvidenceField,
    OrganizationKind,
    PartRole,
    ProgramKind,
    Rank,
    Relation,
    SelectionMode,
    SourceKind,
    Status,
)
from service.catalogue.vocabulary import KINDS as KINDS
from service.catalogue.vocabulary import STATUSES as STATUSES
from service.catalogue.windows import Phase


def _table(text: str) -> dict[str, Words]:
    """`code | Korean | English`, one a line."""
    rows = (line.split("|") for line in text.strip().splitlines())
    return {code.strip(): Words(ko=ko.strip(), en=en.strip()) for code, ko, en in rows}


PHASES = _table("""
forecasted   | 날짜 미정       | date not set
upcoming     | 예정            | upcoming
open         | 접수 중         | open
closing_soon | 마감 임박       | closing soon
ongoing      | 진행 중         | under way
ended        | 종료            | over
closed       | 마감            | closed
postponed    | 연기            | postponed
cancelled    | 취소            | cancelled
unknown      | 확인 필요       | to be checked
""")
ROLES = _table("""
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
FIELDS = _table("""
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
RANKS = _table("""
preferred  | 우선하는 근거   | preferred
normal     | 근거            | normal
deprecated | 쓰지 않는 근거  | not used
""")
SOURCES = _table("""
official_notice | 공고        | official notice
official_api    | 공공 데이터 | official data
press_release   | 보도자료    | press release
news            | 기사        | news
mirror          | 옮긴 글     | copy
blog            | 블로그      | blog
other           | 기타        | other
""")
CLOSE_RULES = _table("""
fixed           | 정해진 날에 마감                     | closes on a fixed date
until_exhausted | 예산을 다 쓰면 마감                  | closes when the budget is used up
first_come      | 선착순으로 마감                      | closes when it is full: first come, first served
rolling         | 상시 접수                            | open all the time
varies          | 세부 사업마다 마감이 다름            | closing dates differ within it
to_be_announced | 마감일을 나중에 공지                 | closing date to be announced
unknown         | 마감이 언제인지 알려지지 않음        | when it closes is not known
""")
# What fits into a badge.
CLOSE_BADGES = _table("""
fixed           | 접수 중        | open
until_exhausted | 예산 소진 시까지 | until used up
first_come      | 선착순         | first come
rolling         | 상시           | rolling
varies          | 마감 상이      | dates vary
to_be_announced | 마감 미정      | no date yet
unknown         | 마감 미상      | close unknown
""")
RELATIONS = _table("""
affiliated_with | 연계 행사          | Affiliated with
co_located_with | 같은 곳에서        | Held at the same place as
follows         | 앞선 일정          | Follows
about           | 다루는 일정        | About
""")
RELATED_BY = _table("""
affiliated_with | 연계 행사          | Affiliated with
co_located_with | 같은 곳에서        | Held at the same place as
follows         | 뒤따르는 일정      | Followed by
about           | 이 일정을 다룬 것  | What is about it
""")
PROGRAMS = _table("""
grant           | 지원금         | grant
voucher         | 바우처         | voucher
loan            | 융자           | loan
investment      | 투자           | investment
challenge       | 챌린지         | challenge
open_innovation | 오픈 이노베이션 | open innovation
accelerator     | 액셀러레이터   | accelerator
policy          | 정책           | policy
council         | 협의체         | council
other           | 사업           | program
""")
SELECTIONS = _table("""
open_call  | 공개 모집                          | by open call
nomination | 추천으로 선정: 접수가 없습니다     | by nomination: there is no call
invitation | 초청으로 선정                      | by invitation
mixed      | 여러 방식으로 선정                 | in several ways
unknown    | 선정 방식 미상                     | how is not known
""")
ORGANIZATIONS = _table("""
government  | 정부      | government
agency      | 공공기관  | agency
research    | 연구기관  | research
corporate   | 기업      | company
startup     | 스타트업  | startup
investor    | 투자사    | investor
association | 협회      | association
other       | 기관      | organization
""")
PRECISIONS = _table("""
minute  | 분까지 알려짐                          | known to the minute
day     | 날까지 알려짐                          | known to the day
month   | 달까지만 알려짐                        | known to the month only
year    | 해까지만 알려짐                        | known to the year only
decade  | 연대만 알려짐                          | known to the decade only
century | 세기만 알려짐                          | known to the century only
unknown | 날짜가 알려지지 않음                   | not known
""")
# Notes that our own curation writes as codes.
NOTES = _table("""
reported                 | 사후 보도                     | reported afterwards
planned                  | 사전 계획                     | planned beforehand
superseded_by_extension  | 연장되어 더는 맞지 않음       | superseded by an extension
contradicted_by_primary  | 주최 측 발표와 다름           | contradicted by the organizer
mirror_date              | 옮긴 글에 적힌 날짜           | the date of a copy
""")

TABLES = {
    Phase: PHASES,
    PartRole: ROLES,
    EvidenceField: FIELDS,
    Rank: RANKS,
    SourceKind: SOURCES,
    CloseRule: CLOSE_RULES,
    Status: STATUSES,
    Relation: RELATIONS,
    ProgramKind: PROGRAMS,
    SelectionMode: SELECTIONS,
    OrganizationKind: ORGANIZATIONS,
}


def missing() -> set[str]:
    """Codes of the model that have no word here."""
    return {code for codes, table in TABLES.items() for code in get_args(codes) if code not in table}
