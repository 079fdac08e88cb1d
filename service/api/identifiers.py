"""Names for things their maker did not name."""

import secrets

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def new_event_id() -> str:
    """A slug nobody can guess and nobody else gets: 100 random bits."""
    return "evt-" + "".join(secrets.choice(_ALPHABET) for _ in range(20))
