"""A process that writes events and says so, one line an event, until it is killed or done."""

import os
from datetime import UTC, datetime

from service.catalogue.event import Event, Text
from service.store import events
from service.store.engine import Store

NOW = datetime(2025, 8, 1, tzinfo=UTC)


def write(url: str, book: str, first: int, count: int) -> None:
    store = Store.open(url)
    acknowledged = os.open(book, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for index in range(first, first + count):
        event = Event(id=f"e{index}", kind="summit", name=Text(ko=f"서밋 {index}"), start="2025-09-05")
        store.write(lambda c, e=event: events.put(c, e, now=NOW, cause="writer"))  # type: ignore[misc]
        # One write call: a line that is there is whole.
        os.write(acknowledged, f"{event.id}\n".encode())
    store.close()
