"""A catalog as one object: what the commands do, as methods."""

from __future__ import annotations

import contextlib
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY, column_prefix
from indexer.jobs.ingest import IngestOptions
from indexer.jobs.ingest import ingest as ingest_sources
from indexer.jobs.labels import add_labels as add_label_file
from indexer.sources import Fetcher
from indexer.sources.decoding.contents import ContentDecoder
from queries.categorizing.categorize import Selection
from queries.categorizing.categorize import categorize as categorize_items
from queries.deciding.question import Question
from queries.evaluation.categorized_items import LABELS_GIVEN, categorize_for_evaluation
from queries.evaluation.evaluate import evaluate as evaluate_table
from queries.frames.frame import SHOWN_ROWS, Frame
from queries.results import SearchHit
from queries.search.facets import require_columns, value_of
from queries.search.query import SearchQuery
from queries.search_inputs import SearchInputs, find_by_inputs

_log = logging.getLogger(__name__)

_HIT_TYPES = {
    "item_id": pa.string(),
    "title": pa.string(),
    "label": pa.string(),
    "label_id": pa.string(),
    "score": pa.float64(),
    "status": pa.string(),
    "similarity": pa.float64(),
    "kind": pa.string(),
    "source": pa.string(),
    "part_id": pa.string(),
    "place": pa.string(),
    "metadata_json": pa.string(),
}
_COUNTS_SHOWN = ("read", "stored", "unchanged", "dead", "dead_by_reason", "left_out")
_HITS_SHOWN = ("title", "item_id", "label", "score", "similarity")

_LABEL_TYPES = {
    "label_id": pa.string(),
    "name": pa.string(),
    "path": pa.list_(pa.string()),
    "parent_id": pa.string(),
    "description": pa.string(),
    "synonyms": pa.list_(pa.string()),
    "is_leaf": pa.bool_(),
}
_PREDICTIONS_SHOWN = ("path", "score", "margin", "status")

_FIGURES = ("measures", "levels", "classes", "confusions")


