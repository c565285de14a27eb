"""Moves what a catalog knows of its labels to other labels: a new version, or another taxonomy.

Examples, calibrating items, people's verdicts, decisions and gates name labels by id. ``migrate``
replaces the labels and gives these the ids of their counterparts. All of it is written aside
first, the embedded labels too, so that nothing that can be refused comes later; then a plan lists
what takes the place of what, and only then something is replaced. After a kill the same command
goes on by the plan, so no label is moved twice, though an id may mean something else in both
taxonomies.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from indexer.catalog.opening import OpenCatalog, open_catalog
from indexer.catalog.options import CatalogOptions
from indexer.core.durable import replace_durably
from indexer.core.errors import CatalogError, UsageError
from indexer.core.label_sets import set_option
from indexer.core.records import Label
from indexer.core.watch import Watch
from indexer.ingestion.storing import store_again
from indexer.jobs.label_checks import warn_of_same_paths
from indexer.jobs.label_files import read_label_file
from indexer.jobs.label_sets import notes_of_gates
from indexer.jobs.labels import embed_labels, labels_with_vectors, put_labels
from indexer.labels.examples import LabelledFolder
from indexer.labels.files import LabelFolder
from indexer.labels.mapping_files import ResolvedMapping, read_mappings, resolve
from indexer.labels.migration_plan import MigrationPlan
from queries.deciding.calibrated_labels import Kind, store_labels
from queries.mapping.moved_labels import UNMAPPED, Mover, counterparts, verdict_bytes

_log = logging.getLogger(__name__)

KINDS = ("taught", "calibrating", "verdicts", "decisions", "gates")
"""What names labels by id."""


_LEARNT: tuple[Kind, ...] = ("taught", "calibrating")
"""Labelled items whose active labels are recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """What a migration did, or would do.

    Attributes:
        labels: of the old taxonomy; each is mapped, kept by its id, or neither.
        split: labels whose rule has several targets: the first was taken.
        moved: labelled items and decisions that were moved, by kind.
        left: those whose label has no counterpart, by kind.
        inner: taught and calibrating items whose new label has others below it: they count again
            when such a label is a leaf.
        left_file: has the ids of these with their old label; None where all were moved.
        is_done: the same migration was done before, and nothing is moved again.
    """

    labels: int
    mapped: int
    kept_ids: int
    without: int
    split: int
    moved: Mapping[str, int]
    left: Mapping[str, int]
    inner: int
    left_file: Path | None
    is_done: bool = False


def migrate(
    options: CatalogOptions,
    file: str,
    mapping: Path,
    *,
    vectors: Path | None = None,
    dry_run: bool = False,
    watch: Watch = Watch(),
) -> MigrationReport:
    """Make a label file a catalog's labels, and move what is known to them.

    Args:
        file: the new labels, as ``labels add --replace`` takes them.
        mapping: from the labels that the catalog has to those of the file, as ``read_mappings``
            reads it. A label without a rule keeps its id where the file has it too.
        vectors: a ``.npy`` file, float (n, d), a row for each label of the file; None embeds them.
        dry_run: only say what would be moved.
        watch: follows the texts embedded, then the rows stored.

    Raises:
        UsageError: the mapping has no rule for any of the labels, or a rollback would come back to
            the old ones.
        CatalogError: another migration waits to be finished, or a person gave a verdict meanwhile.
        TaxonomyError: the label file or the mapping is not valid.
    """
    labels = read_label_file(file).labels
    digest = _digest(labels, mapping)
    with open_catalog(options, write=not dry_run, migrating=True) as catalog:
        plan = _unfinished(catalog, digest)
        if not plan:
            finished_plan = MigrationPlan(catalog.folder.labels).last()
            ids = [label.label_id for label in labels]
            if (
                finished_plan
                and finished_plan["digest"] == digest
                and list(catalog.label_set.places) == ids
            ):
                return replace(_report(catalog, finished_plan), is_done=True)
            _refuse_rollback(catalog)
            plan = _prepare(catalog, labels, mapping, dry_run=dry_run)
            if not dry_run:
                _embed(catalog, labels, vectors, watch)
                plan_file = MigrationPlan(catalog.folder.labels)
                copies = {
                    "file": plan_file.copy(file, "labels"),
                    "mapping": plan_file.copy(str(mapping), "mapping"),
                }
                _begin(catalog, plan | {"digest": digest} | copies)
        if not dry_run:
            _replace_labels(catalog, labels, vectors, watch)
            _finish(catalog, plan, watch)
        return _report(catalog, plan)


