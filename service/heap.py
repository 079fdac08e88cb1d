"""What the garbage collector need not look at: what a process has when it begins to work stays with it."""

import gc

# Objects more than were freed since the last look. Python's 700 are a few pages of events, and all but a few
# of those go by themselves.
EACH = 10_000


def settle() -> None:
    """Keep what is there now out of every later collection.

    A service holds some 140,000 objects that never go (modules, routes, statements). To walk through them
    held up everybody who asked for up to 0.1 s, again and again while reminders were sent.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(EACH, *gc.get_threshold()[1:])
