"""Methods of a catalog in Python that clean it up and teach it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.given_values import refuse_beyond, refuse_other_than_text, texts_of
from indexer.core.label_sets import CATEGORY
from indexer.jobs.removal import remove_items
from indexer.jobs.removal_plan import plan_of_filter
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder
from queries.audit.audit import WORTH_A_LOOK, AuditOptions
from queries.audit.audit import audit as audit_labels
from queries.deciding.settings import Settings
from queries.duplicates.finding import find_duplicates
from queries.duplicates.thresholds import picture_reader, thresholds
from queries.frames.frame import SHOWN_ROWS, Frame
from queries.frames.opened import Opened, address_of, counts_frame, sources_of
from queries.teaching.calibrate import calibrate as calibrate_scores
from queries.teaching.teach import teach as teach_labels

_LIKE_SHOWN = ("group", "title", "item_id", "kind", "similarity", "kept")
_WRONG_SHOWN = ("title", "item_id", "typed", "label", "wrong_probability")
_CALIBRATED_SHOWN = ("items", "accuracy", "calibration_error", "exact_calibration_error_high")
_CALIBRATED_TYPES = dict.fromkeys(
    ("unknown_above", "min_score", "titled_min_score", "coverage"), pa.float64()
) | {"more_items": pa.int64()}
_TAUGHT_SHOWN = ("examples", "labels", "used", "zero_shot_log_loss", "log_loss")


class Cleaning(Opened):
    """Look-alikes, wrong labels, examples, removals."""

    def duplicates(
        self,
        *,
        near: float | None = None,
        product: float | None = None,
        variants: bool = True,
        keep_by: str | None = None,
    ) -> Frame:
        """Find look-alikes, as ``zeroshelf duplicates`` does.

        Args:
            near: lowest cosine of near-duplicates; None calibrates it.
            product: lowest cosine of variants; None calibrates it, and items without titles are
                then no variants.
            variants: also group variants of a product.
            keep_by: column whose highest number is kept; None: what came first.

        Returns:
            A row an item of a group, the largest group first.

        Raises:
            CatalogError: there is no such catalog.
            UsageError: no item has a number in ``keep_by``, or a cosine is beyond 0 to 1.
        """
        refuse_beyond(0, 1, near=near, product=product)
        with (
            tempfile.TemporaryDirectory() as folder,
            Fetcher() as fetcher,
            self._opened() as catalog,
        ):
            decoder, path = Decoder(), Path(folder) / "duplicates.parquet"
            limits = thresholds(catalog, fetcher, decoder, near=near, product=product)
            report, table = find_duplicates(
                catalog,
                path,
                limits,
                keep_by=keep_by,
                variants=variants,
                read=picture_reader(fetcher, decoder),
            )
            title = (
                f"Look-alikes of catalog {catalog.folder.name}: {report.groups:,} groups of "
                f"{report.grouped:,} items, {report.kept:,} to keep"
            )
            if report.untitled:
                title += f"; {report.untitled:,} items without a title are no variants"
            return _of_items(catalog, table, title, _LIKE_SHOWN)

    def audit(
        self,
        truth: str,
        *,
        min_probability: float = WORTH_A_LOOK,
        set_name: str = CATEGORY,
    ) -> Frame:
        """Find labels in a column that pictures and titles contradict, as ``audit`` does.

        Args:
            truth: column of the items' metadata with labels: ids, names or paths.
            min_probability: of being wrong, from which an item is told.

        Returns:
            A row an item whose typed label may be wrong, the surest error first.

        Raises:
            CatalogError: no labels, or no such catalog.
            UsageError: no item has such a column, nothing in it is a label, or a probability beyond
                0 to 1.
        """
        refuse_other_than_text(truth=truth)
        refuse_beyond(0, 1, min_probability=min_probability)
        how = AuditOptions(truth=truth, min_probability=min_probability)
        with tempfile.TemporaryDirectory() as folder, self._opened(set_name, write=True) as catalog:
            path = Path(folder) / "wrong.parquet"
            report, _ = audit_labels(catalog, path, how)
            table = pq.read_table(path, memory_map=False)
            title = (
                f"Labels to look at in {truth}: {report.suspects:,} of {report.judged:,}, "
                f"{report.expected_errors:.1f} errors expected"
            )
            return _of_items(catalog, table, title, _WRONG_SHOWN)

    def teach(
        self,
        truth: str | None = None,
        *,
        file: str | Path | None = None,
        unknown: Sequence[str] = (),
        set_name: str = CATEGORY,
    ) -> Frame:
        """Learn from labelled items as far as they help, as ``zeroshelf labels teach`` does.

        Args:
            truth: column of the items' metadata with labels; or
            file: a CSV with the columns ``item_id`` and ``label_id``.
            unknown: values that mean "none of the labels".

        Returns:
            One row: examples, labels, whether they help, and the held-out log loss, in nats, with
            and without them.

        Raises:
            CatalogError: no labels, or no such catalog.
            UsageError: not exactly one of truth and file, no such column, or no item to learn
                from.
        """
        path = _labelled_file("teach", truth, file)
        with self._opened(set_name, write=True) as catalog:
            report = teach_labels(
                catalog, truth=truth, file=path, unknown=texts_of("unknown", unknown)
            )
        title = f"Taught catalog {self.options.catalog}"
        kinds = {"unknown_above": pa.float64()}
        return counts_frame(asdict(report), title=title, shown=_TAUGHT_SHOWN, kinds=kinds)

    def calibrate(
        self,
        truth: str | None = None,
        *,
        file: str | Path | None = None,
        unknown: Sequence[str] = (),
        target_precision: float | None = None,
        set_name: str = CATEGORY,
    ) -> Frame:
        """Fit scores to labelled items, as ``zeroshelf labels calibrate`` does.

        Args:
            truth: column of the items' metadata with labels; or
            file: a CSV with the columns ``item_id`` and ``label_id``.
            unknown: values that mean "none of the labels".
            target_precision: also find the score from which so many labels are right.

        Returns:
            One row: items, accuracy, and what cross-validation on them says of the scores: the
            calibration error, that of exact probabilities on as many items, whether it is
            ``beyond_chance``, and the log loss of the best label, in nats, before and after.

        Raises:
            CatalogError: no labels, or no such catalog.
            UsageError: not exactly one of truth and file, no such column, or too few items that
                the labels were not taught by.
        """
        path = _labelled_file("calibrate", truth, file)
        settings = Settings(target_precision=target_precision)
        settings.check()
        with self._opened(set_name, write=True) as catalog:
            report = calibrate_scores(
                catalog,
                truth=truth,
                file=path,
                unknown=texts_of("unknown", unknown),
                settings=settings,
            )
        title = f"Calibrated catalog {self.options.catalog}"
        return counts_frame(
            report.facts(), title=title, shown=_CALIBRATED_SHOWN, kinds=_CALIBRATED_TYPES
        )

    def remove(self, *item_ids: str, filter_expression: str = "") -> Frame:
        """Take items out, as ``zeroshelf remove`` does; what matches a filter unasked.

        Returns:
            One row of counts.

        Raises:
            CatalogError: an id is not in the catalog; nothing is removed then.
            StoreError: the database failed; the same call finishes the removal.
            UsageError: items are named in no way or in two, or the filter is not valid.
        """
        item_ids = tuple(texts_of("item_ids", item_ids))
        if bool(item_ids) == bool(filter_expression):
            raise UsageError("name the items to remove: by their ids, or by filter_expression.")
        if filter_expression:
            item_ids = plan_of_filter(self.options, filter_expression).item_ids
        title = f"Removed from catalog {self.options.catalog}"
        return counts_frame(asdict(remove_items(self.options, item_ids)), title=title)


def _of_items(catalog: OpenCatalog, table: pa.Table, title: str, shown: tuple[str, ...]) -> Frame:
    """A frame of a table with a row an item, with the pictures of the first ones."""
    item_ids = table.slice(0, SHOWN_ROWS).column("item_id").to_pylist()
    return Frame(table=table, title=title, shown=shown, sources=sources_of(catalog, item_ids))


def _labelled_file(method: str, truth: str | None, file: str | Path | None) -> Path | None:
    """The file of labelled items; None where they are in the items' metadata.

    Raises:
        UsageError: not exactly one of truth and file, or the file is no path.
    """
    if (truth is None) == (file is None):
        raise UsageError(f"{method} takes exactly one of truth and file.")
    return None if file is None else Path(address_of(file))
