"""Typing errors: which words are near another."""

# Of so many letters one may be wrong.
LETTERS_AN_ERROR = 5


def errors(word: str) -> int:
    """How many wrong letters of a word are forgiven."""
    return len(word) // LETTERS_AN_ERROR


def parts(word: str) -> tuple[str, str]:
    """Returns the first and the last letters of a word, one of which every word near it has."""
    size = len(word) // (errors(word) + 1)
    return word[:size], word[len(word) - size :]


def is_near(one: str, other: str) -> bool:
    """Whether they differ by no more than `errors` letters changed, left out, added or swapped with the next.

    One of the `parts` has to be right.
    """
    most = errors(one)
    if abs(len(one) - len(other)) > most or len(set(one) - set(other)) > most:
        return False
    first, last = parts(one)
    return (other.startswith(first) or other.endswith(last)) and _distance(one, other) <= most


def _distance(one: str, other: str) -> int:
    """The optimal string alignment distance."""
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        above, before, row = row, above, [i]
        for j, against in enumerate(other, start=1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != against))
            if before and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
    return row[-1]
