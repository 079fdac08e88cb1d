"""The servers that benchmarks/feeds.py compares: each serves the same calendar from a process of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec

from service.catalogue import validation
from service.catalogue.event import Event, Place, Text
from service.store import events
from service.store.engine import Store

ADMIN = "dday_bench000_" + "B" * 43
PATH = "/feeds/ko/calendar.ics?detail=full"

RAW = """
import json, sys
from pathlib import Path
from service import server
body, port = Path(sys.argv[1]).read_bytes(), int(sys.argv[2])
parts = json.loads(Path(sys.argv[3]).read_text())
whole, held = ([(n.encode(), v.encode()) for n, v in part] for part in parts)
async def app(scope, receive, send):
    if scope["type"] != "http":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["query_string"] == b"304":
        await send({"type": "http.response.start", "status": 304, "headers": held})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": whole})
        await send({"type": "http.response.body", "body": body})
server.run(server.serve(app, host="127.0.0.1", port=port, ready=lambda: None))
"""


class Server(msgspec.Struct, kw_only=True):
    """A running server: where its calendar is, with which headers, and how one event is changed."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    path: str
    headers: dict[str, str] = {}
    held_path: str = ""
    line: HTTPConnection | None = None
    edit: Callable[[int], None] | None = None

    def cpu(self) -> float:
        """Seconds of CPU so far, threads that have ended included."""
        # What clock_getcpuclockid(3) gives for a process on Linux.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def get(self, path: str = "", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Over one connection that is kept open."""
        for _ in range(2):
            self.line = self.line or HTTPConnection("127.0.0.1", self.port, timeout=120)
            try:
                self.line.request("GET", path or self.path, headers={**self.headers, **headers})
                answer = self.line.getresponse()
                body = answer.read()
            except (OSError, HTTPException):
                self.line = None
                continue
            return answer.status, body, {name.lower(): value for name, value in answer.getheaders()}
        raise OSError(f"{self.name} does not answer")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    name: str, command: list[str], port: int, path: str, *, folder: Path, env: dict[str, str] | None = None
) -> Server:
    log = (folder / f"{name}.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(env or {})})
    server = Server(name=name, port=port, process=process, path=path)
    for _ in range(300):
        try:
            server.get("/")
            return server
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{name} does not answer; see {log.name}")


def catalogue(size: int) -> list[Event]:
    """Events of one entry each, spread over the year to come, about 750 bytes in a calendar."""
    first = datetime.now(UTC).date()
    return [
        validation.check(
            Event(
                id=f"event-{number}",
                kind="conference",
                name=Text(ko=f"글로벌 스타트업 콘퍼런스 {number}", en=f"Startup conference {number}"),
                summary=Text(ko="창업자와 투자자가 만나 기술과 시장을 이야기합니다. " * 3),
                start=f"{_day(first, number)}T{9 + number % 9:02}:00",
                end=f"{_day(first, number)}T{10 + number % 9:02}:30",
                place=Place(name=Text(ko="동대문디자인플라자"), city="서울", address="서울 중구 을지로 281"),
                tags=("ai", "startup"),
            )
        )
        for number in range(size)
    ]


def _day(first: date, number: int) -> str:
    return (first + timedelta(days=1 + number % 360)).isoformat()


def dday(folder: Path, size: int) -> Server:
    url = f"sqlite:///{folder}/dday.db"
    store = Store.open(url)
    store.write(lambda c: events.put_many(c, catalogue(size), now=datetime.now(UTC), cause="benchmark"))
    store.close()
    port = free_port()
    env = {"DDAY_DATABASE_URL": url, "DDAY_PORT": str(port), "DDAY_SEEDS": "none", "DDAY_ADMIN_KEY": ADMIN}
    command = [sys.executable, "-m", "service", "serve", "--no-deliver"]
    server = start("dday", command, port, PATH, folder=folder, env=env)
    changed = catalogue(1)[0]

    def edit(turn: int) -> None:
        event = msgspec.structs.replace(changed, name=Text(ko=f"바뀐 이름 {turn}"))
        _put(server, f"/v1/events/{event.id}", msgspec.json.encode(event), "application/json")

    server.edit = edit
    return server


def _put(server: Server, path: str, body: bytes, kind: str) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = (
        {"content-type": kind, "authorization": f"Bearer {ADMIN}"}
        if server.name == "dday"
        else {"content-type": kind}
    )
    connection.request("PUT", path, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status not in (200, 201, 204):
        raise SystemExit(f"{server.name}: PUT {path}: {answer.status} {text[:200]!r}")


def raw_asgi(folder: Path, ours: Server) -> Server:
    """The least an ASGI application can do on the same server: the same bytes and headers, fixed."""
    _, calendar, whole = ours.get()
    _, _, held = ours.get(**{"if-none-match": whole["etag"]})
    added = ("date", "server", "content-length", "transfer-encoding")
    parts = [[(n, v) for n, v in part.items() if n not in added] for part in (whole, held)]
    parts[0].append(("content-length", str(len(calendar))))
    (folder / "calendar.ics").write_bytes(calendar)
    (folder / "headers.json").write_text(json.dumps(parts))
    port = free_port()
    files = [f"{folder}/calendar.ics", str(port), f"{folder}/headers.json"]
    server = start("raw", [sys.executable, "-c", RAW, *files], port, "/", folder=folder)
    server.held_path = "/?304"
    return server


def radicale(folder: Path, ours: Server) -> Server:
    _, calendar, _ = ours.get()
    port = free_port()
    options = {
        "auth-type": "none",
        "storage-filesystem-folder": f"{folder}/radicale",
        "server-hosts": f"127.0.0.1:{port}",
    }
    options |= {
        "rights-type": "authenticated",
        "logging-level": "error",
        "server-max-content-length": "100000000",
    }
    command = [sys.executable, "-m", "radicale", *(f"--{name}={value}" for name, value in options.items())]
    server = start("radicale", command, port, "/bench/calendar/", folder=folder)
    server.headers = {"authorization": "Basic YmVuY2g6YmVuY2g="}
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request(
        "PUT", "/bench/calendar/", body=calendar, headers={**server.headers, "content-type": "text/calendar"}
    )
    answer = connection.getresponse()
    if answer.status not in (200, 201):
        raise SystemExit(f"radicale took no calendar: {answer.status} {answer.read()[:200]!r}")
    answer.read()
    server.edit = _editing(server, calendar, "/bench/calendar/edited.ics")
    return server


def xandikos(folder: Path, ours: Server) -> Server:
    """Filled through git, as 10,000 PUTs are 10,000 commits."""
    _, calendar, _ = ours.get()
    home = folder / "xandikos" / "user" / "calendars" / "calendar"
    home.mkdir(parents=True)
    for number, event in enumerate(pieces(calendar)):
        (home / f"{number}.ics").write_bytes(event)
    (home / ".xandikos").write_text("[DEFAULT]\ntype = calendar\n")
    git = [shutil.which("git") or "git", "-C", str(home), "-c", "user.name=b", "-c", "user.email=b@b"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "calendar"]):
        subprocess.run([*git, *step], check=True)
    port = free_port()
    command = [sys.executable, "-m", "xandikos", "serve", "-d", f"{folder}/xandikos", "--defaults"]
    command += ["--listen-address", "127.0.0.1", "--port", str(port), "--current-user-principal", "/user/"]
    server = start("xandikos", command, port, "/user/calendars/calendar/", folder=folder)
    server.headers = {"accept": "text/calendar"}
    server.edit = _editing(server, calendar, "/user/calendars/calendar/edited.ics")
    return server


def _editing(server: Server, calendar: bytes, path: str) -> Callable[[int], None]:
    one = pieces(calendar)[0]

    def edit(turn: int) -> None:
        body = one.replace(b"SUMMARY:", b"SUMMARY:%d " % turn).replace(b"UID:", b"UID:edited-")
        connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
        connection.request(
            "PUT", path, body=body, headers={**server.headers, "content-type": "text/calendar"}
        )
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status not in (200, 201, 204):
            raise SystemExit(f"{server.name}: PUT {path}: {answer.status}")

    return edit


def pieces(calendar: bytes) -> list[bytes]:
    """A calendar of its own for each event."""
    head = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//b//b//EN\r\n"
    zone = calendar[calendar.index(b"BEGIN:VTIMEZONE") : calendar.index(b"BEGIN:VEVENT")]
    bodies = calendar.split(b"BEGIN:VEVENT\r\n")[1:]
    ends = b"END:VEVENT\r\n"
    return [
        head + zone + b"BEGIN:VEVENT\r\n" + body[: body.index(ends) + len(ends)] + b"END:VCALENDAR\r\n"
        for body in bodies
    ]
