"""Ids of deliveries: the primary key, the `webhook-id` header and what a receiver deduplicates by.

A reminder's id is a hash of what it says (which moment, how long before, at which time of day), so planning
twice is harmless, a moved event gets new reminders, and one moved there and back is not reminded twice. The
due instant is no part of it: with another `remind_at` it is the same reminder at another hour.

Ids begin with the instant they are due about, so that deliveries that fall due together stand together in
every index (docs/decisions/0055).
"""

from base64 import b32hexencode
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

import msgspec

from service.reminders.offsets import Offset
from service.reminders.webhook import Anchor

BYTES = 20
# Enough for the seconds since 1970 of every year there is; 15 bytes remain to tell ids apart.
INSTANT_BYTES = 5
INSTANTS = 2 ** (8 * INSTANT_BYTES)


# The planner asks for the same ids over and over while their time comes near.
@lru_cache(maxsize=16_384)
def reminder(
    webhook_id: str,
    event_id: str,
    *,
    anchor: Anchor,
    anchor_at: datetime,
    offset: Offset,
    at: str | None = None,
) -> str:
    """Returns the id of a reminder of one moment, `offset` before it, at the time of day `at` if given."""
    moment = int(anchor_at.timestamp())
    # By the offset alone: near enough to the due instant, and the same for every `remind_at`.
    near = moment - int(offset.longest.total_seconds())
    first = (near % INSTANTS).to_bytes(INSTANT_BYTES)
    hour = () if at is None else (at,)
    return _name(first, "v2", webhook_id, event_id, anchor, moment, offset.text, *hour)


def notice(webhook_id: str, event_id: str, *, revision: int) -> str:
    """Returns the id of the notice of one revision of an event, whatever type it has."""
    first = _digest(event_id, revision)[:INSTANT_BYTES]
    return _name(first, "v2c", webhook_id, event_id, revision)


def message(webhook_id: str, kind: str, *, nonce: str) -> str:
    """Returns the id of a message that is not planned: a test, a sample, or that a webhook was disabled."""
    return _name(b"", "v2m", webhook_id, kind, nonce)


def _name(first: bytes, *parts: str | int) -> str:
    # The alphabet that keeps the order of the bytes (RFC 4648 section 7).
    return "dlv_" + b32hexencode((first + _digest(*parts))[:BYTES]).decode("ascii").lower()


def _digest(*parts: str | int) -> bytes:
    # A JSON array keeps the parts apart: ("a", "bc") and ("ab", "c") are two names.
    return sha256(msgspec.json.encode(parts)).digest()