def _unfinished(catalog: OpenCatalog, digest: str) -> dict[str, Any]:
    """The plan of a migration that was killed; empty where there is none.

    Raises:
        CatalogError: it is of another mapping, of other labels, or of another label set.
    """
    folder = catalog.folder
    for set_name in folder.set_names():
        if set_name != folder.set_name:
            MigrationPlan(folder.of_set(set_name).labels).refuse_others()
    plan = MigrationPlan(folder.labels).load()
    if plan and plan["digest"] != digest:
        MigrationPlan(folder.labels).refuse_others()
    return plan


def _refuse_rollback(catalog: OpenCatalog) -> None:
    """Refuse where a rollback could come back to the old labels: verdicts would name the new ones.

    Raises:
        UsageError: it names the command that drops the generation that is kept.
    """
    if catalog.folder.generations().previous is not None:
        raise UsageError(
            f"catalog {catalog.folder.name!r} keeps what another model made, with the labels of "
            "now: after a rollback people's verdicts would name labels that it does not have. "
            "Drop it first: zeroshelf rollback --forget"
        )


def _begin(catalog: OpenCatalog, plan: Mapping[str, Any]) -> None:
    """Store the plan; from here on nothing else may write.

    Raises:
        CatalogError: a person gave a verdict after those before it were copied.
    """
    plan_file = MigrationPlan(catalog.folder.labels)
    plan_file.save(plan)
    if verdict_bytes(catalog) != plan["verdict_bytes"]:
        plan_file.path.unlink()
        raise CatalogError(
            f"a person reviewed an item of catalog {catalog.folder.name!r} meanwhile. Nothing was "
            "changed: run it again."
        )


def _embed(
    catalog: OpenCatalog, labels: Sequence[Label], vectors: Path | None, watch: Watch
) -> None:
    """Embed the new labels and store them aside."""
    warn_of_same_paths(labels)
    if vectors is None:
        label_set, prompts, _ = embed_labels(catalog, labels, (), None, watch)
    else:
        label_set, prompts, _ = labels_with_vectors(catalog, labels, labels, vectors)
    _new_labels(catalog).save(label_set, prompts)


def _new_labels(catalog: OpenCatalog) -> LabelFolder:
    return LabelFolder(MigrationPlan(catalog.folder.labels).aside)


def _replace_labels(
    catalog: OpenCatalog, labels: Sequence[Label], vectors: Path | None, watch: Watch
) -> None:
    """Make these the catalog's labels."""
    new_labels, width = _new_labels(catalog), catalog.fingerprint.width
    if new_labels.current() is None:  # an earlier version was killed
        _embed(catalog, labels, vectors, watch)
    catalog.create_collections(labels=False)
    put_labels(catalog, new_labels.load(width), new_labels.prompts(width))


