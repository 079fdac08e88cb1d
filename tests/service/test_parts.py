"""What is cancelled or postponed takes its parts along: in phases, lists, feeds and reminders alike."""

import random
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from service.catalogue.event import Evidence, Place, Source, Text
from service.catalogue.filters import EventFilter
from service.clock import SimulatedClock
from service.delivery import planner
from service.feedcache import request
from service.feedcache.builder import FeedBuilder
from service.reminders.preview import upcoming
from service.store import deliveries, entities, event_history, events, revisions
from tests.reminding import HOUR, MINUTE, NOON, a_webhook, add, an_event, put
from tests.service.feedcache.test_cache import statements

EVERYBODY = ("public", "internal")
OFF = {"cancelled": "cancelled", "postponed": "tentative"}
LATER = NOON + MINUTE
SENT_TO = "http://127.0.0.1:9/"


def set_to(store, key, *, now=NOON, says_status=False, **fields):
    """As a PATCH does."""
    before = store.read(lambda c: events.get(c, key, full=True)).event
    event = replace(before, **{"previous_dates": msgspec.UNSET, **fields})
    return store.write(lambda c: events.put(c, event, now=now, cause="test", says_status=says_status))


def found(store, *keys):
    return store.read(lambda c: events.get_many(c, keys, full=True))


def phases(store, *, now=NOON):
    listed = store.read(
        lambda c: events.listed(c, EventFilter(visibility=EVERYBODY), now=now, limit=200, full=True)
    )
    return {each.id: each.phase(now) for each in listed.items}


def ids(store, now=NOON, **asked):
    asked = EventFilter(**asked, visibility=EVERYBODY)
    listed = store.read(lambda c: events.listed(c, asked, now=now, limit=200, full=True))
    return {each.id for each in listed.items}


def built(store, path="/feeds/en/calendar.ics", *, now=NOON, query=b"", previous=None, by=None):
    building = by or builder(store, now)
    return building.build(request.parse(path, query), previous)


def builder(store, now=NOON):
    return FeedBuilder(store, clock=SimulatedClock(now), base_url="https://d.example", uid_domain="d.example")


def entries(copy):
    """Status, title and SEQUENCE of each entry, by the id of its event."""
    found = {}
    for entry in copy.entries:
        lines = entry.body.decode().replace("\r\n ", "").split("\r\n")
        of = {line.partition(":")[0].partition(";")[0]: line.partition(":")[2] for line in lines}
        found[entry.event_id] = of["STATUS"].lower(), of["SUMMARY"], int(of["SEQUENCE"])
    return found


@pytest.fixture
def conference(store):
    """A conference with a day and a talk in it, two hours ahead, and a hook to be told an hour before."""
    planner.run_once(store, now=NOON)
    add(store, a_webhook(SENT_TO, changes=("updated",)))
    put(
        store,
        an_event("conf", NOON + 2 * HOUR),
        an_event("day", NOON + 2 * HOUR, part_of="conf"),
        an_event("talk", NOON + 2 * HOUR, part_of="day"),
    )
    return store


def reminders(store):
    rows = store.read(lambda c: deliveries.listed(c, "whk_1", limit=100))
    return {row.event: (row.state, row.reason) for row in rows if row.type == "event.reminder"}


def notices(store):
    rows = store.read(lambda c: deliveries.listed(c, "whk_1", limit=100))
    return sorted(row.event for row in rows if row.type != "event.reminder")


@pytest.mark.parametrize("status", ["cancelled", "postponed"])
def test_parts_on_every_level_are_off_and_on_again_with_the_whole(conference, status):
    store, everything = conference, {"conf", "day", "talk"}
    documents = {
        key: store.read(lambda c, key=key: events.get(c, key, full=True)).document for key in ("day", "talk")
    }
    set_to(store, "conf", status=status)
    assert phases(store) == dict.fromkeys(everything, status)
    assert (ids(store, phase=(status,)), ids(store, phase=("upcoming",))) == (everything, set())
    # What was written of them is what it was.
    assert ids(store, status=("scheduled",)) == {"day", "talk"}
    assert documents == {
        key: store.read(lambda c, key=key: events.get(c, key, full=True)).document for key in documents
    }
    assert [each.revision for each in store.read(lambda c: revisions.of_event(c, "talk"))] == [1]
    set_to(store, "conf", status="scheduled")
    assert phases(store) == dict.fromkeys(everything, "upcoming")
    assert (ids(store, phase=(status,)), ids(store, phase=("upcoming",))) == (set(), everything)


