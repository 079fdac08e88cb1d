"""What a feed is called and what it says about itself."""

from datetime import UTC, datetime

from feeds.entry import Feed
from service.catalogue.date_labels import Words
from service.catalogue.event import Language, Text
from service.catalogue.vocabulary import pick
from service.feedcache.asked import Asked

TITLES = {
    "calendar": Words(ko="디데이: 전체 일정", en="Dday: everything"),
    "events": Words(ko="디데이: 행사", en="Dday: events"),
    "deadlines": Words(ko="디데이: 접수와 마감", en="Dday: calls and deadlines"),
}
NAMED = Words(ko="디데이: {}", en="Dday: {}")
ABOUT = Words(
    ko="창업 행사와 접수 일정입니다. 모든 날짜에는 출처가 있으며, 모르는 날짜는 적지 않습니다.",
    en="Startup events and calls. Every date has its source; what is not known is left out.",
)
TOO_LONG = Words(
    ko="일정이 많아 간략히 보여 줍니다. 시리즈나 프로그램별 달력에는 설명이 모두 있습니다.",
    en="Shortened because there is so much; the feeds of a single series or program have every detail.",
)
BEYOND_GOOGLE = Words(
    ko="구글 캘린더가 읽는 크기(1MB)를 넘습니다. 시리즈, 프로그램, 태그별 달력을 구독하세요.",
    en="Larger than Google Calendar reads (1 MB): subscribe to the feed of a series, a program or a tag.",
)
ZONE = "Asia/Seoul"
COLOR = "crimson"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def title(asked: Asked, named: Text | None) -> str:
    if asked.saved is not None:
        return pick(asked.saved.name, asked.lang)
    words = TITLES.get(asked.name) if named is None else None
    return (
        pick(words, asked.lang)
        if words
        else pick(NAMED, asked.lang).format(pick(named or Text(), asked.lang))
    )


def notice(lang: Language, *, shortened: bool, over_budget: bool) -> str | None:
    """What a subscriber must know about the size; None when all is told in full."""
    if over_budget:
        return pick(BEYOND_GOOGLE, lang)
    return pick(TOO_LONG, lang) if shortened else None


def head(asked: Asked, *, title: str, notice: str | None, base_url: str, uid_domain: str, key: str) -> Feed:
    """The feed without its date. `key` tells filtered feeds of one name apart.

    A saved feed does not say where it came from: its address is a secret, and the copies get around.
    """
    about = pick(ABOUT, asked.lang)
    name = f"saved-{asked.saved.id}" if asked.saved else f"{asked.lang}-{asked.name}"
    return Feed(
        uid=f"feed-{name}{key}@{uid_domain}",
        title=title,
        description=f"{about}\n{notice}" if notice else about,
        language=asked.lang,
        zone=ZONE,
        url="" if asked.saved else base_url + asked.path,
        page=f"{base_url}/events/{asked.name}" if asked.single else f"{base_url}/",
        modified=EPOCH,
        color=COLOR,
    )
