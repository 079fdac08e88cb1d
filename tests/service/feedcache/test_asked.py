"""What a feed's query means where programs and people send it otherwise than the book says."""

from service.feedcache import asked


def read(query: bytes) -> asked.Asked:
    found = asked.read("/feeds/ko/calendar.ics", query)
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
