"""Moves what a catalog knows of its labels to other labels: a new version, or another taxonomy.

Examples, calibrating items, people's verdicts, decisions and gates name labels by id. ``migrate``
replaces the labels and gives these the ids of their counterparts. All of it is written aside
first; then a plan lists what takes the place of what, and only then something is replaced. After a
kill the same command goes on by the plan, so no label is moved twice, though an id may mean
something else in both taxonomies.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from indexer.catalog.corrections import CorrectionFile
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import Catalog, open_catalog
from indexer.catalog.options import CatalogOptions
from indexer.core.cells import inert
from indexer.core.durable import replace_durably, write_text_durably, written_aside
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY
from indexer.core.protocols import Decision
from indexer.core.records import Label
from indexer.core.watch import Watch
from indexer.ingestion.storing import store_again
from indexer.jobs.label_files import read_label_file
from indexer.jobs.labels import add_labels
from indexer.labels.examples import LabelledFolder
from indexer.labels.gates import Branch, GateFile
from indexer.labels.mapping_files import ResolvedMapping, read_mappings, resolve
from queries.deciding.calibrated_labels import store_labels

KINDS = ("taught", "calibrating", "verdicts", "decisions", "gates")
"""What names labels by id."""

UNMAPPED = "unmapped.csv"
"""In the folder of the labels: what could not be moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """What a migration did, or would do.

    Attributes:
        labels: of the old taxonomy; each is mapped, kept by its id, or neither.
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
    moved: Mapping[str, int]
    left: Mapping[str, int]
    inner: int
    left_file: Path | None
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class Counterparts:
    """New label ids by old ones.

    Attributes:
        mapped: by rules.
        kept: ids that both taxonomies have and no rule names.
    """

    mapped: Mapping[str, str]
    kept: frozenset[str]

    def of(self, label_id: str) -> str | None:
        """The new id of a label; None where it has none. "No label" stays so."""
        if not label_id or label_id in self.kept:
            return label_id
        return self.mapped.get(label_id)


def migrate(
    options: CatalogOptions,
    file: str,
    mapping: Path,
    *,
    dry_run: bool = False,
    watch: Watch = Watch(),
) -> MigrationReport:
    """Make a label file a catalog's labels, and move what is known to them.

    Args:
        file: the new labels, as ``labels add --replace`` takes them.
        mapping: from the labels that the catalog has to those of the file, as ``read_mappings``
            reads it. A label without a rule keeps its id where the file has it too.
        dry_run: only say what would be moved.
        watch: follows the texts embedded, then the rows stored.

    Raises:
        UsageError: the mapping has no rule for any of the labels, or another migration waits.
        TaxonomyError: the label file or the mapping is not valid.
    """
    digest = _digest(file, mapping)
    folder = options.folder.labels
    labels = read_label_file(file).labels
    plan = _unfinished(folder, digest, options.catalog)
    if plan is None:
        with open_catalog(options, write=not dry_run) as catalog:
            done = _read_plan(folder / _DONE)
            ids = [label.label_id for label in labels]
            if done and done["digest"] == digest and list(catalog.label_set.places) == ids:
                return replace(_report(done), is_done=True)
            plan = _prepare(catalog, labels, mapping, digest, dry_run=dry_run)
    if not dry_run:
        add_labels(options, file, replace=True, watch=watch)
        with open_catalog(options, write=True) as catalog:
            _finish(catalog, plan, watch)
    return _report(plan)


def _unfinished(folder: Path, digest: str, catalog: str) -> dict[str, Any] | None:
    """The plan of a migration that was killed; None where there is none.

    Raises:
        UsageError: it is of another mapping or label file.
    """
    plan = _read_plan(folder / _PLAN)
    if plan and plan["digest"] != digest:
        raise UsageError(
            f"a migration of catalog {catalog!r} by {plan['mapping']} was interrupted: run that "
            f"one again first. To give it up, delete {str(folder / _PLAN)!r}."
        )
    return plan or None


def _read_plan(path: Path) -> dict[str, Any]:
    """A plan; empty where there is none."""
    if not path.exists():
        return {}
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{str(path)!r} is damaged ({error}): delete it.") from error
    return plan


_PLAN, _DONE = "migration.json", "migrated.json"


def counterparts(
    current: tuple[Label, ...], labels: list[Label], resolved: ResolvedMapping
) -> Counterparts:
    """The new ids of a catalog's labels; of several targets of a rule the first."""
    mapped = {old: targets[0] for old, targets in resolved.targets.items() if targets}
    ruled = {*resolved.targets, *resolved.lost, *resolved.undecided}
    new_ids = {label.label_id for label in labels}
    kept = {label.label_id for label in current if label.label_id in new_ids} - ruled
    return Counterparts(mapped, frozenset(kept))


