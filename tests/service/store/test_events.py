"""Events in the store: what is written is there, with its revision; what is refused leaves nothing."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from service.catalogue.event import Alias, Event, Organization, Participation, Related, Series, Text
from service.catalogue.filters import EventFilter
from service.catalogue.validation import Fault, Invalid
from service.errors import Conflict, NotFound, PreconditionFailed
from service.store import entities, events, revisions
from service.store.engine import Store

NOW = datetime(2025, 8, 1, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SUMMIT = Event(id="summit-2025", kind="summit", name=Text(ko="서밋"), start="2025-09-05")


def put(store: Store, event: Event, *, now: datetime = NOW, **more: object) -> events.Saved:
    return store.write(lambda c: events.put(c, event, now=now, cause="test", **more))  # type: ignore[arg-type]


def test_a_new_event_is_read_back_with_its_first_revision(store: Store) -> None:
    saved = put(store, SUMMIT)
    assert (saved.outcome, saved.stored.revision, saved.stored.seq) == ("created", 1, 1)
    read = store.read(lambda c: events.get(c, "summit-2025"))
    assert read == saved.stored
    body = msgspec.json.decode(read.body(NOW))
    assert (body["phase"], body["revision"], body["seq"]) == ("upcoming", 1, 1)
    assert (body["created_at"], body["updated_at"]) == ("2025-08-01T09:00:00Z", "2025-08-01T09:00:00Z")


def test_an_equal_event_makes_no_revision(store: Store) -> None:
    first = put(store, SUMMIT).stored
    again = put(store, SUMMIT, now=LATER)
    assert (again.outcome, again.stored) == ("unchanged", first)
    assert store.read(revisions.head) == 1


def test_a_move_is_logged_field_by_field_and_remembered(store: Store) -> None:
    created = put(store, SUMMIT).stored
    moved = put(store, msgspec.structs.replace(SUMMIT, start="2025-09-12"), now=LATER)
    assert (moved.outcome, moved.stored.revision, moved.stored.uid) == ("changed", 2, created.uid)
    body = msgspec.json.decode(moved.stored.body(NOW))
    assert body["previous_dates"] == [{"start": "2025-09-05", "end": None, "until_revision": 1}]
    [_, second] = store.read(lambda c: revisions.of_event(c, "summit-2025"))
    assert (second.op, second.cause, second.at) == ("put", "test", LATER)
    start = next(change for change in second.changes if change.field == "start")
    assert (start.before, start.after) == ("2025-09-05", "2025-09-12")
    assert second.document == moved.stored.document


def test_a_deleted_event_leaves_a_tombstone(store: Store) -> None:
    put(store, SUMMIT)
    seq = store.write(lambda c: events.delete(c, "summit-2025", now=LATER, cause="test"))
    with pytest.raises(NotFound):
        store.read(lambda c: events.get(c, "summit-2025"))
    [_, last] = store.read(lambda c: revisions.since(c, 0, 10))
    assert (last.seq, last.op, last.revision, last.document, last.id) == (
        seq,
        "delete",
        2,
        None,
        "summit-2025",
    )
    with pytest.raises(NotFound):
        store.write(lambda c: events.delete(c, "summit-2025", now=LATER, cause="test"))


def test_an_id_made_anew_counts_on_under_a_new_calendar_identity(store: Store) -> None:
    first = put(store, SUMMIT).stored
    store.write(lambda c: events.delete(c, "summit-2025", now=LATER, cause="test"))
    second = put(store, SUMMIT, now=LATER).stored
    assert second.revision == 3
    assert second.uid != first.uid


def test_a_write_at_another_revision_changes_nothing(store: Store) -> None:
    put(store, SUMMIT)
    moved = msgspec.structs.replace(SUMMIT, start="2025-09-12")
    for attempt in ({"if_revision": 2}, {"create_only": True}):
        with pytest.raises(PreconditionFailed):
            put(store, moved, **attempt)
    with pytest.raises(PreconditionFailed):
        put(store, msgspec.structs.replace(SUMMIT, id="other"), if_revision=1)
    assert put(store, moved, if_revision=1).outcome == "changed"
    assert store.read(revisions.head) == 2


def test_names_that_lead_nowhere_are_refused_with_their_places(store: Store) -> None:
    lost = msgspec.structs.replace(
        SUMMIT, series="nowhere", part_of="nothing", related=(Related(relation="follows", event="none"),)
    )
    with pytest.raises(Invalid) as refused:
        put(store, lost)
    assert refused.value.faults == (
        Fault(pointer="/series", detail="There is no series 'nowhere'."),
        Fault(pointer="/part_of", detail="There is no event 'nothing'."),
        Fault(pointer="/related/0/event", detail="There is no event 'none'."),
    )
    assert store.read(revisions.head) == 0


def test_what_is_named_cannot_be_deleted(store: Store) -> None:
    apec = Series(id="apec", name=Text(ko="APEC"))
    store.write(lambda c: entities.put(c, apec, now=NOW, cause="test"))
    put(store, msgspec.structs.replace(SUMMIT, series="apec"))
    with pytest.raises(Conflict, match="series 'apec' is still named by event 'summit-2025'"):
        store.write(lambda c: entities.delete(c, "series", "apec", now=NOW, cause="test"))
    put(store, SUMMIT, now=LATER)
    store.write(lambda c: entities.delete(c, "series", "apec", now=LATER, cause="test"))
    with pytest.raises(NotFound):
        store.read(lambda c: entities.get(c, "series", "apec"))


def test_a_batch_may_name_each_other_in_any_order(store: Store) -> None:
    part = msgspec.structs.replace(SUMMIT, id="session", part_of="summit-2025")
    saved = store.write(lambda c: events.put_many(c, [part, SUMMIT], now=NOW, cause="test"))
    assert [(one.stored.id, one.stored.seq) for one in saved] == [("session", 1), ("summit-2025", 2)]
    with pytest.raises(Conflict):
        store.write(lambda c: events.delete(c, "summit-2025", now=NOW, cause="test"))
    both = [events.Delete(id="summit-2025"), events.Delete(id="session")]
    store.write(lambda c: events.apply(c, both, now=LATER, cause="test"))
    assert store.read(lambda c: events.listed(c, events.EventFilter(), now=NOW)).items == ()


def test_a_batch_is_all_or_nothing_and_points_to_the_fault(store: Store) -> None:
    bad = msgspec.structs.replace(SUMMIT, id="bad", series="nowhere")
    with pytest.raises(Invalid) as refused:
        store.write(lambda c: events.put_many(c, [SUMMIT, bad], now=NOW, cause="test"))
    assert [fault.pointer for fault in refused.value.faults] == ["/1/put/series"]
    with pytest.raises(Invalid) as twice:
        store.write(lambda c: events.put_many(c, [SUMMIT, SUMMIT], now=NOW, cause="test"))
    assert [fault.pointer for fault in twice.value.faults] == ["/1/put/id"]
    assert store.read(revisions.head) == 0


def test_an_event_is_never_part_of_itself_over_others(store: Store) -> None:
    part = msgspec.structs.replace(SUMMIT, id="part", part_of="summit-2025")
    store.write(lambda c: events.put_many(c, [SUMMIT, part], now=NOW, cause="test"))
    with pytest.raises(Invalid) as refused:
        put(store, msgspec.structs.replace(SUMMIT, part_of="part"))
    assert [fault.pointer for fault in refused.value.faults] == ["/part_of"]


def test_nouns_are_logged_and_kept_out_of_the_events_log(store: Store) -> None:
    ministry = Organization(id="mss", name=Text(ko="중소벤처기업부"), kind="government")
    saved = store.write(lambda c: entities.put(c, ministry, now=NOW, cause="test"))
    assert (saved.outcome, saved.stored.revision) == ("created", 1)
    assert store.write(lambda c: entities.put(c, ministry, now=LATER, cause="test")).outcome == "unchanged"
    renamed = msgspec.structs.replace(ministry, name=Text(ko="중기부"))
    assert store.write(lambda c: entities.put(c, renamed, now=LATER, cause="test")).stored.revision == 2
    put(store, SUMMIT)
    assert [row.seq for row in store.read(lambda c: revisions.since(c, 0, 9))] == [3]
    logged = store.read(lambda c: revisions.since(c, 0, 9, nouns=("event", "organization")))
    assert [(row.noun, row.revision) for row in logged] == [
        ("organization", 1),
        ("organization", 2),
        ("event", 1),
    ]


def test_an_event_is_found_by_the_names_that_its_organizations_and_series_have_now(store: Store) -> None:
    agency = Organization(id="agency", name=Text(ko="창업진흥원"), aliases=(Alias(text="창진원"),))
    series = Series(id="expo", name=Text(en="Deep Tech Expo"))
    for noun in (agency, series):
        store.write(lambda c, n=noun: entities.put(c, n, now=NOW, cause="test"))  # type: ignore[misc]
    host = (Participation(id="agency", role="host"),)
    saved = put(store, Event(id="e", kind="forum", name=Text(ko="포럼"), series="expo", organizations=host))

    def found(q: str) -> list[str]:
        return [one.id for one in store.read(lambda c: events.listed(c, EventFilter(q=q), now=NOW)).items]

    assert [found(q) for q in ("창업진흥원", "창진원", "agency", "deeptech", "창업진훙원")] == [["e"]] * 5
    renamed = msgspec.structs.replace(agency, name=Text(ko="벤처진흥원"), aliases=())
    store.write(lambda c: entities.put(c, renamed, now=NOW, cause="test"))
    assert [found(q) for q in ("벤처진흥원", "벤쳐진흥원", "창업진흥원", "창진원")] == [["e"], ["e"], [], []]
    put(store, Event(id="e", kind="forum", name=Text(ko="포럼")))
    assert [found(q) for q in ("벤처진흥원", "deep tech", "포럼")] == [[], [], ["e"]]
    store.write(lambda c: events.delete(c, "e", now=NOW, cause="test"))
    assert found("포럼") == []
    assert saved.stored.revision == 1


def test_events_are_found_by_their_anchors(store: Store) -> None:
    put(store, SUMMIT)
    put(store, msgspec.structs.replace(SUMMIT, id="month", start="2025-11"))
    day = datetime(2025, 9, 4, 15, tzinfo=UTC)
    second = timedelta(seconds=1)

    def ids(anchor: str, after: datetime, until: datetime) -> list[str]:
        found = store.read(lambda c: events.anchored(c, anchor, after=after, until=until))  # type: ignore[arg-type]
        return [event.id for event in found]

    assert ids("start", day - second, day) == ["summit-2025"]
    assert ids("start", day, day + second) == []
    assert ids("end", day + timedelta(hours=23), day + timedelta(days=1)) == ["summit-2025"]
