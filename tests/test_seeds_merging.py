"""`dday seed` loads three ways: what curators did since the last load stays, and is told. On both engines."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from service.catalogue import seeds
from service.catalogue.event import Event, Organization, Text
from service.catalogue.seed_merge import merge
from service.catalogue.validation import check
from service.seed_loader import LoadReport, load
from service.store import dialects, entities, events, revisions, schema, seed_bases
from service.store.engine import Store
from service.store.entities import NounKind
from tests.service.store.migrant import earlier

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
CLAIM = "\n  - {field: start, value: %s, source: %s}"
FILES = {
    "sources/notice.yaml": "id: notice\ntitle: 공고\nkind: official_notice\n",
    "sources/press.yaml": "id: press\ntitle: 보도\nkind: news\n",
    "organizations/host.yaml": "id: host\nname: {ko: 주관}\n",
    "organizations/guest.yaml": "id: guest\nname: {ko: 손님}\npart_of: host\n",
    "series/days.yaml": "id: days\nname: {ko: 데모데이}\n",
    "programs/grant.yaml": "id: grant\nname: {ko: 지원}\n",
    "events/day.yaml": "id: day\nkind: showcase\nname: {ko: 데모데이}\nstart: 2025-09-05\nseries: days\n"
    "evidence:" + CLAIM % ("2025-09-05", "notice"),
    "events/talk.yaml": "id: talk\nkind: session\nname: {ko: 발표}\npart_of: day\n"
    "organizations:\n  - {id: guest, role: speaker}\n",
}
KINDS: tuple[NounKind, ...] = ("source", "organization", "series", "program")
ONE_OF: Mapping[str, tuple[str, str]] = {
    "source": ("sources/notice.yaml", "notice"),
    "organization": ("organizations/host.yaml", "host"),
    "series": ("series/days.yaml", "days"),
    "program": ("programs/grant.yaml", "grant"),
    "event": ("events/day.yaml", "day"),
}
# What a seed and what a curator change, so that neither touches the other's.
BY_THE_SEED = "url: https://seed.example.org/\n"


def read(store: Store, kind: str, identifier: str) -> Any:
    if kind == "event":
        return store.read(lambda c: events.get(c, identifier)).event
    return store.read(lambda c: entities.get(c, kind, identifier)).noun  # type: ignore[arg-type]


def curate(store: Store, kind: str, identifier: str, **fields: Any) -> None:
    changed = msgspec.structs.replace(read(store, kind, identifier), **fields)
    if kind == "event":
        changed = msgspec.structs.replace(changed, previous_dates=msgspec.UNSET)
        store.write(lambda c: events.put(c, check(changed), now=NOW, cause="curator"))
    else:
        store.write(lambda c: entities.put(c, changed, now=NOW, cause="curator"))


def take(store: Store, files: Mapping[str, str] = FILES, **how: bool) -> list[tuple[Any, ...]]:
    """What a load of these files has to say, apart from the fields that are empty."""
    return said(load(store, seeds.parse(files), now=NOW, **how))


def said(report: LoadReport) -> list[tuple[Any, ...]]:
    return [
        (item.id, item.outcome, *(each for each in (item.applied, item.kept, item.contested) if each))
        for item in report.items
    ]


def edited(path: str, old: str, new: str, files: Mapping[str, str] = FILES) -> dict[str, str]:
    assert old in files[path]
    return {**files, path: files[path].replace(old, new)}


def without(*paths: str) -> dict[str, str]:
    return {path: text for path, text in FILES.items() if path not in paths}


def rows(c: Connection) -> dict[str, list[Any]]:
    """Everything the catalogue and the log hold."""
    names = ("seed", "event", "noun", "revision", "counter", "reference", "event_label", "meta")
    tables = {name: seed_bases.seed.metadata.tables[name] for name in names}
    return {
        name: c.execute(table.select().order_by(*table.primary_key)).all() for name, table in tables.items()
    }


@pytest.mark.parametrize("kind", ONE_OF)
def test_a_field_changed_here_stays_and_a_field_changed_in_the_seed_comes(store: Store, kind: str) -> None:
    path, identifier = ONE_OF[kind]
    take(store)
    named, name = ("title", "정정") if kind == "source" else ("name", Text(ko="새 이름"))
    curate(store, kind, identifier, **{named: name})
    news = {**FILES, path: BY_THE_SEED + FILES[path]}
    assert take(store, news) == [(identifier, "changed", ("url",), (named,))]
    merged = read(store, kind, identifier)
    assert (merged.url, getattr(merged, named)) == ("https://seed.example.org/", name)
    # The news are taken; what was changed here is told with every load.
    assert take(store, news) == [(identifier, "unchanged", (named,))]


@pytest.mark.parametrize("kind", ONE_OF)
def test_a_field_changed_on_both_sides_stays_and_is_told(store: Store, kind: str) -> None:
    path, identifier = ONE_OF[kind]
    take(store)
    curate(store, kind, identifier, url="https://here.example.org/")
    news = {**FILES, path: BY_THE_SEED + FILES[path]}
    assert take(store, news) == [(identifier, "unchanged", ("url",))]
    assert load(store, seeds.parse(news), now=NOW).items[0].kept == ("url",)
    assert read(store, kind, identifier).url == "https://here.example.org/"


def test_a_field_that_both_changed_is_contested_only_while_it_is_news(store: Store) -> None:
    take(store)
    curate(store, "event", "day", start="2025-09-06")
    news = edited("events/day.yaml", "2025-09-05", "2025-09-08")
    [item] = load(store, seeds.parse(news), now=NOW, dry_run=True).items
    assert (item.applied, item.kept, item.contested) == (("evidence",), (), ("start",))
    load(store, seeds.parse(news), now=NOW)
    [item] = load(store, seeds.parse(news), now=NOW).items
    assert (item.applied, item.kept, item.contested) == ((), ("start",), ())
    assert read(store, "event", "day").start == "2025-09-06"


def test_both_made_the_same_change_and_nothing_is_told(store: Store) -> None:
    take(store)
    curate(store, "organization", "host", url="https://seed.example.org/")
    path = "organizations/host.yaml"
    assert take(store, {**FILES, path: BY_THE_SEED + FILES[path]}) == []


def test_a_date_that_moved_here_is_told_once_and_not_as_two_fields(store: Store) -> None:
    take(store)
    curate(store, "event", "day", start="2025-09-06")
    assert take(store) == [("day", "unchanged", ("start",))]
    # What the store noted is nobody's change: the seed may tell a longer history.
    longer = "previous_dates:\n  - {start: 2025-08-01, end: null}\n" + FILES["events/day.yaml"]
    assert take(store, {**FILES, "events/day.yaml": longer + CLAIM % ("2025-08-01", "press")}) == [
        ("day", "changed", ("evidence", "previous_dates"), ("start",))
    ]
    history = read(store, "event", "day").previous_dates
    assert [(each.start, each.until_revision) for each in history] == [
        ("2025-08-01", None),
        ("2025-09-05", 1),
    ]


def test_evidence_is_merged_claim_by_claim(store: Store) -> None:
    take(store)
    [claim] = read(store, "event", "day").evidence
    own = msgspec.structs.replace(claim, source="press", value="2025-09-07")
    curate(store, "event", "day", evidence=(claim, own))
    news = edited("events/day.yaml", "2025-09-05", "2025-09-08")
    assert take(store, news) == [("day", "changed", ("start", "evidence"), ("evidence",))]
    assert [(e.source, e.value) for e in read(store, "event", "day").evidence] == [
        ("notice", "2025-09-08"),
        ("press", "2025-09-07"),
    ]


def test_news_that_contradict_what_was_changed_here_stay_out(store: Store) -> None:
    take(store)
    curate(store, "event", "day", start="2025-09-20")
    assert take(store, {**FILES, "events/day.yaml": "end: 2025-09-06\n" + FILES["events/day.yaml"]
                        + "\n  - {field: end, value: 2025-09-06, source: notice}"}) == [
        ("day", "unchanged", ("start",), ("end", "evidence"))
    ]  # fmt: skip
    assert read(store, "event", "day").end is None


def test_what_was_deleted_stays_deleted_and_is_told(store: Store) -> None:
    take(store)
    store.write(lambda c: events.delete(c, "talk", now=NOW, cause="curator"))
    store.write(lambda c: entities.delete(c, "organization", "guest", now=NOW, cause="curator"))
    news = edited("events/talk.yaml", "발표", "강연")
    for _ in range(2):
        assert take(store, news) == [("guest", "deleted"), ("talk", "deleted")]
    assert store.read(lambda c: entities.find(c, "organization", "guest")) is None


def test_what_names_something_deleted_is_held_until_that_is_back(store: Store) -> None:
    take(store)
    store.write(lambda c: events.delete(c, "talk", now=NOW, cause="curator"))
    store.write(lambda c: entities.delete(c, "organization", "guest", now=NOW, cause="curator"))
    late = "id: late\nkind: session\nname: {ko: 늦은}\norganizations:\n  - {id: guest, role: speaker}\n"
    part = "id: part\nkind: session\nname: {ko: 일부}\npart_of: late\n"
    team = "id: team\nname: {ko: 팀}\npart_of: guest\n"
    news = {**FILES, "events/late.yaml": late, "events/part.yaml": part, "organizations/team.yaml": team}
    report = load(store, seeds.parse(news), now=NOW)
    assert {each.id: each.reason for each in report.items if each.outcome == "held"} == {
        "team": "There is no organization 'guest'.",
        "late": "There is no organization 'guest'.",
        "part": "There is no event 'late'.",
    }
    guest = Organization(id="guest", name=Text(ko="손님"), part_of="host")
    store.write(lambda c: entities.put(c, guest, now=NOW, cause="curator"))
    new = {("team", "created"), ("late", "created"), ("part", "created")}
    assert set(take(store, news)) == {*new, ("talk", "deleted")}


def test_a_name_taken_here_holds_its_seed(store: Store) -> None:
    series = "id: grant-days\nname: {ko: 데이}\n"
    taken = Organization(id="grant-days", name=Text(ko="조직"))
    store.write(lambda c: entities.put(c, taken, now=NOW, cause="curator"))
    report = load(store, seeds.parse({**FILES, "series/grant-days.yaml": series}), now=NOW)
    [held] = [each for each in report.items if each.outcome == "held"]
    assert (held.kind, held.id, report.created) == ("series", "grant-days", len(FILES))


def test_a_thing_made_here_under_the_id_of_a_new_seed_stays(store: Store) -> None:
    own = Organization(id="host", name=Text(ko="우리"))
    store.write(lambda c: entities.put(c, own, now=NOW, cause="curator"))
    report = load(store, seeds.parse(FILES), now=NOW)
    [item] = [each for each in report.items if each.outcome == "unchanged"]
    assert (item.contested, item.reason) == (("name",), "it is not known what its seed said before")
    assert read(store, "organization", "host") == own


def test_what_left_the_seeds_is_told_and_goes_on_request_only(store: Store) -> None:
    take(store)
    less = without("events/talk.yaml", "organizations/guest.yaml", "programs/grant.yaml")
    curate(store, "program", "grant", url="https://here.example.org/")
    left = [("grant", "left", ("url",))]
    assert sorted(take(store, less)) == sorted([("guest", "left"), *left, ("talk", "left")])
    assert sorted(take(store, less, remove=True)) == sorted(
        [("guest", "removed"), *left, ("talk", "removed")]
    )
    assert take(store, less, remove=True) == left
    assert store.read(lambda c: events.get_many(c, ["talk"])) == {}
    # What comes back is new.
    assert take(store) == [("guest", "created"), ("grant", "unchanged", ("url",)), ("talk", "created")]


def test_what_something_here_still_names_is_not_removed(store: Store) -> None:
    take(store)
    own = check(Event(id="own", kind="session", name=Text(ko="우리"), part_of="talk"))
    store.write(lambda c: events.put(c, own, now=NOW, cause="curator"))
    report = load(
        store, seeds.parse(without("events/talk.yaml", "organizations/guest.yaml")), now=NOW, remove=True
    )
    assert {(each.id, each.outcome, each.reason) for each in report.items} == {
        ("talk", "left", "still named by event own"),
        ("guest", "left", "still named by event talk"),
    }


def test_what_was_deleted_here_and_left_the_seeds_is_forgotten(store: Store) -> None:
    take(store)
    store.write(lambda c: events.delete(c, "talk", now=NOW, cause="curator"))
    assert take(store, without("events/talk.yaml")) == []
    assert take(store) == [("talk", "created")]


def test_a_dry_run_tells_all_of_it_and_writes_nothing(store: Store) -> None:
    take(store)
    curate(store, "event", "day", name=Text(ko="새 이름"))
    store.write(lambda c: entities.delete(c, "program", "grant", now=NOW, cause="curator"))
    files = {**without("events/talk.yaml"), "organizations/late.yaml": "id: late\nname: {ko: 늦은}\n"}
    news = edited(
        "series/days.yaml", "데모데이", "데모 데이", edited("events/day.yaml", "showcase", "forum", files)
    )
    before = store.read(rows)
    rehearsed = load(store, seeds.parse(news), now=NOW, remove=True, dry_run=True)
    assert store.read(rows) == before
    assert rehearsed == load(store, seeds.parse(news), now=NOW, remove=True)
    assert sorted(said(rehearsed)) == [
        ("day", "changed", ("kind",), ("name",)),
        ("days", "changed", ("name",)),
        ("grant", "deleted"),
        ("late", "created"),
        ("talk", "removed"),
    ]


@contextmanager
def seeded_by_an_earlier_version(url: str) -> Iterator[Store]:
    """Three events that a version without bases loaded from seeds, and one that somebody else wrote."""
    writer, reader = dialects.engines(url)
    with writer.begin() as c:
        schema.upgrade(c, "0007")
        for number, name in enumerate(("kept", "moved", "gone", "own"), start=1):
            event = check(Event(id=name, kind="forum", name=Text(ko=name), start="2025-09-05"))
            cause = "api key 0" if name == "own" else "seed"
            earlier(c, event, number=number, now=NOW, cause=cause)
    writer.dispose()
    reader.dispose()
    store = Store.open(url)
    yield store
    store.close()


def test_a_database_without_bases_has_them_from_its_log(empty_url: str) -> None:
    names = ("kept", "moved", "gone", "own")
    files = {
        f"events/{name}.yaml": f"id: {name}\nkind: conference\nname: {{ko: {name}}}\nstart: 2025-09-05\n"
        "evidence:" + CLAIM % ("2025-09-05", "notice")
        for name in names
    } | {"sources/notice.yaml": FILES["sources/notice.yaml"]}
    with seeded_by_an_earlier_version(empty_url) as migrated:
        curate(migrated, "event", "moved", start="2025-09-07")
        migrated.write(lambda c: events.delete(c, "gone", now=NOW, cause="curator"))
        assert take(migrated, files) == [
            ("notice", "created"),
            ("gone", "deleted"),
            ("kept", "changed", ("kind", "evidence")),
            ("moved", "changed", ("kind", "evidence"), ("start",)),
            ("own", "unchanged", ("kind", "evidence")),
        ]
        assert migrated.read(revisions.head) > 4


NAMES = st.sampled_from(["가", "나", "다"])
ORGANIZATIONS = st.builds(
    Organization,
    id=st.just("host"),
    name=st.builds(Text, ko=NAMES),
    url=st.sampled_from([None, "https://a.example.org", "https://b.example.org"]),
    part_of=st.sampled_from([None, "a", "b"]),
    kind=st.sampled_from(["other", "agency", "research"]),
)


@given(base=ORGANIZATIONS, here=ORGANIZATIONS, seed=ORGANIZATIONS)
def test_every_field_is_as_the_one_who_changed_it_wrote_it(
    base: Organization, here: Organization, seed: Organization
) -> None:
    merged = merge(base, here, seed)
    for field in base.__struct_fields__:
        old, now, new, got = (getattr(each, field) for each in (base, here, seed, merged.noun))
        assert got == (new if now == old else now)
        assert (field in merged.applied) == (now == old != new)
        assert (field in merged.kept) == (new == old != now)
        assert (field in merged.contested) == (len({str(old), str(now), str(new)}) == 3)
