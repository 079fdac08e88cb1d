"""A selection of events that somebody keeps: a name, filters and options, under a private address."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.catalogue.event import Language, Line, Text
from service.catalogue.filters import FilterBody

Duration = Annotated[str, Meta(min_length=2, max_length=40)]


class FeedOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The options of a feed, under the names they have in its query; what is absent is the default."""

    windows: Literal["edges", "bar", "both", "none"] | None = None
    alarms: Annotated[tuple[Duration, ...], Meta(max_length=5)] = ()
    cancelled: Literal["keep", "mark", "drop"] | None = None
    placeholders: bool | None = None
    levels: Literal["parent", "child", "all"] | None = None
    detail: Literal["full", "min"] | None = None
    past: Duration | None = None
    ahead: Duration | None = None
    tz: Literal["local", "utc"] | None = None
    profile: Literal["plain", "rich"] | None = None


class SavedFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A saved feed as the store keeps it; its addresses are kept apart."""

    id: str
    owner: str
    name: Text
    lang: Language
    filter: FilterBody
    options: FeedOptions
    created_at: datetime
    updated_at: datetime


class NewSavedFeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/saved-feeds`. A plain `name` is one in the feed's language."""

    name: Text | Line
    lang: Language = "ko"
    filter: FilterBody = FilterBody()
    options: FeedOptions = FeedOptions()


class PatchSavedFeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PATCH /v1/saved-feeds/{id}`: what is absent stays, objects are whole here."""

    name: Text | Line | UnsetType = UNSET
    lang: Language | UnsetType = UNSET
    filter: FilterBody | UnsetType = UNSET
    options: FeedOptions | UnsetType = UNSET
