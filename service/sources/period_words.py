"""The words of period texts: what a close rule is called, and what makes a date something else.

Korean texts split words anywhere ("소진시까 지"), so each Korean word allows spaces within.
"""

import re

from service.catalogue.event import CloseRule

_WIDE = {ord("　"): " ", 0xA0: " ", 0x200B: " ", 0xFEFF: " ", 0x3002: "."}
_FULL = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_RANGES = dict.fromkeys(map(ord, "∼～〜˜∽⁓"), "~")
_DASHES = dict.fromkeys(map(ord, "–—―−‐‑‒─－"), "-")
_QUOTES = dict.fromkeys(map(ord, "‘’´`′ʼ＇‛“”"), "'")
_WEEKDAYS = {ord(hanja): hangul for hanja, hangul in zip("月火水木金土日", "월화수목금토일", strict=True)}
_PLAIN = _WIDE | _FULL | _RANGES | _DASHES | _QUOTES | _WEEKDAYS
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,40}>|&nbsp;|&[lr]squo;|&#(?:39|8216|8217);|&(?:sim|tilde|#126);")


def plain(text: str) -> str:
    """The text with one spelling for each sign; what stands where is the same as in the text."""
    return _MARKUP.sub(_padded, text).translate(_PLAIN)


def _padded(found: re.Match[str]) -> str:
    sign = "'" if "squo" in found[0] or found[0][2:-1] in ("39", "8216", "8217") else " "
    if found[0][1:-1] in ("sim", "tilde", "#126"):
        sign = "~"
    return sign.ljust(len(found[0])) if found[0][0] == "&" else "\n".ljust(len(found[0]))


def _spaced(words: str) -> str:
    """A pattern of words, of which the Korean ones may have spaces inside."""
    return re.sub(r"([가-힣])(?=[가-힣(])", r"\1\\s*", words)


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(map(_spaced, patterns)), re.IGNORECASE)


