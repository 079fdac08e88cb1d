"""Pages as HTTP answers: an ETag on every one, 304 for who has it, and no script may ever run."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from sqlalchemy import Connection

from service.api import problems, responses
from service.catalogue.event import Language
from service.catalogue.windows import TICK
from service.errors import MethodNotAllowed, NoRoute, NotFound, Problem
from service.pages.components import Frame
from service.pages.phrases import PHRASES
from service.pages.templating import render
from service.store import revisions

# JSON-LD is a data block, which script-src does not concern: tests/e2e/test_pages.py looks in a browser.
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HTML = "text/html"
_log = logging.getLogger(__name__)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A page that says what is not possible."""

    frame: Frame
    about: str


def language(path: str) -> Language:
    """The language that an address is in."""
    return "en" if path == "/en" or path.startswith("/en/") else "ko"


def shown(body: bytes, *, lang: Language, held: str | None) -> Response[bytes]:
    """The page; 304 without a body for a caller who holds it. Phases turn at any minute, so it is asked for
    again each time."""
    etag = responses.etag_of(body)
    headers = {
        "etag": etag,
        "cache-control": "no-cache",
        "content-language": lang,
        "content-security-policy": CSP,
    }
    if responses.holds(held, etag):
        return Response(b"", status_code=304, headers=headers, media_type=HTML)
    return Response(body, headers=headers, media_type=HTML)


def refused(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """The problem as a page in the language of the address."""
    path = request.scope["path"]
    lang = language(path)
    say = PHRASES[lang]
    title, about = (
        (say.not_found, say.not_found_about)
        if isinstance(problem, NotFound | NoRoute)
        else (say.failed, problem.title)
    )
    base_url = request.app.state.service.settings.base_url
    frame = Frame(lang=lang, path="/", title=title, description=about, base_url=base_url)
    headers = {**problem.headers, "content-language": lang, "content-security-policy": CSP, "vary": "Accept"}
    body = render("refusal.html", Refusal(frame=frame, about=about))
    return Response(body, status_code=problem.status, headers=headers, media_type=HTML)


def of_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own refusals of an address of ours; a 405 is for machines, which want the methods."""
    if error.status_code == MethodNotAllowed.status:
        return problems.of_framework(request, error)
    return refused(request, NoRoute() if error.status_code == NoRoute.status else Problem())


def of_failure(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    _log.error("%s failed", request.scope["path"], exc_info=error)
    return refused(request, Problem())


def no_such_address(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """An address that nobody serves: a page for browsers, the problem for everybody else."""
    asked = request.headers.get("accept", "")
    if HTML in asked and not request.scope["path"].startswith("/v1/"):
        return refused(request, NoRoute())
    return problems.of_framework(request, error)


# A page takes some 30 ms to make; everybody who asks within a minute gets the same bytes, unless the
# catalogue changed.
MOST = 500
MINUTE = timedelta(minutes=1)


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """`body` as of `seq` in the log, and in the stretch of time in which no phase turns."""

    body: bytes
    seq: int
    since: datetime


class Copies:
    """The pages asked for last, by address. Store threads share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Copy] = OrderedDict()
        self._lock = Lock()

    def get(self, c: Connection, path: str, make: Callable[[Connection], bytes], *, now: datetime) -> bytes:
        """The page at this address on the snapshot of `c`, made anew only if it may differ."""
        seq, since = revisions.head(c), turned(now)
        with self._lock:
            copy = self._kept.get(path)
        if copy is None or (copy.seq, copy.since) != (seq, since):
            copy = Copy(body=make(c), seq=seq, since=since)
            self._keep(path, copy)
        return copy.body

    def _keep(self, path: str, copy: Copy) -> None:
        with self._lock:
            self._kept[path] = copy
            self._kept.move_to_end(path)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)


def turned(now: datetime) -> datetime:
    """When a phase may have turned last: at a minute, or just after it, as a deadline "by 18:00" still holds
    at 18:00."""
    minute = now.replace(second=0, microsecond=0)
    return minute if now < minute + TICK else minute + TICK
