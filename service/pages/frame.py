"""What surrounds the content of every page: language, addresses, feeds to discover, and how to subscribe."""

import msgspec

from service import calendar_clients
from service.calendar_clients import Client, Subscription
from service.catalogue.event import Language
from service.pages.phrases import PHRASES, Phrases
from service.pages.shown import local

# The others stand below, as they take the plain address all the same.
FIRST_CLIENTS: tuple[Client, ...] = ("google", "apple", "outlook")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to subscribe, in the page's language."""

    name: str
    link: str
    sentence: str


class FeedBox(msgspec.Struct, frozen=True, kw_only=True):
    """One feed with the ways to it. `title` says which, `address` is there to be copied, `path` opens it."""

    title: str
    address: str
    path: str
    first: tuple[Way, ...]
    more: tuple[Way, ...]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """`path` is the page's Korean address, which the others follow from. `feeds` are to be discovered."""

    lang: Language
    path: str
    title: str
    description: str
    base_url: str
    feeds: tuple[FeedBox, ...] = ()
    json_path: str | None = None

    @property
    def say(self) -> Phrases:
        return PHRASES[self.lang]

    @property
    def other(self) -> Language:
        return "en" if self.lang == "ko" else "ko"

    def here(self, lang: Language) -> str:
        """This page in a language."""
        return local(self.path, lang)


def feed_box(path: str, *, title: str, lang: Language, base_url: str) -> FeedBox:
    """The ways to a feed of ours."""
    feed = base_url + path
    ways = [(found.client, _way(found, lang)) for found in calendar_clients.subscriptions(feed, title=title)]
    return FeedBox(
        title=title,
        address=feed,
        path=path,
        first=tuple(way for client, way in ways if client in FIRST_CLIENTS),
        more=tuple(way for client, way in ways if client not in FIRST_CLIENTS),
    )


def _way(found: Subscription, lang: Language) -> Way:
    name, sentence = (
        (found.name.ko, found.sentence.ko) if lang == "ko" else (found.name.en, found.sentence.en)
    )
    return Way(name=name, link=found.link, sentence=sentence)
