"""The Idempotency-Key of a POST: one effect and one answer, however often the request is repeated."""

import re
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from service.api.responses import Answer
from service.api.tokens import Box
from service.errors import At, BadParameters, Conflict, KeyInUse
from service.store import idempotency
from service.store.engine import Work
from service.store.idempotency import Unanswered

FORM = re.compile(r"[\x21-\x7e]{1,255}")


class Repeats(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its repetitions; `fingerprint` tells it from others that came with its key."""

    owner: str
    key: str
    fingerprint: bytes
    now: datetime
    box: Box

    def begin(self, c: Connection) -> Answer | Unanswered | None:
        """Claim the key in this transaction; or what the first request was answered, if it was."""
        before = idempotency.begin(c, self.owner, self.key, self.fingerprint, now=self.now)
        if before is None or isinstance(before, Unanswered):
            return before
        body = self.box.open(before.body, owner=self.owner)
        if body is None:
            raise Conflict("The answer to this Idempotency-Key was sealed with a secret key that is gone.")
        return Answer(status=before.status, body=body, headers=dict(before.headers))

    def note(self, c: Connection, note: str) -> None:
        """What is begun in this transaction and will be answered in a later one."""
        idempotency.note(c, self.owner, self.key, note)

    def keep(self, c: Connection, answer: Answer) -> None:
        """The answer, sealed: some answers show a secret once."""
        idempotency.finish(
            c,
            self.owner,
            self.key,
            status=answer.status,
            headers=tuple(answer.headers.items()),
            body=self.box.seal(answer.body, owner=self.owner),
        )

    def once(self, work: Work[Answer]) -> Work[Answer]:
        """`work` with its answer kept in the same transaction."""

        def unit(c: Connection) -> Answer:
            before = self.begin(c)
            if isinstance(before, Unanswered):
                raise KeyInUse
            if before is not None:
                return before
            answer = work(c)
            self.keep(c, answer)
            return answer

        return unit


def checked(key: str) -> str:
    if not FORM.fullmatch(key):
        fault = At(detail="It must be 1 to 255 visible ASCII characters.", parameter="Idempotency-Key")
        raise BadParameters(errors=[fault])
    return key
