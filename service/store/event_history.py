"""The public revision log as reminders read it: each change with the event before and after it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from service.catalogue import evidence, view, windows
from service.reminders.notices import RevisedEvent
from service.reminders.plan import Candidate
from service.reminders.replan import changed_candidates
from service.store import revisions, word_index
from service.store.revisions import Revision
from service.store.sql import millis
from service.store.stored_event import Stored, last_seen
from service.store.tables import revision as log

_OF_EVENTS = log.c.noun.in_(["event", "turn"])


def candidate(stored: Stored) -> Candidate:
    """A stored event as the planner needs it."""
    event = stored.event
    return Candidate(
        event=event,
        revision=stored.revision,
        seq=stored.seq,
        steps=stored.steps,
        disputed=evidence.disputed(event),
        updated_at=stored.updated_at,
        searched=stored.searched,
    )


def revised(c: Connection, *, after: int, limit: int) -> tuple[RevisedEvent, ...]:
    """The changes of events after this `seq`, oldest first, with what they changed; also where one was taken
    along by what it is part of, or released, which changed nothing of it.

    About `limit` of them: what was written at one instant is not torn apart.
    """
    rows = revisions.since(c, after, limit, nouns=("event", "turn"))
    if len(rows) == limit:
        same = _OF_EVENTS & (log.c.seq > rows[-1].seq) & (log.c.at == millis(rows[-1].at))
        rows += revisions.read(c, select(log).where(same).order_by(log.c.seq))
    return _with_sides(c, rows, after=after)


def revised_lately(c: Connection, *, after: int, until: int, since: datetime) -> tuple[RevisedEvent, ...]:
    """The changes of events in this part of the log that were made after an instant."""
    part = (log.c.noun == "event") & (log.c.seq > after) & (log.c.seq <= until)
    rows = revisions.read(c, select(log).where(part, log.c.at > millis(since)).order_by(log.c.seq))
    return _with_sides(c, rows, after=rows[0].seq - 1) if rows else ()


def with_past(
    c: Connection, candidates: Mapping[str, Candidate], *, since: datetime | None = None, after: int
) -> dict[str, Candidate]:
    """Returns the events, each with the versions that changes after this instant, or this `seq`, replaced."""
    if since is None and revisions.head(c) <= after:
        return dict(candidates)
    later = log.c.seq > after
    if since is not None:
        later |= log.c.at > millis(since)
    its = _OF_EVENTS & log.c.id.in_(list(candidates)) & later
    rows = revisions.read(c, select(log).where(its).order_by(log.c.seq))
    news = changed_candidates(_with_sides(c, rows, after=rows[0].seq - 1)) if rows else ()
    return {**candidates, **{each.event.id: each for each in news if each.event.id in candidates}}


def _with_sides(c: Connection, rows: Sequence[Revision], *, after: int) -> tuple[RevisedEvent, ...]:
    sides = {row.seq: row for row in (*rows, *_last_before(c, {row.id for row in rows}, after))}
    candidates = _candidates(c, sides.values())
    newest: dict[str, Candidate | None] = {
        row.id: candidates[row.seq] for row in sides.values() if row.seq <= after
    }
    found = []
    for row in rows:
        found.append(
            RevisedEvent(
                event=row.id,
                revision=row.revision,
                seq=row.seq,
                changed=row.changed,
                at=row.at,
                before=newest.get(row.id),
                after=candidates[row.seq],
            )
        )
        newest[row.id] = candidates[row.seq]
    return tuple(found)


def at(c: Connection, seqs: Sequence[int]) -> dict[int, Revision]:
    """These rows of the log, as far as they are still there."""
    if not seqs:
        return {}
    rows = revisions.read(c, select(log).where(log.c.seq.in_(list(seqs))))
    return {row.seq: row for row in rows}


def document(c: Connection, row: Revision, *, gone: bool, now: datetime) -> bytes | None:
    """The event as it was after this change, with its phase now; of one that is `gone` the last there was."""
    told = row if not gone else next(iter(_last_before(c, [row.id], row.seq - 1)), None)
    if told is None or told.document is None:
        return None
    event = view.event_of(told.document)
    steps = windows.phase_steps(event, seen=last_seen(c, [event])[event.id], halt=told.halt)
    return view.with_phase(told.document, windows.phase_at(steps, now))


def _last_before(c: Connection, ids: Iterable[str], seq: int) -> tuple[Revision, ...]:
    earlier = _OF_EVENTS & log.c.id.in_(list(ids)) & (log.c.seq <= seq)
    last = select(func.max(log.c.seq)).where(earlier, revisions.IS_PUBLIC).group_by(log.c.id)
    return revisions.read(c, select(log).where(log.c.seq.in_(last)))


def _candidates(c: Connection, rows: Iterable[Revision]) -> dict[int, Candidate | None]:
    events = {row.seq: (row, view.event_of(row.document)) for row in rows if row.document is not None}
    seen = last_seen(c, [event for _, event in events.values()])
    texts = word_index.searched(c, [event for _, event in events.values()])
    made: dict[int, Candidate | None] = {row.seq: None for row in rows}
    for (seq, (row, event)), searched in zip(events.items(), texts, strict=True):
        made[seq] = Candidate(
            event=event,
            revision=row.revision,
            seq=row.seq,
            steps=windows.phase_steps(event, seen=seen[event.id], halt=row.halt),
            disputed=evidence.disputed(event),
            updated_at=row.at,
            searched=searched,
        )
    return made
