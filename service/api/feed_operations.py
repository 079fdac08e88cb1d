"""Describes feeds in the OpenAPI document, as no handler does: they are answered before any routing.

Names and values of the options come from the code that parses them, so both say the same.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from feeds.formats import FORMATS
from service import errors
from service.api import openapi
from service.api.operations import Parameter
from service.api.queries import FILTER_PARAMETERS
from service.catalogue.event import SLUG_PATTERN, Language
from service.feedcache import request
from service.feedcache.request import DEFAULTS, OPTIONS, OneOf, Reach
from service.store import saved_feeds

TAG = "Feeds"
PUBLIC = "/feeds/{lang}/{name}.{format}"
SINGLE = "/feeds/{lang}/events/{id}.ics"
PRIVATE = "/feeds/p/{token}/{name}.{format}"

_WORDS = {
    "windows": "How application windows are shown: their edges, a bar from end to end, both, or not at all.",
    "alarms": f"When to ring before each entry: up to {request.MOST_ALARMS} lengths such as `P7D,PT2H`.",
    "cancelled": "Whether a cancelled event is kept as cancelled, marked in its title, or left out.",
    "placeholders": "Whether what is known to the month only is shown, as tentative entries on the 1st.",
    "levels": "Only whole events, only their parts, or both.",
    "detail": "With or without descriptions. Unset, with them until the feed outgrows what Google reads.",
    "past": "How far it goes back, such as `P30D`. `from` or `to` replace it.",
    "ahead": "How far it goes ahead, such as `P18M`. `from` or `to` replace it.",
    "tz": "Times by the clocks where it takes place, or all in UTC, for programs that overlook a TZID.",
    "profile": "Plain, or rich: with images, video links and language marks, for programs that bear them.",
}
_PROMISE = (
    "A bad or unknown parameter is ignored and named in `X-Dday-Ignored`, never refused: programs disable a "
    "calendar that answers 4xx. HEAD answers like GET. A gzipped copy has a tag of its own."
)


def paths() -> dict[str, dict[str, Any]]:
    """Returns the paths of the document under which feeds are read."""
    chosen = [openapi.query(parameter) for parameter in FILTER_PARAMETERS]
    own = [_option(name) for name in OPTIONS]
    lang = _in_path("lang", "The language of the feed.", {"enum": list(get_args(Language))})
    form = _in_path("format", "iCalendar, JSON Feed 1.1 or Atom.", {"enum": list(FORMATS)})
    slug = {"pattern": SLUG_PATTERN, "maxLength": 100}
    name = _in_path(
        "name",
        "`calendar` (all), `events` (no windows), `deadlines` (windows and milestones), or the id of a "
        "series, a program or an organization.",
        slug,
    )
    event = _in_path("id", "The id of the event.", slug)
    token = _in_path(
        "token",
        "The secret of the address, as it was shown once.",
        {"pattern": f"^{saved_feeds.ADDRESS_PATTERN}$"},
    )
    label = _in_path("name", "Any name; it is for people only.", {"pattern": "^[^/]{1,300}$"})
    return {
        PUBLIC: _get("read_feed", "Read a feed", _ABOUT[PUBLIC], (lang, name, form, *chosen, *own)),
        SINGLE: _get(
            "read_event_feed", "Read one event", _ABOUT[SINGLE], (lang, event, *chosen, *own), "ics"
        ),
        PRIVATE: _get("read_saved_feed", "Read a saved feed", _ABOUT[PRIVATE], (token, label, form, *own)),
    }


_ABOUT = {
    PUBLIC: "A feed for calendar programs and feed readers. The filters of `/v1/events` select here too.",
    SINGLE: "One event as a calendar.",
    PRIVATE: "The feed behind a private address. Options in the address win over the saved ones; filters "
    "there are ignored, as the selection is its owner's. 410 once the address was ended.",
}


def _get(
    name: str, summary: str, about: str, parameters: tuple[Mapping[str, Any], ...], *formats: str
) -> dict[str, Any]:
    entry = {
        "operationId": name,
        "summary": summary,
        "description": f"{about} {_PROMISE}",
        "tags": [TAG],
        "parameters": [*parameters, *_CONDITIONS],
        "responses": _responses(formats or tuple(FORMATS), dies=name == "read_saved_feed"),
    }
    return {"get": entry}


def _responses(formats: tuple[str, ...], *, dies: bool) -> dict[str, Any]:
    kinds: list[type[errors.Problem]] = [errors.NoSuchFeed, errors.Gone] if dies else [errors.NotFound]
    kinds += [errors.TooManyRequests, errors.Unavailable]
    content = {FORMATS[suffix].media_type: {"schema": _BODIES.get(suffix, _TEXT)} for suffix in formats}
    return {
        "200": {
            "description": "The feed.",
            "headers": _HELD | {"Content-Disposition": _header("What a saved copy is called.")},
            "content": content,
        },
        "304": {"description": "You have this already.", "headers": _HELD},
        **{str(kind.status): openapi.problem(kind.status, [kind]) for kind in kinds},
    }


def _option(name: str) -> dict[str, Any]:
    """Returns an option as a query parameter; a list is written with commas."""
    parser = OPTIONS[name]
    words = {"type": "string", "enum": list(parser.words)} if isinstance(parser, OneOf) else None
    schema = words or _SCHEMAS[parser]
    default = _default(getattr(DEFAULTS, name))
    shown = schema | ({} if default is None else {"default": default})
    parameter = openapi.query(Parameter(name=name, description=_WORDS[name], schema=shown))
    return parameter | ({"style": "form", "explode": False} if schema["type"] == "array" else {})


def _text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern}$"}


_SCHEMAS: Mapping[Callable[[str], Any], dict[str, Any]] = {
    request.flag: {"type": "string", "enum": list(request.FLAGS)},
    request.period: _text(request.PERIOD.pattern),
    request.alarms: {
        "type": "array",
        "items": _text(request.LENGTH.pattern),
        "minItems": 1,
        "maxItems": request.MOST_ALARMS,
    },
}


def _default(value: Any) -> str | None:
    """Returns a default as it is written in a query."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Reach):
        return f"P{value.months}M" if value.months else f"P{value.days}D"
    return value or None


def _in_path(name: str, about: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": about,
        "schema": {"type": "string", **schema},
    }


def _header(about: str) -> dict[str, Any]:
    return {"description": about, "schema": {"type": "string"}}


_TEXT = {"type": "string"}
_BODIES = {"json": {"type": "object"}}
_HELD = {
    "ETag": openapi.ETAG,
    "Last-Modified": _header("When the feed last changed."),
    "Cache-Control": _header("Who may keep a copy, and how long."),
    "X-Dday-Ignored": _header("The parameters that were ignored, when there are any."),
    "X-Dday-Notice": _header(
        "`without-past`, `shortened` (or both) or `larger-than-google-reads`, when it is."
    ),
}
_CONDITIONS = (
    {
        "name": "If-None-Match",
        "in": "header",
        "description": "Tags of the copies you have, or `*`.",
        "schema": _TEXT,
    },
    {
        "name": "If-Modified-Since",
        "in": "header",
        "description": "`Last-Modified` of the copy you have; a date that cannot be read is as good as none.",
        "schema": _TEXT,
    },
)