def test_a_status_that_a_part_was_given_later_is_its_own_and_its_parts_follow_it(conference):
    store = conference
    set_to(store, "conf", status="cancelled")
    set_to(store, "day", status="tentative")
    assert phases(store) == {"conf": "cancelled", "day": "upcoming", "talk": "upcoming"}
    set_to(store, "conf", status="postponed")
    assert phases(store) == dict.fromkeys(("conf", "day", "talk"), "postponed")


def test_a_part_can_be_said_to_take_place_all_the_same(conference):
    store = conference
    set_to(store, "conf", status="cancelled")
    again = set_to(store, "day", says_status=True)
    assert (again.outcome, again.stored.revision, again.stored.phase(NOON)) == ("changed", 2, "upcoming")
    assert phases(store) == {"conf": "cancelled", "day": "upcoming", "talk": "upcoming"}
    [*_, last] = store.read(lambda c: revisions.of_event(c, "day"))
    assert [(each.field, each.before, each.after) for each in last.changes] == [
        ("status", "cancelled", "scheduled")
    ]
    # To say it where nothing is off is no change.
    assert set_to(store, "day", says_status=True).outcome == "unchanged"


def test_what_was_cancelled_by_itself_stays_so(conference):
    store = conference
    set_to(store, "talk", status="cancelled")
    set_to(store, "conf", status="postponed")
    assert phases(store) == {"conf": "postponed", "day": "postponed", "talk": "cancelled"}
    set_to(store, "conf", status="scheduled")
    assert phases(store) == {"conf": "upcoming", "day": "upcoming", "talk": "cancelled"}


def test_a_part_that_joins_or_leaves_follows_and_so_does_one_of_the_same_write(conference):
    store = conference
    put(store, an_event("gone", NOON, status="cancelled"), an_event("new", NOON, part_of="gone"))
    put(store, an_event("newer", NOON + HOUR, part_of="gone"))
    set_to(store, "day", part_of="gone")
    off = {"gone", "new", "newer", "day", "talk"}
    assert ids(store, phase=("cancelled",)) == off
    set_to(store, "day", part_of="conf")
    assert ids(store, phase=("cancelled",)) == off - {"day", "talk"}


def test_a_whole_that_is_internal_takes_nothing_public_along(conference):
    store = conference
    set_to(store, "day", visibility="internal")
    set_to(store, "conf", status="cancelled")
    assert phases(store) == {"conf": "cancelled", "day": "cancelled", "talk": "upcoming"}
    set_to(store, "day", visibility="public")
    assert phases(store) == dict.fromkeys(("conf", "day", "talk"), "cancelled")


def test_a_source_seen_again_does_not_revive_a_part(conference):
    store = conference
    seen = Source(id="s", title="s", kind="news", retrieved="2026-03-01")
    store.write(lambda c: entities.put(c, seen, now=NOON, cause="test"))
    set_to(store, "talk", evidence=(Evidence(field="start", value="2026-03-02", source="s"),))
    set_to(store, "conf", status="cancelled")
    store.write(lambda c: entities.put(c, replace(seen, retrieved="2026-03-02"), now=NOON, cause="test"))
    assert phases(store)["talk"] == "cancelled"


