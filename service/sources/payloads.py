"""Bodies of sources as plain trees, and the errors that come instead of a list, most of them with 200.

JSON is strict (no NaN, no key twice), XML has no DTD, and neither is nested deeper than a list of items.
"""

import codecs
import json
import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from service.sources.records import ErrorCode, SourceError

DEEPEST = 64
MOST_BYTES = 32 * 1024 * 1024
_NESTED = f"It is nested deeper than {DEEPEST} levels."
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}encoding\s*=\s*[\"']([\w.:-]+)")
_HTML = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>([^<]{0,200})", re.IGNORECASE)
# The codes of data.go.kr, wherever they stand; others are what the source refuses.
_GATEWAY: dict[int, ErrorCode] = {
    **dict.fromkeys((1, 2, 4, 5, 99), "unavailable"),
    **dict.fromkeys((20, 21, 29, 30, 31, 33), "key"),
    22: "quota",
    32: "address",
}
NO_DATA = 3


def text_of(body: bytes, content_type: str = "") -> str:
    """The text of a body: by its mark, its declared charset, UTF-8, or CP949; raises SourceError."""
    if len(body) > MOST_BYTES:
        raise SourceError("limit", f"It has more than {MOST_BYTES // 1024 // 1024} MiB.")
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        names = ["utf-16"]
    else:
        declared = _DECLARED.match(body.lstrip()[:300])
        header = _CHARSET.search(content_type)
        names = ["utf-8-sig", *(found for found in (header[1] if header else "",) if found)]
        names += [declared[1].decode("ascii")] if declared else []
        names.append("cp949")
    for name in names:
        try:
            text = body.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        if isinstance(text, str):
            return text
    raise SourceError("not_this", "Its letters are neither UTF-8 nor CP949.")


def json_of(body: bytes, content_type: str, today: date) -> Any:
    """The tree of a JSON body; raises SourceError for anything else and for errors told in it."""
    text = text_of(body, content_type)
    gateway_error(text, today)
    _refuse_html(text)
    try:
        tree = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError:
        raise SourceError("limit", _NESTED) from None
    except ValueError as error:
        raise SourceError("not_this", f"It is no JSON: {str(error)[:120]}.") from None
    _bounded(tree)
    if isinstance(tree, dict):
        _told_error(tree)
    return tree


def xml_of(body: bytes, content_type: str, today: date) -> Element:
    """The tree of an XML body; raises SourceError for anything else and for errors told in it."""
    text = text_of(body, content_type)
    gateway_error(text, today)
    _refuse_html(text)
    builder, depth = TreeBuilder(), 0
    # The text has been decoded, so what it declares of its encoding holds no more.
    parser = expat.ParserCreate("utf-8")

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise SourceError("limit", _NESTED)
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.StartDoctypeDeclHandler = _no_doctype
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler = builder.data
    parser.buffer_text = True
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise SourceError("not_this", f"It is no XML: {error}.") from None
    return builder.close()


def is_xml(body: bytes) -> bool:
    return body.lstrip(codecs.BOM_UTF8 + b" \t\r\n")[:1] == b"<"


def item_of(element: Element) -> dict[str, Any]:
    """The fields of one XML item, also where they are `<col name="…">`; what is repeated is a list."""
    item: dict[str, Any] = {}
    for child in element:
        name, value = child.get("name") or child.tag, (child.text or "").strip()
        if name in item:
            kept = item[name]
            item[name] = [*(kept if isinstance(kept, list) else [kept]), value]
        else:
            item[name] = value
    return item


def listed(value: object) -> list[Any]:
    """The items of a list that may be a list, one object, an object around either, or empty text."""
    if isinstance(value, dict):
        return listed(value["item"]) if set(value) == {"item"} else [value]
    return value if isinstance(value, list) else []


def envelope(tree: object, today: date) -> dict[str, Any]:
    """The body of `response: {header, body}` as data.go.kr wraps it; empty if it says that it has no data."""
    response = tree.get("response", tree) if isinstance(tree, dict) else None
    header = response.get("header") if isinstance(response, dict) else None
    if not isinstance(response, dict) or not isinstance(header, dict):
        raise SourceError("not_this", "It has no response with a header.")
    code = str(header.get("resultCode", ""))
    if code.strip("0") and code != f"{NO_DATA:02}":
        raise _coded(code, str(header.get("resultMsg", "")), today)
    body = response.get("body")
    return body if isinstance(body, dict) else {}


def gateway_error(text: str, today: date) -> None:
    """Raises the error of the gateway of data.go.kr, which is XML also where JSON was asked for."""
    if "<OpenAPI_ServiceResponse" not in text[:2000]:
        return
    code = re.search(r"<returnReasonCode>\s*(\d{1,4})", text)
    said = re.search(r"<returnAuthMsg>([^<]{0,200})", text) or re.search(r"<errMsg>([^<]{0,200})", text)
    raise _coded(code[1] if code else "", said[1] if said else "", today)


def _coded(code: str, said: str, today: date) -> SourceError:
    number = int(code) if code.isdecimal() else -1
    kind = _GATEWAY.get(number, "refused")
    until = today + timedelta(days=1) if kind == "quota" else None
    return SourceError(kind, f"The source answers {code or 'an error'}: {said.strip() or 'no word'}.", until)


def result_code(code: object, said: object) -> bool:
    """Judges RES_CD or resultCd of smes.go.kr: false if there are no data; raises SourceError."""
    number, words = str(code).strip(), str(said or "").strip()
    if number == "0":
        return True
    if re.search("(?:데이터|자료|결과).{0,8}(?:없|존재하지)", words):
        return False
    reason = f"The source answers {number}: {words[:200] or 'no word'}."
    if number == "14" or re.search("IP|아이피", words):
        raise SourceError("address", reason)
    if number in ("9", "10", "11", "12", "13") or re.search("인증|토큰|[Tt]oken", words):
        raise SourceError("key", reason)
    raise SourceError("unavailable" if number == "99" else "refused", reason)


def _told_error(tree: dict[str, Any]) -> None:
    if "reqErr" in tree:
        said = str(tree["reqErr"])[:200]
        raise SourceError("key" if "인증키" in said else "refused", f"The source answers: {said}")
    code = tree.get("code")
    if isinstance(code, int) and code < 0:
        kind: ErrorCode = "key" if code in (-401, -4) else "refused"
        raise SourceError(kind, f"The source answers {code}: {str(tree.get('msg', ''))[:200]}.")


def _refuse_html(text: str) -> None:
    if _HTML.match(text[:5000]):
        title = _TITLE.search(text[:20_000])
        named = f" with the title “{title[1].strip()}”" if title and title[1].strip() else ""
        raise SourceError("not_this", f"It is an HTML page{named}.")
    if not text.strip("\ufeff \t\r\n"):
        raise SourceError("not_this", "It is empty.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return tree


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _no_doctype(*_: object) -> None:
    raise SourceError("limit", "It has a document type declaration, which may hide a bomb.")


def _bounded(tree: object) -> None:
    level: Iterable[object] = [tree]
    for _ in range(DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise SourceError("limit", _NESTED)
