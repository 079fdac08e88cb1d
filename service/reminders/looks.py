"""A look at a claimed delivery says what is to become of it, while what it depends on has not changed."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from service.store import events, revisions, webhooks


class Look(Struct, frozen=True, kw_only=True):
    """What was seen: the version of the webhook (None: it is gone), the newest revision of the catalogue.

    `event` is None where it does not matter how the event is now, else `seq` is its revision (None: gone).
    """

    delivery: str
    webhook: str
    version: int | None
    head: int
    event: str | None
    seq: int | None


def outdated(c: Connection, looks: Sequence[Look]) -> frozenset[str]:
    """The deliveries whose webhook or event is no longer what was seen.

    Asked in the transaction that acts on a look, which may have waited for its turn.
    """
    if not looks:
        return frozenset()
    versions = webhooks.versions(c, sorted({look.webhook for look in looks}))
    head = revisions.head(c)
    moved = {look.event for look in looks if look.event is not None and look.head != head}
    seqs = events.seqs(c, sorted(moved))
    return frozenset(
        look.delivery
        for look in looks
        if versions.get(look.webhook) != look.version
        or (look.event in moved and seqs.get(look.event) != look.seq)
    )