def _prepare(
    catalog: Catalog, labels: list[Label], mapping: Path, digest: str, *, dry_run: bool
) -> dict[str, Any]:
    """Write everything aside, then the plan.

    Returns:
        The plan: the new files by their targets, files to drop, and counts.
    """
    current = catalog.label_set.labels
    if not current:
        raise UsageError(
            f"catalog {catalog.folder.name!r} has no labels to move from: add the new ones with "
            "zeroshelf labels add FILE."
        )
    resolved = resolve(read_mappings(mapping), current, labels)
    if not resolved.targets:
        raise UsageError(
            f"{str(mapping)!r} has no rule from a label of catalog {catalog.folder.name!r} to one "
            "of the file: it is of other taxonomies."
        )
    pairs = counterparts(current, labels, resolved)
    folder = catalog.folder.labels
    with _Mover(catalog, pairs, labels, dry_run=dry_run) as mover:
        for kind in ("taught", "calibrating"):
            mover.move_items(kind)
        mover.move_verdicts()
        mover.move_decisions()
        mover.move_gates()
    plan = {
        "digest": digest,
        "mapping": str(mapping),
        "steps": mover.steps,
        "dropped": mover.dropped,
        "labels": len(current),
        "mapped": sum(label.label_id in pairs.mapped for label in current),
        "kept_ids": len(pairs.kept),
        "moved": mover.moved,
        "left": mover.left,
        "inner": mover.inner,
        "left_file": str(folder / UNMAPPED) if mover.left.total() else "",
    }
    if not dry_run:
        if not mover.left.total():
            (folder / UNMAPPED).unlink()
        write_text_durably(folder / _PLAN, json.dumps(plan, indent=1) + "\n")
    return plan


