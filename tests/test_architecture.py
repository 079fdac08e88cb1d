"""The rules of the house (CONTRIBUTING.md) that a reader of one file cannot see broken.

import-linter holds the arrow of imports (pyproject.toml); what is here is finer than a module name.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for room in ("feeds", "service") for path in (ROOT / room).rglob("*.py"))


@cache
def trees() -> dict[str, ast.Module]:
    """Every module by its path; read when the first test asks, not by every process that collects."""
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in SOURCES}


MOST_LINES = 400
LONGEST_FUNCTION = 40
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}

ENVIRONMENT = {"os.environ", "os.getenv", "os.environb", "os.putenv"}
WALL_CLOCK = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
}
OUTWARD = {
    "httpx",
    "httpx_aiohttp",
    "aiohttp",
    "requests",
    "urllib.request",
    "http.client",
    "socket",
    "ftplib",
    "smtplib",
}
SQL = {"sqlalchemy", "sqlite3", "psycopg", "alembic"}

# Each exception says why. A new one needs a reason as good.
MAY_OPEN_CONNECTIONS = {
    "service/egress/client.py",  # the only way out
    "service/egress/resolver.py",  # asks the system's resolver
    "service/server.py",  # asks whether the port is free; listens, dials nobody
    "service/connections.py",  # looks at those that came in, dials nobody
    "service/cli/remote.py",  # the client of our own API, at the address the operator gives
    "service/cli/listen.py",  # --forward-to, at the address the developer gives
}


def imported(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """(module, name) of every import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def is_of(module: str, name: str | None, roots: set[str]) -> bool:
    full = f"{module}.{name}" if name else module
    return any(full == root or full.startswith(f"{root}.") or module == root for root in roots)


def dotted(tree: ast.AST) -> Iterator[str]:
    """The last two names of every attribute access: `datetime.datetime.now` is `datetime.now`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            before = node.value
            if isinstance(before, ast.Name):
                yield f"{before.id}.{node.attr}"
            elif isinstance(before, ast.Attribute):
                yield f"{before.attr}.{node.attr}"


def users_of(names: set[str]) -> set[str]:
    """The files that use one of these attributes, or import it by name."""
    return {
        path
        for path, tree in trees().items()
        if names & set(dotted(tree)) or names & {f"{module}.{name}" for module, name in imported(tree)}
    }


def importers_of(roots: set[str]) -> set[str]:
    return {
        path
        for path, tree in trees().items()
        if any(is_of(module, name, roots) for module, name in imported(tree))
    }


def test_only_settings_reads_the_environment():
    assert users_of(ENVIRONMENT) == {"service/settings.py"}


def test_only_clock_reads_the_time():
    assert users_of(WALL_CLOCK) == {"service/clock.py"}


def test_only_egress_opens_connections_outward():
    assert importers_of(OUTWARD) == MAY_OPEN_CONNECTIONS


def test_only_the_store_knows_sql():
    """Elsewhere `Connection` may be named, as the type of what a unit of work is handed."""
    knowing = {
        path
        for path, tree in trees().items()
        if any(is_of(m, n, SQL) and (m, n) != ("sqlalchemy", "Connection") for m, n in imported(tree))
    }
    assert {path for path in knowing if not path.startswith("service/store/")} == set()


def test_only_the_api_the_pages_and_the_app_know_litestar():
    rooms = ("service/api/", "service/pages/", "service/app.py")
    assert {path for path in importers_of({"litestar"}) if not path.startswith(rooms)} == set()


def test_feeds_imports_the_standard_library_msgspec_and_icalendar_only():
    allowed = sys.stdlib_module_names | {"feeds", "msgspec", "icalendar"}
    roots = {
        (path, module.partition(".")[0])
        for path, tree in trees().items()
        if path.startswith("feeds/")
        for module, _ in imported(tree)
    }
    assert {(path, root) for path, root in roots if root not in allowed} == set()


def test_names_say_what_is_inside():
    assert {path for path in trees() if VAGUE_NAMES & set(Path(path).with_suffix("").parts)} == set()


def test_a_module_fits_in_a_readers_head():
    lines = {path: len((ROOT / path).read_text("utf-8").splitlines()) for path in trees()}
    long = {path for path, count in lines.items() if count > MOST_LINES}
    assert {
        path for path in long if f"over {MOST_LINES} lines" not in (ast.get_docstring(trees()[path]) or "")
    } == set()


def test_a_class_name_stands_for_one_thing():
    places: dict[str, list[str]] = {}
    for path, tree in trees().items():
        if path.startswith("service/"):
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(f"{path}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def lengths(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each function and the lines of its body, docstring apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                yield node.name, (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_a_function_fits_on_a_screen():
    """Migrations apart: a table is written out column by column."""
    long = {
        (path, name, lines)
        for path, tree in trees().items()
        if "/migrations/" not in path
        for name, lines in lengths(tree)
    }
    assert {found for found in long if found[2] > LONGEST_FUNCTION} == set()
