"""What a caller without a key gets is a function of the public catalogue alone (docs/decisions/0077).

One world has a whole catalogue, with events that are not public and their histories. The other has only what
is public of it: an event that is published is created there, one that is taken back is deleted. Everybody
without a key, and whoever has webhooks and feeds but no scope `catalogue`, must get the same bytes from both.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import bindparam, create_engine, delete, insert, select, update

from service.api.operations import Operation
from service.clock import SimulatedClock
from service.delivery import planner
from service.settings import Settings
from service.store import revisions
from service.store.tables import event as events
from service.store.tables import metadata
from service.store.tables import revision as log
from tests.receiver import Receiver
from tests.reminding import LOOPBACK
from tests.service.api.conftest import ADMIN, NOW, bearer, new_key, send
from tests.support.app import create_app

Client = TestClient[Litestar]
Fields = dict[str, Any]
KEY = bearer(ADMIN)
IDS = ("a", "b", "c", "d")
SECRET = "기밀"
# Dates of events that are not public are in a year of their own, so that a trace of one is found.
PUBLIC_DAYS = ("2026-03-20", "2026-03-21T14:00", "2026-03", None)
HIDDEN_DAYS = ("2031-04-01", "2031-05-02T10:00")
# Ids and tags are hexadecimal, and may hold any digits.
TRACE = re.compile(rf"{SECRET}|\b2031(?:-0|0[45]|년)")
# Routes without a key that say nothing of the catalogue.
OF_THE_SERVICE = {
    "/.well-known/jwks.json",
    "/docs",
    "/docs/style.css",
    "/healthz",
    "/metrics",
    "/problems",
    "/problems/{name:str}",
    "/readyz",
    "/static/{name:str}",
    "/v1/openapi.json",
}


class World:
    """One service: its client, and what it has sent to the receiver."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.store = client.app.state.service.store

    def counter(self) -> int:
        return self.store.read(revisions.head)

    def uids(self) -> dict[str, str]:
        return dict(self.store.read(lambda c: c.execute(select(events.c.id, events.c.uid)).all()))

    def write(self, steps: list[Fields]) -> None:
        answer = self.client.post("/v1/events/batch?cause=test", json=steps, headers=KEY)
        assert answer.status_code == 200, answer.text


def visible(catalogue: dict[str, Fields]) -> dict[str, Fields]:
    """The public catalogue: its events without the names of others, written independently of the service."""
    public = {key for key, fields in catalogue.items() if fields["visibility"] == "public"}
    return {
        key: {
            **catalogue[key],
            "part_of": part if (part := catalogue[key]["part_of"]) in public else None,
            "related": [tie for tie in catalogue[key]["related"] if tie["event"] in public],
        }
        for key in public
    }


