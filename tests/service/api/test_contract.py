"""The OpenAPI document: valid, complete, and what the authorisation matrix is made from."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from litestar import Litestar
from litestar.testing import TestClient

from service.clock import SimulatedClock
from service.errors import Problem, catalogue
from tests.service.api.conftest import ADMIN, NOW, bearer, new_key

Client = TestClient[Litestar]
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def contract(shared: Client) -> dict[str, Any]:
    document: dict[str, Any] = shared.get("/v1/openapi.json").json()
    return document


def operations(contract: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(m, p, entry) for p, entries in contract["paths"].items() for m, entry in entries.items()]


def is_fetched(entry: dict[str, Any]) -> bool:
    """A feed is answered before any routing, and never refused over what is asked for."""
    return bool(entry["operationId"].startswith("read_") and "400" not in entry["responses"])


def test_every_schema_is_one_and_every_reference_leads_somewhere(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(contract)))
    assert named <= set(schemas)


def test_every_route_is_in_the_document(shared: Client, contract: dict[str, Any]) -> None:
    served = {
        (method.lower(), re.sub(r":\w+\}", "}", route.path))
        for route in shared.app.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }
    documented = {(method, path) for method, path, entry in operations(contract) if not is_fetched(entry)}
    undocumented = {path for _, path in served - documented}
    assert (documented - served, {p for p in undocumented if p.startswith("/v1")}) == (set(), set())


def test_the_methods_of_a_path_stand_in_one_order_in_every_process(contract: dict[str, Any]) -> None:
    methods = {path: list(entries) for path, entries in contract["paths"].items()}
    assert methods == {path: sorted(own) for path, own in methods.items()}


def test_every_operation_is_named_once_and_described(contract: dict[str, Any]) -> None:
    names = [entry["operationId"] for _, _, entry in operations(contract)]
    assert len(names) == len(set(names))
    assert all(entry["summary"] and entry["description"] for _, _, entry in operations(contract))


def test_every_operation_states_its_errors(contract: dict[str, Any]) -> None:
    for method, path, entry in operations(contract):
        stated = set(entry["responses"])
        needed = {"503"} if is_fetched(entry) else {"400", "500", "503"}
        needed |= {"401", "403"} if entry.get("security") else set()
        needed |= {"413", "415", "422"} if "requestBody" in entry else set()
        needed |= {"404"} if "{" in path else set()
        assert needed <= stated, f"{method} {path}: {needed - stated}"


def test_every_body_refuses_unknown_fields(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    loose = [
        name
        for name, s in schemas.items()
        if "properties" in s and s.get("additionalProperties") is not False
    ]
    assert loose == []


def test_the_docs_page_shows_every_operation_and_needs_nothing_from_elsewhere(
    shared: Client, contract: dict[str, Any]
) -> None:
    page = shared.get("/docs")
    missing = [
        entry["operationId"] for _, _, entry in operations(contract) if entry["operationId"] not in page.text
    ]
    assert missing == []
    headings = {"Parameter", "Field", "Type", "Answer", "Body", "Meaning", ""}
    assert set(re.findall("<th>(.*?)</th>", page.text)) == headings
    assert re.findall(r'(?:src|href)="(?![#/])[^"]*"', page.text) == []
    assert "<script" not in page.text and "style=" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert shared.get("/docs/style.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_problem_has_a_page_for_people(shared: Client, name: str) -> None:
    page = shared.get(f"/problems/{name}")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<code>/problems/{name}</code>" in page.text


def test_every_kind_of_problem_has_a_name_of_its_own() -> None:
    def kinds(kind: type[Problem]) -> list[type[Problem]]:
        return [kind, *(below for child in kind.__subclasses__() for below in kinds(child))]

    assert len(catalogue()) == len(kinds(Problem))


def test_the_authorisation_matrix_holds(
    client: Client, clock: SimulatedClock, contract: dict[str, Any]
) -> None:
    """Every operation with every kind of key: the answer says only whether the key's scope suffices."""
    expired = new_key(client, "admin", expires_at=(NOW + timedelta(hours=1)).isoformat())
    revoked = new_key(client, "admin")
    client.delete(f"/v1/keys/{revoked['authorization'][12:20]}", headers=bearer(ADMIN))
    clock.advance(timedelta(hours=2))
    keys = {
        "none": {},
        "unknown": bearer("dday_nobody00_" + "A" * 43),
        "garbage": bearer("x"),
        "other scheme": {"authorization": f"Basic {ADMIN}"},
        "wrong secret": bearer(ADMIN[:-1] + "B"),
        "expired": expired,
        "revoked": revoked,
        **{scope: new_key(client, scope) for scope in SCOPES},
    }
    surprises = []
    bodies: set[bytes] = set()
    for method, path, entry in operations(contract):
        needed = entry.get("x-scope")
        for name, headers in keys.items():
            answer = client.request(method, re.sub(r"\{\w+\}", "nothing-here", path), headers=headers)
            expected = None if needed is None or name in (needed, "admin") else 403 if name in SCOPES else 401
            surprise = (
                answer.status_code in (401, 403) if expected is None else answer.status_code != expected
            )
            surprises += [(method, path, name, answer.status_code)] if surprise else []
            bodies |= {answer.content} if answer.status_code == 401 else set()
    assert surprises == []
    assert len(bodies) == 1


SCOPES = ("catalogue", "webhooks", "feeds", "admin")
