"""How a feed's query is parsed where programs and people send it otherwise than the book says."""

from service.feedcache import request


def parse(query: bytes) -> request.FeedRequest:
    feed = request.parse("/feeds/ko/calendar.ics", query)
    assert feed is not None
    return feed


def test_korean_typed_into_an_address_means_the_same_as_encoded() -> None:
    raw, encoded = parse("tag=ai&city=제주".encode()), parse(b"tag=ai&city=%EC%A0%9C%EC%A3%BC")
    assert raw == encoded
    assert (raw.filters.city, raw.ignored) == (("제주",), ())


def test_a_parameter_that_cannot_be_read_takes_no_other_with_it() -> None:
    for broken in (b"city=%ff", b"city=\xff"):
        feed = parse(b"tag=ai&" + broken)
        assert (feed.filters.tag, feed.filters.city, feed.ignored) == (("ai",), (), ("city",))


def test_a_bad_value_of_a_filter_takes_none_of_its_good_ones_with_it() -> None:
    feed = parse(b"kind=nonsense&kind=conference&tag=AI&tag=ai&city=x&q=a&q=b")
    assert (feed.filters.kind, feed.filters.tag, feed.filters.city) == (("conference",), ("ai",), ("x",))
    assert (feed.filters.q, feed.ignored) == (None, ("kind", "q", "tag"))
    assert feed.query == "city=x&kind=conference&tag=ai"


def test_of_a_filter_with_too_many_values_none_counts_and_the_others_stay() -> None:
    many = b"&".join(b"tag=t%d" % n for n in range(51))
    feed = parse(b"kind=conference&" + many)
    assert (feed.filters.kind, feed.filters.tag, feed.ignored) == (("conference",), (), ("tag",))


def test_a_filter_with_bad_values_only_is_left_out() -> None:
    feed = parse(b"kind=nonsense&kind=more&tag=ai")
    assert (feed.filters.kind, feed.filters.tag, feed.ignored) == ((), ("ai",), ("kind",))


def test_every_time_of_a_feed_can_be_told_in_utc() -> None:
    asked, default = parse(b"tz=utc"), parse(b"tz=local")
    assert (asked.options.tz, asked.query, default.query) == ("utc", "tz=utc", "")
    assert parse(b"tz=Asia/Seoul").ignored == ("tz",)