@pytest.mark.parametrize(("status", "mark"), [("cancelled", "[cancelled]"), ("postponed", "[postponed]")])
def test_feeds_follow_the_whole_at_once_and_sequence_grows(conference, status, mark):
    store, by = conference, builder(conference, LATER)
    first = built(store, by=by)
    set_to(store, "conf", status=status, now=LATER)
    second = built(store, by=by, previous=first)
    set_to(store, "conf", status="scheduled", now=LATER)
    third = built(store, by=by, previous=second)
    off = {key: (found[0], found[1].startswith(f"{mark} ")) for key, found in entries(second).items()}
    assert off == dict.fromkeys(("conf", "day", "talk"), (OFF[status], True))
    assert {found[0] for found in entries(third).values()} == {"confirmed"}
    sequences = [
        [entries(copy)[key][2] for copy in (first, second, third)] for key in ("conf", "day", "talk")
    ]
    assert sequences == [[0, 1, 2]] * 3
    assert len({first.etag, second.etag, third.etag}) == 3
    assert first.modified < second.modified < third.modified
    # What is built on the last copy is what is built from nothing.
    assert (second.body == third.body, built(store, now=LATER).body) == (False, third.body)


@pytest.mark.parametrize("suffix", ["ics", "json", "atom"])
def test_every_format_marks_the_parts_in_korean_and_english(conference, suffix):
    set_to(conference, "conf", status="cancelled")
    for lang, mark in (("ko", "[취소]"), ("en", "[cancelled]")):
        body = built(conference, f"/feeds/{lang}/calendar.{suffix}").body.decode()
        assert body.count(mark) == (6 if suffix == "ics" and "X-" in mark else 3)


def test_a_cancelled_part_leaves_the_feed_a_month_after_the_whole_was_cancelled(conference):
    set_to(conference, "conf", status="cancelled", now=NOON + timedelta(days=3))
    # Its own last change was longer ago; a week is counted from when it was taken along.
    shown = built(conference, now=NOON + timedelta(days=9))
    assert set(entries(shown)) == {"conf", "day", "talk"}
    assert built(conference, now=NOON + timedelta(days=12)).entries == []


def test_reminders_of_parts_are_taken_back_and_planned_again_and_one_notice_is_sent(conference):
    store, everything = conference, ("conf", "day", "talk")
    planner.run_once(store, now=NOON + HOUR - MINUTE)
    assert reminders(store) == dict.fromkeys(everything, ("pending", None))
    before = notices(store)
    set_to(store, "conf", status="cancelled", now=NOON + HOUR - MINUTE)
    planner.run_once(store, now=NOON + HOUR - MINUTE)
    taken = ("superseded", "parent_cancelled")
    assert reminders(store) == {"conf": ("superseded", "cancelled"), "day": taken, "talk": taken}
    assert sorted([*before, "conf"]) == notices(store)
    set_to(store, "conf", status="scheduled", now=NOON + HOUR - MINUTE)
    planner.run_once(store, now=NOON + HOUR - MINUTE)
    assert reminders(store) == dict.fromkeys(everything, ("pending", None))
    assert sorted([*before, "conf", "conf"]) == notices(store)


def test_what_came_due_while_the_whole_was_off_is_not_made_up_for(conference):
    store = conference
    set_to(store, "conf", status="postponed")
    planner.run_once(store, now=NOON + HOUR + MINUTE)
    set_to(store, "conf", status="scheduled", now=NOON + HOUR + MINUTE)
    planner.run_once(store, now=NOON + HOUR + MINUTE)
    assert reminders(store) == {}


def test_the_preview_says_that_the_whole_is_off(conference):
    store = conference
    hook = a_webhook(SENT_TO)

    def withheld():
        found = store.read(lambda c: events.get_many(c, ["conf", "day", "talk"])).values()
        shown = upcoming(map(event_history.candidate, found), hook, now=NOON, until=NOON + 9 * HOUR)
        return {(each.event, each.reason) for each in shown.not_planned if each.reason != "no_date"}

    assert withheld() == set()
    for status in ("cancelled", "postponed"):
        set_to(store, "conf", status=status)
        whole, part = status, f"parent_{status}"
        assert withheld() == {("conf", whole), ("day", part), ("talk", part)}


