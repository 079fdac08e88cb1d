"""K-Startup (data.go.kr 15125364): all announcements ever, the newest first, as JSON or XML.

Its answer is never the whole list, because only the newest pages are read: what is not there is not gone.
"""

import re
from collections.abc import Iterator
from typing import Any

from service.sources import items, payloads
from service.sources.records import Ask, Record, SourceError, SourcePage, SourceRequest

ADDRESS = "https://apis.data.go.kr/B552735/kisedKstartupService01/getAnnouncementInformation01"
ROWS, PAGES = 100, 12
# The mail field is an opaque blob that differs at each call; `id` is a row number.
_PRIVATE = {"prch_cnpl_no", "aply_mthd_eml_rcpt_istc"}
_HOW = tuple(f"aply_mthd_{way}_istc" for way in ("onli_rcpt", "vst_rcpt", "pssr_rcpt", "fax_rcpt", "etc"))
_FIELDS = """
    id pbanc_sn biz_pbanc_nm intg_pbanc_yn intg_pbanc_biz_nm pbanc_ctnt supt_biz_clsfc supt_regin
    pbanc_rcpt_bgng_dt pbanc_rcpt_end_dt rcrt_prgs_yn pbanc_ntrp_nm sprv_inst biz_prch_dprt_nm
    aply_trgt aply_trgt_ctnt aply_excl_trgt_ctnt aply_exclt_trgt_ctnt biz_enyy biz_trgt_age
    prfn_matr detl_pg_url biz_gdnc_url biz_aply_url
"""
_KNOWN = _PRIVATE | set(_HOW) | set(_FIELDS.split())


class KStartup:
    """Pages of 100; `pages` says how many of the newest are read."""

    name = "kstartup"
    key_parameter = "ServiceKey"

    def request(self, ask: Ask) -> SourceRequest:
        rows = ask.parameters.get("rows", str(ROWS))
        query = (("page", str(ask.page)), ("perPage", rows), ("returnType", "json"))
        return SourceRequest(url=ask.address or ADDRESS, query=query, key_parameter=self.key_parameter)

    def decode(self, body: bytes, content_type: str, ask: Ask) -> SourcePage:
        if payloads.is_xml(body):
            root = payloads.xml_of(body, content_type, ask.today)
            head = {each.tag: each.text for each in root}
            listed: list[Any] = [payloads.item_of(each) for each in root.iter("item")]
        else:
            head = payloads.json_of(body, content_type, ask.today)
            listed = payloads.listed(head.get("data")) if isinstance(head, dict) else []
        if not isinstance(head, dict) or "totalCount" not in head:
            raise SourceError("not_this", "It has no totalCount.")
        total, rows = (int(str(head.get(name) or "0")) for name in ("totalCount", "perPage"))
        last = int(ask.parameters.get("pages", PAGES))
        more = bool(listed) and ask.page < last and ask.page * (rows or len(listed)) < total
        return items.page_of(
            listed,
            _records,
            key=_key,
            private=_PRIVATE,
            total=total,
            whole=False,
            next=ask.page + 1 if more else None,
        )


def _key(item: dict[str, Any]) -> str | None:
    number = items.said(item, "pbanc_sn")
    return f"kstartup:{number}" if re.fullmatch(r"[0-9]{1,12}", number) else None


def _records(item: dict[str, Any]) -> Iterator[Record]:
    external_id = _key(item)
    if external_id is None:
        raise items.Unfit("It has no pbanc_sn.")
    first, last = items.said(item, "pbanc_rcpt_bgng_dt"), items.said(item, "pbanc_rcpt_end_dt")
    start, end, doubts = items.days(first, last)
    # The path tells whether it is open, which is no news of the call.
    page = items.said(item, "detl_pg_url").replace("bizpbanc-deadline.do", "bizpbanc-ongoing.do")
    apply_url = items.address(items.said(item, "biz_aply_url"))
    targets = ("aply_trgt", "aply_trgt_ctnt", "biz_enyy", "biz_trgt_age")
    yield Record(
        external_id=external_id,
        kind="call",
        title=items.title_of(item, "biz_pbanc_nm"),
        url=items.address(page),
        apply_url=apply_url,
        organizations=items.organizers(operator=items.said(item, "pbanc_ntrp_nm")),
        period=f"{first} ~ {last}".strip() if first or last else None,
        start=start,
        end=end,
        regions=items.regions_of(items.said(item, "supt_regin")),
        summary=items.prose(item, "pbanc_ctnt"),
        tags=items.several(items.said(item, "supt_biz_clsfc"), "·ㆍ,"),
        targets=tuple(filter(None, (items.prose(item, name) for name in targets))),
        support=items.several(items.said(item, "supt_biz_clsfc"), ","),
        apply_how=tuple(filter(None, (items.prose(item, name) for name in _HOW))),
        contact=items.office(items.said(item, "biz_prch_dprt_nm")),
        links=tuple(each for each in items.known_as(apply_url) if each != external_id),
        doubts=doubts,
        unknown=tuple(sorted(set(item) - _KNOWN)),
    )
