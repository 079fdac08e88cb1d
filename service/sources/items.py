"""The fields of items as sources write them: texts, days, addresses, regions, and no person."""

import html
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from feeds.text import clean, link, one_line
from service.sources.records import Organizer, Record, Rejected, SourcePage

LONGEST_SUMMARY = 5000
LONGEST_RAW = 4000
LAST_YEAR = 2099
_TAGS = re.compile(r"<(?:br|/p|/div|/li|/tr|/h\d)\b[^>]*>", re.IGNORECASE)
_MARKUP = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>|</?[a-zA-Z][^<>]{0,2000}>", re.DOTALL)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,5}")
_PHONE = re.compile(
    r"(?<![\d.-])(?:\+?82[-\s.]?)?(?:\(?0\d{1,2}\)?[-\s.)]{0,2}\d{3,4}[-\s.]?\d{4}|1[5-9]\d{2}[-\s.]\d{4})"
    r"(?:\s?[~,/]\s?\d{1,4})?(?![\d-])"
)
_PERSON = re.compile(
    r"(?:담당자|작성자|신청인|대표자?)\s*[:：]\s*[가-힣]{2,4}(?![가-힣])"
    r"|(?<![가-힣])[가-힣]{2,4}\s?(?:주무관|사무관|서기관|매니저|(?:선임|책임)연구원)(?:님)?(?![가-힣])"
)
_OFFICE = re.compile(r"(?:팀|과|센터|부서|본부|재단|진흥원|공단|협회|사업단|콜센터|위원회|지원단|담당관)$")
_DAY = re.compile(r"(\d{4})[-./]?\s?(\d{1,2})[-./]?\s?(\d{1,2})(?:\D|$)")
_CLOCK = re.compile(r"[T\s](\d{1,2}):(\d{2})(?::(\d{2}))?")
_IDS = (
    ("kstartup", re.compile(r"[?&]pbancSn=(\d{1,12})\b")),
    ("bizinfo", re.compile(r"[?&](?:pblancId|eventInfoId)=(?:\?eventInfoId=)?((?:PBLN|EVEN)_\d{6,20})\b")),
)
_SHORT = "서울 부산 대구 인천 광주 대전 울산 세종 경기 강원 충북 충남 전북 전남 경북 경남 제주"
REGIONS = tuple(_SHORT.split())
NATIONWIDE = "전국"


class Unfit(ValueError):
    """One item is no record; the message says why."""


def page_of(
    items: Iterable[object],
    build: Callable[[dict[str, Any]], Iterable[Record]],
    *,
    key: Callable[[dict[str, Any]], str | None],
    private: Collection[str] = (),
    **fields: Any,
) -> SourcePage:
    """A page from its items; one that is no record is rejected, and the rest is read.

    What stands on a page twice counts once. `private` are the fields that even quarantine does not keep.
    """
    records: dict[str, Record] = {}
    rejected, count = [], 0
    for position, item in enumerate(items, 1):
        count = position
        try:
            if not isinstance(item, dict):
                raise Unfit("It is no object.")
            for record in build(item):
                records.setdefault(record.external_id, record)
        except (Unfit, ValueError, OverflowError, msgspec.ValidationError) as error:
            fields_of = item if isinstance(item, dict) else {}
            rejected.append(
                Rejected(
                    position=position,
                    external_id=key(fields_of),
                    reason=str(error) if isinstance(error, Unfit) else f"It cannot be read: {error}."[:300],
                    raw=raw_of(item, private),
                )
            )
    return SourcePage(records=tuple(records.values()), refused=tuple(rejected), items=count, **fields)


def raw_of(item: object, private: Collection[str] = ()) -> str:
    """An item for a curator's eyes, without fields about persons."""
    kept = item
    if isinstance(item, dict):
        kept = {name: value for name, value in item.items() if name not in private}
    return impersonal(clean(json.dumps(kept, ensure_ascii=False, default=str)))[:LONGEST_RAW]


def said(item: Mapping[str, Any], *names: str) -> str:
    """The first field that says something, on one line, its entities unescaped twice at most."""
    for name in names:
        value = item.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            text = one_line(html.unescape(html.unescape(str(value))))
            if text:
                return text
    return ""


def title_of(item: Mapping[str, Any], *names: str) -> str:
    title = impersonal(said(item, *names))[:300].strip()
    if not title:
        raise Unfit("It has no title.")
    return title


def prose(item: Mapping[str, Any], *names: str) -> str | None:
    """The text of a field that may be HTML, without markup and without what names persons."""
    value = next((item[name] for name in names if isinstance(item.get(name), str) and item[name].strip()), "")
    return plain(value)


