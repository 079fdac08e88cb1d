"""How long a text is to those who count in UTF-16, as JavaScript does: what is beyond U+FFFF counts twice.

Neither Slack nor Discord nor Teams says how it counts its limits, so the longer count has to hold.
"""

from collections.abc import Callable


def cut(text: str, most: int, *, mended: Callable[[str], str] = str) -> str:
    """At most so long, an ellipsis telling that there was more; `mended` takes off what was cut in half."""
    return text if units(text) <= most else mended(start(text, most - 1)) + "…"


def units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def start(text: str, most: int) -> str:
    """Its longest beginning of at most so many units."""
    kept = text[:most]
    while units(kept) > most:
        kept = kept[: -((units(kept) - most + 1) // 2)]
    return kept
