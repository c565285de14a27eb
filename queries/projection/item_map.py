"""The map as the catalog is now: stored places of the items that are still there.

A removed item is never on it. One whose content was replaced is not on it until the items are laid
out again, nor is a new one; how many there are is told. One with a new title or price stays.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from indexer.catalog.catalog import OpenCatalog
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.item_rows import places_by_shard, row_keys
from indexer.core.label_sets import ATTRIBUTE_PREFIX, CATEGORY
from indexer.core.records import BoolArray, FloatArray, IndexArray
from queries.projection.projection_file import Made, Projection, digest_of, read_projection
from queries.search.facets import require_columns

if TYPE_CHECKING:
    import pyarrow as pa

MOST_VALUES = 1_000
"""Values of a column that points are told apart by, the most frequent ones."""

BRANCH = "branch"
"""Column of the first name of a label's path: a taxonomy has more labels than colours."""

OTHER, NONE = 65_534, 65_535
"""Codes of points with a rarer value, and without one."""


@dataclass(frozen=True, slots=True)
class ItemMap:
    """The n items that are on the map, in the order of the archive when they were laid out.

    Attributes:
        made: how their places were found.
        projection: what was stored, also of items that are gone.
        shards: int64 (n,), of their lead rows as they are now.
        rows: int64 (n,).
        item_ids: strings (n).
        places: float32 (n, 2), in the unit square.
        items: of the catalog.
        gone: stored places of items that were removed or whose content was replaced.
    """

    made: Made
    projection: Projection
    shards: IndexArray
    rows: IndexArray
    item_ids: pa.Array
    places: FloatArray
    items: int
    gone: int

    def __len__(self) -> int:
        return len(self.shards)

    @property
    def missing(self) -> int:
        """Items of the catalog that are not on the map."""
        return self.items - len(self)

    @property
    def drawn_from(self) -> int | None:
        """Items that the points were drawn from at random; None where all were laid out."""
        return self.made.items if self.made.items > len(self.projection) else None

    @property
    def version(self) -> str:
        """Changes with the points, or their order."""
        digest = hashlib.blake2b(self.made.time.encode(), digest_size=12)
        for array in (self.shards, self.rows, self.places):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """The values of a column over n points.

    Attributes:
        values: the most frequent first; of a label set these are label ids.
        names: what people call them; of labels with the parent where the name is not unique.
        counts: int64 (v,), points of each.
        codes: uint16 (n,), places in ``values``, or ``OTHER``, or ``NONE``.
    """

    values: list[str]
    names: list[str]
    counts: IndexArray
    codes: npt.NDArray[np.uint16]

    @property
    def others(self) -> int:
        """Points with a rarer value."""
        return int((self.codes == OTHER).sum())

    @property
    def without(self) -> int:
        """Points without a value."""
        return int((self.codes == NONE).sum())


def current_map(catalog: OpenCatalog) -> ItemMap | None:
    """The stored places of the items that are there now; None where none are of this model.

    Raises:
        CatalogError: they are damaged.
    """
    stored = read_projection(catalog.folder.projection)
    if stored is None or stored.made.model != digest_of(catalog.fingerprint):
        return None
    shards, rows = _lead_rows(catalog)
    keys, stored_keys = row_keys(shards, rows), row_keys(stored.shards, stored.rows)
    is_there = np.isin(stored_keys, keys, assume_unique=True)
    shards_now, rows_now = stored.shards.copy(), stored.rows.copy()
    for place, shard, row in _moved(catalog, stored, ~is_there):
        is_there[place], shards_now[place], rows_now[place] = True, shard, row
    return ItemMap(
        stored.made,
        stored,
        shards_now[is_there],
        rows_now[is_there],
        stored.item_ids.filter(_arrow(is_there)),
        stored.places[is_there],
        len(keys),
        int((~is_there).sum()),
    )


def column_names(catalog: OpenCatalog) -> list[str]:
    """Columns that points can be told apart by: what was decided first, then metadata."""
    sets = [f"{ATTRIBUTE_PREFIX}{name}" for name in catalog.folder.set_names() if name != CATEGORY]
    label_set = catalog.label_set
    is_tree = any(label.depth for label in label_set.labels)
    decided = [*([BRANCH] if is_tree else []), "label", "status", *sets, "kind"]
    return list(dict.fromkeys([*decided, *sorted(catalog.metadata_columns())]))


def values_of(catalog: OpenCatalog, item_map: ItemMap, column: str) -> ColumnValues:
    """A column's values over the points; of a list its first entry.

    Raises:
        UsageError: no item has such a column.
    """
    require_columns([column], {*catalog.value_columns, BRANCH}, "column")
    if column == BRANCH:
        return _branches(catalog, item_map)
    if column == "status":
        return _counted(_decided(catalog, item_map, "status"))
    if column == "label":
        return _labels(catalog, item_map)
    if column.startswith(ATTRIBUTE_PREFIX):
        return _labels(catalog.of_set(column.removeprefix(ATTRIBUTE_PREFIX)), item_map)
    if column == "kind":
        return _counted(_stored_texts(catalog, item_map, "kind"))
    return _counted(_metadata(catalog, item_map, column))


