"""What the title of a Korean call says: its core name, and what sets it apart (numbers, places, brackets)."""

import re
import unicodedata
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

import msgspec


class TitleParts(msgspec.Struct, frozen=True, kw_only=True):
    """A title taken apart. `core` is its name without spaces and without the words that every call has.

    `brackets` hold what stands in brackets; a name in Latin letters there is one of `aliases`.
    `targets` are kinds of applicants that are named. `later_round` is the number of a second or further
    round (2차), `reissue` marks a new window (재공고, 추가모집), `amends` a change of an earlier notice, and
    `umbrella` the announcement of several calls (통합 공고). `prefix` are the places of `[경북]` in front,
    which some portals add of themselves, and `meeting` marks what is held (개최) beside what is applied for.
    """

    core: str
    words: tuple[str, ...]
    years: frozenset[str]
    editions: frozenset[str]
    months: frozenset[str]
    places: frozenset[str]
    brackets: frozenset[str]
    aliases: frozenset[str]
    targets: frozenset[str]
    numbers: frozenset[str]
    later_round: str
    reissue: bool
    amends: bool
    umbrella: bool
    meeting: bool
    prefix: frozenset[str]


_LONG_REGIONS = {
    "서울특별시": "서울",
    "부산광역시": "부산",
    "대구광역시": "대구",
    "인천광역시": "인천",
    "광주광역시": "광주",
    "대전광역시": "대전",
    "울산광역시": "울산",
    "세종특별자치시": "세종",
    "경기도": "경기",
    "강원특별자치도": "강원",
    "강원도": "강원",
    "충청북도": "충북",
    "충청남도": "충남",
    "전북특별자치도": "전북",
    "전라북도": "전북",
    "전라남도": "전남",
    "전남광주통합특별시": "전남광주",
    "경상북도": "경북",
    "경상남도": "경남",
    "제주특별자치도": "제주",
    "제주도": "제주",
}
_PLACES = re.findall(
    r"\S+",
    """
전남광주 서울 부산 대구 인천 광주 대전 울산 세종 경기 강원 충북 충남 전북 전남 경북 경남 제주 수원 성남
용인 고양 화성 부천 안산 안양 평택 시흥 김포 의정부 파주 하남 남양주 군포 오산 이천 안성 구리 포천 양주
여주 동두천 과천 의왕 광명 판교 춘천 원주 강릉 동해 속초 삼척 태백 청주 충주 제천 천안 아산 서산 당진
논산 계룡 보령 공주 전주 군산 익산 정읍 남원 김제 완주 목포 여수 순천 나주 광양 포항 경주 김천 안동 구미
영주 영천 상주 문경 경산 창원 진주 통영 사천 김해 밀양 거제 양산 진도군 해남군 영암군 무안군 고흥군 보성군
완도군 신안군 함평군 장성군 담양군 곡성군 구례군 화순군 강진군 장흥군 영광군 홍성군 예산군 태안군 금산군
부여군 서천군 청양군 음성군 진천군 괴산군 옥천군 영동군 보은군 증평군 단양군 홍천군 횡성군 영월군 평창군
정선군 철원군 화천군 양구군 인제군 고성군 양양군 가평군 양평군 연천군 기장군 달성군 군위군 울주군 강화군
옹진군 무주군 장수군 임실군 순창군 고창군 부안군 진안군 의성군 청송군 영양군 영덕군 청도군 고령군 성주군
칠곡군 예천군 봉화군 울진군 의령군 함안군 창녕군 남해군 하동군 산청군 함양군 거창군 합천군 강남구 강동구
강북구 강서구 관악구 광진구 구로구 금천구 노원구 도봉구 동대문구 동작구 마포구 서대문구 서초구 성동구 성북구
송파구 양천구 영등포구 용산구 은평구 종로구 중랑구 해운대구 수영구 사하구 유성구 대덕구 연수구 남동구 부평구
계양구 미추홀구 도쿄 오사카 파리 런던 뉴욕 베를린 실리콘밸리 싱가포르 하노이 호치민 자카르타 방콕 두바이
상하이 베이징 홍콩 타이베이 일본 미국 중국 프랑스 독일 영국 베트남 인도네시아 태국 인도 성수 공덕 마곡 홍릉
양재 구로 역삼
""",
)
_CITY = re.compile("|".join(sorted(_PLACES, key=len, reverse=True)))
_REGION = re.compile("|".join(_LONG_REGIONS))

