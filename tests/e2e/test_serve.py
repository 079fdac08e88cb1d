"""A fresh folder, a fresh process, a real port: what a stranger sees who types `dday serve`."""

import json
import os
import re
import signal
import stat
import tempfile
import time
import urllib.error
from pathlib import Path

import pytest
import vobject

from service.cli.receiver import Receiver
from service.store import events
from service.store.engine import Store
from tests.e2e.ports import free_port
from tests.e2e.served import start
from tests.processes import children
from tests.support import postgres

__all__ = ["start"]


@pytest.fixture(scope="module")
def served(start, tmp_path_factory):
    service = start(tmp_path_factory.mktemp("served"), free_port())
    service.wait()
    yield service
    assert service.stop() == 0


def test_an_empty_folder_becomes_a_service_with_its_seeds(served):
    files = {file.name for file in served.folder.iterdir()}
    assert {"dday.db", "dday.key"} <= files
    assert stat.S_IMODE((served.folder / "dday.key").stat().st_mode) == 0o600
    assert len(served.json("/v1/events")["items"]) == 50


def test_the_31st_ministerial_is_where_its_evidence_says(served):
    editions = served.json("/v1/events?series=apec-sme-ministerial&sort=start")["items"]
    [ministerial] = [event for event in editions if (event["edition"] or {}).get("number") == 31]
    assert ministerial["start"] in ("2025-09-01", "2025-09-05")
    assert ministerial["end"] == "2025-09-05"


def test_a_calendar_opens_in_a_parser_that_is_not_ours(served):
    calendar = vobject.readOne(served.get("/feeds/ko/calendar.ics").decode())
    titles = {entry.summary.value for entry in calendar.vevent_list}
    assert any("장관회의" in title for title in titles)


def test_a_browser_finds_the_way_and_every_way_leads_somewhere(served):
    page = served.get("/").decode()
    links = re.findall(r'href="(/[^"]*)"', page)
    assert "/feeds/ko/deadlines.ics" in links
    assert {link: len(served.get(link)) > 0 for link in links} == dict.fromkeys(links, True)


def test_the_contract_and_its_page_are_served(served):
    assert served.json("/v1/openapi.json")["openapi"].startswith("3.1")
    assert b"<h1>" in served.get("/docs")


def test_a_webhook_is_tested_and_the_message_is_genuine(served):
    arrived, secret = [], []

    def answer(arrival):
        arrived.append(arrival)
        return 204

    with Receiver(answer, secret=lambda: secret[0]) as receiver:
        made = served.send("POST", "/v1/webhooks", {"url": receiver.url, "name": "e2e"})
        secret.append(made["secret"])
        served.send("POST", f"/v1/webhooks/{made['id']}/test", {})
    assert [(json.loads(one.body)["type"], one.fault) for one in arrived] == [("webhook.test", None)]


def test_a_second_service_on_the_same_file_is_refused_in_a_sentence(served, start, tmp_path):
    database = f"sqlite:///{served.folder}/dday.db"
    code, words = start(tmp_path, free_port(), DDAY_DATABASE_URL=database).refusal()
    assert (code, words.startswith("Error: Another Dday service (process ")) == (1, True)


def test_a_second_service_on_the_same_port_is_refused_in_a_sentence(served, start, tmp_path):
    code, words = start(tmp_path, served.port).refusal()
    assert (code, words) == (
        2,
        f"Error: DDAY_PORT {served.port} on 127.0.0.1 is in use by another process.\n",
    )
    assert {file.name for file in tmp_path.iterdir()} == {"log"}


def test_it_stops_when_told_and_keeps_what_it_knew(start, tmp_path):
    """By SIGTERM and by SIGINT: the next start serves what was written before, and the file has it all."""
    made = []
    for number in (signal.SIGTERM, signal.SIGINT):
        service = start(tmp_path, free_port(), "--no-deliver", "--seeds", "none")
        service.wait()
        assert {each["id"] for each in service.json("/v1/events")["items"]} == set(made)
        body = {"kind": "showcase", "name": {"ko": "데모데이"}, "start": "2027-01-01"}
        made.append(service.send("POST", "/v1/events", body)["id"])
        assert service.stop(number) == 0
    store = Store.open(f"sqlite:///{tmp_path}/dday.db", migrate=False)
    assert set(store.read(lambda c: events.get_many(c, made))) == set(made)
    store.close()


def test_a_missing_key_file_is_not_made_anew_over_secrets(start, tmp_path):
    first = start(tmp_path, free_port(), "--no-deliver", "--seeds", "none")
    first.wait()
    first.send("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9/", "name": "x"})
    assert first.stop() == 0
    (tmp_path / "dday.key").unlink()
    code, words = start(tmp_path, free_port()).refusal()
    assert (code, "dday.key is missing" in words) == (2, True)
    assert not (tmp_path / "dday.key").exists()


@pytest.fixture
def frozen_postgres():
    """A PostgreSQL of its own: its address, and what freezes all its processes until the test ends."""
    frozen = []
    with tempfile.TemporaryDirectory(prefix="dday-pg-") as folder:
        server = postgres.Server(Path(folder), lambda url: Store.open(url).close())

        def freeze():
            pid = int((Path(folder) / "data" / "postmaster.pid").read_text().split()[0])
            frozen.extend((pid, *children(pid)))
            for each in frozen:
                os.kill(each, signal.SIGSTOP)

        yield server.url(postgres.TEMPLATE), freeze
        for each in frozen:
            os.kill(each, signal.SIGCONT)
        postgres.stop(Path(folder))


@pytest.mark.campaign(minutes=0.4)
@pytest.mark.timed
def test_a_frozen_postgresql_is_told_by_readyz_in_time_however_often_one_asks(
    start, tmp_path, frozen_postgres
):
    url, freeze = frozen_postgres
    service = start(
        tmp_path,
        free_port(),
        "--no-deliver",
        "--seeds",
        "none",
        DDAY_DATABASE_URL=url,
        DDAY_SECRET_KEY="0a" * 32,
    )
    service.wait()
    freeze()
    for _ in range(5):
        begun = time.monotonic()
        with pytest.raises(urllib.error.HTTPError) as refused:
            service.get("/readyz")
        assert time.monotonic() - begun < 4
        answer = refused.value.read()
        assert (refused.value.status, json.loads(answer)["detail"]) == (
            503,
            "The store has not answered for 3 s.",
        )
        begun = time.monotonic()
        assert service.get("/healthz") == b'{"status":"ok"}'
        assert time.monotonic() - begun < 0.2
