"""What a feed's query means where programs and people send it otherwise than the book says."""

from service.feedcache import request


def read(query: bytes) -> request.Asked:
    found = request.read("/feeds/ko/calendar.ics", query)
    assert found is not None
    return found


def test_korean_typed_into_an_address_means_the_same_as_encoded() -> None:
    raw, encoded = read("tag=ai&city=제주".encode()), read(b"tag=ai&city=%EC%A0%9C%EC%A3%BC")
    assert raw == encoded
    assert (raw.filters.city, raw.ignored) == (("제주",), ())


def test_a_parameter_that_cannot_be_read_takes_no_other_with_it() -> None:
    for broken in (b"city=%ff", b"city=\xff"):
        found = read(b"tag=ai&" + broken)
        assert (found.filters.tag, found.filters.city, found.ignored) == (("ai",), (), ("city",))


def test_a_bad_value_of_a_filter_takes_none_of_its_good_ones_with_it() -> None:
    found = read(b"kind=nonsense&kind=conference&tag=AI&tag=ai&city=x&q=a&q=b")
    assert (found.filters.kind, found.filters.tag, found.filters.city) == (("conference",), ("ai",), ("x",))
    assert (found.filters.q, found.ignored) == (None, ("kind", "q", "tag"))
    assert found.query == "city=x&kind=conference&tag=ai"


def test_of_a_filter_with_too_many_values_none_counts_and_the_others_stay() -> None:
    many = b"&".join(b"tag=t%d" % n for n in range(51))
    found = read(b"kind=conference&" + many)
    assert (found.filters.kind, found.filters.tag, found.ignored) == (("conference",), (), ("tag",))


def test_a_filter_with_bad_values_only_is_left_out() -> None:
    found = read(b"kind=nonsense&kind=more&tag=ai")
    assert (found.filters.kind, found.filters.tag, found.ignored) == ((), ("ai",), ("kind",))
