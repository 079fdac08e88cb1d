"""Jinja, set so that a template can neither forget to escape nor print what is not there."""

from collections.abc import Mapping

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.catalogue.event import Language
from service.pages.assets import ASSETS, FOLDER
from service.pages.shown import local

HOMES: Mapping[Language, str] = {"ko": local("/", "ko"), "en": local("/", "en")}

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.globals.update(assets=ASSETS, home=HOMES.__getitem__)


def render(template: str, page: object) -> bytes:
    """The page as HTML. A lone half of a surrogate pair, which no check lets in, would be replaced."""
    return _ENVIRONMENT.get_template(template).render(page=page).encode("utf-8", "replace")
