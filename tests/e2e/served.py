"""`dday serve` as a process of its own, asked over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

ADMIN = "dday_" + "a" * 40


class Served:
    """`dday serve` in a folder of its own, asked over HTTP."""

    def __init__(self, folder, port, *flags, **env):
        self.folder, self.port, self.url = folder, port, f"http://127.0.0.1:{port}"
        self.log = folder / "log"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("DDAY_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve", "--port", str(port), *flags],
                cwd=folder,
                env=clean | {"DDAY_ADMIN_KEY": ADMIN, "DDAY_EGRESS_ALLOW": "127.0.0.0/8"} | env,
                stderr=log,
            )

    def wait(self, path="/readyz"):
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                return self.get(path)
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=5) as response:
            return response.read()

    def json(self, path):
        return json.loads(self.get(path))

    def send(self, method, path, body=None):
        headers = {"authorization": f"Bearer {ADMIN}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"null")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def refusal(self):
        """The exit code and the words of a start that is refused."""
        return self.process.wait(timeout=60), self.log.read_text()


@pytest.fixture(scope="module")
def start():
    """Start a service; whatever is left of it afterwards is killed."""
    started = []

    def start(folder, port, *flags, **env):
        started.append(Served(folder, port, *flags, **env))
        return started[-1]

    yield start
    for service in started:
        service.process.kill()
        service.process.wait()