def _prepare(
    catalog: OpenCatalog, labels: Sequence[Label], mapping: Path, *, dry_run: bool
) -> dict[str, Any]:
    """Write everything aside.

    Returns:
        What the plan says of it: the new files by their targets, files to drop, and counts.
    """
    current = catalog.label_set.labels
    if not current:
        raise UsageError(
            f"catalog {catalog.folder.name!r} has no labels to move from: add the new ones with "
            f"zeroshelf labels add FILE{set_option(catalog.folder.set_name)}."
        )
    resolved = resolve(read_mappings(mapping), current, labels)
    if not resolved.targets:
        raise UsageError(
            f"{str(mapping)!r} has no rule from a label of catalog {catalog.folder.name!r} to one "
            "of the file: it is of other taxonomies."
        )
    _warn_of_rules(resolved)
    pairs = counterparts(current, labels, resolved)
    folder, size = catalog.folder.labels, verdict_bytes(catalog)
    with Mover(catalog, pairs, labels, dry_run=dry_run) as mover:
        mover.move_verdicts()
        for kind in _LEARNT:
            mover.move_items(kind)
        mover.move_decisions()
        mover.move_gates()
    if not (dry_run or mover.left.total()):
        (folder / UNMAPPED).unlink()
    return {
        "verdict_bytes": size,
        "steps": mover.steps,
        "dropped": mover.dropped,
        "labels": len(current),
        "mapped": sum(label.label_id in pairs.mapped for label in current),
        "kept_ids": len(pairs.kept),
        "split": sum(len(targets) > 1 for targets in resolved.targets.values()),
        "moved": mover.moved,
        "left": mover.left,
        "inner": mover.inner,
        "left_file": UNMAPPED if mover.left.total() else "",
    }


def _warn_of_rules(resolved: ResolvedMapping) -> None:
    """Warn of rules that move nothing; a typing error looks so."""
    for names, cause in (
        (resolved.unknown_sources, "labels that the catalog lacks"),
        (resolved.unknown_targets, "targets that are not in the label file"),
        (resolved.undecided, "labels whose row is not accepted"),
    ):
        if names:
            _log.warning("the mapping names %d %s, such as %r.", len(names), cause, names[0])


def _finish(catalog: OpenCatalog, plan: Mapping[str, Any], watch: Watch) -> None:
    """Put what was written aside in its place, and end the plan."""
    root, folder = catalog.folder.root, LabelledFolder(catalog.folder.labels)

    def publish() -> None:
        for target, new_file in plan["steps"].items():
            (root / target).parent.mkdir(parents=True, exist_ok=True)
            if (root / new_file).exists():  # else it is in its place already
                replace_durably(root / new_file, root / target)
        for target in plan["dropped"]:
            (root / target).unlink(missing_ok=True)

    watch.begin("Storing", catalog.ledger.count())
    store_again(
        catalog.archive,
        catalog.ledger,
        catalog.items,
        decisions=catalog.decisions.read,
        watch=watch,
        publish=publish,
    )
    leaves = catalog.label_set.leaves
    for kind in _LEARNT:
        if folder.items(kind) is not None:
            store_labels(folder, kind, leaves)
    for at_set in catalog.sets:
        at_set.store_labels()  # with the gates, which moved
    for note in notes_of_gates(catalog):
        _log.warning("%s", note)
    MigrationPlan(folder.folder).finish()
    shutil.rmtree(MigrationPlan(folder.folder).aside, ignore_errors=True)


def _report(catalog: OpenCatalog, plan: Mapping[str, Any]) -> MigrationReport:
    labels, mapped, kept = plan["labels"], plan["mapped"], plan["kept_ids"]
    return MigrationReport(
        labels=labels,
        mapped=mapped,
        kept_ids=kept,
        without=labels - mapped - kept,
        split=plan["split"],
        moved={kind: plan["moved"].get(kind, 0) for kind in KINDS},
        left={kind: plan["left"].get(kind, 0) for kind in KINDS},
        inner=plan["inner"],
        left_file=catalog.folder.labels / UNMAPPED if plan["left_file"] else None,
    )


def _digest(labels: Sequence[Label], mapping: Path) -> str:
    """Hash of the new labels and of the mapping to them: the same move, wherever its files lie."""
    try:
        content = mapping.read_bytes()
    except OSError as error:
        raise UsageError(f"{str(mapping)!r} can't be read: {error.strerror}.") from error
    rows = json.dumps([asdict(label) for label in labels]).encode()
    return hashlib.blake2b(rows + b"\0" + content, digest_size=16).hexdigest()
