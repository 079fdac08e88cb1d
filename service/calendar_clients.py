"""Links that subscribe a feed in each calendar program, with a sentence on how soon that shows changes.

The sentences say what users and server logs report (`docs/subscribe-a-calendar.md`), since the programs do
not say themselves how slow they are.
"""

from collections.abc import Callable
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import msgspec

from service.catalogue.vocabulary import LocalizedText

Client = Literal[
    "google",
    "apple",
    "outlook",
    "microsoft365",
    "thunderbird",
    "gnome",
    "nextcloud",
    "home_assistant",
    "icsx5",
    "other",
]


LONGEST_FOR_GOOGLE = 256


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One program: `link` opens its dialogue, `feed` is the address to paste where links fail."""

    client: Client
    name: LocalizedText
    link: str
    feed: str
    sentence: LocalizedText


class _ClientEntry(msgspec.Struct, frozen=True, kw_only=True):
    name: LocalizedText
    link: Callable[[str, str], str]
    sentence: LocalizedText
    option: tuple[str, str] | None = None


def subscriptions(feed: str, *, title: str, over_budget: bool = False) -> tuple[Subscription, ...]:
    """Returns how to subscribe the feed at this absolute address in each program, the most common first.

    Google is left out where it would show nothing and not say so: of a feed that is `over_budget`, and of an
    address that is too long for it.
    """
    ways = (_subscription(feed, client, title) for client in CLIENTS)
    return tuple(way for way in ways if way.client != "google" or _google_reads(way.feed, over_budget))


def _google_reads(address: str, over_budget: bool) -> bool:
    return not over_budget and len(address) <= LONGEST_FOR_GOOGLE


def _subscription(feed: str, client: Client, title: str) -> Subscription:
    entry = CLIENTS[client]
    address = _with_option(feed, *entry.option) if entry.option else feed
    return Subscription(
        client=client, name=entry.name, link=entry.link(address, title), feed=address, sentence=entry.sentence
    )


def _with_option(feed: str, name: str, value: str) -> str:
    parts = urlsplit(feed)
    query = "&".join(filter(None, (parts.query, urlencode({name: value}))))
    return urlunsplit(parts._replace(query=query))


def _https(feed: str, _: str) -> str:
    return feed


def _webcal(feed: str, _: str) -> str:
    """The scheme that calendar programs register for."""
    return f"webcal://{feed.partition('://')[2]}"


def _google(feed: str, title: str) -> str:
    # Users report that it refuses the https form here.
    return f"https://calendar.google.com/calendar/r?cid={quote(_webcal(feed, title), safe='')}"


def _microsoft(host: str) -> Callable[[str, str], str]:
    def link(feed: str, title: str) -> str:
        return f"https://{host}/calendar/0/addfromweb?url={quote(feed, safe='')}&name={quote(title, safe='')}"

    return link


_MICROSOFT = LocalizedText(
    ko="바뀐 내용은 3~24시간 뒤에 보입니다. 알림은 무시합니다.",
    en="Changes show after 3 to 24 hours; it ignores alarms.",
)
CLIENTS: dict[Client, _ClientEntry] = {
    "google": _ClientEntry(
        name=LocalizedText(ko="구글 캘린더", en="Google Calendar"),
        link=_google,
        sentence=LocalizedText(
            ko="바뀐 내용은 4~24시간 뒤에 보입니다. 서두르게 할 방법이 없고, 알림은 무시합니다.",
            en="Changes show after 4 to 24 hours; nothing can hurry it, and it ignores alarms.",
        ),
        # Google hides STATUS:CANCELLED at once, so nobody would see why an event is gone.
        option=("cancelled", "mark"),
    ),
    "apple": _ClientEntry(
        name=LocalizedText(ko="애플 캘린더", en="Apple Calendar"),
        link=_webcal,
        sentence=LocalizedText(
            ko="새로 고침 간격은 직접 고릅니다(5분~1주). 아이폰의 기본값은 하루입니다.",
            en="You choose how often it looks, 5 minutes to a week; an iPhone looks once a day at first.",
        ),
    ),
    "outlook": _ClientEntry(
        name=LocalizedText(ko="아웃룩", en="Outlook"),
        link=_microsoft("outlook.live.com"),
        sentence=_MICROSOFT,
    ),
    "microsoft365": _ClientEntry(
        name=LocalizedText(ko="아웃룩(마이크로소프트 365)", en="Outlook (Microsoft 365)"),
        link=_microsoft("outlook.office.com"),
        sentence=_MICROSOFT,
    ),
    "thunderbird": _ClientEntry(
        name=LocalizedText(ko="썬더버드", en="Thunderbird"),
        link=_https,
        sentence=LocalizedText(
            ko="바꾸지 않으면 30분마다 새로 고칩니다.", en="It looks every 30 minutes unless you change it."
        ),
    ),
    "gnome": _ClientEntry(
        name=LocalizedText(ko="그놈 캘린더·에볼루션", en="GNOME Calendar, Evolution"),
        link=_https,
        sentence=LocalizedText(
            ko="달력 설정에서 정한 간격으로 새로 고칩니다.",
            en="It looks as often as the settings of the calendar say.",
        ),
    ),
    "nextcloud": _ClientEntry(
        name=LocalizedText(ko="넥스트클라우드", en="Nextcloud"),
        link=_https,
        sentence=LocalizedText(
            ko="권하는 간격(6시간)을 따르지만, 서버 설정에 따라 하루가 걸립니다.",
            en="It follows our hint of 6 hours, or takes a day on servers that are set so.",
        ),
    ),
    "home_assistant": _ClientEntry(
        name=LocalizedText(ko="홈 어시스턴트", en="Home Assistant"),
        link=_https,
        sentence=LocalizedText(ko="하루에 한 번 새로 고칩니다.", en="It looks once a day."),
        option=("profile", "plain"),
    ),
    "icsx5": _ClientEntry(
        name=LocalizedText(ko="ICSx⁵(안드로이드)", en="ICSx⁵ (Android)"),
        link=_webcal,
        sentence=LocalizedText(
            ko="앱에서 정한 간격으로 새로 고칩니다.", en="It looks as often as you choose there."
        ),
    ),
    "other": _ClientEntry(
        name=LocalizedText(ko="그 밖의 프로그램", en="Any other program"),
        link=_https,
        sentence=LocalizedText(
            ko="주소를 붙여 넣으세요. 얼마나 자주 새로 고칠지는 프로그램마다 다릅니다.",
            en="Paste the address; how often it looks differs from program to program.",
        ),
    ),
}
