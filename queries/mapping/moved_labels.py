"""Writes what names labels by id aside, with the ids of their counterparts."""

from __future__ import annotations

import csv
import json
import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from indexer.catalog.corrections import CorrectionFile
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import OpenCatalog
from indexer.core.cells import inert
from indexer.core.durable import write_text_durably, written_aside
from indexer.core.label_sets import CATEGORY
from indexer.core.protocols import Decision
from indexer.core.records import Label
from indexer.labels.examples import ItemKind, LabelledFolder
from indexer.labels.gates import Branch, GateFile
from indexer.labels.mapping_files import ResolvedMapping
from indexer.labels.migration_plan import MigrationPlan

_log = logging.getLogger(__name__)

UNMAPPED = "unmapped.csv"
"""In the folder of the labels: what could not be moved."""

GONE = "(removed) "
"""Before the id of a verdict's label that has no counterpart: no label has such an id, and another
label may have the old one."""


@dataclass(frozen=True, slots=True)
class Counterparts:
    """New label ids by old ones.

    Attributes:
        mapped: by rules, one or several.
        kept: ids that both taxonomies have and no rule names.
    """

    mapped: Mapping[str, tuple[str, ...]]
    kept: frozenset[str]

    def of(self, label_id: str) -> str | None:
        """The new id of a label, of several the first; None where it has none.

        "No label" stays so.
        """
        return next(iter(self.all_of(label_id)), None)

    def all_of(self, label_id: str) -> tuple[str, ...]:
        """The new ids of a label."""
        if not label_id or label_id in self.kept:
            return (label_id,)
        return self.mapped.get(label_id, ())


def counterparts(
    current: tuple[Label, ...], labels: Sequence[Label], resolved: ResolvedMapping
) -> Counterparts:
    """The new ids of a catalog's labels; warns of ids that stay and have another name."""
    mapped = {old: targets for old, targets in resolved.targets.items() if targets}
    ruled = {*resolved.targets, *resolved.lost, *resolved.undecided}
    new_names = {label.label_id: label.name for label in labels}
    kept_labels = {
        label.label_id: label for label in current if label.label_id in new_names.keys() - ruled
    }
    renamed = [label for label in kept_labels.values() if label.name != new_names[label.label_id]]
    if renamed:
        example = renamed[0]
        _log.warning(
            "%d labels without a rule keep their id and have another name in the file, such as %r: "
            "%r becomes %r. Where an id means something else there, give its label a rule, or a "
            "row with the status none.",
            len(renamed),
            example.label_id,
            example.name,
            new_names[example.label_id],
        )
    return Counterparts(mapped, frozenset(kept_labels))


class Mover:
    """Writes what names labels aside, with the new ids; counts it.

    Attributes:
        steps: the files that take the place of others, by the path of these in the catalog.
        dropped: files of which nothing is left.
        moved: by kind.
        left: those whose label has no counterpart, by kind; they are listed in a file.
        inner: labelled items whose new label has others below it.
    """

    def __init__(
        self, catalog: OpenCatalog, pairs: Counterparts, labels: Sequence[Label], *, dry_run: bool
    ) -> None:
        self.steps: dict[str, str] = {}
        self.dropped: list[str] = []
        self.moved: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.inner = 0
        self._catalog, self._pairs, self._dry_run = catalog, pairs, dry_run
        self._root = catalog.folder.root
        self._folder = catalog.folder.labels
        self._aside = MigrationPlan(self._folder).aside
        self._names = {label.label_id: label.name for label in labels}
        self._new_paths = {label.label_id: label.path for label in labels}
        self._parents = {label.parent_id for label in labels if label.parent_id}
        current = catalog.label_set.labels
        self._paths = {label.label_id: " > ".join(label.path) for label in current}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if not self._dry_run:
            shutil.rmtree(self._aside, ignore_errors=True)  # of a command that was killed here
            aside = self._stack.enter_context(written_aside(self._folder / UNMAPPED))
            stream = self._stack.enter_context(aside.open("w", encoding="utf-8", newline=""))
            self._left_rows = csv.writer(stream)
            self._left_rows.writerow(("kind", "item_id", "label_id", "path"))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def move_items(self, kind: ItemKind) -> None:
        """Give labelled items their new labels."""
        target = self._folder / f"{kind}.npz"
        folder, new_folder = LabelledFolder(self._folder), LabelledFolder(self._aside)
        items = folder.items(kind)
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
        new_folder.save_items(kind, new_items)
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
            # Nothing of the old labels can be restored, so it can't be taken back any more.
            moved = replace(correction, label_id=label_id, before=before, replaced=None)
            row = asdict(moved)
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
                self._new_id("gates", name, branch.label_id)
                for label_id in self._pairs.all_of(branch.label_id):
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


def verdict_bytes(catalog: OpenCatalog) -> int:
    """Size of the file of people's verdicts, which only grows."""
    path = CorrectionFile(catalog.folder.corrections).path
    return path.stat().st_size if path.exists() else 0
