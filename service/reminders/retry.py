"""Judges attempts: the outcome of a request, and as a value what follows from it."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec
from msgspec import Struct

SPREAD = 0.2
# A receiver that asks for more time than the reminder has left is tried once more while that is still of use.
LAST_CHANCE = timedelta(seconds=30)
# More seconds than any reminder has, and fewer than a timedelta can hold.
FOREVER = 1e9
# However long a receiver asks to be left alone, it is asked again after this, by one request.
LONGEST_HOLD = timedelta(seconds=60)
# Until it is recorded that its webhook is off.
GONE_HOLD = timedelta(seconds=5)
DISABLE_AFTER = timedelta(days=3)
DISABLE_TRIES = 20

Why = Literal["gone", "exhausted", "too_late"]


class Verdict(Struct, frozen=True, kw_only=True):
    """The next state after an attempt. `next_at` goes with `retry`, a reason with `dead` and `expired`.

    `disable` says that the receiver asked to be switched off; `is_free` that the attempt came too early, and
    so was no try.
    """

    state: Literal["succeeded", "retry", "dead", "expired"]
    next_at: datetime | None = None
    reason: Why | None = None
    disable: bool = False
    is_free: bool = False


# How an attempt ended: the class of its status, or what went wrong before there was one.
Outcome = Literal[
    "2xx",
    "3xx",
    "4xx",
    "5xx",
    "dns",
    "not_allowed",
    "connect",
    "tls",
    "timeout",
    "protocol",
    "too_large",
    "abandoned",
    "stale",
]

EXCERPT_LIMIT = 1024


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver's answer to one request. It holds no address or port: a refusal tells nothing of them."""

    outcome: Outcome
    status: int | None = None
    retry_after: str | None = None
    milliseconds: int = 0
    bytes: int = 0
    excerpt: str = ""

    @property
    def succeeded(self) -> bool:
        return self.outcome == "2xx"


def excerpt(body: bytes) -> str:
    """Returns at most 1 KiB of printable text of an answer's body, for the owner of the webhook to read."""
    text = body[:EXCERPT_LIMIT].decode("utf-8", errors="replace")
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)[:EXCERPT_LIMIT]


STATUS_OUTCOMES: dict[int, Outcome] = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


def of_status(status: int) -> Outcome:
    """Returns the outcome a status stands for, whatever became of the body; outside 200 to 599 `protocol`."""
    return STATUS_OUTCOMES.get(status // 100, "protocol")


def judge(
    answer: Answer,
    *,
    tries: int,
    now: datetime,
    valid_until: datetime,
    chance: float,
    schedule: tuple[timedelta, ...],
) -> Verdict:
    """Returns what follows an answer, given that `tries` results were recorded before it.

    `chance` in [0, 1] spreads the wait over 80 to 120 %.
    """
    if answer.succeeded:
        return Verdict(state="succeeded")
    if answer.status == 410:
        return Verdict(state="dead", reason="gone", disable=True)
    left, asked = valid_until - now, retry_after(answer.retry_after, now=now)
    limited = is_limit(answer)
    if tries >= len(schedule) and not limited:
        return Verdict(state="dead", reason="exhausted")
    spread = schedule[min(tries, len(schedule) - 1)] * (1 + SPREAD * (2 * chance - 1))
    pause = min(asked or spread, left - LAST_CHANCE)
    if not limited or pause <= timedelta():
        pause = max(spread, pause)
    if pause >= left:
        return Verdict(state="expired", reason="too_late")
    return Verdict(state="retry", next_at=now + pause, is_free=limited)


def is_limit(answer: Answer) -> bool:
    """Whether a receiver says that this was too early, not that it failed: 429, or 503 with Retry-After."""
    asks = retry_after(answer.retry_after, now=datetime.fromtimestamp(0, UTC)) is not None
    return answer.status == 429 or (answer.status == 503 and asks)


def hold(answer: Answer, *, now: datetime) -> datetime | None:
    """Returns until when nothing is sent to a receiver that is gone or says when to come back, else None.

    Discord and Slack limit the sender, not one message. `judge` decides about the refused message itself.
    """
    if answer.succeeded:
        return None
    asked = GONE_HOLD if answer.status == 410 else retry_after(answer.retry_after, now=now)
    return now + min(asked, LONGEST_HOLD) if asked else None


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Returns the wait a Retry-After header asks for, in seconds (or fractions) or as a date; else None."""
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else None
        if seconds is not None:
            return timedelta(seconds=min(seconds, FOREVER))
        asked = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    aware = asked if asked.tzinfo is not None else asked.replace(tzinfo=UTC)
    return max(timedelta(0), aware - now)


def disables(*, failing_since: datetime | None, failures: int, now: datetime) -> bool:
    """Whether a webhook that has failed in a row since then is to be switched off."""
    return failing_since is not None and now - failing_since >= DISABLE_AFTER and failures >= DISABLE_TRIES