def test_few_statements_take_two_hundred_parts_along(store):
    put(store, an_event("conf", NOON))
    put(store, *(an_event(f"talk-{n}", NOON + HOUR, part_of="conf") for n in range(199)))
    with statements() as written:
        set_to(store, "conf", status="cancelled")
    with statements() as read:
        assert len(ids(store, phase=("cancelled",))) == 200
    print(len(written), len(read))
    assert (len(written) <= 40, len(read) <= 4) == (True, True)


def wholes(history):
    """What each event comes to, told from the history of writes alone: (key, fields, says_status) each."""
    fields, written = {}, {}

    def stands(key):
        own, since = fields[key]["status"], written.get(key, 0)
        halt = own if own in OFF else None
        whole = fields[key]["part_of"]
        if whole is None:
            return halt, since
        above, at = stands(whole)
        hidden = fields[whole]["visibility"] != "public" and fields[key]["visibility"] == "public"
        if above is None or hidden or since > at:
            return halt, since
        return ("cancelled" if halt == "cancelled" else above), at

    for number, (key, changes, says) in enumerate(history, start=1):
        plain = {"part_of": None, "visibility": "public", "status": "scheduled"}
        before = fields.setdefault(key, plain)
        taken_along = stands(key)[0] not in (None, before["status"])
        fields[key] = {**before, **changes}
        if fields[key]["status"] != before["status"] or (says and taken_along):
            written[key] = number
    return {key: stands(key)[0] for key in fields}


def some_history(seed):
    """Up to five events under one another, and writes of every kind that a part may depend on."""
    draw = random.Random(seed)
    keys = [f"e{n}" for n in range(5)]
    history = [(key, {"part_of": draw.choice([None, *keys[:n]])}, False) for n, key in enumerate(keys)]
    for _ in range(10):
        n = draw.randrange(5)
        changes = draw.choice(
            [
                {"status": draw.choice(["scheduled", "tentative", "postponed", "cancelled"])},
                {"part_of": draw.choice([None, *keys[:n]])},
                {"visibility": draw.choice(["public", "internal"])},
                {},
            ]
        )
        history.append((keys[n], changes, not changes or ("status" in changes and draw.random() < 0.3)))
    return history


def agree(store, expected, copy):
    stored = found(store, *expected)
    public = {key for key, each in stored.items() if each.event.visibility == "public"}
    off = {key: halt for key, halt in expected.items() if halt}
    assert {key: each.halt for key, each in stored.items() if each.halt} == off
    for halt in OFF:
        assert ids(store, phase=(halt,)) == {key for key, found in off.items() if found == halt}
    assert ids(store, phase=("upcoming",)) == expected.keys() - off
    assert copy.body == built(store).body
    statuses = {key: stored[key].event.status for key in public}
    own = {key: "confirmed" if status == "scheduled" else "tentative" for key, status in statuses.items()}
    assert {key: status for key, (status, *_) in entries(copy).items()} == {
        key: OFF[off[key]] if key in off else own[key] for key in public
    }
    waiting = {key for key, (state, _) in reminders(store).items() if state == "pending"}
    assert waiting == public - off.keys()


@pytest.mark.parametrize("seed", range(4))
def test_lists_feeds_and_reminders_agree_with_the_history_of_writes(store, seed):
    planner.run_once(store, now=NOON)
    add(store, a_webhook(SENT_TO))
    history, copy, by = some_history(seed), None, builder(store)
    for number, (key, changes, says) in enumerate(history, start=1):
        if number <= 5:
            put(store, an_event(key, NOON + HOUR + MINUTE, **changes))
            continue
        set_to(store, key, says_status=says, **changes)
        planner.run_once(store, now=NOON)
        copy = built(store, by=by, previous=copy)
        agree(store, wholes(history[:number]), copy)


