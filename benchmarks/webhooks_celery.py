"""Celery in `benchmarks.webhooks`: a Redis of its own, 64 threads, requests, each result kept in the backend.

Redis writes each of them to its append-only file, as `everysec`, its default, does. The 64 threads share one
process, as the tasks do nothing but wait; its prefork pool was slower (notes/performance.md, section 7).
"""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import celery
import requests
from celery.worker import state

from benchmarks.webhooks_contenders import BODY, KEY, Task, say, wait_for_start
from service.reminders import signing

THREADS = 64
OWN = threading.local()


def run(task: Task) -> None:
    with redis(task.folder) as socket:
        app = celery.Celery("bench", broker=f"redis+socket://{socket}", backend=f"redis+socket://{socket}")
        app.conf.update(worker_redirect_stdouts=False, broker_connection_retry_on_startup=False)
        done = Done(task.count)

        @app.task(name="send")
        def send(n: int) -> int:
            try:
                return post(task, n)
            finally:
                done.one_more()

        adding = time.time()
        for n in range(task.count):
            send.delay(n)
        say(planning=time.time() - adding)
        wait_for_start()
        began, cpu = time.time(), time.process_time()
        threading.Thread(target=done.stop_the_worker, daemon=True).start()
        alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        with no_banner(), suppress(SystemExit):
            app.worker_main(
                ["worker", "--pool=threads", f"--concurrency={THREADS}", "--loglevel=error", *alone]
            )
        say(began=began, cpu=time.process_time() - cpu)


def post(task: Task, n: int) -> int:
    if not hasattr(OWN, "session"):
        OWN.session = requests.Session()
        OWN.session.trust_env = False
    headers = signing.headers(f"m{n}", BODY, keys=[KEY], now=datetime.now(UTC))
    status: int = OWN.session.post(task.target(n), data=BODY, headers=headers, timeout=15).status_code
    return status


class Done:
    """Counts what has been sent; a Celery worker runs until somebody stops it."""

    def __init__(self, wanted: int) -> None:
        self._left, self._lock, self._all = wanted, threading.Lock(), threading.Event()

    def one_more(self) -> None:
        with self._lock:
            self._left -= 1
        if self._left == 0:
            self._all.set()

    def stop_the_worker(self) -> None:
        self._all.wait(120)
        state.should_stop = 0


@contextmanager
def no_banner() -> Iterator[None]:
    """Celery greets on the stream on which we report."""
    ours = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(ours, 1)
        os.close(ours)


@contextmanager
def redis(folder: str) -> Iterator[str]:
    """A Redis that nobody else can reach."""
    socket = f"{folder}/redis.sock"
    asked = {"port": "0", "unixsocket": socket, "dir": folder, "appendonly": "yes", "save": ""}
    flags = [word for name, value in asked.items() for word in (f"--{name}", value)]
    server = subprocess.Popen(["redis-server", *flags], stdout=subprocess.DEVNULL)
    try:
        client = celery.Celery(broker=f"redis+socket://{socket}").connection_for_write()
        client.ensure_connection(max_retries=50, interval_start=0.1, interval_step=0, interval_max=0.1)
        client.release()
        yield socket
    finally:
        server.terminate()
        server.wait()