_YEAR = re.compile(
    r"(?<!\d)(20\d\d)(?!\d)\s*(?:학?년도?)?|['’‘]\s?(\d\d)(?!\d)\s*(?:년도?)?|(?<!\d)(2\d)년도?"
)
_EDITION = re.compile(
    r"제?\s*(\d{1,3})\s*(?:기수|기(?![가-힣])|회차|회(?![가-힣])|호(?![가-힣])|번째)"
    r"|(?:시즌|season|batch|배치)\s*(\d{1,2})|(?<![A-Za-z])(\d{1,2})(?:st|nd|rd|th)\b",
    re.IGNORECASE,
)
_ROUND = re.compile(
    r"제?\s*(\d{1,2})\s*차(?!\s*(?:산업|전지|원|량|세대|년도|년))(?:수|\s|$|(?=[^가-힣])|(?=모집|공고|공모|신청|접수))"
)
_MONTH = re.compile(
    r"(?<!\d)(\d{1,2})\s*월(?![가-힣])|([상하]반기)|(?<!\d)(\d)\s*(?:/4)?\s*분기|(봄|여름|가을|겨울)학기"
)
_REISSUE = re.compile(
    r"재\s*공\s*고|재\s*모\s*집|재\s*공모|추가\s*(?:모\s*집|접\s*수|신\s*청|선\s*발|선\s*정|공\s*모)"
)
_AMENDS = re.compile(r"수정|변경|연장|정정|추가(?=\s*(?:공고|안내|\)|\]|$))")
_UMBRELLA = re.compile(r"통합\s*공\s*고|(?:시행|지원|추진)\s*계획")
_MEETING = re.compile(r"개최")
_PREFIX = re.compile(r"^\s*(?:\[[^\]]*\]\s*)+")
_BRACKET = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]|<([^<>]*)>|【([^【】]*)】")
_QUOTES = re.compile(r"[「」『』“”‘’\"'《》〈〉`]")
_SPLIT = re.compile(r"[^0-9A-Za-z가-힣]+")
_NUMBER = re.compile(r"\d+")
_LATIN = re.compile(r"[0-9A-Za-z .&+/\-]*")

# Words that nearly every notice has, and that therefore name nothing.
_GENERIC = re.findall(
    r"\S+",
    """
모집공고 모집 공고문 공고 공모 공개모집 참여기업 참가기업 참여 참가 참가사 참여사 참가자 참여자 참가팀 참여팀
지원대상 대상 신청 접수 안내 개최 선정 지원사업 지원 사업 프로그램 수혜기업 창업기업 스타트업 기업 과제
지원과제 신규과제 신규 계획 시행계획 시행 알림 추진 소상공인 교육생 수강생 연수생 훈련생 통합 년도 년 건 의
및
""",
)
_GENERIC_WORDS = re.compile("(?:" + "|".join(sorted(_GENERIC, key=len, reverse=True)) + ")+")
_KEPT = {"스타트업", "창업기업", "소상공인", "기업", "지원", "통합", "의", "및", "년", "건"}


@lru_cache(maxsize=65_536)
def title_parts(title: str) -> TitleParts:
    """The parts of a title; spacing, brackets of quotation and full-width letters make no difference."""
    text = unicodedata.normalize("NFKC", title).replace("ㆍ", "·").replace("ᆞ", "·")
    text = _REGION.sub(lambda found: _LONG_REGIONS[found[0]], text)
    years = frozenset(found[1] or f"20{found[2] or found[3]}" for found in _YEAR.finditer(text))
    text = _QUOTES.sub(" ", _YEAR.sub(" ", text))
    rounds = {found[1] for found in _ROUND.finditer(text)}
    text_without_rounds = _ROUND.sub(" ", text)
    editions = frozenset(
        next(group for group in found.groups() if group) for found in _EDITION.finditer(text_without_rounds)
    )
    months = frozenset(found[0].replace(" ", "") for found in _MONTH.finditer(text))
    reissue, amends = bool(_REISSUE.search(text)), bool(_AMENDS.search(_REISSUE.sub(" ", text)))
    umbrella = bool(_UMBRELLA.search(text))
    bare = _AMENDS.sub(" ", _REISSUE.sub(" ", _MONTH.sub(" ", _EDITION.sub(" ", text_without_rounds))))
    inside = [
        (found[0][0], next((group for group in found.groups() if group), ""))
        for found in _BRACKET.finditer(bare)
    ]
    words = tuple(_words(_BRACKET.sub(" ", bare)))
    core = "".join(words)
    return TitleParts(
        core=core,
        words=words,
        years=years,
        editions=editions,
        months=months,
        places=frozenset(places_in(text)),
        brackets=frozenset(
            held for mark, one in inside if (held := _bracket(mark, one)) and held not in core
        ),
        aliases=frozenset(alias for _, one in inside if (alias := _alias(one))),
        targets=frozenset(kind for kind, words_of in _TARGETS.items() if re.search(words_of, text)),
        numbers=frozenset(number.lstrip("0") for number in _NUMBER.findall(bare)),
        later_round=",".join(sorted(rounds - {"1"})),
        reissue=reissue,
        amends=amends,
        umbrella=umbrella,
        meeting=bool(_MEETING.search(text)),
        prefix=frozenset(places_in(found[0])) if (found := _PREFIX.match(text)) else frozenset(),
    )


