"""Cuts a period text into what held before and what holds, and into its rounds; the rest is blanked."""

import re

from service.sources import period_words as words
from service.sources.period_dates import spans, tokens

_ROUND_NAMES = re.compile(r"[\[\]()<>\s]")
_TWO_DATES = re.compile(r"\d.*\d", re.DOTALL)


def moved(plain: str) -> tuple[str, str]:
    """The text without what it says held before, and that; all else is blanked, so that places stay."""
    if not _TWO_DATES.search(plain):
        return plain, ""
    marks = [(found.start(), True) for found in words.OLD.finditer(plain)]
    marks += [(found.start(), False) for found in words.NEW.finditer(plain)]
    arrow = re.search(r"→|⇒|➔|➡|->|=>|>>|(?<=[\d일)])\s*에서\s(?=.*(?:연장|변경))", plain)
    olds = [at for at, old in marks if old]
    if not olds and arrow is None:
        return plain, ""
    if not olds and arrow is not None:
        return " " * arrow.start() + plain[arrow.start() :], plain[: arrow.start()]
    begin = min(olds)
    bracketed = re.match(r"[^()\d]*\)", plain[begin:]) if plain[:begin].rstrip()[-1:] in ("(", "[") else None
    opened = begin + bracketed.end() if bracketed else begin
    ends = [at for at, old in marks if not old and at > begin and spans(tokens(plain[begin:at]))]
    closing = _closing(plain, opened)
    end = min([*ends, *([arrow.start()] if arrow and arrow.start() > begin else []), closing])
    return plain[:begin] + " " * (end - begin) + plain[end:], " " * begin + plain[begin:end]


def _closing(plain: str, begin: int) -> int:
    """Where the bracket around a place ends, or the text."""
    depth = 0
    for at in range(begin, len(plain)):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(plain[at], 0)
        if depth < 0:
            return at
    return len(plain)


def rounds_of(plain: str) -> list[tuple[str, str]]:
    """The name and the text of each round that has a date, or the whole as one; places stay."""
    marks = list(words.ROUND.finditer(plain))
    pieces = []
    for at, mark in enumerate(marks):
        end = marks[at + 1].start() if at + 1 < len(marks) else len(plain)
        piece = " " * mark.end() + plain[mark.end() : end]
        if spans(tokens(piece)):
            pieces.append((_ROUND_NAMES.sub("", mark[0]), piece))
    headed = len(marks) > 1 and spans(tokens(plain[: marks[0].start()]))
    return pieces if len(pieces) > 1 and not headed else [("", plain)]
