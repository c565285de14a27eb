"""Spans of requests and of what they wait for, and a dashboard over the metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from indexer.catalog.opening import CatalogOptions
from queries.service.app import create_app
from queries.service.settings import ServiceSettings
from queries.service.tracing import Tracing

DASHBOARD = Path(__file__).parents[3] / "grafana" / "dashboard.json"
_WORDS = {"histogram_quantile", "max", "rate", "sum"}
"""Functions of PromQL that the dashboard uses."""


@pytest.fixture
def exported() -> InMemorySpanExporter:
    """Where spans go."""
    return InMemorySpanExporter()


@pytest.fixture
def traced(
    options: CatalogOptions, settings: ServiceSettings, exported: InMemorySpanExporter
) -> Iterator[TestClient]:
    """A client of a service that traces."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    app = create_app(options, settings, tracing=Tracing(provider))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def below(spans: tuple[ReadableSpan, ...], request: ReadableSpan) -> dict[str, dict[str, Any]]:
    """Spans that a request's span is the parent of, with their attributes."""
    return {
        span.name: dict(span.attributes or {})
        for span in spans
        if span.parent is not None
        and request.context is not None
        and span.parent.span_id == request.context.span_id
    }


def test_a_request_has_the_spans_of_what_it_waits_for(
    traced: TestClient, exported: InMemorySpanExporter, drawn: Path
) -> None:
    """Search by words; classify an upload; health is not traced."""
    assert traced.get("/healthz").status_code == 200
    assert traced.post("/v1/search", json={"text": "a red mug", "limit": 3}).status_code == 200
    upload = {"pictures": ("mug.png", (drawn / "mug-red.png").read_bytes())}
    assert traced.post("/v1/classify", files=upload).status_code == 200
    spans = exported.get_finished_spans()
    requests = {span.name: span for span in spans if span.kind.name == "SERVER"}
    assert set(requests) == {"POST /v1/search", "POST /v1/classify"}
    searched = below(spans, requests["POST /v1/search"])
    assert searched["encode"] == {"zeroshelf.kind": "queries", "zeroshelf.inputs": 1}
    assert searched["search"] == {"zeroshelf.limit": 3}
    assert requests["POST /v1/search"].attributes is not None
    assert requests["POST /v1/search"].attributes["http.response.status_code"] == 200
    classified = {span.name for span in spans} - {*requests, "search"}
    assert classified == {"encode", "decode", "classify"}


def test_what_no_request_waits_for_is_no_trace(exported: InMemorySpanExporter) -> None:
    """Such as the pictures that the warm-up decodes."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    tracing = Tracing(provider)
    with tracing.span("decode"):
        pass
    assert exported.get_finished_spans() == ()
    tracer = provider.get_tracer("of a request")
    with tracer.start_as_current_span("request"), tracing.span("decode"):
        pass
    assert [span.name for span in exported.get_finished_spans()] == ["decode", "request"]


def test_a_trace_goes_on_from_the_caller(
    traced: TestClient, exported: InMemorySpanExporter
) -> None:
    """By the header of W3C's trace context."""
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    assert traced.get("/v1/labels", headers=headers).status_code == 200
    (span,) = exported.get_finished_spans()
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == trace_id


def test_the_dashboard_asks_for_metrics_that_there_are(client: TestClient, drawn: Path) -> None:
    """Each name and each label of its queries is in /metrics of a service that was used."""
    upload = {"pictures": ("mug.png", (drawn / "mug-red.png").read_bytes())}
    assert client.post("/v1/classify", files=upload).status_code == 200
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    names = {sample.name for sample in samples}
    labels = {label for sample in samples for label in sample.labels}
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) >= 9
    asked = {name for query in queries for name in re.findall(r"\bzeroshelf_\w+", query)}
    assert asked - names == set()
    grouped = {
        label.strip()
        for query in queries
        for group in re.findall(r"\bby \(([^)]*)\)", query)
        for label in group.split(",")
    }
    selected = {label for query in queries for label in re.findall(r"[{,]\s*(\w+)\s*=", query)}
    assert (grouped | selected) - labels == set()
    functions = {word for query in queries for word in re.findall(r"(\w+)\(", query)}
    assert functions <= _WORDS
    ours = {name for name in names if name.startswith("zeroshelf_") and "created" not in name}
    unseen = {name for name in ours if not any(name.startswith(one) for one in _families(asked))}
    assert unseen == set(), "a metric that no panel shows"


def _families(names: set[str]) -> set[str]:
    return {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in names}
