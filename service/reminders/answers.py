"""How one attempt ended: the value the sender brings back and the judge looks at."""

from typing import Literal

import msgspec

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
    """What a receiver did with one request. Never an address or a port: a refusal tells nothing."""

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
    """At most 1 KiB of printable text of an answer's body, for the owner of the webhook to read."""
    text = body[:EXCERPT_LIMIT].decode("utf-8", errors="replace")
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)[:EXCERPT_LIMIT]


STATUS_OUTCOMES: dict[int, Outcome] = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


def of_status(status: int) -> Outcome:
    """A status decides alone, whatever became of the body; one outside 200 to 599 is no HTTP."""
    return STATUS_OUTCOMES.get(status // 100, "protocol")