def _words(text: str) -> list[str]:
    """The words that name something, in lower case; a place in front or in between is compared by itself."""
    words = []
    for word in _SPLIT.split(text.lower()):
        bare = "" if _GENERIC_WORDS.fullmatch(word) else _trimmed(word)
        if bare and not _CITY.fullmatch(bare):
            words.append(bare)
    return words


def _trimmed(word: str) -> str:
    """A word without the generic words at its end: 육성지원사업 becomes 육성."""
    for _ in range(4):
        ending = next((end for end in _ORDERED if word.endswith(end) and len(word) > len(end) + 1), None)
        if ending is None:
            break
        word = word[: -len(ending)]
    return word


_ORDERED = sorted((word for word in _GENERIC if word not in _KEPT or word == "지원"), key=len, reverse=True)


_TARGETS = {
    "startup": "스타트업|창업기업|벤처기업",
    "merchant": "소상공인",
    "trainee": "교육생|수강생|연수생|훈련생",
    "mentor": "멘토|강사|컨설턴트|전문가",
    "operator": "운영사|운영기관|주관기관|수행기관|협력기관",
}


def _bracket(mark: str, inner: str) -> str:
    """What a bracket adds, without spaces; nothing for generic words, a name in Latin letters or `[경북]`."""
    if _LATIN.fullmatch(inner):
        return inner.strip().lower() if _NUMBER.search(inner) else ""
    places = "" if mark in "[【" else "".join(_CITY.findall(inner))
    return "".join(_words(inner)) + places


def _alias(inner: str) -> str:
    letters = _SPLIT.sub("", inner.lower())
    return letters if _LATIN.fullmatch(inner) and len(letters) > 3 else ""


_LEGAL = re.compile(r"\((?:재|사|주|유)\)|㈜|재단법인|사단법인|주식회사|\s+")
_GOVERNMENT = re.compile(r"^(?:[가-힣]+(?:부|처|청|시|도|군|구|위원회)|" + "|".join(_PLACES[:18]) + r")$")
_ALIASES = {
    "중진공": "중소벤처기업진흥공단",
    "소진공": "소상공인시장진흥공단",
    "창진원": "창업진흥원",
    "kised": "창업진흥원",
    "기정원": "중소기업기술정보진흥원",
    "tipa": "중소기업기술정보진흥원",
    "kotra": "대한무역투자진흥공사",
    "코트라": "대한무역투자진흥공사",
    "nipa": "정보통신산업진흥원",
    "kocca": "한국콘텐츠진흥원",
    "콘진원": "한국콘텐츠진흥원",
    "sba": "서울경제진흥원",
    "kita": "한국무역협회",
    "중기부": "중소벤처기업부",
}


def operators(names: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """The organizations that run a call, and the governments above them, by one spelling each."""
    parts = (part for name in names for part in re.split(r"\s*[/,;|]\s*|(?<=[부처청원단])·", name))
    found = {one for part in parts if (one := _operator(part))}
    governments = {one for one in found if _GOVERNMENT.match(one)}
    return frozenset(found - governments), frozenset(governments)


def _operator(name: str) -> str:
    text = _LEGAL.sub("", unicodedata.normalize("NFKC", name).replace("㈜", "")).lower()
    for long, short in _LONG_REGIONS.items():
        if text != long.lower() and text.startswith(long):
            text = short + text[len(long) :]
    text = re.sub(r"창경$|창경센터$", "창조경제혁신센터", text)
    text = re.sub(r"(?<=[가-힣])tp$", "테크노파크", text)
    return _ALIASES.get(text, text)


def places_in(text: str) -> list[str]:
    """The regions, towns and countries that a text names."""
    return _CITY.findall(text)


def region(name: str) -> str:
    """A region by its short name."""
    return _LONG_REGIONS.get(name, name)


def foreign_ids(url: str) -> frozenset[str]:
    """The ids of national portals that an address names."""
    return frozenset(
        f"{source}:{found[1]}" for source, ident in _FOREIGN_IDS if (found := re.search(ident, url))
    )


_FOREIGN_IDS = (
    ("kstartup", r"[?&]pbancSn=(\d{4,9})(?!\d)"),
    ("bizinfo", r"[?&]pblancId=(PBLN_\d+)"),
    ("bizinfo", r"[?&]eventInfoId=(EVEN_\d+)"),
)


def web_address(url: str) -> str | None:
    """An address in one spelling, if it is of one page: one with an id in it, not a portal's front page."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    query = sorted(
        (name, value)
        for name, value in parse_qsl(parts.query)
        if not name.lower().startswith(("utm_", "fbclid"))
    )
    path = parts.path.rstrip("/")
    named = any(re.search(r"\d{3,}|[A-Za-z0-9]{8,}\d", value) for _, value in query) or re.search(
        r"\d{3,}$", path
    )
    if not host or not named:
        return None
    return f"{host}{path}?{'&'.join(f'{name}={value}' for name, value in query)}"
