"""`dday feeds` against a running service, and what that leaves in its files and its log."""

import urllib.error
import urllib.request

import msgspec
import pytest
from click.testing import CliRunner

from service.cli import main
from tests.e2e.ports import free_port
from tests.e2e.served import ADMIN, start

__all__ = ["start"]


@pytest.fixture(scope="module")
def served(start, tmp_path_factory):
    service = start(tmp_path_factory.mktemp("served"), free_port(), "--seeds", "none")
    service.wait()
    service.send(
        "PUT", "/v1/events/summit", {"id": "summit", "kind": "summit", "name": {"ko": "서밋"}, "tags": ["ai"]}
    )
    return service


@pytest.fixture
def feeds(served):
    def run(*args, key=ADMIN):
        return CliRunner().invoke(main, ["feeds", *args], env={"DDAY_URL": served.url, "DDAY_API_KEY": key})

    return run


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def test_a_feed_is_made_listed_moved_and_removed_and_no_token_stays_behind(served, feeds):
    asked = ("--filter", "tag=ai", "--option", "alarms=P7D,P1D", "--option", "placeholders=true")
    added = feeds("add", "우리 팀", *asked)
    assert added.exit_code == 0, added.stderr
    first = added.stdout.strip()
    [listed] = msgspec.json.decode(feeds("list", "--json").stdout)
    assert (listed["filter"], listed["options"]) == (
        {"tag": "ai"},
        {"alarms": ["P7D", "P1D"], "placeholders": True},
    )
    assert listed["id"] in feeds("list").stdout and "우리 팀" in feeds("list").stdout
    second = feeds("rotate", listed["id"]).stdout.strip()
    assert (status(first), status(second)) == (200, 200)
    third = feeds("rotate", listed["id"], "--overlap", "PT0S").stdout.strip()
    assert [status(url) for url in (first, second, third)] == [410, 410, 200]
    assert feeds("remove", listed["id"]).exit_code == 0
    assert status(third) == 410
    assert (served.folder / "dday.db-wal").exists()
    left = b"".join(file.read_bytes() for file in served.folder.iterdir() if file.is_file())
    secrets = [url.split("/")[5].split("_", 1)[1].encode() for url in (first, second, third)]
    assert [secret in left for secret in secrets] == [False, False, False]


@pytest.mark.parametrize(
    ("args", "key", "code", "words"),
    [
        (("list",), "", 2, "DDAY_API_KEY is not set"),
        (("rotate", "fed_nothing"), ADMIN, 1, "fed_nothing"),
        (("rotate", "../keys"), ADMIN, 2, "'../keys' is no id"),
        (("remove", "."), ADMIN, 2, "'.' is no id"),
        (("add", "x", "--option", "windows"), ADMIN, 2, "two parts"),
        (("add", "x", "--option", "past=soon"), ADMIN, 1, "/options/past"),
        (("add", "x", "--filter", "kind=ball"), ADMIN, 2, "--filter"),
    ],
)
def test_a_refusal_is_one_sentence(feeds, args, key, code, words):
    result = feeds(*args, key=key)
    assert (result.exit_code, words in result.stderr) == (code, True), result.stderr
