"""기업마당 (bizinfo): the current national calls, from data.go.kr (15157820) and from its own API.

Both list what is posted now, in the same words; a call that is over is no longer there.
"""

import re
from collections.abc import Iterator
from typing import Any

from service.sources import items, payloads
from service.sources.records import Ask, Record, SourceError, SourcePage, SourceRequest

DATA_GO = "https://apis.data.go.kr/1421000/bizinfo/pblancBsnsService"
OWN = "https://www.bizinfo.go.kr/uss/rss/bizinfoApi.do"
SITE = "https://www.bizinfo.go.kr"
ROWS = 500
_COUNTERS = {"inqireCo", "totCnt"}
_PRIVATE = {"refrncNm"}
_FIELDS = """
    pblancId pblancNm pblancUrl jrsdInsttNm excInsttNm bsnsSumryCn trgetNm hashtags hashTags
    reqstBeginEndDe pldirSportRealmLclasCodeNm pldirSportRealmMlsfcCodeNm reqstMthPapersCn
    creatPnttm updtPnttm registDe rceptEngnHmpgUrl printFlpthNm printFileNm flpthNm fileNm seq title
    link author description lcategory pubDate reqstDt
"""
_KNOWN = _COUNTERS | _PRIVATE | set(_FIELDS.split())


class BizinfoDataGo:
    """All current calls in pages of 500; with `since` those that were changed since."""

    name = "bizinfo"
    key_parameter = "serviceKey"

    def request(self, ask: Ask) -> SourceRequest:
        rows = ask.parameters.get("rows", str(ROWS))
        query = [("dataType", "json"), ("pageNo", str(ask.page)), ("numOfRows", rows)]
        query += [
            (name, ask.parameters[name]) for name in ("searchLclasId", "hashtags") if name in ask.parameters
        ]
        if ask.since:
            query.append(("updtPnttm", ask.since.isoformat()))
        return SourceRequest(url=ask.address or DATA_GO, query=tuple(query), key_parameter=self.key_parameter)

    def decode(self, body: bytes, content_type: str, ask: Ask) -> SourcePage:
        found = payloads.envelope(payloads.json_of(body, content_type, ask.today), ask.today)
        listed = payloads.listed(found.get("items"))
        total, number = _count(found.get("totalCount")), _count(found.get("pageNo")) or ask.page
        rows = _count(found.get("numOfRows")) or len(listed)
        more = bool(listed) and total is not None and number * rows < total
        whole, following = False if ask.since else None, number + 1 if more else None
        return _page(listed, total=total if found else 0, whole=whole, next=following)


class BizinfoOwn:
    """All current calls in one answer, as JSON or as RSS; `totCnt` on each says how many there are."""

    name = "bizinfo-own"
    key_parameter = "crtfcKey"

    def request(self, ask: Ask) -> SourceRequest:
        query = (("dataType", "json"), ("searchCnt", ask.parameters.get("rows", "5000")))
        return SourceRequest(url=ask.address or OWN, query=query, key_parameter=self.key_parameter)

    def decode(self, body: bytes, content_type: str, ask: Ask) -> SourcePage:
        listed = own_items(body, content_type, ask)
        return _page(listed, total=total_of(listed))


def own_items(body: bytes, content_type: str, ask: Ask) -> list[Any]:
    """The items of an API of bizinfo's own, whichever of its shapes they have."""
    if payloads.is_xml(body):
        return [
            payloads.item_of(each) for each in payloads.xml_of(body, content_type, ask.today).iter("item")
        ]
    tree = payloads.json_of(body, content_type, ask.today)
    if not isinstance(tree, dict) or "jsonArray" not in tree:
        raise SourceError("not_this", "It has no jsonArray.")
    return payloads.listed(tree["jsonArray"])


def total_of(listed: list[Any]) -> int | None:
    return _count(listed[0].get("totCnt")) if listed and isinstance(listed[0], dict) else None


def _page(listed: list[Any], **fields: Any) -> SourcePage:
    return items.page_of(listed, _records, key=_key, private=_PRIVATE, **fields)


def _key(item: dict[str, Any]) -> str | None:
    number = items.said(item, "pblancId", "seq")
    return f"bizinfo:{number}" if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", number) else None


def _records(item: dict[str, Any]) -> Iterator[Record]:
    external_id = _key(item)
    if external_id is None:
        raise items.Unfit("It has no pblancId.")
    page, apply = items.said(item, "pblancUrl", "link"), items.said(item, "rceptEngnHmpgUrl")
    url = items.address(SITE + page if page.startswith("/") else page)
    apply_url = items.address(apply)
    hashtags, title = items.said(item, "hashtags", "hashTags"), items.title_of(item, "pblancNm", "title")
    yield Record(
        external_id=external_id,
        kind="call",
        title=title,
        url=url,
        apply_url=apply_url,
        organizations=items.organizers(
            host=items.said(item, "jrsdInsttNm", "author"), operator=items.said(item, "excInsttNm")
        ),
        published=items.day_of(items.said(item, "creatPnttm", "registDe", "pubDate")),
        updated=items.stamp_of(items.said(item, "updtPnttm")),
        period=items.said(item, "reqstBeginEndDe", "reqstDt") or None,
        regions=items.regions_of(hashtags, *re.findall(r"\[([^\]]{1,20})\]", title)),
        summary=items.prose(item, "bsnsSumryCn", "description"),
        tags=items.several(items.said(item, "pldirSportRealmLclasCodeNm", "lcategory")),
        targets=items.several(items.said(item, "trgetNm")),
        support=items.several(items.said(item, "pldirSportRealmMlsfcCodeNm")),
        apply_how=tuple(filter(None, [items.prose(item, "reqstMthPapersCn")])),
        contact=items.office(items.said(item, "refrncNm")),
        links=tuple(each for each in items.known_as(apply_url) if each != external_id),
        unknown=tuple(sorted(set(item) - _KNOWN)),
    )


def _count(value: object) -> int | None:
    text = str(value).strip()
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
