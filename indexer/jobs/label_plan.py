"""The changes that a label file would make: ``labels add --dry-run``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.records import Label
from indexer.jobs.label_checks import warn_of_emptied, warn_of_same_paths
from indexer.jobs.label_files import read_label_file
from indexer.labels import taxonomy
from indexer.labels.prompts import check_templates, prompts_for, prompts_hash
from indexer.labels.sets import LabelSet, columns


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """One label that a file would change.

    Attributes:
        change: added, changed or removed.
        made: it has no row in the file, and is made since others name it as their parent.
        what: the fields that change: name, path, prompts, ...
    """

    change: str
    label_id: str
    path: tuple[str, ...]
    made: bool = False
    what: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlan:
    """The changes that a label file would make to a catalog's labels."""

    changes: tuple[PlannedChange, ...]
    unchanged: int


def plan_labels(
    options: CatalogOptions,
    file: str,
    *,
    templates: Sequence[str] = (),
    synonyms: bool | None = None,
    replace: bool = False,
    dataset: str = "",
    create_parents: bool | None = None,
) -> LabelPlan:
    """Compare a label file with a catalog's labels; nothing is embedded or written.

    Args:
        file: as ``labels.add_labels`` takes it, and the other arguments.

    Raises:
        TaxonomyError: the file is no valid taxonomy.
        ConfigError: a template is not valid.
    """
    if templates:
        check_templates(templates)
    current_set: LabelSet | None = None
    if options.folder.exists() and options.set_name in options.folder.set_names():
        with open_catalog(options) as catalog:
            current_set = catalog.label_set
    current = () if current_set is None else current_set.labels
    read = read_label_file(
        file, existing=() if replace else current, create_parents=create_parents, dataset=dataset
    )
    labels = read.labels if replace else taxonomy.merge(current, read.labels)
    warn_of_same_paths(labels)
    warn_of_emptied(current, labels)
    old = {label.label_id: label for label in current}
    new = {label.label_id: label for label in labels}
    changes = []
    for label in labels:
        previous = old.get(label.label_id)
        made = label.label_id in read.made
        if previous is None:
            changes.append(_change("added", label, made=made))
        elif changed_fields := _differences(
            previous, label, current_set, templates, synonyms=synonyms
        ):
            changes.append(_change("changed", label, made=made, what=changed_fields))
    unchanged = len(labels) - len(changes)
    changes += [_change("removed", label) for label in current if label.label_id not in new]
    return LabelPlan(changes=tuple(changes), unchanged=unchanged)


def _change(
    change: str, label: Label, *, made: bool = False, what: tuple[str, ...] = ()
) -> PlannedChange:
    return PlannedChange(
        change=change, label_id=label.label_id, path=label.path, made=made, what=what
    )


def _differences(
    previous: Label,
    label: Label,
    label_set: LabelSet | None,
    templates: Sequence[str],
    *,
    synonyms: bool | None,
) -> tuple[str, ...]:
    """Names of the fields that differ, and ``prompts`` where the label would be embedded again."""
    previous_fields, new_fields = columns(previous), columns(label)
    changed = [name for name in previous_fields if previous_fields[name] != new_fields[name]]
    if label_set is not None and (used_templates := templates or label_set.templates):
        new_prompts = prompts_for(
            label,
            used_templates,
            synonyms=label_set.with_synonyms if synonyms is None else synonyms,
        )
        if prompts_hash(new_prompts) != label_set.definitions[label_set.places[label.label_id]]:
            changed.append("prompts")
    return tuple(changed)
