"""The end of a process whose disk did not keep what was committed."""

import logging
import os
from typing import NoReturn

log = logging.getLogger(__name__)
LAST_WORDS = (
    "The disk did not write what was committed (%s). Nothing after this could be believed, so the service "
    "ends. What it has acknowledged before is safe. Look at the disk before starting it again."
)


def lost(error: Exception) -> NoReturn:
    """Say so and end at once, with EX_IOERR.

    A kernel that failed to write may have dropped the data and calls the next fsync a success. An exception
    would be one caller's 500 and another loop's next try; here nobody may go on.
    """
    log.critical(LAST_WORDS, error)
    logging.shutdown()
    os._exit(os.EX_IOERR)
