"""Made-up calls for the national fake, in relation to a day; every title says that it is a sample."""

from datetime import date, timedelta

import msgspec

# title | government | operator | region | field | opens and closes in days from today, or the words for it
ROWS = """
해양기술 창업 육성사업 참여기업 모집 공고 | 해양수산부 | 예시해양진흥원 | 전국 | 창업 | -9 20
초기 로봇기업 실증 지원사업 참여기업 모집 공고 | 산업통상부 | 예시로봇산업원 | 전국 | 기술 | -12 6
농식품 벤처 판로개척 지원사업 참여기업 모집 공고 | 농림축산식품부 | 예시농업기술원 | 전국 | 내수 | -3 27
반도체 설계 스타트업 시제품 제작 지원 모집 공고 | 산업통상부 | 예시반도체협회 | 경기 | 기술 | -20 9
로컬브랜드 육성 프로그램 참가팀 모집 공고 | 강원특별자치도 | 예시강원창업센터 | 강원 | 창업 | -5 12
글로벌 전시회 공동관 참가기업 모집 공고 | 서울특별시 | 예시서울수출센터 | 서울 | 수출 | -1 17
바이오헬스 액셀러레이팅 참여기업 모집 공고 | 충청북도 | 예시바이오재단 | 충북 | 창업 | -14 3
청년 창업공간 입주기업 모집 공고 | 부산광역시 | 예시부산창업원 | 부산 | 창업 | -7 24
스마트공장 고도화 지원사업 참여기업 모집 공고 | 경상북도 | 예시경북제조센터 | 경북 | 기술 | -10 15
디자인 주도 제품개발 지원사업 모집 공고 | 대구광역시 | 예시대구디자인원 | 대구 | 기술 | -2 33
관광벤처 아카데미 교육생 모집 공고 | 문화체육관광부 | 예시관광진흥원 | 전국 | 인력 | -4 10
콘텐츠 스타트업 투자유치 프로그램 모집 공고 | 문화체육관광부 | 예시콘텐츠원 | 전국 | 금융 | -6 18
우주부품 국산화 기술개발 과제 공모 | 우주항공청 | 예시우주기술원 | 전국 | 기술 | -15 30
수출바우처 하반기 참여기업 모집 공고 | 중소벤처기업부 | 예시수출지원단 | 전국 | 수출 | -8 8
지식재산 긴급지원 신청 안내 | 경상남도 | 예시경남지식재산원 | 경남 | 기술 | 예산 소진시까지
소상공인 온라인 판매 교육 수강생 모집 | 전북특별자치도 | 예시전북상권센터 | 전북 | 내수 | 선착순 접수
기술금융 연계 보증 지원사업 공고 | 중소벤처기업부 | 예시보증지원원 | 전국 | 금융 | 상시 접수
고용정착 장려 지원사업 참여기업 모집 공고 | 제주특별자치도 | 예시제주상공원 | 제주 | 인력 | 예산 소진시까지
산업단지 에너지 진단 지원사업 공고 | 울산광역시 | 예시울산에너지원 | 울산 | 경영 | 모집 완료시
창업기업 세무회계 상담 지원 안내 | 인천광역시 | 예시인천창업원 | 인천 | 경영 | 상시 접수
재도전 기업인 역량강화 프로그램 모집 | 중소벤처기업부 | 예시재도전센터 | 전국 | 창업 | -11 5
여성벤처 스케일업 프로그램 참여기업 모집 공고 | 중소벤처기업부 | 예시여성벤처원 | 전국 | 창업 | -3 21
사회적기업 제품개발 지원사업 모집 공고 | 광주광역시 | 예시광주경제원 | 광주 | 경영 | -13 4
물산업 혁신 아이디어 경진대회 참가자 모집 | 기후에너지환경부 | 예시물산업원 | 전국 | 기술 | -16 14
푸드테크 오픈이노베이션 스타트업 모집 공고 | 농림축산식품부 | 예시식품클러스터 | 전국 | 창업 | -2 25
드론 상용화 실증 지원사업 공고 | 국토교통부 | 예시항공안전원 | 전국 | 기술 | 2 29
핀테크 보안점검 비용 지원사업 공고 | 금융위원회 | 예시핀테크센터 | 전국 | 금융 | 5 40
섬유패션 해외 온라인몰 입점 지원 모집 | 대구광역시 | 예시섬유개발원 | 대구 | 수출 | -5 11
이차전지 소재기업 시험분석 지원 공고 | 충청남도 | 예시충남소재센터 | 충남 | 기술 | -18 7
게임 인디팀 제작 지원 프로그램 모집 공고 | 경기도 | 예시경기콘텐츠원 | 경기 | 창업 | -4 19
의료기기 인허가 컨설팅 지원사업 모집 공고 | 세종특별자치시 | 예시세종기술원 | 세종 | 기술 | -6 22
창업동아리 겨울 캠프 참가팀 모집 | 대전광역시 | 예시대전창업원 | 대전 | 창업 | -1 9
전통시장 청년상인 점포 지원 모집 공고 | 중소벤처기업부 | 예시상권진흥원 | 전국 | 내수 | -7 13
중소기업 특허맵 작성 지원사업 공고 | 지식재산처 | 예시지식재산원 | 전국 | 기술 | -9 16
산림바이오 창업 지원사업 참여기업 모집 공고 | 산림청 | 예시산림기술원 | 전국 | 창업 | -3 31
인공지능 데이터 가공 바우처 수요기업 모집 공고 | 과학기술정보통신부 | 예시데이터원 | 전국 | 기술 | -12 12
인공지능 데이터 가공 바우처 공급기업 모집 공고 | 과학기술정보통신부 | 예시데이터원 | 전국 | 기술 | -12 12
조선기자재 기업 품질인증 지원사업 공고 | 경상남도 | 예시경남조선센터 | 경남 | 경영 | 세부사업별 상이
농촌 체험상품 개발 지원 모집 공고 | 전라남도 | 예시전남농촌원 | 전남 | 내수 | -2 14
스타트업 법률상담 주간 참가기업 모집 | 서울특별시 | 예시서울법률지원단 | 서울 | 경영 | -1 5
창업기업 겨울 데모데이 발표기업 모집 공고 | 경기도 | 예시경기혁신원 | 경기 | 창업 | -6 6
뷰티 제품 해외인증 취득 지원사업 모집 공고 | 충청북도 | 예시뷰티진흥원 | 충북 | 수출 | -8 26
폐업 소상공인 원스톱 지원 모집 공고 | 중소벤처기업부 | 예시상권진흥원 | 전국 | 경영 | 예산 소진시까지
장애인기업 시제품 제작 지원사업 모집 공고 | 중소벤처기업부 | 예시장애인기업원 | 전국 | 창업 | -5 23
"""


class SampleCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that nobody made. `opens` and `closes` are null where `words` say how it closes."""

    number: int
    title: str
    government: str
    operator: str
    region: str
    field: str
    opens: date | None
    closes: date | None
    words: str | None
    published: date
    updated: date


def sample_calls(today: date) -> tuple[SampleCall, ...]:
    """The calls as they are listed on the first day of the script."""
    return tuple(_call(number, row, today) for number, row in enumerate(ROWS.strip().splitlines(), 1))


def _call(number: int, row: str, today: date) -> SampleCall:
    title, government, operator, region, field, when = (cell.strip() for cell in row.split("|"))
    first, _, last = when.partition(" ")
    dated = first.lstrip("-").isdigit()
    published = today + timedelta(days=min(int(first), -1) if dated else -10)
    return SampleCall(
        number=number,
        title=f"[예시] {published.year}년 {title}",
        government=government,
        operator=operator,
        region=region,
        field=field,
        opens=today + timedelta(days=int(first)) if dated else None,
        closes=today + timedelta(days=int(last)) if dated else None,
        words=None if dated else when,
        published=published,
        updated=published,
    )


class SampleEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A briefing or training that nobody holds; its registration has no stated start."""

    number: int
    title: str
    organizer: str
    region: str
    kind: str
    registration_ends: date
    starts: date
    ends: date
    published: date


# title | organizer | region | kind | registration ends, starts and ends in days from today
EVENTS = """
창업기업 투자유치 역량강화 설명회 | 예시투자지원원 | 서울 | 설명회 | 6 9 9
[대구] 온라인 판매 실무교육 | 예시대구창업원 | 대구 | 교육 | 11 14 16
수출 초보기업 상담회 | 예시수출지원단 | 부산 | 상담회 | 4 8 8
제조 현장 안전관리 교육 | 예시제조안전원 | 경남 | 교육 | 17 20 20
"""


def sample_events(today: date) -> tuple[SampleEvent, ...]:
    """The events as they are listed on every day of the script."""
    return tuple(_event(number, row, today) for number, row in enumerate(EVENTS.strip().splitlines(), 1))


def _event(number: int, row: str, today: date) -> SampleEvent:
    title, organizer, region, kind, days = (cell.strip() for cell in row.split("|"))
    registration_ends, starts, ends = (today + timedelta(days=int(day)) for day in days.split())
    return SampleEvent(
        number=number,
        title=f"[예시] {title}",
        organizer=organizer,
        region=region,
        kind=kind,
        registration_ends=registration_ends,
        starts=starts,
        ends=ends,
        published=today - timedelta(days=3),
    )