class Worlds:
    """Both worlds, brought forward together."""

    def __init__(self, whole: World, public: World, clock: SimulatedClock, receiver: Receiver) -> None:
        self.whole, self.public, self.clock, self.receiver = whole, public, clock, receiver
        self.catalogue: dict[str, Fields] = {}
        self.gone: set[str] = set()

    def change(self, key: str, step: Fields) -> None:
        """One write in the whole world, and what is public of it in the other, under the same numbers."""
        before, number, uids = visible(self.catalogue), self.whole.counter(), self.seen_uids()
        answer = self.whole.client.post("/v1/events/batch?cause=test", json=[step], headers=KEY)
        if answer.status_code in (409, 422):
            return
        assert answer.status_code == 200, answer.text
        self.catalogue.pop(key, None)
        if "put" in step:
            self.catalogue[key] = step["put"]
        after, drawn = visible(self.catalogue), self.whole.counter() - number
        changed = [each for each in IDS if before.get(each) != after.get(each)]
        changed.sort(key=lambda each: (each != key, each))
        if changed:
            assert len(changed) == drawn
            self.public.write([self.step(each, before, after) for each in changed])
        elif drawn:
            self.public.store.write(lambda c: revisions.draw(c, drawn))
        assert self.public.counter() == self.whole.counter()
        self.follow_uids(uids)

    def step(self, key: str, before: dict[str, Fields], after: dict[str, Fields]) -> Fields:
        if key not in after:
            return {"delete": key}
        fields = dict(after[key])
        if key not in before:
            shown = self.whole.client.get(f"/v1/events/{key}").json()
            fields["previous_dates"] = shown["previous_dates"]
        return {"put": fields}

    def seen_uids(self) -> set[str]:
        return set(self.public.uids().values())

    def follow_uids(self, before: set[str]) -> None:
        """UIDs are random, so the public world takes those of the whole one; none may come back."""
        minted = {key: uid for key, uid in self.whole.uids().items() if key in self.public.uids()}
        for key, uid in minted.items():
            self.public.store.write(
                lambda c, key=key, uid=uid: c.execute(
                    update(events).where(events.c.id == key).values(uid=uid)
                )
            )
        self.follow_marks()
        self.gone |= before - set(minted.values())
        assert self.gone.isdisjoint(minted.values())

    def follow_marks(self) -> None:
        """The marks in tokens are random too."""
        marks = self.whole.store.read(lambda c: c.execute(select(log.c.seq, log.c.mark)).all())
        rows = [{"the_seq": seq, "the_mark": mark} for seq, mark in marks]
        marked = update(log).where(log.c.seq == bindparam("the_seq")).values(mark=bindparam("the_mark"))
        self.public.store.write(lambda c: c.execute(marked, rows))

    def both(self, url: str, headers: dict[str, str] | None = None) -> Any:
        """The answer to one question, which must be the same in both worlds."""
        found = []
        for world in (self.whole, self.public):
            answer = world.client.get(url, headers=headers or {})
            found.append((answer.status_code, dict(answer.headers), answer.content))
        assert found[0] == found[1], url
        text = found[0][2].decode() + str(found[0][1])
        assert not TRACE.search(text), url
        return answer

    def deliveries(self, url: str, headers: dict[str, str]) -> None:
        """All but how long an answer took, which differs from one moment to the next."""
        bodies = [world.client.get(url, headers=headers).content for world in (self.whole, self.public)]
        found = [re.sub(rb'"latency_ms":[0-9]+', b"", body) for body in bodies]
        assert found[0] == found[1]
        assert not TRACE.search(found[0].decode())

    def pages(self, url: str) -> None:
        """Follows a list to its end."""
        joint, following = "&" if "?" in url else "?", ""
        while True:
            body = self.both(f"{url}{joint}limit=1{following}").json()
            if body.get("next"):
                following = f"&cursor={body['next']}"
            elif body.get("more"):
                following = f"&since={body['token']}"
            else:
                return

    def deliver(self) -> None:
        """Both plan and send what is due; the receiver gets the same."""
        got = []
        for world in (self.whole, self.public):
            self.receiver.requests.clear()
            planner.run_once(world.store, now=self.clock.now())
            while send(world.client):
                pass
            got.append(sorted((each.headers["webhook-id"], each.body) for each in self.receiver.requests))
        assert got[0] == got[1]
        assert not [body for _, body in got[0] if TRACE.search(body.decode())]


def readers() -> Iterator[str]:
    """Every question that needs no key, but for the pages of lists."""
    for part in (
        "",
        "?sort=-end",
        "?sort=-updated",
        "?q=공개",
        "?q=공게 행사",
        "?q=-포럼",
        "?unsupported=true",
        f"?q={SECRET}",
        "?visibility=public",
        "?tag=ai",
    ):
        yield f"/v1/events{part}"
    yield from (f"/v1/events?part_of={key}" for key in IDS)
    yield from (f"/v1/events/{key}" for key in (*IDS, "nobody"))
    yield from (f"/v1/events/{key}/revisions" for key in (*IDS, "nobody"))
    yield "/v1/changes"
    for noun, key in (("series", "s"), ("programs", "p"), ("organizations", "o"), ("sources", "x")):
        yield from (f"/v1/{noun}", f"/v1/{noun}/{key}")
    yield "/v1/feeds"
    yield from (
        f"/feeds/{lang}/calendar.{suffix}" for lang in ("ko", "en") for suffix in ("ics", "json", "atom")
    )
    for option in (
        "levels=parent",
        "levels=child",
        "windows=bar",
        "placeholders=1",
        "cancelled=mark",
        "part_of=a",
    ):
        yield f"/feeds/ko/calendar.ics?{option}"
    yield from (f"/feeds/ko/{name}.ics" for name in ("events", "deadlines", "s", "p", "o"))
    yield from (f"/feeds/ko/events/{key}.ics" for key in (*IDS, "nobody"))
    for folder in ("", "/en"):
        yield folder or "/"
        yield from (f"{folder}/events/{key}" for key in (*IDS, "nobody"))
        yield from (f"{folder}/{page}" for page in ("series/s", "programs/p", "organizations/o"))
    yield "/robots.txt"


