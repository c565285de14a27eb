"""Who may do what, of every route that the description names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from indexer.catalog.opening import CatalogOptions
from queries.service.access import PUBLIC
from queries.service.app import create_app
from queries.service.keys import KeyFile, Scope
from queries.service.settings import ServiceSettings

NEEDS = {
    ("put", "/v1/labels"): Scope.ADMIN,
    ("delete", "/v1/labels/{label_id}"): Scope.ADMIN,
    ("post", "/v1/jobs/teach"): Scope.ADMIN,
    ("post", "/v1/jobs/ingest"): Scope.WRITE,
    ("post", "/v1/jobs/categorize"): Scope.WRITE,
    ("post", "/v1/jobs/retry"): Scope.WRITE,
    ("post", "/v1/jobs/duplicates"): Scope.WRITE,
    ("post", "/v1/jobs/audit"): Scope.WRITE,
    ("post", "/v1/jobs/map"): Scope.WRITE,
    ("post", "/v1/jobs/project"): Scope.WRITE,
    ("delete", "/v1/jobs/{job_id}"): Scope.WRITE,
    ("post", "/v1/items"): Scope.WRITE,
    ("delete", "/v1/items/{item_id}"): Scope.WRITE,
    ("post", "/v1/review"): Scope.WRITE,
    ("post", "/v1/review/several"): Scope.WRITE,
    ("post", "/v1/review/withdraw"): Scope.WRITE,
}
"""What needs more than a key to read; what changes something and is not here fails below."""

READS_BY_POST = {
    "/v1/classify",
    "/v1/explain",
    "/v1/objects",
    "/v1/review/queue",
    "/v1/search",
}


@pytest.fixture
def keys(options: CatalogOptions) -> dict[Scope, str]:
    """A key of each scope."""
    file = KeyFile(options.data_dir)
    return {scope: file.create(scope, scope) for scope in Scope}


@pytest.fixture
def guarded(
    keys: dict[Scope, str], options: CatalogOptions, settings: ServiceSettings
) -> Iterator[TestClient]:
    """A client, without a key, of a service with keys."""
    assert keys
    with TestClient(create_app(options, settings), base_url="http://shop.example") as client:
        yield client


def test_every_route_asks_for_a_key_of_its_scope(
    guarded: TestClient, keys: dict[Scope, str]
) -> None:
    """Without one 401, also where the body is nonsense; with one of less scope 403."""
    paths = guarded.get("/openapi.json").json()["paths"]
    asked = [(method, path) for path, methods in paths.items() for method in methods]
    assert len(asked) > 20
    for method, path in asked:
        if path in PUBLIC:
            continue
        url = path.replace("{", "").replace("}", "")
        assert guarded.request(method, url).status_code == 401, (method, path)
        nonsense = {"Content-Type": "application/json", "X-API-Key": "zs_a_b"}
        answer = guarded.request(method, url, content=b"{", headers=nonsense)
        assert answer.status_code == 401, (method, path)
        needed = NEEDS.get((method, path), Scope.READ)
        assert needed is not Scope.READ or method == "get" or path in READS_BY_POST, (method, path)
        for scope in Scope:
            headers = {"Authorization": f"Bearer {keys[scope]}"}
            if not scope.includes(needed):
                answer = guarded.request(method, url, headers=headers)
                assert answer.status_code == 403, (method, path, scope)


def test_what_is_not_there_is_told_to_nobody_without_a_key(guarded: TestClient) -> None:
    """Neither which routes there are."""
    assert guarded.get("/v1/nothing").status_code == 401
    assert guarded.get("/docs").status_code == 401


def test_a_host_cannot_pose_as_a_public_path(guarded: TestClient) -> None:
    """An address is made of the sender's Host, the path is not."""
    posing = {"Host": "shop.example/healthz?"}
    assert guarded.get("/v1/nothing", headers=posing).status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_revoking_every_key_shuts_everyone_out(options: CatalogOptions, host: str) -> None:
    """A service that had keys does not open because there are none any more, or by a restart."""
    file = KeyFile(options.data_dir)
    text = file.create("only", Scope.READ)
    app = create_app(options, ServiceSettings(host=host, decoders=1))
    with TestClient(app, base_url="http://localhost") as client:
        headers = {"Authorization": f"Bearer {text}"}
        assert client.get("/v1/labels", headers=headers).status_code == 200
        file.revoke(file.all()[0].key_id)
        assert client.get("/v1/labels", headers=headers).status_code == 401
        assert client.get("/v1/labels").status_code == 401
    with TestClient(create_app(options, app.state.settings), base_url="http://localhost") as client:
        assert client.get("/v1/labels").status_code == 401
