"""Celery in `benchmarks.webhooks`: a Redis of its own, 64 threads, requests, each result kept in the backend.

Redis writes each of them to its append-only file, as `everysec`, its default, does. The 64 threads share one
process, as the tasks do nothing but wait; its prefork pool was slower (notes/performance.md, section 7).
"""

import base64
import json
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import celery
import requests
from celery.signals import worker_ready
from celery.worker import state
from kombu.transport.redis import QoS

from benchmarks.webhooks_contenders import BODY, KEY, Task, say, wait_for_start
from service.reminders import signing

THREADS = 64
PATIENCE = 120
OWN = threading.local()
# A worker that stops gives back what it holds, a thousand a second: nobody wants it after the measurement.
QoS.restore_at_shutdown = False


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

        work = Queue(app, send)
        ready = list(work.copies(task.count))
        adding = time.time()
        work.push(work.copies(task.future, eta=datetime.now(UTC) + timedelta(days=300)))
        say(planning=time.time() - adding)
        wait_for_start()
        boss = threading.Thread(target=measure, args=(task, work, done, ready), daemon=True)
        worker_ready.connect(lambda **_: boss.start(), weak=False)
        alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        with no_banner(), suppress(SystemExit):
            app.worker_main(
                ["worker", "--pool=threads", f"--concurrency={THREADS}", "--loglevel=error", *alone]
            )
        boss.join()
        say(**done.facts)


def measure(task: Task, work: "Queue", done: "Done", ready: list[str]) -> None:
    """Beside the worker: once it holds what is to come, hand it all that is due, and wait for the last."""
    work.wait_until_held(task.future)
    began, cpu = time.time(), time.process_time()
    work.push(ready)
    done.all.wait(PATIENCE)
    done.facts.update(began=began, cpu=time.process_time() - cpu)
    state.should_stop = 0


class Queue:
    """Messages copied from one that Celery made, pushed many at once: `delay` makes 1,000 a second."""

    def __init__(self, app: celery.Celery, send: Any) -> None:
        self._send = send
        self._redis = app.connection_for_write().default_channel.client

    def copies(self, many: int, **options: Any) -> Iterator[str]:
        """`options` are those of `apply_async`."""
        self._send.apply_async((0,), **options)
        message = json.loads(self._redis.rpop("celery"))
        _, kwargs, embed = json.loads(base64.b64decode(message["body"]))
        for n in range(many):
            body = base64.b64encode(json.dumps(((n,), kwargs, embed)).encode()).decode()
            name, tag = str(uuid.uuid4()), str(uuid.uuid4())
            headers = message["headers"] | {"id": name, "root_id": name}
            properties = message["properties"] | {"correlation_id": name, "delivery_tag": tag}
            yield json.dumps(message | {"body": body, "headers": headers, "properties": properties})

    def push(self, messages: Iterable[str]) -> None:
        left = iter(messages)
        while some := list(islice(left, 1000)):
            self._redis.lpush("celery", *some)

    def wait_until_held(self, many: int) -> None:
        """A worker takes tasks of the future at once, 1,000 a second, and keeps them until their time."""
        while self._redis.hlen("unacked") < many:
            time.sleep(0.5)


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
        self._left, self._lock = wanted, threading.Lock()
        self.all = threading.Event()
        self.facts: dict[str, float] = {}

    def one_more(self) -> None:
        with self._lock:
            self._left -= 1
        if self._left == 0:
            self.all.set()


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
