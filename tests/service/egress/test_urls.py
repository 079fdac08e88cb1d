import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from service.egress.policy import DestinationNotAllowed, Policy
from service.egress.urls import check, parse

REFUSED = [
    "",
    "example.com",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "unix:///run/docker.sock",
    "ws://example.com/",
    "https://",
    "https:///path",
    "https:example.com",
    "https:\\\\example.com/",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1\\.example.com/",
    "https://example.com#@127.0.0.1/",
    "https://example.com/#fragment",
    "https://ex%61mple.com/",
    "https://127.0.0.1%2f.example.com/",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com\t/",
    "https://example.com/\r\nx: y",
    "https://example.com/\x00",
    " https://example.com/",
    "https://example.com:/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:443:443/",
    "https://example.com:+443/",
    "https://example..com/",
    "https://-example.com/",
    "https://example.com../",
    "https://./",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.1.1/",
    "https://127.0.0.256/",
    "https://1.2.3.4.5/",
    "https://example.0x/",
    "https://[::1/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::g]/",
    "https://[127.0.0.1]/",
    "https://[v1.fe80]/",
    "https://xn--.com/",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 127 + "com/",
    "https://example.com/" + "a" * 2000,
]


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: repr(url)[:50])
def test_a_text_that_is_not_plainly_a_destination_is_refused(url):
    with pytest.raises(DestinationNotAllowed):
        parse(url)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443?a=b", "https://example.com/?a=b"),
        ("https://example.com.:8443/x", "https://example.com:8443/x"),
        ("https://서울.한국/알림", "https://xn--2i4bq6h.xn--3e0b707e/알림"),
        ("https://ｅxample。com/", "https://example.com/"),
        ("https://[2606:4700:0:0::1111]/", "https://[2606:4700::1111]/"),
        ("https://１２７。0。0。1/", "https://127.0.0.1/"),
        ("https://hooks.slack.com/services/T0/B0/x", "https://hooks.slack.com/services/T0/B0/x"),
    ],
)
def test_every_spelling_becomes_one(url, canonical):
    assert parse(url).url == canonical


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://example.com:22/",
        "https://127.0.0.1/",
        "https://１２７。0。0。1/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[64:ff9b::808:808]/",
        "https://[::]/",
        "https://0.0.0.0/",
    ],
)
def test_what_is_wrong_without_asking_dns_is_refused_when_entered(url):
    with pytest.raises(DestinationNotAllowed) as refusal:
        check(url, policy=Policy())
    assert refusal.value.detail == "The destination is not allowed."


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    for url in (text, f"https://{text}", f"https://example.com/{text}", f"https://{text}.com:443/"):
        try:
            destination = parse(url)
        except DestinationNotAllowed:
            continue
        assert parse(destination.url) == destination


@given(st.from_regex(r"https?://[a-z0-9.:@\[\]%\\#?/０-９。x-]{1,30}", fullmatch=True))
def test_the_client_sees_the_host_that_was_judged(url):
    try:
        destination = parse(url)
    except DestinationNotAllowed:
        return
    seen = URL(destination.url)
    assert (seen.raw_host, seen.port) == (destination.host.strip("[]"), destination.port)