def titles_of(catalog: OpenCatalog, item_map: ItemMap) -> list[str]:
    """The titles of the n points, as they are now."""
    return [title or "" for title in _stored_texts(catalog, item_map, "title")]


def _lead_rows(catalog: OpenCatalog) -> tuple[IndexArray, IndexArray]:
    """Shards and rows of all items' lead rows, int64 (m,) each."""
    none = np.empty(0, dtype=np.int64)
    shards, rows = [none], [none]
    for items in catalog.ledger.items():
        shards.append(np.full(len(items.rows), items.shard, dtype=np.int64))
        rows.append(items.rows.astype(np.int64))
    return np.concatenate(shards), np.concatenate(rows)


def _arrow(mask: BoolArray) -> pa.Array:
    import pyarrow as pa

    return pa.array(mask, pa.bool_())


def _moved(
    catalog: OpenCatalog, stored: Projection, is_away: BoolArray
) -> list[tuple[int, int, int]]:
    """Items whose lead row is another one now, of the same content.

    Returns:
        Place among the stored, shard and row of each.
    """
    places = np.flatnonzero(is_away)
    ids = stored.item_ids.take(places).to_pylist()
    leads = {item_id: rows[0] for item_id, rows in catalog.ledger.parts.rows_of(ids).items()}
    current_places = catalog.ledger.find([lead.row_id for lead in leads.values()])
    contents = stored.contents.take(places).to_pylist()
    return [
        (int(place), leads[item_id].shard, leads[item_id].row)
        for place, item_id, content in zip(places, ids, contents, strict=True)
        if item_id in leads
        and current_places[leads[item_id].row_id].content_hash.startswith(content)
    ]


def _decided(catalog: OpenCatalog, item_map: ItemMap, name: str) -> list[str | None]:
    """A column of the decisions of a label set; None where there is none."""
    files = DecisionFiles(catalog.folder.decisions)
    values = np.full(len(item_map), None, dtype=object)
    for shard, points in places_by_shard(item_map.shards):
        if (table := files.table(shard)) is not None:
            values[points] = table[name].take(item_map.rows[points]).to_pylist()
    return [value or None for value in values]


def _labels(catalog: OpenCatalog, item_map: ItemMap) -> ColumnValues:
    """The labels of a set, by id."""
    counted = _counted(_decided(catalog, item_map, "label_id"))
    labels_by_id = {label.label_id: label for label in catalog.label_set.labels}
    paths = [
        labels_by_id[value].path if value in labels_by_id else (value,) for value in counted.values
    ]
    frequency = Counter(path[-1] for path in paths)
    names = [" \u203a ".join(path[-2:]) if frequency[path[-1]] > 1 else path[-1] for path in paths]
    return ColumnValues(counted.values, names, counted.counts, counted.codes)


def _branches(catalog: OpenCatalog, item_map: ItemMap) -> ColumnValues:
    """The first name of the path of each item's label."""
    roots = {label.label_id: label.path[0] for label in catalog.label_set.labels}
    label_ids = _decided(catalog, item_map, "label_id")
    return _counted([None if value is None else roots.get(value) for value in label_ids])


def _stored_texts(catalog: OpenCatalog, item_map: ItemMap, name: str) -> list[str | None]:
    """A text column of the archive."""
    values = np.full(len(item_map), None, dtype=object)
    for shard, points in places_by_shard(item_map.shards):
        column = catalog.archive.table(shard, [name]).column(name)
        values[points] = column.take(item_map.rows[points]).to_pylist()
    return list(values)


def _metadata(catalog: OpenCatalog, item_map: ItemMap, column: str) -> list[str | None]:
    texts = _stored_texts(catalog, item_map, "metadata_json")
    return [_shown(json.loads(text or "{}").get(column)) for text in texts]


def _shown(value: Any) -> str | None:
    """A value of metadata as a text; None where there is none."""
    if isinstance(value, list):
        value = value[0] if value else None
    if value in (None, "", {}):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _counted(values: Sequence[str | None]) -> ColumnValues:
    """Values with their counts, the most frequent first, then by name."""
    counts = Counter(value for value in values if value is not None)
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_VALUES]
    codes = {value: code for code, (value, _) in enumerate(ordered)}
    value_codes = (NONE if value is None else codes.get(value, OTHER) for value in values)
    names = [value for value, _ in ordered]
    return ColumnValues(
        names,
        names,
        np.array([count for _, count in ordered], dtype=np.int64),
        np.fromiter(value_codes, np.uint16, len(values)),
    )
