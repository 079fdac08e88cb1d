"""The sentences of the pages by language."""

from collections.abc import Mapping

import msgspec

from service.catalogue.event import Language


# FOLDED service/pages/phrase.py: What a page may have to say; `{}` is filled in.
class Phrases(msgspec.Struct, frozen=True, kw_only=True):
    """Every phrase of one language."""

    tagline: str
    about: str
    skip: str
    other_language: str
    api: str
    closing_soon: str
    open_calls: str
    opening: str
    upcoming: str
    changed: str
    past: str
    browse: str
    series: str
    programs: str
    organizations: str
    none_closing: str
    none_open: str
    none_upcoming: str
    subscribe: str
    subscribe_short: str
    subscribe_about: str
    subscribe_deadlines: str
    subscribe_events: str
    subscribe_all: str
    subscribe_one: str
    more_programs: str
    address: str
    when: str
    precision: str
    closes: str
    close_text: str
    place: str
    online: str
    series_one: str
    edition: str
    program: str
    part_of: str
    tags: str
    apply: str
    website: str
    add: str
    json: str
    history: str
    sub_events: str
    editions: str
    calls: str
    related: str
    previous: str
    previous_at: str
    previous_before: str
    evidence: str
    evidence_about: str
    no_evidence: str
    witnesses_one: str
    witnesses: str
    same_origin: str
    deprecated: str
    disputed: str
    disputed_field: str
    uncertain: str
    approximate: str
    day_only: str
    closing_unknown: str
    no_day: str
    zone: str
    tentative: str
    cancelled: str
    postponed: str
    translated: str
    published: str
    retrieved: str
    updated: str
    known_as: str
    parts: str
    names_it: str
    events: str
    no_events: str
    more_events: str
    to_close: str
    to_open: str
    to_start: str
    today_closes: str
    today_opens: str
    today_starts: str
    tomorrow_closes: str
    tomorrow_opens: str
    tomorrow_starts: str
    new: str
    moved: str
    edited: str
    not_found: str
    not_found_about: str
    failed: str
    selection: str
    home: str
    footer: str


# FOLDED service/pages/english.py: The pages in English.
ENGLISH = Phrases(
    tagline="Korean startup events and deadlines, with their sources",
    about="Every date has its source, and what is not known is left out.",
    skip="Skip to the content",
    other_language="한국어",
    api="API",
    closing_soon="Closing soon",
    open_calls="Open calls",
    opening="Opening next",
    upcoming="Upcoming events",
    changed="Recently changed",
    past="Past",
    browse="Browse",
    series="Series",
    programs="Programs",
    organizations="Organizations",
    none_closing="No call closes within seven days.",
    none_open="No call is known to be open now.",
    none_upcoming="No upcoming event has a known date.",
    subscribe="Subscribe a calendar",
    subscribe_short="Subscribe",
    subscribe_about="You need the address, nothing else: no account, no key.",
    subscribe_deadlines="Calls and deadlines",
    subscribe_events="Events",
    subscribe_all="Everything",
    subscribe_one="These only",
    more_programs="Other programs",
    address="Address of the calendar",
    when="When",
    precision="Precision",
    closes="How it closes",
    close_text="In the notice's words",
    place="Place",
    online="Online",
    series_one="Series",
    edition="Edition",
    program="Program",
    part_of="Part of",
    tags="Tags",
    apply="Apply",
    website="Website",
    add="Add to a calendar (.ics)",
    json="JSON",
    history="History (JSON)",
    sub_events="Parts of it",
    editions="Editions",
    calls="Calls",
    related="Related",
    previous="Earlier dates",
    previous_at="until revision {}",
    previous_before="before our record begins",
    evidence="Evidence",
    evidence_about="Who said what, in their words. Articles from one press release count as one source.",
    no_evidence="No evidence is recorded yet.",
    witnesses_one="1 independent source",
    witnesses="{} independent sources",
    same_origin="same origin",
    deprecated="not used",
    disputed="Sources disagree. Check before you apply or go there.",
    disputed_field="{}: {}",
    uncertain="The date is uncertain.",
    approximate="The date is approximate.",
    day_only="The notice gives no closing time.",
    closing_unknown="The closing date has not been announced.",
    no_day="The day is not known yet, so there is nothing to add to a calendar.",
    zone="time zone {}",
    tentative="This is still tentative.",
    cancelled="This has been cancelled.",
    postponed="This has been postponed; the new date shows once it is announced.",
    translated="translated by Dday",
    published="published {}",
    retrieved="seen {}",
    updated="changed {}, revision {}",
    known_as="Also called",
    parts="Parts of it",
    names_it="Series and programs of it",
    events="Events",
    no_events="No events yet.",
    more_events="Only the latest {} are shown; the API has them all.",
    to_close="{} days until it closes",
    to_open="{} days until it opens",
    to_start="in {} days",
    today_closes="closes today",
    today_opens="opens today",
    today_starts="starts today",
    tomorrow_closes="closes tomorrow",
    tomorrow_opens="opens tomorrow",
    tomorrow_starts="starts tomorrow",
    new="new",
    moved="dates changed",
    edited="edited",
    not_found="There is no such page",
    not_found_about="Its address may have changed, or it may have been removed.",
    failed="This cannot be shown now",
    selection="Selection",
    home="Home",
    footer="Dates nobody gave stay empty. Words of articles and notices are short quotes with their source.",
)


