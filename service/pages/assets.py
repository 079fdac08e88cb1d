"""The style sheet and the icon, under names that change with their content, so that they keep for a year."""

from hashlib import sha256
from pathlib import Path

import msgspec

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