def plain(value: str) -> str | None:
    for _ in range(2):
        value = html.unescape(_MARKUP.sub("", _TAGS.sub("\n", value)))
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in clean(value).split("\n"))
    return impersonal(re.sub("\n{2,}", "\n", "\n".join(lines)).strip())[:LONGEST_SUMMARY].strip() or None


def impersonal(text: str) -> str:
    """A text without mail addresses, telephone numbers and the names beside a person's title."""
    for pattern in (_MAIL, _PHONE, _PERSON):
        text = pattern.sub("", text)
    return text


def office(text: str) -> str | None:
    """The office of a contact; whatever may be a person is left out."""
    words = re.split(r"[\s,/()·:;]+", impersonal(text))
    return " ".join(word for word in words if len(word) > 1 and _OFFICE.search(word))[:300] or None


def day_of(text: str) -> date | None:
    """A day as stamps have it (`20260928`, `2026-09-28 10:00:00`, RFC 5322); none if it is not one."""
    moment = moment_of(text)
    return moment.date() if isinstance(moment, datetime) else moment


def moment_of(text: str) -> date | datetime | None:
    found = _DAY.match(text.strip())
    try:
        if found is None:
            return parsedate_to_datetime(text) if re.search(r"\d{1,2} [A-Za-z]{3}", text) else None
        day = date(*(int(part) for part in found.groups()))
        clock = _CLOCK.search(text)
        if clock is None:
            return day
        hour, minute, second = (int(part or 0) for part in clock.groups())
        return datetime.combine(day, time(hour, minute, second))
    except (ValueError, TypeError, OverflowError):
        return None


def stamp_of(text: str) -> str | None:
    """A day or a minute on the source's clock, as EDTF; none if it is not one."""
    moment = moment_of(text)
    if isinstance(moment, datetime):
        return moment.strftime("%Y-%m-%dT%H:%M").rjust(16, "0")
    return moment.isoformat() if moment else None


def days(first: str, last: str) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Start and end from two fields of a day each, with doubts; impossible and reversed ones are Unfit."""
    start, end = (_field_day(text) for text in (first, last))
    doubts: tuple[str, ...] = ()
    if end is not None and (end.month, end.day) == (12, 31) and end.year in (LAST_YEAR, 2999, 9999):
        end, doubts = None, ("no_end_stated",)
    if start and end and end < start:
        raise Unfit(f"It ends ({last}) before it begins ({first}).")
    return start.isoformat() if start else None, end.isoformat() if end else None, doubts


def _field_day(text: str) -> date | None:
    if not text:
        return None
    day = day_of(text)
    if day is None:
        raise Unfit(f"There is no such day as “{text[:40]}”.")
    return day


def address(text: str) -> str | None:
    """An address of the web; one without a scheme gets https, and of a host written twice the last counts."""
    text = re.sub(r"^(https?://[^/]+)(?=https?://)", "", text.strip())
    if re.match(r"(?:www\.|[\w-]+(?:\.[\w-]+)*\.(?:kr|com|org|net|io)(?:[/?#:]|$))", text):
        text = f"https://{text}"
    found = link(text)
    try:
        return found if found and urlsplit(found).hostname else None
    except ValueError:
        return None


def known_as(*addresses: str | None) -> tuple[str, ...]:
    """The ids at the national catalogues that addresses name, as `kstartup:177296`."""
    found = (
        f"{space}:{match[1]}"
        for url in addresses
        if url
        for space, pattern in _IDS
        for match in pattern.finditer(url)
    )
    return tuple(dict.fromkeys(found))


def regions_of(*texts: str) -> tuple[str, ...]:
    """Regions by their short names; all of them are `전국`. Since 2026 전남광주 stands for both."""
    words = {word for text in texts for word in re.split(r"[\s,/|·ㆍ\[\]()]+", text)}
    if "전남광주" in words:
        words |= {"전남", "광주"}
    found = tuple(region for region in REGIONS if region in words)
    return (NATIONWIDE,) if NATIONWIDE in words or len(found) == len(REGIONS) else found


def several(text: str, separators: str = ",|@") -> tuple[str, ...]:
    parts = (part.strip() for part in re.split(f"[{re.escape(separators)}]", text))
    return tuple(dict.fromkeys(part for part in parts if part))


def organizers(**names: str) -> tuple[Organizer, ...]:
    """Organizations by role; one that plays two parts is named for the first."""
    seen: dict[str, Organizer] = {}
    for role, name in names.items():
        if name:
            seen.setdefault(name, msgspec.convert({"role": role, "name": impersonal(name)[:300]}, Organizer))
    return tuple(each for each in seen.values() if each.name)
