"""The pages over HTTP. Korean ones have no prefix, English ones begin with /en."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from litestar import Response, get
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from sqlalchemy import Connection

from service.api.middleware import RatedCaller
from service.api.operations import Media, operation
from service.api.request import Call
from service.catalogue.event import SLUG_PATTERN
from service.errors import NotFound, Problem
from service.feedcache.request import parse
from service.pages import answers, event_page, group_page, home_page, queries, templating
from service.pages.group_page import Kind
from service.pages.templating import render

T = TypeVar("T")
_SLUG = re.compile(SLUG_PATTERN)
_PAGE: dict[str, Any] = {
    "exception_handlers": {
        Problem: answers.refused,
        HTTPException: answers.of_framework,
        Exception: answers.of_failure,
    },
    # Pages take any query: people share links with marks of their mail programs on them.
    "opt": operation(
        "A page", tag="Pages", answers={200: Media(type="text/html")}, parameters=None, published=False
    ),
}


@get(["/", "/en"], **_PAGE)
async def home(request: Call) -> Response[bytes]:
    """What closes soon, what is open, what comes next."""
    large = await _large(request, home_page.FEEDS)
    return await _answer(
        request,
        "home.html",
        lambda c: home_page.read(c, now=request.now),
        partial(home_page.page, large=large),
        large,
    )


@get(["/events/{event_id:str}", "/en/events/{event_id:str}"], **_PAGE)
async def event(request: Call, event_id: FromPath[str]) -> Response[bytes]:
    """One event with its evidence."""
    domain = request.service.settings.uid_domain
    _check("event", event_id)
    return await _answer(
        request,
        "event.html",
        lambda c: queries.event(c, event_id, now=request.now, uid_domain=domain),
        event_page.page,
    )


def _group(kind: Kind) -> Any:
    noun = group_page.NOUNS[kind]

    @get([f"/{noun}/{{noun_id:str}}", f"/en/{noun}/{{noun_id:str}}"], **_PAGE)
    async def group(request: Call, noun_id: FromPath[str]) -> Response[bytes]:
        """It, its events and its feed."""
        _check(kind, noun_id)
        large = await _large(request, (noun_id,))
        return await _answer(
            request,
            "group.html",
            lambda c: group_page.read(c, kind, noun_id, now=request.now),
            partial(group_page.page, large=large),
            large,
        )

    return group


@get("/static/{name:str}")
async def static(name: FromPath[str]) -> Response[bytes]:
    """The style sheet and the icon. A name is of one content, so it is never asked for twice."""
    asset = templating.BY_NAME.get(name)
    if asset is None:
        raise NotFound("file", name[:60])
    return Response(asset.body, media_type=asset.media_type, headers={"cache-control": templating.FOREVER})


def _check(noun: str, identifier: str) -> None:
    """Nothing that is no id gets near the store."""
    if not _SLUG.fullmatch(identifier):
        raise NotFound(noun, identifier[:60])


async def _large(request: Call, names: tuple[str, ...]) -> tuple[str, ...]:
    """The paths of those feeds that are larger than Google reads, as far as can be told just now."""
    lang, found = answers.language(request.scope["path"]), []
    for path in (f"/feeds/{lang}/{name}.ics" for name in names):
        feed = parse(path, b"")
        with suppress(Problem):
            if feed and (await request.app.state.feeds.get(feed, RatedCaller.of(request.scope))).over_budget:
                found.append(path)
    return tuple(found)


async def _answer(
    request: Call,
    template: str,
    read: Callable[[Connection], T],
    page: Callable[..., Any],
    large: tuple[str, ...] = (),
) -> Response[bytes]:
    """Read on one snapshot, put into words and write, all in one thread beside the event loop."""
    path, now, base_url = request.scope["path"], request.now, request.service.settings.base_url
    lang, copies = answers.language(path), request.app.state.pages

    def make(c: Connection) -> bytes:
        return render(template, page(read(c), now=now, lang=lang, base_url=base_url))

    kept = " ".join((path, *large))
    body = await request.service.store.aread(lambda c: copies.get(c, kept, make, now=now))
    return answers.shown(body, lang=lang, held=request.headers.get("if-none-match"))


HANDLERS = (home, event, *(_group(kind) for kind in ("series", "program", "organization")), static)
