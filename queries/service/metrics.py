"""What Prometheus reads at ``/metrics``."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Bounds of histogram buckets; powers of two where batches are padded to them.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters and histograms of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "zeroshelf_requests",
            "Requests by route, method and status.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "zeroshelf_request_seconds",
            "Time from a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batches = Histogram(
            "zeroshelf_batch_size",
            "Inputs of one forward pass.",
            ["kind"],
            buckets=_BATCHES,
            registry=self.registry,
        )
        self.waiting = Gauge(
            "zeroshelf_queue_length",
            "Inputs that wait for a forward pass, and requests for the catalog.",
            ["kind"],
            registry=self.registry,
        )
        self.dead_letters = Gauge(
            "zeroshelf_dead_letters", "Items that could not be used.", registry=self.registry
        )
        self.items = Gauge("zeroshelf_items", "Items of the catalog.", registry=self.registry)
        self.labels = Gauge(
            "zeroshelf_labels",
            "Labels of the catalog, with the version that is served.",
            ["version"],
            registry=self.registry,
        )

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