class _Mover:
    """Writes what names labels aside, with the new ids; counts it.

    Attributes:
        steps: the files that take the place of others, by the path of these in the catalog.
        dropped: files of which nothing is left.
        moved: by kind.
        left: those whose label has no counterpart, by kind; they are listed in a file.
        inner: labelled items whose new label has others below it.
    """

    def __init__(
        self, catalog: Catalog, pairs: Counterparts, labels: list[Label], *, dry_run: bool
    ) -> None:
        self.steps: dict[str, str] = {}
        self.dropped: list[str] = []
        self.moved: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.inner = 0
        self._catalog, self._pairs, self._dry_run = catalog, pairs, dry_run
        self._root = catalog.folder.root
        self._folder = catalog.folder.labels
        self._aside = self._folder / "migrating"
        self._names = {label.label_id: label.name for label in labels}
        self._new_paths = {label.label_id: label.path for label in labels}
        self._parents = {label.parent_id for label in labels if label.parent_id}
        current = catalog.label_set.labels
        self._paths = {label.label_id: " > ".join(label.path) for label in current}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if not self._dry_run:
            aside = self._stack.enter_context(written_aside(self._folder / UNMAPPED))
            stream = self._stack.enter_context(aside.open("w", encoding="utf-8", newline=""))
            self._left_rows = csv.writer(stream)
            self._left_rows.writerow(("kind", "item_id", "label_id", "path"))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def move_items(self, kind: Literal["taught", "calibrating"]) -> None:
        """Give labelled items their new labels."""
        target = self._folder / f"{kind}.npz"
        folder, new_folder = LabelledFolder(self._folder), LabelledFolder(self._aside)
        is_taught = kind == "taught"
        items = folder.taught() if is_taught else folder.calibrating()
        if items is None:
            return
        new_ids = [
            self._new_id(kind, item_id, label_id)
            for item_id, label_id in zip(items.item_ids, items.label_ids, strict=True)
        ]
        rows = [row for row, label_id in enumerate(new_ids) if label_id is not None]
        self.inner += sum(label_id in self._parents for label_id in new_ids)
        if self._dry_run:
            return
        if not rows:
            self.dropped.append(str(target.relative_to(self._root)))
            return
        new_items = replace(items.take(rows), label_ids=tuple(new_ids[row] or "" for row in rows))
        (new_folder.save_taught if is_taught else new_folder.save_calibrating)(new_items)
        self._add_step(self._aside / target.name, target)

    def move_verdicts(self) -> None:
        """Give people's verdicts their new labels; the older lines stay above the new ones."""
        corrections = CorrectionFile(self._catalog.folder.corrections)
        lines = []
        for correction in corrections.all().values():
            if correction.label_id.startswith(GONE):
                continue
            label_id = self._new_id("verdicts", correction.item_id, correction.label_id)
            if label_id is None:
                label_id = GONE + correction.label_id
            before = self._pairs.of(correction.before) or ""
            row = asdict(replace(correction, label_id=label_id, before=before))
            lines.append(json.dumps(row, ensure_ascii=True) + "\n")
        if lines and not self._dry_run:
            text = corrections.path.read_text(encoding="ascii")
            new_file = self._aside / corrections.path.name
            write_text_durably(new_file, text + "".join(lines))
            self._add_step(new_file, corrections.path)

    def move_decisions(self) -> None:
        """Give the decisions of the last categorization their new labels."""
        files = DecisionFiles(self._catalog.folder.decisions)
        new_files = DecisionFiles(self._aside / "decisions")
        for shard in self._catalog.ledger.shards():
            decisions = files.read(shard)
            if decisions is None:
                continue
            alive = set(self._catalog.ledger.live_rows(shard).tolist())
            new_decisions = [
                self._moved_decision(decision) if row in alive else None
                for row, decision in enumerate(decisions)
            ]
            if not self._dry_run:
                new_files.write(shard, new_decisions)
                self._add_step(new_files.path(shard), files.path(shard))

    def move_gates(self) -> None:
        """Let the other label sets apply to the new categories."""
        folder = self._catalog.folder
        names = () if folder.set_name != CATEGORY else folder.set_names()
        for name in names:
            gate_file = GateFile(folder.of_set(name).labels)
            gate = gate_file.load()
            if not gate:
                continue
            branches: dict[str, Branch] = {}
            for branch in gate:
                label_id = self._new_id("gates", name, branch.label_id)
                if label_id is not None:
                    path = self._new_paths[label_id]
                    branches[label_id] = Branch(label_id=label_id, path=path)
            # A gate without any branch would let the set apply to every item: it stays as it is.
            if branches and not self._dry_run:
                new_file = GateFile(self._aside / name)
                new_file.save(tuple(branches.values()))
                self._add_step(new_file.path, gate_file.path)

    def _moved_decision(self, decision: Decision | None) -> Decision | None:
        """A decision with its new label; None where that has no counterpart."""
        if decision is None or not decision.label_id:
            return decision
        label_id = self._new_id("decisions", decision.item_id, decision.label_id)
        if label_id is None:
            return None
        return replace(decision, label_id=label_id, label=self._names[label_id])

    def _new_id(self, kind: str, item_id: str, label_id: str) -> str | None:
        """The new id of an item's label, counted; None where it has none."""
        new_id = self._pairs.of(label_id)
        if new_id is not None:
            self.moved[kind] += 1
            return new_id
        self.left[kind] += 1
        if not self._dry_run:
            path = self._paths.get(label_id, "")
            self._left_rows.writerow((kind, inert(item_id), inert(label_id), inert(path)))
        return None

    def _add_step(self, new_file: Path, target: Path) -> None:
        self.steps[str(target.relative_to(self._root))] = str(new_file.relative_to(self._root))


GONE = "(removed) "
"""Before the id of a verdict's label that has no counterpart: no label has such an id, and another
label may have the old one."""


def _finish(catalog: Catalog, plan: Mapping[str, Any], watch: Watch) -> None:
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
    if folder.taught() is not None:
        store_labels(folder, "taught", leaves)
    if folder.calibrating() is not None:
        store_labels(folder, "calibrating", leaves)
    plan_path = folder.folder / _PLAN
    replace_durably(plan_path, plan_path.with_name(_DONE))


def _report(plan: Mapping[str, Any]) -> MigrationReport:
    labels, mapped, kept = plan["labels"], plan["mapped"], plan["kept_ids"]
    return MigrationReport(
        labels=labels,
        mapped=mapped,
        kept_ids=kept,
        without=labels - mapped - kept,
        moved={kind: plan["moved"].get(kind, 0) for kind in KINDS},
        left={kind: plan["left"].get(kind, 0) for kind in KINDS},
        inner=plan["inner"],
        left_file=Path(plan["left_file"]) if plan["left_file"] else None,
    )


def _digest(file: str, mapping: Path) -> str:
    try:
        content = mapping.read_bytes()
    except OSError as error:
        raise UsageError(f"{str(mapping)!r} can't be read: {error.strerror}.") from error
    return hashlib.blake2b(file.encode() + b"\0" + content, digest_size=16).hexdigest()
