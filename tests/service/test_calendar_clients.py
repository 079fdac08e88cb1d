"""A link for each calendar program, and the truth about how soon it looks again."""

import re

from service.calendar_clients import CLIENTS, subscriptions

URL = "https://dday.example/feeds/ko/deadlines.ics?tag=ai"


def test_each_program_gets_the_address_it_takes():
    links = {way.client: way.link for way in subscriptions(URL, title="디데이: 마감")}
    assert links["apple"] == "webcal://dday.example/feeds/ko/deadlines.ics?tag=ai"
    assert links["google"] == (
        "https://calendar.google.com/calendar/r?cid="
        "webcal%3A%2F%2Fdday.example%2Ffeeds%2Fko%2Fdeadlines.ics%3Ftag%3Dai%26cancelled%3Dmark"
    )
    assert links["outlook"].startswith(
        "https://outlook.live.com/calendar/0/addfromweb?url=https%3A%2F%2Fdday"
    )
    assert links["outlook"].endswith("&name=%EB%94%94%EB%8D%B0%EC%9D%B4%3A%20%EB%A7%88%EA%B0%90")
    assert links["thunderbird"] == links["other"] == URL


def test_the_plain_address_is_always_there_to_be_copied():
    assert all(way.feed.startswith("https://dday.example/feeds/ko/") for way in subscriptions(URL, title="x"))


def test_options_join_the_ones_that_are_there():
    plain = "https://dday.example/feeds/ko/calendar.ics"
    feeds = {way.client: way.feed for way in subscriptions(plain, title="x")}
    assert feeds["google"] == plain + "?cancelled=mark"


def test_google_is_not_offered_what_it_would_not_show() -> None:
    def clients(feed: str, *, over_budget: bool = False) -> list[str]:
        return [way.client for way in subscriptions(feed, title="x", over_budget=over_budget)]

    others = [client for client in CLIENTS if client != "google"]
    longest = URL + "&tag=" + "a" * (256 - len(URL) - len("&tag=") - len("&cancelled=mark"))
    assert clients(URL) == clients(longest) == ["google", *others]
    assert clients(longest + "a") == clients(URL, over_budget=True) == others


def test_every_program_says_in_both_languages_how_soon_it_looks_again():
    for way in CLIENTS.values():
        assert re.search("[가-힣]", way.sentence.ko) and way.sentence.en.endswith(".")