RECURRING = _words(
    "매월", "매주", "매달", "매분기", "매년", "매일", "매학기", "격월", "격주", "분기별",
    r"반기별(?!\s*도)", "월별",
    r"(?:짝|홀)수\s*월", r"매\s*\d{1,2}월", r"\d{1,2}(?:\s*[·ㆍ,]\s*\d{1,2})+\s*월",
    r"매(?=\s*(?:분기|반기))",
    r"\bevery (?:month|week|quarter|year)\b", r"\beach (?:month|week|quarter|year)\b",
    r"\b(?:monthly|weekly|quarterly|annually)\b",
)  # fmt: skip
# The first that is found wins.
RULES: tuple[tuple[CloseRule, re.Pattern[str]], ...] = (
    ("until_exhausted", _words(
        r"소진", r"\bfunds? (?:are|is) (?:exhausted|used up|spent)", r"\bwhile (?:funds|supplies) last",
        r"\buntil (?:the )?(?:funds?|budget)\b",
    )),
    ("first_come", _words(
        "선착순", "선순", r"(?:모집|선정|매칭|접수|선발|신청|인원|목표)[^0-9.~]{0,8}(?:완료|종료"
        r"|마감)\s*(?:시|될|되는)",
        r"접수\s*시\s*마감", r"(?:모집|접수)\s*마감\s*시", "충족", "조기마감", "조기종료",
        r"목표[^.~]{0,8}달성",
        r"(?:정원|인원)[^.~]{0,6}(?:도달|초과|마감|찰)", r"\bfirst[- ]come",
        r"\buntil (?:all )?(?:places|filled|full)\b",
        r"\bfilled\b",
    )),
    ("rolling", _words(
        r"상시(?!\s*(?:근로|고용|종업))", r"수시(?!\s*형)", "연중", r"\brolling\b", r"\byear[- ]round\b",
        r"\bopen[- ]ended\b", r"\bcontinuous(?:ly)?\b", r"\bany ?time\b", r"\bongoing\b",
    )),
    ("varies", _words(
        "상이", r"별(?:로)?\s*다름", r"별(?:로)?\s*별도", r"마다\s*다름",
        r"별\s*(?:일정|기간|공고)", r"\bvar(?:y|ies)\b",
        r"\bdepends? on\b",
    )),
    ("to_be_announced", _words(
        "추후", "미정", "미확정", r"별도\s*(?:공고|공지|안내|통보|게시)",
        r"(?:공고|공지|안내|통보|확정|발표|게시)\s*예정",
        r"\bTB[AD]\b", r"\bto be (?:announced|determined|confirmed|decided)\b", r"\bcoming soon\b",
    )),
    ("unknown", _words(
        r"참[조고]", "따름", r"에\s*따라", "확인", r"(?:공고문|홈페이지|별첨|첨부|붙임|누리집)",
        r"\bsee (?:the )?\w+",
    )),
)  # fmt: skip
ANNOUNCED = _words(r"(?:공고|공지|안내|통보|발표|게시)\s*(?:할\s*)?예정", r"\bto be announced\b")
RELATIVE = _words(
    "오늘", "내일", "모레", "어제", "금일", "명일", "익일", "이번주", "다음주", "금주", "차주",
    "이번달", "다음달",
    "금월", "내달", "익월", "올해", "내년", "금년", "명년", r"\d+\s*일\s*(?:남|전)",
    r"\b(?:today|tomorrow|tonight)\b",
    r"\b(?:this|next) (?:week|month|year|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b",
    r"\b\d+ (?:days?|weeks?) (?:left|remaining|from now)\b",
)  # fmt: skip
COUNTDOWN = re.compile(r"\bD\s*[-+]\s*(?:\d+|day)\b", re.IGNORECASE)
CANCELLED = _words(
    "취소", "철회", "무효", "보류", "중단", "중지", "폐지", r"\bcancell?ed\b", r"\bwithdrawn\b"
)
# A span of time that hangs on something private, or a condition: no period at all.
CONDITION = _words(
    r"이내", "경과", "현재", "미만", r"(?<!\d)이상", r"\d+\s*[인명개년세]\s*이상", "초과", "이후",
    r"후\s*\d+\s*(?:일|주|개월)",
    r"\bwithin \d+", r"\bno later than \d+ days",
)  # fmt: skip
DATED_CONDITION = re.compile(
    _spaced(
        r"\s*[).]?\s*(?:\([월화수목금토일]\))?\s*(?:자\s*)?(?:이후|이전|기준|현재|당시|출생|생\b"
        r"|설립|창업|재창업|개업|등록한|등기)"
    )
)
VAGUE = re.compile(
    _spaced(
        r"\s*(?:초순|중순|하순|초(?![가-힣])|말(?![가-힣])|말까지|말경|중(?![가-힣])|중에"
        r"|경(?![가-힣])|경까지|쯤|전후|내외|즈음|예정|무렵)"
    )
)
HALF = _words("상반기", "하반기", r"[1-4]\s*/?\s*4?\s*분기", "연내", "연말", "연초",
    r"\b[HQ][1-4]\b", r"봄|여름|가을|겨울",
              r"\b(?:first|second) half\b", r"\b(?:spring|summer|autumn|fall|winter)\b")  # fmt: skip
