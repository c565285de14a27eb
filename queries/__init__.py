"""The read path: classify, categorize, search, measure, explain, serve.

It imports from `indexer`, never the other way. ``ARCHITECTURE.md`` draws its rooms. Importing the
package loads no heavy library: public names load theirs at their first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from queries.classify import Classifier
    from queries.estimator import ZeroShotClassifier
    from queries.frames import Catalog, Frame
    from queries.mapping.job import map_labels
    from queries.service.client import Client

__all__ = ["Catalog", "Classifier", "Client", "Frame", "ZeroShotClassifier", "map_labels"]

_HOMES = {
    "Catalog": "queries.frames.catalog",
    "Classifier": "queries.classify",
    "Client": "queries.service.client",
    "Frame": "queries.frames.frame",
    "ZeroShotClassifier": "queries.estimator",
    "map_labels": "queries.mapping.job",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: its libraries are heavy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
