"""A browser as tests see it: Chromium driven over the W3C WebDriver protocol, which is JSON over HTTP."""

import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.ports import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class Browser:
    """One window of a browser that has never been anywhere. Close it."""

    def __init__(self, profile: Path) -> None:
        self._port = free_port()
        self._driver = subprocess.Popen([str(DRIVER), f"--port={self._port}"], stdout=subprocess.DEVNULL)
        self._session = ""
        try:
            self._wait()
            options = {"binary": CHROMIUM, "args": [*QUIET, f"--user-data-dir={profile}"]}
            always = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": always}})
            self._session = f"/session/{made['sessionId']}"
            # Keys pressed into a window that the system has not given the focus yet would be lost.
            self.devtools("Emulation.setFocusEmulationEnabled", {"enabled": True})
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        try:
            if self._session:
                self._ask("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait(timeout=30)

    def size(self, width: int, height: int) -> None:
        """The size of the page itself; a window cannot be as narrow as a telephone."""
        shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", shape)

    def open(self, address: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": address})

    def run(self, script: str) -> Any:
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def until(self, script: str) -> None:
        """Wait for what must come true soon."""
        deadline = time.monotonic() + 10
        while not self.run(script):
            assert time.monotonic() < deadline, script
            time.sleep(0.05)

    def press(self, key: str) -> None:
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        keys = [{"type": "key", "id": "keys", "actions": actions}]
        self._ask("POST", f"{self._session}/actions", {"actions": keys})

    def told(self) -> list[str]:
        """What the console has been told since this was last asked: refusals of the policy, too."""
        entries = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._ask("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self._ask("GET", "/status")
                return
            except OSError:
                assert self._driver.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
