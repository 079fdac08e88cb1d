"""The national APIs on loopback, with keys, pages and errors as they have them; all they list is made up.

What they answer follows a script: each day something happens that happens at the real ones.
"""

import gzip
import json
from collections.abc import Sequence
from datetime import date, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

import msgspec

from tests.support.national_rows import NOTE, bizinfo_row, event_row, kstartup_row, period, portal_event_row
from tests.support.sample_calls import SampleCall, sample_calls, sample_events

SCRIPT = ("list", "moved", "reissued", "gone", "quota", "html", "half", "bomb")
KEY = "sample-key"
MOVED, REISSUED, GONE = 1, 2, 3
REISSUED_AS = 900
Item = TypeVar("Item")


class NationalReply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer; nearly always with status 200, as at the real ones."""

    body: bytes
    content_type: str = "application/json;charset=UTF-8"
    status: int = 200
    encoding: str | None = None


class NationalFake:
    """Serves the APIs for as long as the `with` block lasts. `scene` is one of SCRIPT, set from outside.

    `requests` keeps what was asked, and `views` counts them: a number that moves in every answer.
    """

    def __init__(self, today: date, *, key: str = KEY, port: int = 0) -> None:
        self.today, self.key, self.scene = today, key, SCRIPT[0]
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="national", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def views(self) -> int:
        return 100 + len(self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, target: str, headers: Message, body: bytes = b"") -> NationalReply:
        self.requests.append(target)
        parts = urlsplit(target)
        api = APIS.get(parts.path)
        if api is None:
            return NationalReply(body=b"<html><body>404</body></html>", content_type="text/html", status=404)
        query = dict(parse_qsl(parts.query)) | (json.loads(body) if body else {})
        token = headers.get("Authorization", "").removeprefix("Bearer ") or headers.get("token", "")
        given = query.get(api.key_parameter) or (token if api.key_parameter == "token" else "")
        if given != self.key:
            return api.failed("key", given)
        if self.scene == "quota":
            return api.failed("quota", given)
        if self.scene == "html":
            page = "<!doctype html><html><body>서비스 점검 중입니다.</body></html>"
            return NationalReply(body=page.encode(), content_type="text/html;charset=UTF-8")
        if self.scene == "bomb":
            return _bomb(xml=api.xml(query))
        return api.listed(self, calls_on(self.scene, self.today), query)


def calls_on(scene: str, today: date) -> list[SampleCall]:
    """The calls that are listed in a scene; what a scene changed stays so in those after it."""
    step = SCRIPT.index(scene)
    calls = {call.number: call for call in sample_calls(today)}
    if step >= SCRIPT.index("moved"):
        call = calls[MOVED]
        calls[MOVED] = _changed(call, today, closes=call.closes and call.closes + timedelta(days=14))
    if step >= SCRIPT.index("reissued"):
        call = calls.pop(REISSUED)
        longer = {"title": f"{call.title}(연장)", "closes": call.closes and call.closes + timedelta(days=10)}
        calls[REISSUED_AS] = _changed(call, today, number=REISSUED_AS, published=today, **longer)
    if step >= SCRIPT.index("gone"):
        del calls[GONE]
    return list(calls.values())


def _changed(call: SampleCall, today: date, **fields: Any) -> SampleCall:
    return msgspec.structs.replace(call, updated=today, **fields)


class _Api:
    """One API: which parameter has its key, how it fails, how it lists."""

    key_parameter = "serviceKey"

    def xml(self, query: dict[str, Any]) -> bool:
        return False

    def failed(self, why: str, given: str) -> NationalReply:
        """As data.go.kr does: status 200 and XML, whatever was asked for."""
        code, text = ("22", "LIMITED_NUMBER_OF_SERVICE_REQUESTS_EXCEEDS_ERROR")
        if why == "key":
            code, text = ("30", "SERVICE_KEY_IS_NOT_REGISTERED_ERROR")
        body = (
            "<OpenAPI_ServiceResponse><cmmMsgHeader><errMsg>SERVICE ERROR</errMsg>"
            f"<returnAuthMsg>{text}</returnAuthMsg><returnReasonCode>{code}</returnReasonCode>"
            "</cmmMsgHeader></OpenAPI_ServiceResponse>"
        )
        return NationalReply(body=body.encode(), content_type="text/xml;charset=UTF-8")

    def listed(self, fake: NationalFake, calls: list[SampleCall], query: dict[str, Any]) -> NationalReply:
        raise NotImplementedError


class _BizinfoPortal(_Api):
    """기업마당 at data.go.kr (15157820)."""

    def listed(self, fake: NationalFake, calls: list[SampleCall], query: dict[str, Any]) -> NationalReply:
        since = str(query.get("updtPnttm", "")).replace("-", "")[:8]
        calls = [call for call in calls if f"{call.updated:%Y%m%d}" >= since]
        page, size = int(query.get("pageNo", 1)), min(int(query.get("numOfRows", 10)), 500)
        rows: list[dict[str, object]] = []
        for call in _page(fake, calls, page, size):
            row = bizinfo_row(call)
            row["registDe"], row["hashTags"] = row.pop("creatPnttm"), row.pop("hashtags")
            rows.append(row)
        items: object = {"item": rows[0] if len(rows) == 1 else rows} if rows else ""
        header = {"resultCode": "00", "resultMsg": "NORMAL SERVICE."}
        body = {"items": items, "numOfRows": size, "pageNo": page, "totalCount": len(calls)}
        return _json({"response": {"header": header, "body": body}})


class _BizinfoOwn(_Api):
    """기업마당's own API, which answers all in one page."""

    key_parameter = "crtfcKey"

    def failed(self, why: str, given: str) -> NationalReply:
        if why == "quota":
            return _json({"reqErr": "일일 요청 건수를 초과하였습니다."})
        return _json({"reqErr": "유효하지 않은 인증키입니다." if given else "인증키를 입력해주세요."})

    def listed(self, fake: NationalFake, calls: list[SampleCall], query: dict[str, Any]) -> NationalReply:
        size = int(query.get("searchCnt", 0)) or len(calls)
        rows = [bizinfo_row(call) | {"totCnt": len(calls)} for call in _page(fake, calls, 1, size)]
        return _json({"jsonArray": [row | {"inqireCo": fake.views} for row in rows]})


