"""The nouns of the catalogue, as people write them and as the store keeps them.

Field names follow schema.org and RFC 5545 where they have a word for the thing. Dates are EDTF text
(`service.catalogue.dates`); everything that can be computed from other fields is not here but in
`service.catalogue.view`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Kind = Literal[
    "ministerial",
    "summit",
    "conference",
    "forum",
    "exhibition",
    "networking",
    "ceremony",
    "session",
    "briefing",
    "launch",
    "showcase",
    "council",
    "contest",
    "milestone",
    "application_window",
    "other",
]
Status = Literal["tentative", "scheduled", "postponed", "cancelled"]
CloseRule = Literal[
    "fixed",
    "until_exhausted",
    "first_come",
    "rolling",
    "recurring",
    "varies",
    "to_be_announced",
    "unknown",
]
Rank = Literal["preferred", "normal", "deprecated"]
Language = Literal["ko", "en"]
Visibility = Literal["public", "internal", "draft"]
Relation = Literal["affiliated_with", "co_located_with", "follows", "about"]
PartRole = Literal[
    "host",
    "organizer",
    "co_organizer",
    "sponsor",
    "partner",
    "supervisor",
    "operator",
    "speaker",
    "exhibitor",
    "investor",
    "selected",
    "participant",
]
EvidenceField = Literal[
    "start",
    "end",
    "contains",
    "status",
    "name",
    "place",
    "organizations",
    "edition",
    "close_rule",
    "related",
    "claim",
]
DateField = Literal["start", "end"]
SourceKind = Literal["official_notice", "official_api", "press_release", "news", "mirror", "blog", "other"]
OrganizationKind = Literal[
    "government", "agency", "research", "corporate", "startup", "investor", "association", "other"
]
ProgramKind = Literal[
    "grant",
    "voucher",
    "loan",
    "investment",
    "challenge",
    "open_innovation",
    "accelerator",
    "policy",
    "council",
    "other",
]
SelectionMode = Literal["open_call", "nomination", "invitation", "mixed", "unknown"]

SLUG_PATTERN = r"^[a-z0-9]+(?:-[a-z0-9]+)*$"
Slug = Annotated[str, Meta(pattern=SLUG_PATTERN, max_length=100)]
Line = Annotated[str, Meta(min_length=1, max_length=300)]
Prose = Annotated[str, Meta(min_length=1, max_length=5000)]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s]+$", max_length=2000)]
Quote = Annotated[str, Meta(min_length=1, max_length=120)]
EdtfText = Annotated[str, Meta(min_length=4, max_length=40)]


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One text in Korean, English or both. `translated` names the languages that are our translation."""

    ko: Prose | None = None
    en: Prose | None = None
    translated: tuple[Language, ...] = ()


class Geo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """WGS 84 degrees, as RFC 5545 GEO."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it is held. `inherited` marks a place taken over from the event it is part of.

    A city is one text in whatever language, or its names in Korean and English.
    """

    name: Text | None = None
    city: Line | Text | None = None
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None
    address: Line | None = None
    geo: Geo | None = None
    online_url: Url | None = None
    inherited: bool = False

    @property
    def cities(self) -> tuple[str, ...]:
        """Every name of the city, in whatever language."""
        names = (self.city.ko, self.city.en) if isinstance(self.city, Text) else (self.city,)
        return tuple(name for name in names if name)

    def city_in(self, lang: Language) -> str | None:
        """The name of the city in this language, or in the one there is."""
        names = self.cities
        return names[-1 if lang == "en" else 0] if names else None


class Edition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which edition of its series. The label is text, not derived from dates: SeoulCon 2023 ends in 2024."""

    label: Line | None = None
    number: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class Related(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tie to another event that implies nothing about time or place."""

    relation: Relation
    event: Slug


class Participation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organization and the part it plays."""

    id: Slug
    role: PartRole


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who says what about one field. A quote is an exact substring of its source.

    `contains` says that some day of the event is `value`, and nothing about where it starts or ends.
    `claim` keeps a figure or statement as its source words it; it is never recomputed.
    """

    field: EvidenceField
    value: Line | None
    source: Slug
    quote: Quote | None = None
    rank: Rank = "normal"
    note: Prose | None = None


class PreviousDates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dates that once held; `until_revision` is the last revision that carried them, null if before ours."""

    start: EdtfText | None
    end: EdtfText | None
    until_revision: Annotated[int, Meta(ge=1)] | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event, milestone or application window, as its curator writes it. See docs/api.md for each field."""

    id: Slug
    kind: Kind
    name: Text
    summary: Text | None = None
    status: Status = "scheduled"
    start: EdtfText | None = None
    end: EdtfText | None = None
    timezone: Annotated[str, Meta(min_length=1, max_length=64)] = "Asia/Seoul"
    close_rule: CloseRule | None = None
    close_text: Line | None = None
    series: Slug | None = None
    edition: Edition | None = None
    program: Slug | None = None
    part_of: Slug | None = None
    related: Annotated[tuple[Related, ...], Meta(max_length=50)] = ()
    place: Place | None = None
    organizations: Annotated[tuple[Participation, ...], Meta(max_length=200)] = ()
    tags: Annotated[tuple[Slug, ...], Meta(max_length=50)] = ()
    url: Url | None = None
    apply_url: Url | None = None
    external_ids: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[a-z0-9_.-]{1,40}$")], Line], Meta(max_length=20)
    ] = {}
    visibility: Visibility = "public"
    evidence: Annotated[tuple[Evidence, ...], Meta(max_length=100)] = ()
    previous_dates: Annotated[tuple[PreviousDates, ...], Meta(max_length=50)] | UnsetType = UNSET

    @property
    def is_window(self) -> bool:
        return self.kind == "application_window"

    @property
    def is_public(self) -> bool:
        return self.visibility == "public"


class Alias(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Another name in use; `since` and `until` are EDTF, for a name that changed."""

    text: Line
    since: EdtfText | None = None
    until: EdtfText | None = None


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Editions of a recurring event (schema.org EventSeries)."""

    id: Slug
    name: Text
    summary: Text | None = None
    aliases: tuple[Alias, ...] = ()
    organizations: tuple[Participation, ...] = ()
    url: Url | None = None


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A support program that has windows and milestones. `nomination` programs never have a window."""

    id: Slug
    name: Text
    summary: Text | None = None
    kind: ProgramKind = "other"
    selection: SelectionMode = "unknown"
    aliases: tuple[Alias, ...] = ()
    organizations: tuple[Participation, ...] = ()
    part_of: Slug | None = None
    url: Url | None = None
    evidence: Annotated[tuple[Evidence, ...], Meta(max_length=100)] = ()


class Organization(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body that plays a part in an event or program."""

    id: Slug
    name: Text
    kind: OrganizationKind = "other"
    aliases: tuple[Alias, ...] = ()
    part_of: Slug | None = None
    url: Url | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a statement was read. Sources of one `origin` (one press release) are one witness.

    `published` is EDTF. `retrieved` is the day we looked, an ISO date; "open until exhausted" is believed
    for 14 days after it. `article` is the file name of the article below `--articles`, for checking quotes.
    """

    id: Slug
    title: Line
    kind: SourceKind
    publisher: Line | None = None
    url: Url | None = None
    published: EdtfText | None = None
    retrieved: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    origin: Slug | None = None
    language: Language = "ko"
    article: Line | None = None
    note: Prose | None = None