def compare(worlds: Worlds, kept: Fields) -> None:
    for url in readers():
        worlds.both(url)
    for url in ("/v1/events", "/v1/events?sort=-updated", "/v1/changes", "/v1/feeds"):
        worlds.pages(url)
    worlds.pages(f"/v1/events/{IDS[0]}/revisions")
    worlds.both(kept["address"])
    hook = f"/v1/webhooks/{kept['webhook']}"
    for url in (hook, f"{hook}/upcoming?days=60", f"/v1/saved-feeds/{kept['feed']}/contents"):
        worlds.both(url, kept["owner"])
    worlds.deliveries(f"{hook}/deliveries", kept["owner"])


def furnish(client: Client, url: str) -> Fields:
    """What both worlds begin with: nouns, and an owner without the scope `catalogue`."""
    named = {"name": {"ko": "이름"}}
    for noun, body in (("series/s", named), ("programs/p", named), ("organizations/o", named)):
        assert client.put(f"/v1/{noun}", json=body, headers=KEY).status_code == 201
    source = {"title": "보도", "kind": "news"}
    assert client.put("/v1/sources/x", json=source, headers=KEY).status_code == 201
    owner = new_key(client, "webhooks", "feeds")
    changes = ["created", "updated", "rescheduled", "postponed", "cancelled", "deleted"]
    rules = [{"anchor": "start", "before": "P1D"}]
    hook = {"url": url, "name": "t", "changes": changes, "reminders": rules}
    made = client.post("/v1/webhooks", json=hook, headers=owner).json()
    feed = client.post("/v1/saved-feeds", json={"name": "f", "lang": "ko"}, headers=owner).json()
    address = re.sub(r"^https?://[^/]+", "", feed["urls"]["ics"])
    return {"owner": owner, "webhook": made["id"], "feed": feed["id"], "address": address}


@contextmanager
def worlds_of(
    folder: Path, migrated: Path, receiver: Receiver, pg_url: str | None
) -> Iterator[tuple[Worlds, Fields]]:
    """Two services that begin alike; the whole one is on PostgreSQL where there is one."""
    clock = SimulatedClock(NOW)
    shutil.copy(migrated, folder / "public.db")
    urls = [pg_url or f"sqlite:///{folder}/whole.db", f"sqlite:///{folder}/public.db"]
    made = [
        Settings(
            database_url=url,
            admin_key=ADMIN,
            secret_key="ab" * 32,
            rate_limit=0,
            deliver=False,
            seeds=None,
            egress_allow=LOOPBACK.allow,
        )
        for url in urls
    ]
    with TestClient(create_app(made[1], clock=clock)) as client:
        kept = furnish(client, receiver.url)
        planner.run_once(client.app.state.service.store, now=clock.now())
    if pg_url is None:
        shutil.copy(folder / "public.db", folder / "whole.db")
    else:
        copied(urls[1], pg_url)
    with (
        TestClient(create_app(made[0], clock=clock)) as whole,
        TestClient(create_app(made[1], clock=clock)) as other,
    ):
        yield Worlds(World(whole), World(other), clock, receiver), kept


def copied(source: str, target: str) -> None:
    """Brings every row of one database to the other."""
    read = create_engine(source)
    wrote = create_engine(target.replace("postgresql://", "postgresql+psycopg://"))
    with read.connect() as a, wrote.begin() as b:
        for table in metadata.sorted_tables:
            b.execute(delete(table))
            if rows := [dict(row._mapping) for row in a.execute(select(table))]:
                b.execute(insert(table), rows)
    read.dispose()
    wrote.dispose()


@st.composite
def writes(draw: st.DrawFn) -> tuple[str, Fields]:
    """A put or a deletion of one event. An event is part of a later one only, so that no circle is drawn."""
    key = draw(st.sampled_from(IDS))
    if draw(st.integers(0, 5)) == 0:
        return key, {"delete": key}
    visibility = draw(st.sampled_from(("public", "public", "internal", "draft")))
    is_public = visibility == "public"
    start = draw(st.sampled_from(PUBLIC_DAYS if is_public else HIDDEN_DAYS))
    others = [other for other in IDS if other > key]
    related = draw(
        st.sampled_from([[], *([{"relation": "about", "event": other}] for other in IDS if other != key)])
    )
    return key, {
        "put": {
            "id": key,
            "kind": draw(st.sampled_from(("conference", "application_window"))),
            "name": {
                "ko": draw(st.sampled_from(("공개 행사", "공개 포럼"))) if is_public else f"{SECRET} 회의"
            },
            "status": draw(st.sampled_from(("scheduled", "scheduled", "cancelled"))),
            "start": start,
            "part_of": draw(st.sampled_from([None, *others])),
            "related": related,
            "series": draw(st.sampled_from((None, "s"))),
            "program": draw(st.sampled_from((None, "p"))),
            "organizations": draw(st.sampled_from(([], [{"id": "o", "role": "host"}]))),
            "tags": draw(st.sampled_from(([], ["ai"]))),
            "visibility": visibility,
        }
    }


