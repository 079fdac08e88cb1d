"""Jinja, set so that a template can neither forget to escape nor print what is not there."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from feeds.text import closed
from service.catalogue.event import Language
from service.pages.components import local

HOMES: Mapping[Language, str] = {"ko": local("/", "ko"), "en": local("/", "en")}


# Assets have names that change with their content, so browsers may keep them for a year.
FOLDER = Path(__file__).resolve().parent
FOREVER = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    media_type: str
    body: bytes


class Assets(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses as templates write them."""

    style: str
    icon: str


def _asset(file: str, media_type: str) -> Asset:
    body = (FOLDER / file).read_bytes()
    stem, _, suffix = file.partition(".")
    return Asset(name=f"{stem}-{sha256(body).hexdigest()[:16]}.{suffix}", media_type=media_type, body=body)


STYLE = _asset("style.css", "text/css")
ICON = _asset("icon.svg", "image/svg+xml")
BY_NAME = {asset.name: asset for asset in (STYLE, ICON)}
ASSETS = Assets(style=f"/static/{STYLE.name}", icon=f"/static/{ICON.name}")


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    # What sets the direction of letters ends with the text it stands in. Markup is ours.
    finalize=lambda value: closed(value) if type(value) is str else value,
    trim_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.globals.update(assets=ASSETS, home=HOMES.__getitem__)


def render(template: str, page: object) -> bytes:
    """The page as HTML. A lone half of a surrogate pair, which no check lets in, would be replaced."""
    return _ENVIRONMENT.get_template(template).render(page=page).encode("utf-8", "replace")
