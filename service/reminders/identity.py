"""Names of deliveries. The name is the primary key, the `webhook-id` and what a receiver dedupes by.

A reminder is named by what it says (which moment, how long before), so planning twice is harmless, a moved
event gets new reminders, and one moved there and back is not reminded twice. Its due instant is not part of
it: another `remind_at` is the same reminder at another hour.
"""

from base64 import b32encode
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

import msgspec

from service.reminders.offsets import Offset
from service.reminders.rules import Anchor


# The planner names the same reminders over and over while their time comes near.
@lru_cache(maxsize=16_384)
def reminder(webhook_id: str, event_id: str, *, anchor: Anchor, anchor_at: datetime, offset: Offset) -> str:
    return _name("v1", webhook_id, event_id, anchor, int(anchor_at.timestamp()), offset.text)


def notice(webhook_id: str, event_id: str, *, revision: int) -> str:
    """One revision of one event is one notice, whatever it is called."""
    return _name("v1c", webhook_id, event_id, revision)


def message(webhook_id: str, kind: str, *, nonce: str) -> str:
    """A message outside the catalogue: a test, a sample, word that another webhook was disabled."""
    return _name("v1m", webhook_id, kind, nonce)


def _name(*parts: str | int) -> str:
    # A JSON array keeps the parts apart: ("a", "bc") and ("ab", "c") are two names.
    digest = sha256(msgspec.json.encode(parts)).digest()
    return "dlv_" + b32encode(digest[:20]).decode("ascii").lower()