# FOLDED service/pages/korean.py: The pages in Korean.
KOREAN = Phrases(
    tagline="창업 행사와 모집 마감, 출처와 함께",
    about="모든 날짜에는 출처가 있고, 모르는 날짜는 적지 않습니다.",
    skip="본문으로 건너뛰기",
    other_language="English",
    api="API 문서",
    closing_soon="마감 임박",
    open_calls="접수 중",
    opening="곧 열리는 접수",
    upcoming="다가오는 행사",
    changed="최근 바뀐 것",
    past="지난 일정",
    browse="둘러보기",
    series="시리즈",
    programs="사업",
    organizations="기관",
    none_closing="7일 안에 마감하는 접수가 없습니다.",
    none_open="지금 열려 있다고 확인된 접수가 없습니다.",
    none_upcoming="날짜가 알려진 다가오는 행사가 없습니다.",
    subscribe="달력으로 구독하기",
    subscribe_short="구독",
    subscribe_about="주소만 있으면 됩니다. 가입도 열쇠도 필요 없습니다.",
    subscribe_deadlines="접수와 마감만",
    subscribe_events="행사만",
    subscribe_all="전부",
    subscribe_one="이 일정들만",
    more_programs="다른 프로그램",
    address="달력 주소",
    when="일시",
    precision="정밀도",
    closes="마감 방식",
    close_text="공고의 표현",
    place="장소",
    online="온라인",
    series_one="시리즈",
    edition="회차",
    program="사업",
    part_of="상위 일정",
    tags="태그",
    apply="신청하기",
    website="누리집",
    add="달력에 담기 (.ics)",
    json="JSON",
    history="변경 이력 (JSON)",
    sub_events="세부 일정",
    editions="같은 시리즈",
    calls="접수",
    related="관련 일정",
    previous="이전 날짜",
    previous_at="{}번째 판까지",
    previous_before="기록을 시작하기 전",
    evidence="근거",
    evidence_about="누가 무엇을 말했는지 보여 줍니다. 한 보도자료에서 나온 기사들은 한 출처로 셉니다.",
    no_evidence="아직 기록된 근거가 없습니다.",
    witnesses_one="독립 출처 1곳",
    witnesses="독립 출처 {}곳",
    same_origin="같은 원문",
    deprecated="쓰지 않음",
    disputed="출처마다 말이 다릅니다. 신청하거나 방문하기 전에 확인하세요.",
    disputed_field="{}: {}",
    uncertain="날짜가 확실하지 않습니다.",
    approximate="날짜가 대략적입니다.",
    day_only="마감 시각은 공고에 없습니다.",
    closing_unknown="마감일은 발표되지 않았습니다.",
    no_day="며칠인지 아직 알려지지 않아 달력에 담을 것이 없습니다.",
    zone="시간대 {}",
    tentative="아직 잠정 일정입니다.",
    cancelled="취소된 일정입니다.",
    postponed="연기된 일정입니다. 새 날짜는 발표되면 나타납니다.",
    translated="번역: Dday",
    published="{} 게시",
    retrieved="{} 확인",
    updated="{} 수정, {}번째 판",
    known_as="다른 이름",
    parts="하위",
    names_it="관련 시리즈와 사업",
    events="일정",
    no_events="아직 일정이 없습니다.",
    more_events="가장 최근 {}건만 보여 줍니다. 전부는 API에 있습니다.",
    to_close="마감까지 {}일",
    to_open="접수 시작까지 {}일",
    to_start="{}일 남음",
    today_closes="오늘 마감",
    today_opens="오늘 접수 시작",
    today_starts="오늘 시작",
    tomorrow_closes="내일 마감",
    tomorrow_opens="내일 접수 시작",
    tomorrow_starts="내일 시작",
    new="새 일정",
    moved="날짜 변경",
    edited="내용 수정",
    not_found="찾는 페이지가 없습니다",
    not_found_about="주소가 바뀌었거나 지워졌을 수 있습니다.",
    failed="지금은 보여 드릴 수 없습니다",
    selection="선정",
    home="처음으로",
    footer="모르는 날짜는 비워 둡니다. 기사와 공고의 문구는 짧은 인용이며 출처로 이어집니다.",
)


PHRASES: Mapping[Language, Phrases] = {"ko": KOREAN, "en": ENGLISH}
