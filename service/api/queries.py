"""Query strings, read strictly: unknown, repeated and unreadable parameters are refused by name."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from service.errors import At, BadParameters, Located

Pairs = tuple[tuple[str, str], ...]

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST = 500


def pairs_of(raw: bytes) -> Pairs:
    """The parameters in the order they were sent."""
    if not raw:
        return ()
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except UnicodeDecodeError:
        raise BadParameters("The query string is not UTF-8.") from None
    except ValueError:
        raise BadParameters(f"The query string has more than {_MOST} parameters.") from None
    faults = [
        At(detail="It holds a control character.", parameter=_FORBIDDEN.sub("?", name)[:100])
        for name, value in pairs
        if _FORBIDDEN.search(name) or _FORBIDDEN.search(value)
    ]
    if faults:
        raise BadParameters(errors=faults)
    return tuple(pairs)


def check(pairs: Pairs, *, single: frozenset[str], many: frozenset[str]) -> None:
    """Refuse what the operation does not know, and a second value where only one can be meant."""
    faults, seen = [], set()
    for name, _ in pairs:
        if name not in single and name not in many:
            known = ", ".join(sorted(single | many)) or "none"
            faults.append(At(detail=f"Unknown parameter. Known here: {known}.", parameter=name[:100]))
        elif name in seen and name in single:
            faults.append(At(detail="Given more than once.", parameter=name))
        seen.add(name)
    if faults:
        raise BadParameters(errors=faults)


def together(*reads: Callable[[], Any]) -> list[Any]:
    """What each of them reads; or every fault of all, so that a caller mends them at once."""
    found: list[Any] = []
    faults: list[Located] = []
    for read in reads:
        try:
            found.append(read())
        except BadParameters as error:
            faults += error.errors
    if faults:
        raise BadParameters(errors=faults)
    return found


def value(pairs: Pairs, name: str) -> str | None:
    return next((text for key, text in pairs if key == name), None)


def whole(pairs: Pairs, name: str, *, default: int, most: int, least: int = 1) -> int:
    """A whole number within bounds, `limit=50`."""
    text = value(pairs, name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most:
        return int(text)
    fault = At(detail=f"It must be a whole number from {least} to {most}.", parameter=name)
    raise BadParameters(errors=[fault])
