"""A feed's name leads to one series, program or organization: an id is not given twice among them."""

import itertools

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]
ROOMS = ("series", "programs", "organizations")
NAMED = {"name": {"ko": "팁스"}}


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(ROOMS, 2)))
def test_an_id_that_names_a_feed_is_refused_to_another_kind(
    client: Client, curator: dict[str, str], first: str, second: str
) -> None:
    assert client.put(f"/v1/{first}/tips", json=NAMED, headers=curator).status_code == 201
    refused = client.put(f"/v1/{second}/tips", json=NAMED, headers=curator)
    [fault] = refused.json()["errors"]
    one = first.removesuffix("s") if first != "series" else first
    assert (refused.status_code, fault["pointer"]) == (422, "/id")
    assert fault["detail"] == f"the {one} 'tips' has this id, and its feed this name; choose another"
    assert client.get(f"/v1/{second}/tips").status_code == 404
    # What is there can still be written, and its id is free once it is gone.
    assert client.put(f"/v1/{first}/tips", json={"name": {"en": "TIPS"}}, headers=curator).status_code == 200
    assert client.delete(f"/v1/{first}/tips", headers=curator).status_code == 204
    assert client.put(f"/v1/{second}/tips", json=NAMED, headers=curator).status_code == 201


def test_a_source_has_no_feed_and_may_have_any_id(client: Client, curator: dict[str, str]) -> None:
    assert client.put("/v1/programs/tips", json=NAMED, headers=curator).status_code == 201
    source = {"title": "팁스", "kind": "news", "retrieved": "2026-01-01"}
    assert client.put("/v1/sources/tips", json=source, headers=curator).status_code == 201
