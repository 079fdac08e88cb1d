"""Schemathesis over our own OpenAPI document: no server error, nothing the document does not say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from service.app import build, open_service
from service.clock import SimulatedClock
from tests.service.api.conftest import ADMIN, NOW, settings_in

QUIET = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.generate),
}
FORUM = {"id": "a", "kind": "forum", "name": {"ko": "포럼"}, "start": "2026-04-01"}
# A schema cannot say that an end follows its start or that a series exists: some data that fits is a 422.
KEY = {"Authorization": f"Bearer {ADMIN}"}
NOT_CHECKED = [positive_data_acceptance]
# A feed ignores what it does not understand: a program would disable a calendar that answers 4xx.
FORGIVING = [*NOT_CHECKED, negative_data_rejection]


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Any]:
    """The document of an app with one event in it, called in this process."""
    service = open_service(
        settings_in(tmp_path_factory.mktemp("schemathesis"), migrated), clock=SimulatedClock(NOW)
    )
    app = build(service)

    async def without_lifespan(scope: Any, receive: Any, send: Any) -> None:
        # Schemathesis opens and closes the app's lifespan around every call; the store is to stay open.
        if scope["type"] == "http":
            await app(scope, receive, send)
            return
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})

    yield schemathesis.openapi.from_asgi("/v1/openapi.json", without_lifespan)
    service.close()


def not_checked(case: Any) -> list[Any]:
    return FORGIVING if case.operation.path.startswith("/feeds/") else NOT_CHECKED


def sent(schema: Any, *, examples: int, headers: dict[str, str]) -> int:
    """Send so many cases an operation and mode, each held to every check; how many went out."""
    count = 0
    failures = []
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(max_examples=examples, **QUIET)
            def run(case: Any) -> None:
                nonlocal count
                count += 1
                case.call_and_validate(headers=headers, excluded_checks=not_checked(case))

            try:
                run()
            except Unsatisfiable:
                continue  # not every operation has a way to be asked wrongly
            except FailureGroup as group:
                failures += [f"{operation.label}: {failure}" for failure in group.exceptions]
    assert failures == [], "\n\n".join(failures)
    return count


@pytest.mark.campaign(minutes=1)
def test_answers_are_as_documented(schema: Any) -> None:
    assert sent(schema, examples=10, headers=KEY) >= 1000


@pytest.mark.campaign
def test_answers_without_a_key_are_as_documented(schema: Any) -> None:
    assert sent(schema, examples=3, headers={}) >= 300
