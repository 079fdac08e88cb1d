"""Databases of earlier schemas, and a process that brings one to today's and is killed while it does so."""

import os
import re
import signal
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, delete, event, insert, update

from service.catalogue import view, windows
from service.catalogue.event import Event
from service.store.engine import Store
from service.store.sql import millis, millis_or
from service.store.stored_event import encode_steps


def earlier(c: Connection, subject: Event, *, number: int, now: datetime, cause: str = "test") -> None:
    """Write an event with its log and a row of its index as the schemas up to 0007 kept them."""
    metadata = MetaData()
    tables = {
        name: Table(name, metadata, autoload_with=c) for name in ("event", "facet", "revision", "counter")
    }
    bounds = windows.bounds(subject)
    starts = None if bounds.earliest is None else millis(bounds.earliest)
    ends = None if bounds.latest is None else millis(bounds.latest)
    document = view.document(
        subject, previous_dates=(), revision=1, seq=number, created_at=now, updated_at=now
    )
    # They knew nothing of dates without evidence.
    document = re.sub(rb'"unsupported":\[[^\]]*\],', b"", document)
    c.execute(delete(tables["event"]).where(tables["event"].c.id == subject.id))
    c.execute(
        insert(tables["event"]).values(
            number=number,
            id=subject.id,
            uid=f"uid-{number}",
            document=document,
            steps=encode_steps(windows.phase_steps(subject, seen=None)),
            revision=1,
            seq=number,
            starts=starts,
            ends=ends,
            created_at=millis(now),
            updated_at=millis(now),
        )
    )
    lo = millis_or(bounds.earliest, 0)
    row = {"facet": "*", "shelf": 0, "lo": lo, "number": number, "hi": lo, "signature": 0, "home": 0}
    c.execute(insert(tables["facet"]).values(**row))
    c.execute(
        insert(tables["revision"]).values(
            seq=number,
            noun="event",
            id=subject.id,
            op="put",
            revision=1,
            uid=f"uid-{number}",
            changes="[]",
            document=document.decode(),
            cause=cause,
            at=millis(now),
        )
    )
    counter = tables["counter"]
    c.execute(update(counter).where(counter.c.name == "revision").values(value=number))


def migrate(url: str, fatal: int) -> None:
    """SIGKILL instead of the statement with this number; no end comes of itself before that many."""
    numbers = count(1)

    def die(*_: Any) -> None:
        if next(numbers) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", die)
    Store.open(url).close()
