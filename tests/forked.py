"""Processes to be killed, forked from one that has imported what they need: each is at work at once.

There is one such parent for all tests of a process, and the list that is set last is the one it imports.
"""

import multiprocessing

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.victims", "tests.service.store.migrant", "tests.service.store.writer"])
