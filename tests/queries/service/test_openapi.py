"""Whatever fits, or does not fit, the OpenAPI description: never a 500, always as described."""

from __future__ import annotations

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def address(own_address: str) -> str:
    """A service that these tests alone use, for they send it whatever can be sent."""
    return own_address


def does_not_fail(_: object, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """Nothing beyond 499, but a queue that is full and says when to come again."""
    told = response.status_code == 503 and "retry-after" in response.headers
    assert response.status_code < 500 or told, case.as_curl_command()


CHECKS = [does_not_fail, content_type_conformance, response_schema_conformance]


def test_the_description_is_complete(client: TestClient) -> None:
    """Each operation has a summary, its problems, and requests with examples."""
    described = client.get("/openapi.json").json()
    operations = [
        (f"{method} {path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) > 15
    for name, operation in operations:
        assert operation["summary"], name
        assert operation["description"], name
        if path_needs_problems(name):
            assert "401" in operation["responses"], name
    for model in ("ClassifyRequest", "SearchRequest", "LabelsRequest", "ItemsRequest", "VerdictIn"):
        assert described["components"]["schemas"][model]["examples"], model
    for path, kind in (
        ("/v1/pictures/{item_id}", "image/jpeg"),
        ("/v1/jobs/{job_id}/result", "application/vnd.apache.parquet"),
        ("/v1/review/corrections", "text/csv"),
    ):
        answers = described["paths"][path]["get"]["responses"]
        assert list(answers["200"]["content"]) == [kind]
        assert {"404", "500", "502"} <= answers.keys()
    assert "ProblemDocument" in described["components"]["schemas"]


def path_needs_problems(name: str) -> bool:
    """Whether an operation asks for a key."""
    return not name.endswith(("/healthz", "/readyz"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_request_makes_the_service_fail(address: str) -> None:
    """Made by schemathesis from the description, of each operation some."""
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=15,
            deadline=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS, timeout=120)

        send()
