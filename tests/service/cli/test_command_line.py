"""What holds for every command."""

import os
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import psycopg
import pytest
import rich_click as click
from click.testing import CliRunner

from service.cli import BY_NAME, main
from service.cli.console import ABOUT, countdown
from service.settings import Settings, spelt
from service.store.engine import Store

THEIRS = "The database is another program's: it has tables ({}), but not those of Dday."
CLOSED = "The database cannot be opened: {}."
DOCS = Path(__file__).resolve().parents[3]


def run(*args, **env):
    return CliRunner().invoke(main, args, env=env)


def commands(group=main, before=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        _, command, _ = group.resolve_command(context, [name])
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_explains_itself(path):
    result = run(*path, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Usage" in result.stdout


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_is_in_the_guides(path):
    texts = [file.read_text("utf-8") for file in (DOCS / "README.md", *(DOCS / "docs").glob("*.md"))]
    assert any(f"dday {' '.join(path)}" in text for text in texts)


def test_every_setting_has_its_flag_and_its_line_in_the_guide_with_its_default():
    guide = (DOCS / "docs" / "run-it.md").read_text("utf-8")
    assert set(ABOUT) | {"deliver"} == set(Settings.__struct_fields__)
    lines = dict(re.findall(r"^\| `DDAY_(\w+)` \| ([^|]*?)\s*\|", guide, re.MULTILINE))
    defaults = {name: getattr(Settings(), name) for name in Settings.__struct_fields__}
    assert set(lines) == {name.upper() for name in defaults}
    written = {name.upper(): f"`{spelt(value)}`" for name, value in defaults.items() if value}
    assert lines | written | {"SEEDS": lines["SEEDS"]} == lines


@pytest.mark.parametrize("name", BY_NAME)
def test_the_list_of_commands_says_of_each_what_the_command_says_of_itself(name):
    _, command, _ = main.resolve_command(click.Context(main), [name])
    assert " ".join(command.help.split("\n\n")[0].split()) == BY_NAME[name][1]


# Each costs a quarter of a second or more, and no command that only talks to a running service needs it.
HEAVY = {
    *("litestar", "granian", "uvloop", "sqlalchemy", "alembic", "psycopg", "httpx", "aiohttp", "jinja2"),
    *("icalendar", "apscheduler", "cryptography", "prometheus_client", "yaml", "asyncio"),
}
LOADED = """
import sys
from service.cli import BY_NAME, main
try:
    main(sys.argv[1:])
finally:
    print("\\n", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def loaded(*args, **env):
    """The top-level packages that a process has imported which ran this command."""
    command = [sys.executable, "-c", LOADED, *args]
    run = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split())


class EmptyList(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"items": [], "next": null}')


@pytest.fixture(scope="module")
def empty_service():
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyList) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"DDAY_URL": f"http://127.0.0.1:{server.server_port}", "DDAY_API_KEY": "dday_x"}
        server.shutdown()


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "--version",
        "webhooks list",
        "webhooks --help",
        "feeds list",
        "feeds add --help",
        "listen --help",
    ],
)
def test_what_needs_no_service_of_its_own_loads_none(empty_service, line):
    assert HEAVY & loaded(*line.split(), **empty_service) == set()


def test_a_database_that_is_up_to_date_is_opened_without_alembic(tmp_path):
    database = f"sqlite:///{tmp_path}/dday.db"
    Store.open(database).close()
    assert {"alembic", "mako", "litestar"} & loaded("keys", "list", DDAY_DATABASE_URL=database) == set()


def test_an_unknown_command_is_a_wrong_call():
    assert run("remind").exit_code == 2


def test_a_bad_setting_is_a_wrong_call_that_names_it():
    result = run("seed", DDAY_PORT="eighty")
    assert (result.exit_code, "DDAY_PORT must be a whole number" in result.stderr) == (2, True)


@pytest.mark.parametrize("path", [("webhooks", "list"), ("feeds", "list"), ("listen",)], ids=" ".join)
def test_a_bad_address_of_the_service_is_a_wrong_call_that_names_it(path):
    result = run(*path, DDAY_URL="nonsense", DDAY_API_KEY="dday_x")
    assert (result.exit_code, "DDAY_URL must be an http or https address" in result.stderr) == (2, True)


def test_an_unknown_setting_is_named():
    result = run("seed", DDAY_PROT="80")
    assert (result.exit_code, "DDAY_PROT is not a setting" in result.stderr) == (2, True)


def test_the_contract_can_be_had_without_a_service():
    document = msgspec.json.decode(run("openapi").stdout)
    assert document["openapi"].startswith("3.1")
    assert "/v1/events" in document["paths"]


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        ("P7D", "D-7"),
        ("P1D", "D-1"),
        ("P0D", "D-day"),
        ("PT0S", "D-day"),
        ("PT3H", "-3h"),
        ("PT2H30M", "-2h30m"),
    ],
)
def test_a_countdown_reads_as_in_korea(before, shown):
    assert countdown(before) == shown


@pytest.mark.parametrize(
    ("database", "code", "sentence"),
    [
        ("sqlite:////proc/dday.db", 1, "No such file or directory: /proc/dday.db.write.lock"),
        ("sqlite:///{folder}/none/a.db", 2, "There is no folder {folder}/none for the database a.db."),
        ("sqlite:///{folder}", 1, "The database {folder} is a folder; it must be a file."),
        ("sqlite:////", 1, "The database / is a folder; it must be a file."),
        ("sqlite:////dev/null", 1, "The database /dev/null is a device or the like; it must be a file."),
        (
            "sqlite:///{folder}/fifo.db",
            1,
            "The database {folder}/fifo.db is a device or the like; it must be a file.",
        ),
        ("sqlite:///{folder}/text.db", 1, "The file {folder}/text.db is damaged, or is not a database."),
        ("sqlite:///{folder}/notes.db", 1, THEIRS.format("notes")),
        ("sqlite:///{folder}/alembic.db", 1, THEIRS.format("alembic_version, event")),
        ("postgresql://127.0.0.1:1/x", 1, CLOSED.format('no server listens at "127.0.0.1", port 1')),
        ("postgres://dday.invalid/x", 1, CLOSED.format("no host has the name dday.invalid")),
        ("postgresql:///x?host=/none", 1, CLOSED.format("no server listens at /none/.s.PGSQL.5432")),
        ("postgresql://127.0.0.1/x?sslmod=1", 1, CLOSED.format('invalid connection option "sslmod"')),
        (
            "postgresql://127.0.0.1:port/x",
            2,
            "The database is sqlite:///path or postgresql://user@host/name.",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_one_sentence(tmp_path, database, code, sentence):
    (tmp_path / "text.db").write_text("Not a database at all.")
    os.mkfifo(tmp_path / "fifo.db")
    made_elsewhere(tmp_path / "notes.db", "notes")
    made_elsewhere(tmp_path / "alembic.db", "alembic_version", "event")
    before = folder_of(tmp_path)
    result = run("keys", "list", "--database-url", database.format(folder=tmp_path))
    assert (result.exit_code, result.stderr) == (code, f"Error: {sentence.format(folder=tmp_path)}\n")
    assert folder_of(tmp_path) == before


def made_elsewhere(path, *tables):
    with closing(sqlite3.connect(path)) as c:
        for table in tables:
            c.execute(f"CREATE TABLE {table} (version_num)")


def folder_of(path):
    return {each.name: each.stat() if each.is_fifo() else each.read_bytes() for each in path.iterdir()}


@pytest.mark.parametrize(
    ("user", "password", "database", "reason"),
    [
        ("locked", ":wrong", "postgres", "the password for user locked is wrong"),
        ("locked", "", "postgres", "the server asks for a password, and the address has none"),
        ("locked", ":right", "none", "the server has no database none"),
        ("nobody", "", "postgres", "the server has no user nobody"),
        ("locked", ":right", "template1", "permission denied for schema public"),
    ],
)
def test_what_postgresql_refuses_is_told_in_one_sentence(
    pg_server, monkeypatch, user, password, database, reason
):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with suppress(psycopg.errors.DuplicateObject):
        pg_server.run("CREATE ROLE locked LOGIN PASSWORD 'right'")
    url = pg_server.url(database).replace("postgres:@", f"{user}{password}@")
    result = run("keys", "list", "--database-url", url)
    assert (result.exit_code, result.stderr) == (1, f"Error: {CLOSED.format(reason)}\n")


def test_tables_of_another_program_in_postgresql_are_left_alone_unless_they_have_our_names(pg_empty_url):
    with psycopg.connect(pg_empty_url, autocommit=True) as c:
        c.execute("CREATE TABLE notes (id int); CREATE TABLE event (id int)")
        refused = run("keys", "list", "--database-url", pg_empty_url)
        assert (refused.exit_code, refused.stderr) == (1, f"Error: {THEIRS.format('event')}\n")
        c.execute("DROP TABLE event")
        assert run("keys", "list", "--database-url", pg_empty_url).exit_code == 0
        assert c.execute("SELECT count(*) FROM notes").fetchone() == (0,)