def test_the_log_of_changes_tells_of_the_whole_alone(conference):
    set_to(conference, "conf", status="cancelled")
    log = conference.read(lambda c: revisions.since(c, 0, 100))
    assert [(row.id, row.revision) for row in log] == [("conf", 1), ("day", 1), ("talk", 1), ("conf", 2)]
    assert {msgspec.json.decode(row.document)["status"] for row in log[:3]} == {"scheduled"}


LAST_DAY = NOON + timedelta(days=20)


def bodies(store, query=b"", *, now=NOON):
    paths = [
        f"/feeds/{lang}/calendar.{suffix}" for lang in ("ko", "en") for suffix in ("ics", "json", "atom")
    ]
    return {path: built(store, path, now=now, query=query).body.decode() for path in paths}


@pytest.mark.parametrize("kind", ["conference", "application_window"])
@pytest.mark.parametrize(
    ("left", "status"), [(None, "postponed"), ("2026-11", "postponed"), (None, "cancelled")]
)
def test_what_is_off_stays_at_its_last_known_day_in_every_feed(store, kind, left, status):
    """Without a date, or moved to a month that is out of reach, be it by itself or with its whole."""
    day = f"{LAST_DAY:%Y-%m-%d}"
    dated = {"kind": kind, "start": f"{LAST_DAY - timedelta(days=2):%Y-%m-%d}", "end": day}
    own, conf = (replace(an_event(key, NOON), timezone="Asia/Seoul") for key in ("own", "conf"))
    put(store, replace(own, **dated), conf, replace(own, id="part", part_of="conf", **dated))
    by = builder(store)
    first = built(store, by=by, query=b"ahead=P60D")
    names = {"own": "own", "part": "own - conf"}
    set_to(store, "own", status=status, start=left, end=None)
    set_to(store, "part", start=left, end=None)
    set_to(store, "conf", status=status)
    second = built(store, by=by, query=b"ahead=P60D", previous=first)
    assert second.body == built(store, query=b"ahead=P60D").body
    said = second.body.decode().replace("\r\n ", "").count("Was planned for Fri\\, 20 – Sun\\, 22 Mar")
    assert said == {"conference": 2, "application_window": 4}[kind]
    for key, name in names.items():
        assert entries(second)[key][:2] == (OFF[status], text_of(kind, status, name))
    marks = {"cancelled": ("[취소]", "[cancelled]"), "postponed": ("[연기]", "[postponed]")}[status]
    for path, body in bodies(store, b"ahead=P60D").items():
        unfolded = body.replace("\r\n ", "")
        assert unfolded.count(marks["/en/" in path]) >= 3, path
        pending = "날짜 미정" in unfolded or "to be announced" in unfolded
        assert pending == (status == "postponed" and left is None)


def text_of(kind, status, name):
    return f"[{status}] {'Closes: ' if kind == 'application_window' else ''}{name}"


def test_what_is_off_is_where_it_last_was_and_not_where_it_might_be(store):
    put(store, an_event("own", LAST_DAY))
    set_to(store, "own", status="postponed", start="2026-11")
    reach = {
        b"from=2026-03-20&to=2026-03-24": {"own"},
        b"from=2026-10-20&to=2026-12-24": set(),
        b"phase=postponed": {"own"},
        b"phase=upcoming": set(),
        b"ahead=P7D": set(),
    }
    assert {query: set(entries(built(store, query=query))) for query in reach} == reach


@pytest.mark.parametrize("whole", [True, False])
def test_nothing_cancelled_is_said_to_be_announced(store, whole):
    """In JSON and on pages too, and of calls whose closing date was to come."""
    call = {"kind": "application_window", "close_rule": "to_be_announced", "part_of": "conf"}
    undated = replace(an_event("conf", NOON), start=None)
    put(store, undated, an_event("call", NOON, **call), replace(undated, id="talk", part_of="conf"))
    keys = ("conf", "call", "talk")
    for key in keys[:1] if whole else keys:
        set_to(store, key, status="cancelled")
    for each in found(store, *keys).values():
        label = each.standing.when.label
        assert msgspec.json.decode(each.body(NOON))["when"]["label"] == {"ko": label.ko, "en": label.en}
        assert not [word for word in ("미정", "추후", "announced") if word in label.ko + label.en]
    labels = [each.standing.when.label.en for each in found(store, "conf", "talk").values()]
    assert labels == ["cancelled", "cancelled"]


