"""What pages say in Korean and English: the phrases, and a word for each code of the catalogue."""

from collections.abc import Mapping

from service.catalogue.event import Language
from service.catalogue.vocabulary import Phrase, SharedPhrases, table


class PagePhrases(SharedPhrases):
    tagline = Phrase(
        "창업 행사와 모집 마감, 출처와 함께", "Korean startup events and deadlines, with their sources"
    )
    about = Phrase(
        "모든 날짜에는 출처가 있고, 모르는 날짜는 적지 않습니다.",
        "Every date has its source, and what is not known is left out.",
    )
    skip = Phrase("본문으로 건너뛰기", "Skip to the content")
    other_language = Phrase("English", "한국어")
    api = Phrase("API 문서", "API")
    closing_soon = Phrase("마감 임박", "Closing soon")
    open_calls = Phrase("접수 중", "Open calls")
    opening = Phrase("곧 열리는 접수", "Opening next")
    upcoming = Phrase("다가오는 행사", "Upcoming events")
    changed = Phrase("최근 바뀐 것", "Recently changed")
    past = Phrase("지난 일정", "Past")
    browse = Phrase("둘러보기", "Browse")
    series = Phrase("시리즈", "Series")
    programs = Phrase("사업", "Programs")
    organizations = Phrase("기관", "Organizations")
    none_closing = Phrase("7일 안에 마감하는 접수가 없습니다.", "No call closes within seven days.")
    none_open = Phrase("지금 열려 있다고 확인된 접수가 없습니다.", "No call is known to be open now.")
    none_upcoming = Phrase("날짜가 알려진 다가오는 행사가 없습니다.", "No upcoming event has a known date.")
    subscribe = Phrase("달력으로 구독하기", "Subscribe a calendar")
    subscribe_short = Phrase("구독", "Subscribe")
    subscribe_about = Phrase(
        "주소만 있으면 됩니다. 가입도 열쇠도 필요 없습니다.",
        "You need the address, nothing else: no account, no key.",
    )
    beyond_google = Phrase(
        "구글 캘린더가 읽는 크기(1MB)를 넘는 달력입니다.", "It is larger than Google Calendar reads (1 MB)."
    )
    subscribe_deadlines = Phrase("접수와 마감만", "Calls and deadlines")
    subscribe_events = Phrase("행사만", "Events")
    subscribe_all = Phrase("전부", "Everything")
    more_programs = Phrase("다른 프로그램", "Other programs")
    address = Phrase("달력 주소", "Address of the calendar")
    precision = Phrase("정밀도", "Precision")
    close_text = Phrase("공고의 표현", "In the notice's words")
    online = Phrase("온라인", "Online")
    series_one = Phrase("시리즈", "Series")
    series_kind = Phrase("시리즈", "series")
    edition_number = Phrase("{}회", "no. {}")
    program = Phrase("사업", "Program")
    part_of = Phrase("상위 일정", "Part of")
    tags = Phrase("태그", "Tags")
    add = Phrase("달력에 담기 (.ics)", "Add to a calendar (.ics)")
    history = Phrase("변경 이력 (JSON)", "History (JSON)")
    sub_events = Phrase("세부 일정", "Parts of it")
    editions = Phrase("같은 시리즈", "Editions")
    calls = Phrase("접수", "Calls")
    related = Phrase("관련 일정", "Related")
    previous = Phrase("이전 날짜", "Earlier dates")
    previous_at = Phrase("{}번째 판까지", "until revision {}")
    previous_before = Phrase("기록을 시작하기 전", "before our record begins")
    evidence = Phrase("근거", "Evidence")
    evidence_about = Phrase(
        "누가 무엇을 말했는지 보여 줍니다. 한 보도자료에서 나온 기사들은 한 출처로 셉니다.",
        "Who said what, in their words. Articles from one press release count as one source.",
    )
    no_evidence = Phrase("아직 기록된 근거가 없습니다.", "No evidence is recorded yet.")
    witnesses_one = Phrase("독립 출처 1곳", "1 independent source")
    witnesses = Phrase("독립 출처 {}곳", "{} independent sources")
    same_origin = Phrase("같은 원문", "same origin")
    disputed = Phrase(
        "출처마다 말이 다릅니다. 신청하거나 방문하기 전에 확인하세요.",
        "Sources disagree. Check before you apply or go there.",
    )
    closing_unknown = Phrase("마감일은 발표되지 않았습니다.", "The closing date has not been announced.")
    no_day = Phrase(
        "며칠인지 아직 알려지지 않아 달력에 담을 것이 없습니다.",
        "The day is not known yet, so there is nothing to add to a calendar.",
    )
    tentative = Phrase("아직 잠정 일정입니다.", "This is still tentative.")
    cancelled = Phrase("취소된 일정입니다.", "This has been cancelled.")
    postponed = Phrase(
        "연기된 일정입니다. 새 날짜는 발표되면 나타납니다.",
        "This has been postponed; the new date shows once it is announced.",
    )
    published = Phrase("{} 게시", "published {}")
    retrieved = Phrase("{} 확인", "seen {}")
    updated = Phrase("{} 수정, {}번째 판", "changed {}, revision {}")
    known_as = Phrase("다른 이름", "Also called")
    names_it = Phrase("관련 시리즈와 사업", "Series and programs of it")
    events = Phrase("일정", "Events")
    no_events = Phrase("아직 일정이 없습니다.", "No events yet.")
    more_events = Phrase(
        "가장 최근 {}건만 보여 줍니다. 전부는 API에 있습니다.",
        "Only the latest {} are shown; the API has them all.",
    )
    to_close = Phrase("마감까지 {}일", "{} days until it closes")
    to_open = Phrase("접수 시작까지 {}일", "{} days until it opens")
    to_start = Phrase("{}일 남음", "in {} days")
    today_closes = Phrase("오늘 마감", "closes today")
    today_opens = Phrase("오늘 접수 시작", "opens today")
    today_starts = Phrase("오늘 시작", "starts today")
    tomorrow_closes = Phrase("내일 마감", "closes tomorrow")
    tomorrow_opens = Phrase("내일 접수 시작", "opens tomorrow")
    tomorrow_starts = Phrase("내일 시작", "starts tomorrow")
    new = Phrase("새 일정", "new")
    moved = Phrase("날짜 변경", "dates changed")
    edited = Phrase("내용 수정", "edited")
    not_found = Phrase("찾는 페이지가 없습니다", "There is no such page")
    not_found_about = Phrase(
        "주소가 바뀌었거나 지워졌을 수 있습니다.",
        "Its address may have changed, or it may have been removed.",
    )
    failed = Phrase("지금은 보여 드릴 수 없습니다", "This cannot be shown now")
    selection = Phrase("선정", "Selection")
    home = Phrase("처음으로", "Home")
    footer = Phrase(
        "모르는 날짜는 비워 둡니다. 기사와 공고의 문구는 짧은 인용이며 출처로 이어집니다.",
        "Dates nobody gave stay empty. Words of articles and notices are short quotes with their source.",
    )