BLANK = re.compile(
    r"(?:20\d\d|')\s*년\s*월|(?<!\d)\s년\s*월\s*일|20\s*년\s|년\s+월\s+일|(?:월|\d\.)\s{1,}일(?=[\s(~까]|$)"
    r"|[○Oo0◯_]{1,2}\s*월\s*[○Oo0◯_]{1,2}\s*일|\d\s*월\s*[○◯_]{1,2}\s*일|\b20\d\d\s*\.\s+\."
    r"|(?:YYYY|yyyy)|_{2,}"
    r"|20[○◯OX_]{2}|[○◯]{2,}\s*[.년월일]|\(\s\)"
)
# Dates beside these are of something else than applications.
OTHER = _words(
    "발표", "선정", "결과", "심사", "평가", "통보", "협약", "설치", "설명회", "오리엔테이션",
    "게시", "공지", "면접",
    r"(?:사업|수행|교육|운영|지원|협약|행사|활동|입주|계약|전시|이용|보육)\s*(?:기간|일시|시작)",
    "개최", "개소", "시상",
    r"\bresults?\b", r"\bnotif", r"\bannounce", r"\binterview", r"\bwebinar\b",
    r"\binfo(?:rmation)? session\b",
)  # fmt: skip
PERIOD = _words(
    r"(?:접수|신청|모집|공모|제출|응모|참가|등록)\s*(?:서)?\s*(?:접수)?\s*(?:기간|기한|마감|일시"
    r"|일정|일자)", "마감", "종료",
    "기한", "접수", "신청", r"\b(?:submission|application|deadline|due|clos(?:es|ing)|registration|apply)\b",
)  # fmt: skip
ENDS = _words("마감", "종료", "기한", "만료", r"\b(?:deadline|due|clos(?:e|es|ing)|ends?)\b")
BEGINS = _words("시작", "개시", "오픈", r"\b(?:opens?|opening|starts?|begins?|from)\b")
MOVED = _words("연장", "변경", "정정", "수정", "조정", r"\bextended\b", r"\bpostponed\b", r"\bnew deadline\b")
OLD = _words(
    "당초", "기존", r"변경\s*전", "종전", "현행", r"(?<=\()전(?=\))", r"\b(?:originally|previously|was|old)\b"
)
NEW = re.compile(
    r"변\s*경\s*후|변\s*경(?!\s*전)|연\s*장|정\s*정|수\s*정|조\s*정|(?<=\()후(?=\))|→|⇒|➔|➡|->|=>"
    r"|>>|\b(?:now|new|extended)\b",
    re.IGNORECASE,
)
PLACE = _words("코엑스", "킨텍스", "벡스코", r"[가-힣]홀", r"\d+\s*[호층]", "센터", "회의실",
    "컨벤션", "호텔", "온라인",
               "개최", "행사", r"캠퍼스", "타운", "광장",
               r"\b(?:hall|room|center|centre|coex|venue|online|zoom)\b")  # fmt: skip
ROUND = re.compile(
    r"[(\[<]?\s*제?\s*(?P<n>\d{1,2})\s*(?:차수|차(?![가-힣])|회차|회(?![가-힣의])|라운드"
    r"|기(?![가-힣간업]))\s*[)\]>]?"
    r"|[(\[]?\s*(?P<q>[1-4])\s*/?\s*4?\s*분기\s*[)\]]?|[(\[]?\s*(?P<h>[상하]반기)\s*[)\]]?"
    r"|\b(?:round|phase|batch|cohort)\s*(?P<e>\d{1,2})\b",
    re.IGNORECASE,
)
ZONES = {
    "aoe": "Etc/GMT+12", "kst": "Asia/Seoul", "한국시간": "Asia/Seoul", "est": "America/New_York",
    "edt": "America/New_York", "et": "America/New_York", "eastern": "America/New_York",
    "pst": "America/Los_Angeles", "pdt": "America/Los_Angeles", "pt": "America/Los_Angeles",
    "pacific": "America/Los_Angeles", "mst": "America/Denver", "mdt": "America/Denver",
    "cdt": "America/Chicago",
    "cet": "Europe/Brussels", "cest": "Europe/Brussels", "brussels": "Europe/Brussels",
    "bst": "Europe/London",
    "jst": "Asia/Tokyo", "sgt": "Asia/Singapore", "hkt": "Asia/Hong_Kong", "utc": "UTC", "gmt": "UTC",
    "anywhere on earth": "Etc/GMT+12", "utc-12": "Etc/GMT+12", "gmt-12": "Etc/GMT+12",
    "utc+9": "Asia/Seoul", "gmt+9": "Asia/Seoul", "utc+09:00": "Asia/Seoul",
}  # fmt: skip
