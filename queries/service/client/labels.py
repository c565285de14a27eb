"""The taxonomy and the other label sets that are served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from indexer.core.given_values import mappings_of, texts_of
from indexer.core.label_sets import CATEGORY
from indexer.core.records import Label
from queries.service.client.answers import value_of, values_of
from queries.service.client.connection import Connection, path_of
from queries.service.client.results import LabelCounts, ServedLabel

_LABELS_AT_ONCE = 1_000
"""As many as the service lists on a page."""


class Labels(Connection):
    """Routes of ``/v1/labels``."""

    def labels(self, contains: str = "", *, set_name: str = CATEGORY) -> list[ServedLabel]:
        """All labels of a set, in their order.

        Args:
            contains: only those with this in a name of their path; names that begin so come first.

        Raises:
            ServiceError: refused, or there is no such set.
            StoreUnavailableError: the service does not answer.
        """
        labels: list[ServedLabel] = []
        while True:
            query = {
                "contains": contains,
                "offset": len(labels),
                "limit": _LABELS_AT_ONCE,
                "set": set_name,
            }
            answer = self._ask("GET", "/v1/labels", params=query)
            page = values_of(ServedLabel, answer["labels"])
            labels += page
            if not page or len(labels) >= answer["total"]:
                return labels

    def add_labels(
        self,
        labels: str | Path | Iterable[Mapping[str, Any]],
        *,
        replace: bool = False,
        applies_to: Sequence[str] | None = None,
        set_name: str = CATEGORY,
    ) -> LabelCounts:
        """Add or change labels; only new and changed ones are embedded.

        Args:
            labels: a label file of any kind on this machine, or labels as mappings with ``name``
                and, where there are, ``id``, ``parent``, ``description`` and ``synonyms``.
            replace: these are all: others are removed.
            applies_to: categories that another label set is limited to.

        Raises:
            TaxonomyError: the file is no valid taxonomy.
            UsageError: a label is no mapping.
            ServiceError: refused: no valid taxonomy, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        if isinstance(labels, str | Path):
            served = [] if replace else self.labels(set_name=set_name)
            rows = rows_of_file(labels, existing=[_label_of(label) for label in served])
        else:
            rows = mappings_of("labels", labels)
        content: dict[str, Any] = {"labels": rows, "replace": replace}
        if applies_to is not None:
            content["applies_to"] = texts_of("applies_to", applies_to)
        answer = self._ask("PUT", "/v1/labels", json=content, params={"set": set_name})
        return value_of(LabelCounts, answer)

    def remove_label(self, label_id: str, *, set_name: str = CATEGORY) -> LabelCounts:
        """Take a label out; one that has children stays.

        Raises:
            ServiceError: refused: no such label, it has children, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        path, query = path_of("/v1/labels", label_id), {"set": set_name}
        return value_of(LabelCounts, self._ask("DELETE", path, repeatable=False, params=query))


def rows_of_file(file: str | Path, *, existing: Sequence[Label] = ()) -> list[dict[str, Any]]:
    """The labels of a file as the service takes them.

    Args:
        existing: labels that those of the file may have as parents.

    Raises:
        TaxonomyError: the file is no valid taxonomy.
    """
    from indexer.jobs.label_files import read_label_file

    return [
        {
            "id": label.label_id,
            "name": label.name,
            "parent": label.parent_id or None,
            "description": label.description,
            "synonyms": list(label.synonyms),
        }
        for label in read_label_file(str(file), existing=existing).labels
    ]


def _label_of(label: ServedLabel) -> Label:
    return Label(
        label_id=label.label_id,
        name=label.name,
        path=label.path,
        parent_id=label.parent_id or "",
        description=label.description,
        synonyms=label.synonyms,
    )