class _KStartup(_Api):
    """K-Startup's announcements: XML and ten rows for whoever does not know its parameters."""

    key_parameter = "ServiceKey"

    def xml(self, query: dict[str, Any]) -> bool:
        return query.get("returnType") != "json"

    def listed(self, fake: NationalFake, calls: list[SampleCall], query: dict[str, Any]) -> NationalReply:
        calls = [call for call in calls if call.field == "창업" and call.closes]
        page, size = int(query.get("page", 1)), min(int(query.get("perPage", 10)), 100)
        shown = _page(fake, calls, page, size)
        rows = [kstartup_row(position, call, fake.views) for position, call in enumerate(shown, 1)]
        head = {"currentCount": len(rows), "matchCount": len(calls), "page": page, "perPage": size}
        head["totalCount"] = len(calls)
        if not self.xml(query):
            return _json(head | {"data": rows})
        cells = "".join(
            "<item>"
            + "".join(f'<col name="{name}">{escape(str(value or ""))}</col>' for name, value in row.items())
            + "</item>"
            for row in rows
        )
        tags = "".join(f"<{name}>{value}</{name}>" for name, value in head.items())
        return _xml(f"<results>{tags}<data>{cells}</data></results>")


class _Ministry(_Api):
    """중소벤처기업부's 사업공고: XML only, with fields of a writer, which are invented too."""

    def xml(self, query: dict[str, Any]) -> bool:
        return True

    def listed(self, fake: NationalFake, calls: list[SampleCall], query: dict[str, Any]) -> NationalReply:
        calls = [call for call in calls if call.government == "중소벤처기업부"]
        page, size = int(query.get("pageNo", 1)), min(int(query.get("numOfRows", 10)), 100)
        items = "".join(
            f"<item><itemId>{1_060_000 + call.number}</itemId><title>{escape(call.title)}</title>"
            f"<dataContents>{NOTE}</dataContents>"
            f"<applicationStartDate>{call.opens or ''}</applicationStartDate>"
            f"<applicationEndDate>{call.closes or ''}</applicationEndDate>"
            "<writerName>홍길동</writerName><writerPhone>044-000-0000</writerPhone>"
            f"<viewUrl>https://www.mss.example/View.do?bcIdx={1_060_000 + call.number}</viewUrl></item>"
            for call in _page(fake, calls, page, size)
        )
        head = "<header><resultCode>00</resultCode><resultMsg>NORMAL_CODE</resultMsg></header>"
        tail = f"<numOfRows>{size}</numOfRows><pageNo>{page}</pageNo><totalCount>{len(calls)}</totalCount>"
        return _xml(f"<response>{head}<body><items>{items}</items>{tail}</body></response>")


