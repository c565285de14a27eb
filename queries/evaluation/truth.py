"""Joins a table of ``categorize`` with the truth: a column of it, or of the items' metadata."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.records import Label
from indexer.core.suggestions import did_you_mean
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, SHOWN
from queries.evaluation.result_table import OWN_COLUMN, Table, text_of

_SAY_UNKNOWN = "or say with --unknown VALUE that such items fit no label"

__all__ = ["TruthLabels", "join", "metadata_columns", "refuse_missing", "text_of"]


def metadata_columns(
    catalog: OpenCatalog, item_ids: Iterable[str], columns: Iterable[str]
) -> tuple[dict[str, list[Any]], list[str], int]:
    """Metadata of items, from the archive.

    Args:
        item_ids: the items, in the order of the result.
        columns: keys of their metadata.

    Returns:
        Values by column (None where an item has none), all keys that occur, and how many
        of the items the catalog has.
    """
    names = list(columns)
    rows: dict[str, tuple[Any, ...]] = {}
    keys: dict[str, None] = {}
    for items in catalog.ledger.items():
        table = catalog.archive.table(items.shard, ["item_id", "metadata_json"]).take(items.rows)
        stored_ids = items.item_ids(table.column("item_id")).to_pylist()
        texts = table.column("metadata_json").to_pylist()
        for item_id, text in zip(stored_ids, texts, strict=True):
            metadata = json.loads(text)
            keys.update(dict.fromkeys(metadata))
            rows[item_id] = tuple(metadata.get(name) for name in names)
    none = (None,) * len(names)
    ids = list(item_ids)
    item_rows = [rows.get(item_id, none) for item_id in ids]
    values = {name: [row[place] for row in item_rows] for place, name in enumerate(names)}
    return values, list(keys), sum(item_id in rows for item_id in ids)


def join(
    catalog: OpenCatalog, table: Table, truth: str, slices: Sequence[str]
) -> tuple[list[Any], dict[str, list[str]]]:
    """The truth of the table's items, and what they are sliced by.

    A column is looked for in the table first, then in the items' metadata. What
    ``categorize`` itself wrote is not taken for the truth.

    Returns:
        Values of the truth as they were read, and texts by slice.

    Raises:
        UsageError: a column is in neither (lists those there are), or the table is of
            another catalog.
    """
    here = {name for name in table.columns if not OWN_COLUMN.fullmatch(name)}
    outside = [name for name in {truth: 0, **dict.fromkeys(slices)} if name not in here]
    # A slice by what categorize wrote (a status, a label) is a fair question.
    outside = [name for name in outside if name == truth or name not in table.columns]
    joined: dict[str, list[Any]] = {}
    if outside:
        joined, keys, matched = metadata_columns(catalog, table.item_ids, outside)
        if not matched and table.item_ids:
            raise UsageError(
                f"catalog {catalog.folder.name!r} has none of the {len(table.item_ids):,} items of "
                f"{str(table.path)!r}: name the catalog that they are in with --catalog."
            )
        for name in outside:
            if name not in keys:
                option = "--truth" if name == truth else "--slice"
                raise _missing(name, option, here=sorted(here), keys=sorted(keys))
    source = {
        name: joined[name] if name in joined else table.values(name) for name in (truth, *slices)
    }
    return source[truth], {name: [text_of(value) for value in source[name]] for name in slices}


def refuse_missing(catalog: OpenCatalog, truth: str, slices: Sequence[str]) -> None:
    """Refuse columns that ``join`` would not find, before the items are categorized.

    Raises:
        UsageError: no item has such a column; lists those there are.
    """
    result_columns = {name for name in slices if OWN_COLUMN.fullmatch(name)}
    needed = dict.fromkeys([truth, *(name for name in slices if name not in result_columns)])
    keys: set[str] = set()
    for shard in catalog.ledger.shards():
        table = catalog.archive.table(shard, ["metadata_json"])
        for text in table.take(catalog.ledger.live_rows(shard)).column(0).to_pylist():
            keys.update(json.loads(text))
        if keys.issuperset(needed):
            return
    for name in needed:
        if name not in keys:
            option = "--truth" if name == truth else "--slice"
            raise _missing(name, option, here=(), keys=sorted(keys))


class TruthLabels:
    """Resolves truths to labels: by id, by name, by path, and else by a similar spelling.

    Reading a table makes numbers of what looks like one, so the label ``1.10`` may come
    as 1.1 and ``007`` as 7; pandas makes 3.0 of 3 where a column has gaps. Folders are
    called ``T-Shirt`` or ``t_shirt`` where the label is ``t shirt``.
    """

    def __init__(self, labels: Sequence[Label]) -> None:
        self._ids = {label.label_id: [label.label_id] for label in labels}
        self._texts: list[dict[str, list[str]]] = [self._ids, {}, {}]
        self._numbers: dict[float, list[str]] = {}
        self._plain: dict[str, list[str]] = {}
        for label in labels:
            path = PATH_SEPARATOR.join(label.path)
            for texts, text in zip(self._texts[1:], (label.name, path), strict=True):
                texts.setdefault(text, []).append(label.label_id)
            for text in {label.label_id, label.name}:
                if (number := _number(text)) is not None:
                    self._numbers.setdefault(number, []).append(label.label_id)
            for text in {_plain(label.label_id), _plain(label.name)}:
                self._plain.setdefault(text, []).append(label.label_id)

    def find(self, value: Any) -> list[str]:
        """Ids of the labels that fit a truth: one, none, or several."""
        text = text_of(value)
        number = _number(text)
        same_number = self._numbers.get(number, []) if number is not None else []
        if not isinstance(value, str) and len(same_number) > 1:
            return same_number  # a number does not tell how it was written
        exact = next((ids_by_text[text] for ids_by_text in self._texts if text in ids_by_text), [])
        return exact or same_number or self._plain.get(_plain(text), [])

    def resolve(
        self,
        values: Sequence[Any],
        none_of: Container[str],
        column: str,
        *,
        otherwise: str = _SAY_UNKNOWN,
    ) -> list[str | None]:
        """Ids of the labels of truths: empty for none of the labels, None where there is no value.

        Args:
            none_of: texts that mean "none of the labels".
            column: of the values, for messages, as ``refuse`` takes it with ``otherwise``.

        Raises:
            UsageError: a truth is no label, or fits several.
        """
        label_ids: list[str | None] = []
        problems: dict[str, tuple[int, list[str]]] = {}
        for value in values:
            text = text_of(value)
            if text in none_of or not text:
                label_ids.append("" if text in none_of else None)
                continue
            fitting = self.find(value)
            if len(fitting) != 1:
                problems[text] = (problems.get(text, (0, []))[0] + 1, fitting)
            label_ids.append(next(iter(fitting), None))
        self.refuse(problems, column, otherwise=otherwise)
        return label_ids

    def refuse(
        self,
        problems: Mapping[str, tuple[int, list[str]]],
        column: str,
        *,
        otherwise: str = _SAY_UNKNOWN,
    ) -> None:
        """Raise a UsageError on truths that are no label: how many items, and the nearest."""
        if not problems:
            return
        names = [text for texts in reversed(self._texts[:2]) for text in texts]
        lines = []
        ordered = sorted(problems.items(), key=lambda pair: (-pair[1][0], pair[0]))
        for text, (count, fitting) in ordered[:SHOWN]:
            items = f"{count:,} item{'s' if count > 1 else ''}"
            if fitting:
                examples = ", ".join(fitting[:SHOWN])
                lines.append(
                    f"{text!r} ({items}) fits {len(fitting)} labels: {examples}. Write the id"
                )
            else:
                lines.append(f"{text!r} ({items}) is no label.{did_you_mean(text, names)}")
        if len(problems) > SHOWN:
            lines.append(f"... and {len(problems) - SHOWN:,} more like these.")
        listed = "\n".join(lines)
        raise UsageError(
            f"column {column!r} names labels that the catalog does not have:\n{listed}\nCorrect "
            f"the column, add the labels, {otherwise}."
        )


def _plain(text: str) -> str:
    """The text without differences of case, blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]+", " ", text.casefold()).strip()


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _missing(name: str, option: str, *, here: Sequence[str], keys: Sequence[str]) -> UsageError:
    hint = " (what categorize wrote there is no truth)" if OWN_COLUMN.fullmatch(name) else ""
    return UsageError(
        f"there is no column {name!r} for {option}{hint}.{did_you_mean(name, [*here, *keys])} "
        f"In the table: {', '.join(here) or 'none besides its results'}; in the items' "
        f"metadata: {', '.join(keys) or 'none'}. Ingest a table that has the column, or add it "
        "to the result table."
    )