PHRASES: Mapping[Language, PagePhrases] = {"ko": PagePhrases("ko"), "en": PagePhrases("en")}

PHASES = table("""
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
RANKS = table("""
preferred  | 우선하는 근거   | preferred
normal     | 근거            | normal
deprecated | 쓰지 않는 근거  | not used
""")
SOURCES = table("""
official_notice | 공고        | official notice
official_api    | 공공 데이터 | official data
press_release   | 보도자료    | press release
news            | 기사        | news
mirror          | 옮긴 글     | copy
blog            | 블로그      | blog
other           | 기타        | other
""")
CLOSE_RULES = table("""
fixed           | 정해진 날에 마감                     | closes on a fixed date
until_exhausted | 예산을 다 쓰면 마감                  | closes when the budget is used up
first_come      | 선착순으로 마감                      | closes when it is full: first come, first served
rolling         | 상시 접수                            | open all the time
recurring       | 매월처럼 정해진 때마다 접수          | opens again and again, as every month
varies          | 세부 사업마다 마감이 다름            | closing dates differ within it
to_be_announced | 마감일을 나중에 공지                 | closing date to be announced
unknown         | 마감이 언제인지 알려지지 않음        | when it closes is not known
""")
# What fits into a badge.
CLOSE_BADGES = table("""
fixed           | 접수 중        | open
until_exhausted | 예산 소진 시까지 | until used up
first_come      | 선착순         | first come
rolling         | 상시           | rolling
recurring       | 정기 접수      | regular
varies          | 마감 상이      | dates vary
to_be_announced | 마감 미정      | no date yet
unknown         | 마감 미상      | close unknown
""")
RELATIONS = table("""
affiliated_with | 연계 행사          | Affiliated with
co_located_with | 같은 곳에서        | Held at the same place as
follows         | 앞선 일정          | Follows
about           | 다루는 일정        | About
""")
RELATED_BY = table("""
affiliated_with | 연계 행사          | Affiliated with
co_located_with | 같은 곳에서        | Held at the same place as
follows         | 뒤따르는 일정      | Followed by
about           | 이 일정을 다룬 것  | What is about it
""")
PROGRAMS = table("""
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
SELECTIONS = table("""
open_call  | 공개 모집                          | by open call
nomination | 추천으로 선정: 접수가 없습니다     | by nomination: there is no call
invitation | 초청으로 선정                      | by invitation
mixed      | 여러 방식으로 선정                 | in several ways
unknown    | 선정 방식 미상                     | how is not known
""")
ORGANIZATIONS = table("""
government  | 정부      | government
agency      | 공공기관  | agency
research    | 연구기관  | research
corporate   | 기업      | company
startup     | 스타트업  | startup
investor    | 투자사    | investor
association | 협회      | association
other       | 기관      | organization
""")
PRECISIONS = table("""
minute  | 분까지 알려짐                          | known to the minute
day     | 날까지 알려짐                          | known to the day
month   | 달까지만 알려짐                        | known to the month only
year    | 해까지만 알려짐                        | known to the year only
decade  | 연대만 알려짐                          | known to the decade only
century | 세기만 알려짐                          | known to the century only
unknown | 날짜가 알려지지 않음                   | not known
""")
# Notes that our own curation writes as codes.
NOTES = table("""
reported                 | 사후 보도                     | reported afterwards
planned                  | 사전 계획                     | planned beforehand
superseded_by_extension  | 연장되어 더는 맞지 않음       | superseded by an extension
contradicted_by_primary  | 주최 측 발표와 다름           | contradicted by the organizer
mirror_date              | 옮긴 글에 적힌 날짜           | the date of a copy
""")