def put(key: str, visibility: str = "public", **fields: Any) -> tuple[str, Fields]:
    is_public = visibility == "public"
    written = {
        "id": key,
        "kind": "conference",
        "name": {"ko": "공개 행사" if is_public else f"{SECRET} 회의"},
        "start": "2026-03-20" if is_public else "2031-04-01",
        "part_of": None,
        "related": [],
        "visibility": visibility,
    }
    return key, {"put": {**written, **fields}}


# A public part of an internal whole, which is published and taken back.
PART = [put("b", "internal"), put("a", part_of="b"), put("b"), put("b", "draft"), ("b", {"delete": "b"})]
# A draft is made, edited, published, moved, taken back, edited and published again.
LIFE = [
    put("a", "draft"),
    put("a", "draft", start="2031-05-02T10:00"),
    put("c"),
    put("a"),
    put("a", start="2026-03-21"),
    put("a", "internal"),
    put("a", "draft"),
    put("a", start="2026-03-21"),
    put("a", start="2026-03-22"),
]
# A public event is tied to one internal event, then to another: nothing that others see.
TIED = [
    put("b", "internal"),
    put("c", "internal"),
    put("d"),
    put("a"),
    put("a", part_of="b"),
    put("a", part_of="c"),
    put("d", related=[{"relation": "about", "event": "b"}]),
    put("c"),
    put("a"),
    ("a", {"delete": "a"}),
]


def holds(
    folder: Path, migrated: Path, receiver: Receiver, steps: list[Any], pg_url: str | None = None
) -> None:
    with worlds_of(folder, migrated, receiver, pg_url) as (worlds, kept):
        for number, (key, step) in enumerate(steps, start=1):
            worlds.change(key, step)
            worlds.clock.move_to(worlds.clock.now() + timedelta(hours=1))
            if number % 3 == 0:
                worlds.deliver()
        worlds.deliver()
        compare(worlds, kept)
        worlds.clock.move_to(NOW + timedelta(days=18, hours=6))
        worlds.deliver()
        compare(worlds, kept)


CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def test_who_has_no_key_gets_what_the_public_catalogue_gives(
    tmp_path: Path, migrated: Path, receiver: Receiver, pg_url: str
) -> None:
    """The whole one is on PostgreSQL, the public one on SQLite."""
    holds(tmp_path, migrated, receiver, [*PART, *LIFE, *TIED], pg_url)


@pytest.mark.campaign(minutes=2)
@settings(max_examples=12, suppress_health_check=CHECKS)
@example(steps=PART)
@example(steps=[*LIFE, *TIED])
@given(steps=st.lists(writes(), min_size=2, max_size=12))
def test_whatever_happens_to_what_is_not_public_nobody_without_a_key_can_tell(
    tmp_path_factory: pytest.TempPathFactory, migrated: Path, receiver: Receiver, steps: list[Any]
) -> None:
    holds(tmp_path_factory.mktemp("worlds"), migrated, receiver, steps)


def test_every_route_without_a_key_is_compared(shared: Client) -> None:
    """A new one has to be added to `readers`, or to those that say nothing of the catalogue."""
    asked = [re.sub(r"\?.*", "", url) for url in readers()]
    found = set()
    for route in shared.app.routes:
        for handler in getattr(route, "route_handlers", ()):
            promised: Operation | None = handler.opt.get("operation")
            if "GET" in handler.http_methods and (promised is None or promised.scope is None):
                found.add(route.path)
    patterns = {path: re.sub(r"\{[^}]+\}", "[^/]+", path) for path in found - OF_THE_SERVICE}
    assert {
        path for path, pattern in patterns.items() if not any(re.fullmatch(pattern, url) for url in asked)
    } == set()


def written(client: Client, *steps: tuple[str, Fields]) -> None:
    body = [step for _, step in steps]
    assert client.post("/v1/events/batch", json=body, headers=KEY).status_code == 200


