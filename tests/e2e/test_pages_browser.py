"""Pages in a real browser: the policy refuses nothing of ours, nothing overflows, a keyboard gets around."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.browser import CHROMIUM, DRIVER, Browser
from tests.e2e.ports import free_port

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="there is no browser: apt-get install chromium chromium-driver",
    ),
]
SERVER = Path(__file__).with_name("pages_server.py")
NOW = "2025-08-20T12:00:00+09:00"
TAB, ENTER = "\ue004", "\ue007"
PAGES = (
    "/",
    "/en/",
    "/events/apec-sme-ministerial-2025",
    "/en/events/opendata-ai-challenge-2025-call",
    "/series/seoulcon",
    "/en/programs/deep-tech-value-up",
    "/organizations/mss",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The seeds served by a process of their own, on a day in the middle of them."""
    port = free_port()
    command = [sys.executable, str(SERVER), str(tmp_path_factory.mktemp("served")), str(port), NOW]
    env = {**os.environ, "PYTHONPATH": str(SERVER.parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("profile"))
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.parametrize("path", PAGES)
def test_the_browser_has_nothing_to_report(url: str, browser: Browser, path: str) -> None:
    browser.told()
    browser.open(url + path)
    assert browser.told() == []
    assert browser.run("return getComputedStyle(document.querySelector('.brand')).fontWeight") == "800"
    data = browser.run(
        "return [...document.querySelectorAll('script')].map(one => [one.type, one.textContent])"
    )
    assert [kind for kind, _ in data] == (["application/ld+json"] if "/events/" in path else [])
    assert [json.loads(node)["@type"] for _, node in data] == ["Event"] * len(data)


def test_the_browser_would_report_a_script(url: str, browser: Browser) -> None:
    """The test above can fail."""
    browser.open(url)
    browser.run(
        "let made = document.createElement('script');"
        "made.textContent = 'document.title = 1'; document.head.append(made)"
    )
    told = browser.told()
    assert any("Content Security Policy" in message for message in told)
    assert browser.run("return document.title") != "1"


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_hangs_over_the_edge(url: str, browser: Browser, path: str, width: int) -> None:
    browser.size(width, 800)
    browser.open(url + path)
    assert browser.run("return [innerWidth, document.documentElement.scrollWidth]") == [width, width]


def test_a_keyboard_skips_to_the_content(url: str, browser: Browser) -> None:
    browser.size(1280, 800)
    browser.open(url)
    browser.until("return document.hasFocus() && document.readyState === 'complete'")
    browser.press(TAB)
    browser.until("return document.activeElement.className === 'skip'")
    assert browser.run("return document.activeElement.getBoundingClientRect().left") == 0
    browser.press(ENTER)
    browser.until("return location.hash === '#main'")
    browser.press(TAB)
    browser.until("return document.querySelector('main').contains(document.activeElement)")


def test_every_link_has_a_name(url: str, browser: Browser) -> None:
    browser.open(url + PAGES[2])
    unnamed = browser.run(
        "return [...document.querySelectorAll('a')].filter(one => !one.innerText.trim()).length"
    )
    assert unnamed == 0


def test_print_leaves_out_what_paper_cannot_do(url: str, browser: Browser) -> None:
    browser.open(url)
    browser.devtools("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert browser.run("return getComputedStyle(document.querySelector('aside')).display") == "none"
    finally:
        browser.devtools("Emulation.setEmulatedMedia", {"media": ""})
