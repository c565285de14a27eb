"""Spans for OpenTelemetry: of a request by FastAPI itself, of what it waits for here.

A request's span has those of ``decode``, ``encode``, ``classify`` and ``search`` below it. Their
time includes the wait in the queue, since that is what a request waits for. Without a provider
nothing is recorded, and nothing outside a request, such as the warm-up.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from indexer.core.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is asked every few seconds by those who run it."""


class Tracing:
    """Where spans go.

    Args:
        provider: of OpenTelemetry; None records nothing.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = (
            None if provider is None else provider.get_tracer("zeroshelf", version("zeroshelf"))
        )

    @property
    def of_requests(self) -> dict[str, Any]:
        """FastAPI's own settings for the spans of requests."""
        if self._provider is None:
            return {}
        telemetry = {
            "tracer_provider": self._provider,
            "metrics": False,  # Prometheus has them
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": lambda scope: scope.get("path") in _UNTRACED,
        }
        return {"telemetry": telemetry}

    @contextlib.contextmanager
    def span(self, name: str, **attributes: str | int) -> Iterator[None]:
        """What a request waits for during the block; nothing outside a request."""
        if self._tracer is None or not _in_request():
            yield
            return
        named = {f"zeroshelf.{key}": value for key, value in attributes.items()}
        with self._tracer.start_as_current_span(name, attributes=named):
            yield

    def close(self) -> None:
        """Send what waits to be sent."""
        if self._provider is not None:
            self._provider.shutdown()


def _in_request() -> bool:
    from opentelemetry.trace import get_current_span

    return get_current_span().get_span_context().is_valid


NOT_TRACED = Tracing()
"""Records nothing."""


def by_otlp() -> TracerProvider:
    """A provider that sends spans by OTLP over HTTP.

    Address, headers and the service's name are OpenTelemetry's own variables, such as
    ``OTEL_EXPORTER_OTLP_ENDPOINT`` and ``OTEL_SERVICE_NAME``.

    Raises:
        UsageError: the packages are missing.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--traces needs the package {error.name}: pip install 'zeroshelf[otel]'"
        ) from error
    named = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME", "zeroshelf"),
        "service.version": version("zeroshelf"),
    }
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