class Catalog:
    """A catalog by its name, with what the commands do as methods.

    Each method opens the catalog for itself and closes it again, so that other processes can use
    it in between; the model is loaded once.

    Args:
        name: of the catalog; ``ingest`` and ``add_labels`` make it where there is none.
        options: as ``CatalogOptions`` has them: ``model``, ``data_dir``, ``db``, ``device``...
    """

    def __init__(self, name: str = "catalog", **options: Any) -> None:
        if "data_dir" in options:
            options["data_dir"] = Path(options["data_dir"])
        self.options = CatalogOptions(catalog=name, **options)
        self._encoder: Any = None
        self._made_by: Any = None

    def ingest(
        self, *sources: str | Path, options: IngestOptions | None = None, **table: Any
    ) -> Frame:
        """Embed and store sources, as ``zeroshelf ingest`` does.

        Args:
            table: fields of ``TableOptions``, such as ``image_column`` or ``id_column``.

        Returns:
            One row of counts, such as ``stored`` and ``dead``, with those by reason or kind as
            JSON. Dead letters are logged, too.

        Raises:
            SourceError: a source can't be read, is empty, or lacks a column.
            ModelError: the model is missing, or is not the catalog's.
        """
        given = options or IngestOptions()
        how = replace(given, table=replace(given.table, **table))
        report = ingest_sources(self.options, [str(source) for source in sources], how)
        if report.dead:
            _log.warning(
                "%d items could not be used; %s says why.",
                report.dead,
                self.options.folder.dead_letters,
            )
        facts = report.facts()
        row = {
            name: value if isinstance(value, int | str | None) else json.dumps(value)
            for name, value in facts.items()
        }
        return Frame.of_rows(
            [row],
            dict.fromkeys(row) | {"absent": pa.int64()},
            title=f"Ingested into catalog {self.options.catalog}",
            shown=_COUNTS_SHOWN,
        )

    def add_labels(self, file: str | Path, *, set_name: str = CATEGORY, **how: Any) -> Frame:
        """Add a label file, as ``zeroshelf labels add`` does.

        Args:
            how: further arguments of ``indexer.jobs.labels.add_labels``, such as ``templates``.

        Returns:
            One row of counts: added, changed, unchanged, removed...

        Raises:
            TaxonomyError: the file is no valid taxonomy.
        """
        changes = asdict(add_label_file(self.options.of_set(set_name), str(file), **how))
        return Frame.of_rows(
            [changes],
            dict.fromkeys(changes, pa.int64()),
            title=f"Labels of catalog {self.options.catalog}",
        )

    def labels(self, *, set_name: str = CATEGORY) -> Frame:
        """The labels of a set, in their order.

        Raises:
            CatalogError: there is no such catalog.
            UsageError: there is no such set.
        """
        with self._opened(set_name) as catalog:
            label_set = catalog.label_set
        leaves = label_set.leaves.places
        rows = [
            {name: getattr(label, name, None) for name in _LABEL_TYPES}
            | {"parent_id": label.parent_id or None, "is_leaf": label.label_id in leaves}
            for label in label_set.labels
        ]
        return Frame.of_rows(
            rows,
            _LABEL_TYPES,
            title=f"Labels of catalog {self.options.catalog}",
            shown=("label_id", "path", "synonyms", "is_leaf"),
        )

    def categorize(
        self,
        question: Question = Question(),
        *,
        sets: Sequence[str] = (),
        filter_expression: str = "",
        partition: str | None = None,
        write_back: bool = False,
    ) -> Frame:
        """Give every stored item its label, as ``zeroshelf categorize`` does.

        Args:
            question: which labels, how many of them, and how they decide.
            sets: label sets to decide; empty is the category.
            write_back: store the labels on the items, so that searches can filter by them.

        Returns:
            A row an item, with the columns that the command writes.

        Raises:
            CatalogError: no labels, or no such catalog.
            UsageError: the filter is not valid, or there is no such partition or label set.
        """
        selection = Selection(filter_expression=filter_expression, partition=partition)
        with tempfile.TemporaryDirectory() as folder, self._opened(write=True) as catalog:
            path = Path(folder) / "categorized.parquet"
            categorize_items(
                catalog, path, question, sets=sets, selection=selection, write_back=write_back
            )
            table = pq.read_table(path, memory_map=False)
            item_ids = table.slice(0, SHOWN_ROWS).column("item_id").to_pylist()
            sources = _sources_of(catalog, item_ids)
        prefixes = map(column_prefix, sets or (CATEGORY,))
        shown = {f"{prefix}{name}" for prefix in prefixes for name in _PREDICTIONS_SHOWN}
        return Frame(
            table=table,
            title=f"Predictions for catalog {self.options.catalog}",
            shown=("item_id", *(name for name in table.column_names if name in shown)),
            sources=sources,
        )

    def search(
        self,
        text: str | None = None,
        *,
        image: str | Path | None = None,
        item_id: str | None = None,
        text_weight: float = 0.5,
        hybrid: bool = False,
        columns: Sequence[str] = (),
        **query: Any,
    ) -> Frame:
        """Find items by words, a picture, both, or like a stored item.

        Args:
            image: path or URL of a picture, or of a sound.
            columns: columns of the items' own table, each a column of the result.
            query: fields of ``SearchQuery``: ``limit``, ``filter_expression``, ``without``,
                ``min_similarity``, ``group_by``...

        Returns:
            A row a hit, the best first.

        Raises:
            UsageError: nothing is searched for, or the filter or a column is not valid.
            ItemError: the picture can't be read.
        """
        _refuse_counts(query)
        inputs = SearchInputs(
            text=text,
            content=None if image is None else str(image),
            item_id=item_id,
            text_weight=text_weight,
            hybrid=hybrid,
        )
        asked = SearchQuery(vector=None, **query)
        with Fetcher() as fetcher, self._opened() as catalog:
            if columns:
                require_columns(columns, catalog.value_columns, "columns")
            hits = find_by_inputs(
                catalog, inputs, asked, decoder=ContentDecoder(), fetcher=fetcher
            ).hits
        return Frame.of_rows(
            [_hit_row(hit, columns) for hit in hits],
            _HIT_TYPES | dict.fromkeys(columns),
            title=" + ".join(filter(None, (text, inputs.content, item_id))),
            shown=(*_HITS_SHOWN, *(name for name in columns if name not in _HITS_SHOWN)),
            sources=tuple(hit.source for hit in hits[:SHOWN_ROWS]),
        )

    def evaluate(self, truth: str, *, set_name: str = CATEGORY, figures: str = "measures") -> Frame:
        """Measure the labels of the items against a column, as ``zeroshelf evaluate`` does.

        Args:
            truth: column of the items' metadata: label ids, names or paths.
            figures: ``measures`` (accuracy, calibration...), ``levels`` of the taxonomy,
                ``classes`` or ``confusions``.

        Returns:
            A row a measure, a level, a class, or a pair of classes.

        Raises:
            UsageError: no item has such a column, or nothing in it is a label.
        """
        if figures not in _FIGURES:
            raise UsageError(f"figures {figures!r}: one of {', '.join(_FIGURES)}.")
        with tempfile.TemporaryDirectory() as folder, self._opened(set_name, write=True) as catalog:
            path = categorize_for_evaluation(
                catalog, Path(folder), Question(limit=LABELS_GIVEN), truth=truth
            )
            evaluation = evaluate_table(catalog, path, truth=truth)
        left_out = evaluation.taught + evaluation.calibrating
        notes = [
            f"{evaluation.items:,} items with a truth",
            f"{evaluation.unlabelled:,} without",
            *([f"{left_out:,} left out, which the catalog has learnt from"] if left_out else []),
        ]
        rows = (
            [{"measure": name, "value": value} for name, value in evaluation.measures.items()]
            if figures == "measures"
            else list(map(asdict, getattr(evaluation, figures)))
        )
        columns = dict.fromkeys(rows[0]) if rows else {}
        return Frame.of_rows(rows, columns, title=f"{figures.capitalize()}: {', '.join(notes)}")

    @contextlib.contextmanager
    def _opened(self, set_name: str = CATEGORY, *, write: bool = False) -> Iterator[OpenCatalog]:
        """The catalog, with the model of the last time where it is still the same."""
        with open_catalog(self.options.of_set(set_name), write=write) as catalog:
            if self._encoder is not None and self._made_by == catalog.fingerprint:
                catalog.encoder = self._encoder
            yield catalog
            if "encoder" in vars(catalog):
                self._encoder, self._made_by = catalog.encoder, catalog.fingerprint


def _refuse_counts(query: dict[str, Any]) -> None:
    if query.get("facets"):
        raise UsageError("facets: count a column of the result in your own data frame library.")


def _hit_row(hit: SearchHit, columns: Sequence[str]) -> dict[str, Any]:
    row = {name: getattr(hit, name, None) for name in _HIT_TYPES}
    own = {name: value_of(hit, name) for name in columns}
    return row | {"metadata_json": json.dumps(hit.metadata, ensure_ascii=False)} | own


def _sources_of(catalog: OpenCatalog, item_ids: Sequence[str]) -> tuple[str, ...]:
    """Where the picture of each item lies: that of its lead row."""
    rows = catalog.ledger.parts.rows_of(item_ids)
    leads = [rows[item_id][0] for item_id in item_ids]
    sources = {
        shard: catalog.archive.table(shard, ["source"]).column("source")
        for shard in {lead.shard for lead in leads}
    }
    return tuple(sources[lead.shard][lead.row].as_py() or "" for lead in leads)
