"""Three events, and how a calendar program asks for them."""

from datetime import UTC, datetime
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]
PLAIN = {"accept-encoding": "identity"}
NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADMIN = "dday_admin000_" + "A" * 43
SUMMIT = {
    "id": "summit-2026",
    "kind": "summit",
    "name": {"ko": "글로벌 벤처투자 서밋", "en": "Global Venture Summit"},
    "start": "2026-04-07T14:00",
    "end": "2026-04-07T18:00",
    "place": {"name": {"ko": "DDP"}, "city": "서울"},
    "tags": ["investment"],
}
CALL = {
    "id": "challenge-2026-call",
    "kind": "application_window",
    "name": {"ko": "스타트업 챌린지 모집", "en": "Startup Challenge: call"},
    "start": "2026-03-02",
    "end": "2026-03-27T18:00",
    "close_rule": "fixed",
}
MONTH = {"id": "seoulcon-2026", "kind": "conference", "name": {"ko": "서울콘 2026"}, "start": "2026-11"}


def put(client: Client, curator: dict[str, str], event: dict[str, Any]) -> None:
    answer = client.put(f"/v1/events/{event['id']}", json=event, headers=curator)
    assert answer.status_code in (200, 201), answer.text


def fetch(client: Client, path: str, **headers: str) -> Any:
    return client.get(
        path, headers={**PLAIN, **{name.replace("_", "-"): text for name, text in headers.items()}}
    )


def titles(answer: Any) -> list[str]:
    unfolded = answer.text.replace("\r\n ", "")
    return [line[8:] for line in unfolded.split("\r\n") if line.startswith("SUMMARY:")]