def ids(client: Client, query: str, headers: Fields) -> list[str]:
    return [item["id"] for item in client.get(f"/v1/events?{query}", headers=headers).json()["items"]]


def test_a_key_for_the_catalogue_sees_all_and_filters(client: Client, curator: Fields) -> None:
    written(client, put("a", part_of="b"), put("b", "internal"), put("c", "draft"))
    shown = {query: ids(client, query, curator) for query in ("", "visibility=draft", "visibility=public")}
    assert shown == {"": ["a", "b", "c"], "visibility=draft": ["c"], "visibility=public": ["a"]}
    assert ids(client, "visibility=draft&visibility=internal&sort=-start", curator) == ["c", "b"]
    assert client.get("/v1/events/a", headers=curator).json()["part_of"] == "b"
    assert client.get("/v1/events/b", headers=curator).json()["visibility"] == "internal"
    assert [c["id"] for c in client.get("/v1/changes", headers=curator).json()["items"]] == ["a", "b", "c"]


def test_without_one_only_what_is_public_can_be_asked_for(
    client: Client, make_key: Callable[..., Fields]
) -> None:
    written(client, put("a", part_of="b"), put("b", "internal"))
    other = make_key("webhooks", "feeds")
    for headers in ({}, bearer("dday_nobody00_" + "A" * 43), other):
        assert ids(client, "visibility=public", headers) == ids(client, "", headers) == ["a"]
        assert client.get("/v1/events/a", headers=headers).json()["part_of"] is None
        assert client.get("/v1/events/b", headers=headers).status_code == 404
    asked = "/v1/events?visibility=internal"
    assert (client.get(asked).status_code, client.get(asked, headers=other).status_code) == (401, 403)
    wrong = client.get("/v1/events?visibility=secret", headers=KEY).json()
    assert wrong["errors"][0]["parameter"] == "visibility"


def test_no_cache_gives_to_others_what_a_key_was_shown(client: Client, curator: Fields) -> None:
    for url in ("/v1/events", "/v1/changes"):
        plain, keyed = client.get(url), client.get(url, headers=curator)
        assert (plain.headers["vary"], plain.headers.get("cache-control")) == ("Authorization", None)
        assert (keyed.headers["vary"], keyed.headers["cache-control"]) == ("Authorization", "private")


def test_a_draft_is_created_for_others_when_it_is_published(client: Client, clock: SimulatedClock) -> None:
    for step in LIFE[:2]:
        written(client, step)
    clock.move_to(NOW + timedelta(days=1))
    written(client, put("a"))
    shown = client.get("/v1/events/a").json()
    assert (shown["revision"], shown["created_at"], shown["previous_dates"]) == (
        1,
        "2026-03-02T03:00:00Z",
        [],
    )
    written(client, put("a", start="2026-03-22"))
    written(client, put("a", "draft"))
    written(client, put("a", "draft", start="2031-05-02"))
    written(client, put("a"))
    changes = client.get("/v1/changes").json()["items"]
    assert [(c["op"], c["revision"]) for c in changes] == [("put", 1), ("put", 2), ("delete", 3), ("put", 4)]
    assert [c["changed"] for c in changes] == [
        ["id", "kind", "name", "start"],
        ["start", "previous_dates"],
        [],
        ["id", "kind", "name", "start", "previous_dates"],
    ]
    assert len(client.get("/v1/events/a/revisions", headers=KEY).json()["items"]) == 7


def test_a_part_names_its_whole_once_that_is_public(client: Client, curator: Fields) -> None:
    written(client, put("a", part_of="b", place={"city": "서울", "inherited": True}), put("b", "internal"))
    alone = client.get("/v1/events/a").json()
    assert (alone["part_of"], alone["place"]["inherited"], alone["revision"]) == (None, False, 1)
    assert ids(client, "part_of=b", {}) == []
    assert "SUMMARY:공개 행사\r\n" in client.get("/feeds/ko/calendar.ics?levels=parent").text
    client.patch("/v1/events/b", json={"visibility": "public", "name": {"ko": "전체"}}, headers=curator)
    whole = client.get("/v1/events/a").json()
    assert (whole["part_of"], whole["place"]["inherited"], whole["revision"]) == ("b", True, 2)
    history = client.get("/v1/events/a/revisions").json()["items"][-1]["changes"]
    assert (history[0]["field"], history[0]["before"], history[0]["after"]) == ("part_of", None, "b")
    assert "SUMMARY:공개 행사 - 전체\r\n" in client.get("/feeds/ko/calendar.ics?levels=child").text
