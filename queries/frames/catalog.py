"""A catalog as one object: what the commands do, as methods."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from indexer.core.errors import UsageError
from indexer.core.given_values import refuse_other_than_text, texts_of
from indexer.core.label_sets import CATEGORY, column_prefix
from indexer.jobs.dataset_export import export_dataset
from indexer.jobs.ingest import ingest as ingest_sources
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels as add_label_file
from queries.categorizing.categorize import Selection
from queries.categorizing.categorize import categorize as categorize_items
from queries.deciding.question import Question
from queries.evaluation.breakdowns import Class, Confusion, Group
from queries.evaluation.categorized_items import LABELS_GIVEN, categorize_for_evaluation
from queries.evaluation.evaluate import evaluate as evaluate_table
from queries.frames.asking import Asking
from queries.frames.cleaning import Cleaning
from queries.frames.datasets import is_dataset, kept_dataset, opened_dataset, required
from queries.frames.frame import SHOWN_ROWS, Frame, columns_of
from queries.frames.opened import address_of, counts_frame, sources_of

_log = logging.getLogger(__name__)

_COUNTS_SHOWN = ("read", "stored", "unchanged", "dead", "dead_by_reason", "left_out")

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

_FIGURES = {"measures": None, "levels": Group, "classes": Class, "confusions": Confusion}


class Catalog(Asking, Cleaning):
    """A catalog by its name, with what the commands do as methods.

    Each method opens the catalog for itself and closes it again, so that other processes can use
    it in between; the model is loaded once.

    Args:
        name: of the catalog; ``ingest`` and ``add_labels`` make it where there is none.
        options: as ``CatalogOptions`` has them: ``model``, ``data_dir``, ``db``, ``device``...
    """

    def ingest(self, *sources: Any, options: IngestOptions | None = None, **table: Any) -> Frame:
        """Embed and store sources, as ``zeroshelf ingest`` does.

        Args:
            sources: paths and URLs, or datasets of Hugging Face: a ``Dataset``, or an
                ``IterableDataset`` that ends. Their rows are kept in the data folder, as it is
                there that the items' pictures lie. Without a column of ids their items are called
                after split and row, such as ``train-12``.
            table: fields of ``TableOptions``, such as ``image_column`` or ``id_column``.

        Returns:
            One row of counts, such as ``stored`` and ``dead``, with those by reason or kind as
            JSON. Dead letters are logged, too.

        Raises:
            SourceError: a source can't be read, is empty, or lacks a column, or is no path.
            ModelError: the model is missing, or is not the catalog's.
        """
        ingest_options = options or IngestOptions()
        how = replace(ingest_options, table=replace(ingest_options.table, **table))
        datasets_folder = self.options.data_dir / "uploads" / self.options.catalog / "datasets"
        names = [
            kept_dataset(source, datasets_folder, id_column=how.table.id_column)
            if is_dataset(source)
            else address_of(source)
            for source in sources
        ]
        report = ingest_sources(self.options, names, how)
        if report.dead:
            _log.warning(
                "%d items could not be used; %s says why.",
                report.dead,
                self.options.folder.dead_letters,
            )
        return counts_frame(
            report.facts(),
            title=f"Ingested into catalog {self.options.catalog}",
            shown=_COUNTS_SHOWN,
            kinds={"absent": pa.int64()},
        )

    def add_labels(self, file: str | Path, *, set_name: str = CATEGORY, **how: Any) -> Frame:
        """Add a label file, as ``zeroshelf labels add`` does.

        Args:
            how: further arguments of ``indexer.jobs.labels.add_labels``, such as ``templates``.

        Returns:
            One row of counts: added, changed, unchanged, removed...

        Raises:
            TaxonomyError: the file is no valid taxonomy.
            SourceError: it is no path.
        """
        changes = asdict(add_label_file(self.options.of_set(set_name), address_of(file), **how))
        return Frame.of_rows(
            [changes],
            dict.fromkeys(changes, pa.int64()) | {"notes": pa.list_(pa.string())},
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
        sets = texts_of("sets", sets)
        selection = Selection(filter_expression=filter_expression, partition=partition)
        with tempfile.TemporaryDirectory() as folder, self._opened(write=True) as catalog:
            path = Path(folder) / "categorized.parquet"
            categorize_items(
                catalog, path, question, sets=sets, selection=selection, write_back=write_back
            )
            table = pq.read_table(path, memory_map=False)
            item_ids = table.slice(0, SHOWN_ROWS).column("item_id").to_pylist()
            sources = sources_of(catalog, item_ids)
        prefixes = map(column_prefix, sets or (CATEGORY,))
        shown = {f"{prefix}{name}" for prefix in prefixes for name in _PREDICTIONS_SHOWN}
        return Frame(
            table=table,
            title=f"Predictions for catalog {self.options.catalog}",
            shown=("item_id", *(name for name in table.column_names if name in shown)),
            sources=sources,
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
        refuse_other_than_text(truth=truth)
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
        kind = _FIGURES[figures]
        if kind is None:
            rows = [
                {"measure": name, "value": value} for name, value in evaluation.measures.items()
            ]
            columns = dict.fromkeys(("measure", "value"))
        else:
            rows = list(map(asdict, getattr(evaluation, figures)))
            columns = dict.fromkeys(columns_of(kind))
        return Frame.of_rows(rows, columns, title=f"{figures.capitalize()}: {', '.join(notes)}")

    def to_dataset(self, folder: str | Path | None = None, *, partition: str | None = None) -> Any:
        """The items as a ``datasets.Dataset``, with their pictures, columns and labels.

        A row is an item, or one of the pictures of an item that has several. What a categorization
        with ``write_back`` decided stands in ``label``, ``score`` and the like.

        Args:
            folder: where its files are written, as by ``export --as-dataset``, and then opened from
                the library's cache; None for a dataset in memory.
            partition: only the items of one partition.

        Raises:
            CatalogError: there is no such catalog, or the folder holds a data set already.
            UsageError: ``datasets`` is not installed.
        """
        library = required()
        with tempfile.TemporaryDirectory() as temporary:
            target = Path(folder or temporary)
            report = export_dataset(self.options, target, partition=partition)
            if report.unread or report.parts:
                _log.warning(
                    "%d pictures can't be read any more; %d windows, shots and boxes are no rows.",
                    report.unread,
                    report.parts,
                )
            if folder is None:
                return opened_dataset(sorted((target / "data").glob("*.parquet")))
        return library.load_dataset(str(target), split="train")