class _Smes24Calls(_Api):
    """중소벤처24's calls: all that changed between two days, without pages."""

    key_parameter = "token"

    def failed(self, why: str, given: str) -> NationalReply:
        code, text = ("10", "인증키 오류") if why == "key" else ("12", "일일 호출 한도 초과")
        return _json({"result": {"resultCd": code, "resultMsg": text, "data": []}})

    def listed(self, fake: NationalFake, calls: list[SampleCall], query: dict[str, Any]) -> NationalReply:
        first, last = (str(query.get(name, "")).replace("-", "") for name in ("strDt", "endDt"))
        calls = [call for call in calls if first <= f"{call.updated:%Y%m%d}" <= (last or "9")]
        rows = [
            {
                "pblancSeq": 75_400_000 + call.number,
                "pblancNm": call.title,
                "pblancBgnDt": call.opens and call.opens.isoformat(),
                "pblancEndDt": call.closes and call.closes.isoformat(),
                "creatDt": f"{call.published} 10:00:00",
                "updDt": f"{call.updated} 10:00:00",
                "sportInsttNm": call.operator,
                "cntcInsttNm": call.government,
                "areaNm": call.region,
                "pblancPdCnts": period(call),
                "pblancDtlUrl": f"https://www.smes.example/view?pblancSeq={75_400_000 + call.number}",
            }
            for call in _page(fake, calls, 1, len(calls))
        ]
        return _json({"result": {"resultCd": "0", "resultMsg": "정상", "data": rows}})


class _BizinfoEvents(_BizinfoOwn):
    """기업마당's events, with their live names: two periods in two spellings, and no pages."""

    def listed(self, fake: NationalFake, calls: list[SampleCall], query: dict[str, Any]) -> NationalReply:
        events = sample_events(fake.today)
        return _json({"jsonArray": [event_row(one) | {"totCnt": len(events)} for one in _half(fake, events)]})


class _Smes24Events(_Smes24Calls):
    """The events of 중소벤처24's portal: the same ids under other names."""

    def failed(self, why: str, given: str) -> NationalReply:
        code, text = ("10", "인증키 오류") if why == "key" else ("12", "일일 호출 한도 초과")
        return _records(code, text, [])

    def listed(self, fake: NationalFake, calls: list[SampleCall], query: dict[str, Any]) -> NationalReply:
        since = str(query.get("mdfcnYmd", ""))
        events = [one for one in sample_events(fake.today) if f"{one.published:%Y%m%d}" >= since]
        return _records("0", "정상", [portal_event_row(one) for one in _half(fake, events)])


APIS: dict[str, _Api] = {
    "/1421000/bizinfo/pblancBsnsService": _BizinfoPortal(),
    "/uss/rss/bizinfoApi.do": _BizinfoOwn(),
    "/B552735/kisedKstartupService01/getAnnouncementInformation01": _KStartup(),
    "/1421000/mssBizService_v2/getbizList_v2": _Ministry(),
    "/ione-gw/api/pblanc/list": _Smes24Calls(),
    "/uss/rss/bizinfoEventApi.do": _BizinfoEvents(),
    "/ione-gw/api/event/list": _Smes24Events(),
}


def _page(fake: NationalFake, calls: list[SampleCall], page: int, size: int) -> list[SampleCall]:
    """A page of the calls; of half a list there is no second half, though the total counts it."""
    return list(_half(fake, calls))[(page - 1) * size : page * size]


def _half(fake: NationalFake, items: Sequence[Item]) -> Sequence[Item]:
    return items[: len(items) // 2] if fake.scene == "half" else items


def _records(code: str, text: str, rows: list[dict[str, object]]) -> NationalReply:
    result = {"RESULT": {"RES_CD": code, "RES_MSG": text}, "RECORD": rows}
    return _json({"result": {"result": result}})


def _bomb(*, xml: bool) -> NationalReply:
    """A small answer that grows without end in whoever reads it carelessly."""
    if xml:
        entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
        doctype = f'<!DOCTYPE r [<!ENTITY e0 "0123456789">{entities}]>'
        return _xml(
            f"{doctype}<response><body><items><item><title>&e9;</title></item></items></body></response>"
        )
    inflated = b'{"jsonArray":' + b" " * (64 << 20) + b"[]}"
    packed = gzip.compress(inflated, compresslevel=6)
    return NationalReply(body=packed, encoding="gzip")


def _json(value: object) -> NationalReply:
    return NationalReply(body=json.dumps(value, ensure_ascii=False).encode())


def _xml(text: str) -> NationalReply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return NationalReply(body=body, content_type="application/xml;charset=UTF-8")


def _handler(fake: NationalFake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            reply = fake.answer(self.path, self.headers, self.rfile.read(length))
            self.send_response(reply.status)
            self.send_header("content-type", reply.content_type)
            if reply.encoding:
                self.send_header("content-encoding", reply.encoding)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: `requests` keeps what was asked."""

    return Handler
