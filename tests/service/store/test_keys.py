"""Keys are shown once, kept as hashes, and end when they end."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from service.errors import KeyReused, NotFound
from service.store import api_keys, idempotency
from service.store.engine import Store
from service.store.idempotency import StoredAnswer
from service.store.tables import api_key

NOW = datetime(2025, 8, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_key_is_found_by_its_plaintext_which_is_not_stored(store: Store) -> None:
    key, plaintext = store.write(lambda c: api_keys.create(c, "me", scopes=("catalogue",), now=NOW))
    assert plaintext.startswith(f"dday_{key.id}_")
    assert store.read(lambda c: api_keys.find(c, plaintext, now=NOW)) == key
    row = store.read(lambda c: c.execute(select(api_key)).one())
    assert plaintext.split("_", 2)[2] not in repr(tuple(row))
    for wrong in (plaintext[:-1] + "x", f"dday_{key.id}_{'a' * 43}", "dday_", "", "\ud800"):
        assert store.read(lambda c, w=wrong: api_keys.find(c, w, now=NOW)) is None or wrong == plaintext


def test_an_expired_or_revoked_key_is_none(store: Store) -> None:
    _, brief = store.write(
        lambda c: api_keys.create(c, "brief", scopes=("admin",), now=NOW, expires_at=NOW + DAY)
    )
    key, revoked = store.write(lambda c: api_keys.create(c, "gone", scopes=("admin",), now=NOW + DAY))
    store.write(lambda c: api_keys.revoke(c, key.id, now=NOW))
    assert store.read(lambda c: api_keys.find(c, brief, now=NOW)) is not None
    assert store.read(lambda c: api_keys.find(c, brief, now=NOW + DAY)) is None
    assert store.read(lambda c: api_keys.find(c, revoked, now=NOW)) is None
    assert [one.name for one in store.read(api_keys.listed)] == ["brief", "gone"]
    with pytest.raises(NotFound):
        store.write(lambda c: api_keys.revoke(c, "nothing", now=NOW))


def test_an_operators_key_is_adopted_once(store: Store) -> None:
    for _ in range(2):
        store.write(lambda c: api_keys.adopt(c, "my own secret", name="env", scopes=("admin",), now=NOW))
    assert len(store.read(api_keys.listed)) == 1
    found = store.read(lambda c: api_keys.find(c, "my own secret", now=NOW))
    assert found is not None and found.scopes == ("admin",)


def test_the_same_request_gets_the_same_answer_also_after_a_restart(store_url: str) -> None:
    answer = StoredAnswer(status=201, headers=(("etag", '"1"'),), body=b"{}")
    store = Store.open(store_url)
    assert store.write(lambda c: _first(c, answer)) is None
    store.close()
    again = Store.open(store_url)
    assert again.write(lambda c: idempotency.begin(c, "me", "k", b"hash", now=NOW)) == answer
    assert again.write(lambda c: idempotency.begin(c, "you", "k", b"hash", now=NOW)) is None
    with pytest.raises(KeyReused):
        again.write(lambda c: idempotency.begin(c, "me", "k", b"other", now=NOW))
    assert again.write(lambda c: idempotency.purge(c, NOW + DAY)) == 2
    again.close()


def _first(c: object, answer: StoredAnswer) -> StoredAnswer | None:
    replay = idempotency.begin(c, "me", "k", b"hash", now=NOW)  # type: ignore[arg-type]
    idempotency.finish(c, "me", "k", status=answer.status, headers=answer.headers, body=answer.body)  # type: ignore[arg-type]
    return replay


def test_a_failed_request_frees_its_key(store: Store) -> None:
    def fail(c: object) -> None:
        idempotency.begin(c, "me", "k", b"hash", now=NOW)  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        store.write(fail)
    assert store.write(lambda c: idempotency.begin(c, "me", "k", b"other", now=NOW)) is None
