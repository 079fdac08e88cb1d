"""Names of deliveries. The name is the primary key, the `webhook-id` and what a receiver dedupes by.

A reminder is named by what it says (which moment, how long before), so planning twice is harmless, a moved
event gets new reminders, and one moved there and back is not reminded twice. Its due instant is not part of
it: another `remind_at` is the same reminder at another hour.

Names begin with what they have in common. What falls due together stands together in every index, so that to
record a batch touches a few pages, not a few for each (docs/decisions/0055).
"""

from base64 import b32hexencode
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

import msgspec

from service.reminders.offsets import Offset
from service.reminders.webhook import Anchor

BYTES = 20
# Seconds since 1970 of all years there are; with 15 bytes more of what tells names apart.
INSTANT_BYTES = 5
INSTANTS = 2 ** (8 * INSTANT_BYTES)


# The planner names the same reminders over and over while their time comes near.
@lru_cache(maxsize=16_384)
def reminder(webhook_id: str, event_id: str, *, anchor: Anchor, anchor_at: datetime, offset: Offset) -> str:
    at = int(anchor_at.timestamp())
    # By the offset alone: near enough to the due instant, and the same for every `remind_at`.
    near = at - int(offset.longest.total_seconds())
    first = (near % INSTANTS).to_bytes(INSTANT_BYTES)
    return _name(first, "v2", webhook_id, event_id, anchor, at, offset.text)


def notice(webhook_id: str, event_id: str, *, revision: int) -> str:
    """One revision of one event is one notice, whatever it is called."""
    first = _digest(event_id, revision)[:INSTANT_BYTES]
    return _name(first, "v2c", webhook_id, event_id, revision)


def message(webhook_id: str, kind: str, *, nonce: str) -> str:
    """A message outside the catalogue: a test, a sample, word that another webhook was disabled."""
    return _name(b"", "v2m", webhook_id, kind, nonce)


def _name(first: bytes, *parts: str | int) -> str:
    # The alphabet that keeps the order of the bytes (RFC 4648 section 7).
    return "dlv_" + b32hexencode((first + _digest(*parts))[:BYTES]).decode("ascii").lower()


def _digest(*parts: str | int) -> bytes:
    # A JSON array keeps the parts apart: ("a", "bc") and ("ab", "c") are two names.
    return sha256(msgspec.json.encode(parts)).digest()
