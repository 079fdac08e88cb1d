"""When the store is away: what is in memory is sent, what is not is a 503 and never a 4xx."""

import time

from tests.service.api.feeds.world import PLAIN, Client, fetch


def ruin(client: Client) -> None:
    """The database is gone, and something else is in its place."""
    service = client.app.state.service
    service.store.close()
    for file in service.settings.sqlite_file.parent.glob("dday.db*"):
        file.write_bytes(b"this is no database\n" * 1000)


def test_a_feed_goes_on_from_memory_while_the_store_is_away(filled: Client) -> None:
    before = fetch(filled, "/feeds/ko/calendar.ics")
    ruin(filled)
    at_once = fetch(filled, "/feeds/ko/calendar.ics", if_none_match=before.headers["etag"])
    assert at_once.status_code == 304
    time.sleep(0.6)  # after half a second other processes' writes are looked for, in vain
    later = fetch(filled, "/feeds/ko/calendar.ics")
    assert (later.status_code, later.content) == (200, before.content)


def test_a_feed_that_cannot_be_made_is_a_503_that_says_when_to_come_again(filled: Client) -> None:
    ruin(filled)
    answer = filled.get("/feeds/ko/deadlines.ics", headers=PLAIN)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) > 0
