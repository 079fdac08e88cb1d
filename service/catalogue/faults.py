"""What was wrong with what somebody sent: one value for all faults, so that a person fixes them in one go."""

from collections.abc import Sequence

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong: where (a JSON pointer into the body, or a query parameter) and what."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Invalid(Exception):
    """Input that breaks the rules; carries every fault found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer or fault.parameter}: {fault.detail}" for fault in faults))
        self.faults = tuple(faults)


def refuse(faults: Sequence[Fault]) -> None:
    """Raise if there is anything to raise."""
    if faults:
        raise Invalid(faults)