def titles(copy):
    lines = copy.body.decode().replace("\r\n ", "").split("\r\n")
    return sorted(line.partition(":")[2] for line in lines if line.startswith("SUMMARY"))


def test_a_title_says_that_a_date_moved_until_the_day_has_passed_or_for_thirty_days(store):
    soon, far, days = NOON + timedelta(days=3), NOON + timedelta(days=90), timedelta(days=1)
    call = {"kind": "application_window", "timezone": "UTC", "start": f"{soon:%Y-%m-%d}"}
    put(store, an_event("near", soon), an_event("far", far))
    put(store, replace(an_event("call", soon), **call, end=f"{far:%Y-%m-%d}"))
    set_to(store, "near", start=f"{soon + 2 * days:%Y-%m-%d}")
    set_to(store, "far", start=f"{far + days:%Y-%m-%d}")
    set_to(store, "call", start=f"{soon + days:%Y-%m-%d}", end=f"{far + days:%Y-%m-%d}")
    by, plain = builder(store), ["Closes: call", "Opens: call", "far", "near"]
    shown = {
        0: ["[extended] Closes: call", "[moved] Opens: call", "[moved] far", "[moved] near"],
        6: ["Opens: call", "[extended] Closes: call", "[moved] far", "[moved] near"],
        8: ["Opens: call", "[extended] Closes: call", "[moved] far", "near"],
        29: ["Opens: call", "[extended] Closes: call", "[moved] far", "near"],
        32: plain,
    }
    copies = {}
    for after, expected in shown.items():
        by._clock.move_to(NOON + after * days)
        copies[after] = by.build(request.parse("/feeds/en/calendar.ics", b"past=P1Y"), copies.get(after - 1))
        assert titles(copies[after]) == sorted(expected), after
    # Another edit, of something else, makes no news of it; that it moved stays in the text.
    set_to(store, "far", url="https://example.org/", evidence=(), now=NOON + 33 * days)
    assert titles(built(store, now=NOON + 34 * days, query=b"past=P1Y")) == plain
    assert copies[32].body.count(b"Moved from") == 4
    assert len({copy.etag for copy in copies.values()}) == 4
    assert copies[0].modified < copies[6].modified < copies[8].modified < copies[32].modified


def test_anywhere_on_earth_is_called_aoe(store):
    put(store, replace(an_event("call", LAST_DAY), timezone="Etc/GMT+12", start="2026-03-22T23:59"))
    [label] = [each.standing.when.label for each in found(store, "call").values()]
    assert ("(AoE)" in label.ko, "(AoE)" in label.en, "Etc" in label.ko + label.en) == (True, True, False)


def test_a_city_is_found_and_told_by_its_name_in_either_language(store):
    """A plain text, as older clients write it, stays one, and means itself in both."""
    both, plain = Place(city=Text(ko="서울", en="Seoul")), Place(city="부산")
    put(store, an_event("both", LAST_DAY, place=both), an_event("plain", LAST_DAY, place=plain))
    asked = ("서울", "Seoul", "부산", "Busan")
    assert [ids(store, city=(city,)) for city in asked] == [{"both"}, {"both"}, {"plain"}, set()]
    places = {}
    for lang in ("ko", "en"):
        body = built(store, f"/feeds/{lang}/calendar.ics").body.decode()
        places[lang] = {line[9:] for line in body.split("\r\n") if line.startswith("LOCATION:")}
    assert places == {"ko": {"서울", "부산"}, "en": {"Seoul", "부산"}}
    kept = {key: msgspec.json.decode(each.document) for key, each in found(store, "both", "plain").items()}
    cities = {key: each["place"]["city"] for key, each in kept.items()}
    assert cities == {"both": {"ko": "서울", "en": "Seoul"}, "plain": "부산"}
