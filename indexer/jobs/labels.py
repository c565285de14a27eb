"""Changes a catalog's label set, in its folder and in its database."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from indexer.catalog import outdated_labels
from indexer.catalog.fingerprints import PRECOMPUTED
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog, open_or_create
from indexer.core.errors import CatalogError
from indexer.core.label_sets import set_option, sets_option
from indexer.core.records import Fingerprint, Label
from indexer.core.watch import Watch
from indexer.jobs.ingest import precomputed_fingerprint
from indexer.jobs.ingest_options import CLIP_LOGIT_SCALE
from indexer.jobs.label_checks import (
    warn_of_cut_prompts,
    warn_of_emptied,
    warn_of_same_paths,
    warn_of_same_prompts,
)
from indexer.jobs.label_files import read_label_file
from indexer.jobs.label_sets import branches_of, notes_of_gates, refuse_category
from indexer.labels import prompts, taxonomy
from indexer.labels.gates import GateFile
from indexer.labels.prompt_sets import PromptSet, no_prompts
from indexer.labels.sets import LabelChanges, LabelSet, embed, empty, read_vectors, set_vectors
from indexer.sources.npy import open_vectors

_log = logging.getLogger(__name__)


def add_labels(
    options: CatalogOptions,
    file: str,
    *,
    templates: Sequence[str] = (),
    synonyms: bool | None = None,
    vectors: Path | None = None,
    replace: bool = False,
    dataset: str = "",
    create_parents: bool | None = None,
    applies_to: Sequence[str] | None = None,
    watch: Watch = Watch(),
) -> LabelChanges:
    """Add a label file to a catalog; only new and changed labels are embedded.

    Args:
        file: as of ``read_label_file``, like ``dataset`` and ``create_parents``.
        templates: prompt templates; empty uses those of the current labels, or for the first
            labels the model's default ones.
        synonyms: fill templates with each synonym too; None keeps the current labels' choice.
        vectors: a ``.npy`` file, float (n, d), a row for each label of the file.
        replace: the file is the whole label set; others are removed.
        applies_to: categories that a label set beside the category is limited to; None leaves
            that as it is.

    Raises:
        TaxonomyError: the file is no valid taxonomy, or the vectors do not fit it, or there is no
            such category.
        ConfigError: a template is not valid.
    """
    if templates:
        prompts.check_templates(templates)
    if applies_to is not None:
        refuse_category(options, "a gate names categories, and limits other sets to them")
    # The file is read before anything is locked, made or written: a wrong one changes nothing.
    current: Sequence[Label] = ()
    is_new = not options.folder.exists() or options.set_name not in options.folder.set_names()
    if not is_new and not replace:
        with open_catalog(options) as catalog:
            current = catalog.label_set.labels
    file_labels = read_label_file(
        file, existing=current, create_parents=create_parents, dataset=dataset
    ).labels
    labels = file_labels if replace else taxonomy.merge(current, file_labels)
    warn_of_same_paths(labels)
    precomputed = None if vectors is None else _precomputed(options, vectors)
    with open_or_create(options, made_by=precomputed, labels=not replace) as catalog:
        if replace:
            _ignore_damaged(catalog)
        emptied = warn_of_emptied(catalog.label_set.labels, labels)
        gate = None if applies_to is None else branches_of(catalog, applies_to)
        if vectors is not None:
            label_set, label_prompts, changes = labels_with_vectors(
                catalog, labels, file_labels, vectors
            )
        else:
            label_set, label_prompts, changes = embed_labels(
                catalog, labels, templates, synonyms, watch
            )
        if gate is not None:
            # Before the labels: a set without its gate would be decided for every item.
            catalog.folder.labels.mkdir(parents=True, exist_ok=True)
            GateFile(catalog.folder.labels).save(gate)
        notes = replace_labels(catalog, label_set, label_prompts)
        return dataclasses.replace(changes, notes=(*emptied, *notes))


def labels_with_vectors(
    catalog: OpenCatalog, labels: Sequence[Label], file_labels: Sequence[Label], vectors: Path
) -> tuple[LabelSet, PromptSet, LabelChanges]:
    """Labels with the vectors of a file, a row for each of ``file_labels``."""
    file_vectors = read_vectors(vectors, file_labels, catalog.fingerprint.width)
    label_set, changes = set_vectors(catalog.label_set, labels, file_vectors)
    modelled_ids = [label.label_id for label in labels if label.label_id not in file_vectors]
    return label_set, catalog.prompts.subset(modelled_ids), changes


def embed_labels(
    catalog: OpenCatalog,
    labels: Sequence[Label],
    templates: Sequence[str],
    synonyms: bool | None,
    watch: Watch,
) -> tuple[LabelSet, PromptSet, LabelChanges]:
    """Embed new and changed labels, and warn of prompts that are cut or the same."""
    previous = catalog.label_set
    _check_embeddable(catalog, previous)
    _warn_of_replaced(previous, labels)
    label_set, label_prompts, changes = embed(
        previous,
        labels,
        templates=templates or previous.templates or _default_templates(catalog),
        embed_texts=lambda texts: catalog.encoder.embed_texts(texts),
        synonyms=previous.with_synonyms if synonyms is None else synonyms,
        prompts=catalog.prompts,
        watch=watch,
    )
    cut = catalog.encoder.overlong(label_prompts.texts)
    changes = dataclasses.replace(changes, cut_prompts=warn_of_cut_prompts(label_prompts, cut))
    warn_of_same_prompts(label_prompts, cut)
    return label_set, label_prompts, changes


def _ignore_damaged(catalog: OpenCatalog) -> None:
    """Ignore labels or prompts whose files are damaged, since others replace them."""
    width = catalog.fingerprint.width
    try:
        _ = catalog.label_set
    except CatalogError as error:
        _log.warning("%s They are replaced.", error)
        catalog.label_set, catalog.prompts = empty(width), no_prompts(width)
    try:
        _ = catalog.prompts
    except CatalogError as error:
        _log.warning("%s They are replaced.", error)
        catalog.prompts = no_prompts(width)


def remove_labels(options: CatalogOptions, label_ids: Sequence[str]) -> LabelChanges:
    """Remove labels, by id or by name.

    Raises:
        TaxonomyError: unknown labels, or parents of labels that stay; nothing is removed.
    """
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        previous = catalog.label_set
        removed_ids = set(taxonomy.resolve(previous.labels, label_ids))
        remaining = [label for label in previous.labels if label.label_id not in removed_ids]
        if remaining:
            taxonomy.check(remaining)
        label_set = (
            previous.subset([label.label_id for label in remaining])
            if remaining
            else empty(catalog.fingerprint.width)
        )
        notes = replace_labels(catalog, label_set, catalog.prompts.subset(list(label_set.places)))
        return LabelChanges(
            added=0,
            changed=0,
            unchanged=len(remaining),
            removed=len(removed_ids),
            embedded_texts=0,
            notes=notes,
        )


def replace_labels(
    catalog: OpenCatalog, label_set: LabelSet, label_prompts: PromptSet
) -> tuple[str, ...]:
    """Store a label set with its prompts.

    Returns:
        Warnings of what names labels that are removed; they are logged, too.
    """
    previous = catalog.label_set
    put_labels(catalog, label_set, label_prompts)
    notes = (*notes_of_gates(catalog), *outdated_labels.notes_of_change(catalog, previous))
    for note in notes:
        _log.warning("%s", note)
    return notes


def put_labels(catalog: OpenCatalog, label_set: LabelSet, label_prompts: PromptSet) -> None:
    """Store a label set with its prompts in the catalog's files, then in its database.

    After a kill between the two, the next command sees that the database is behind.
    """
    previous = catalog.label_set, catalog.adaptation
    catalog.label_folder.save(label_set, label_prompts)
    catalog.label_set, catalog.prompts = label_set, label_prompts
    del catalog.adaptation  # it belongs to the previous labels
    if catalog.adaptation_is_outdated:
        # No warning: it is the usual way. Commands print it as information.
        _log.info(
            "labels have changed since they were fitted to the items of catalog %r. The next "
            "zeroshelf categorize%s, or zeroshelf labels adapt%s, fits all of them again; until "
            "then each classify fits them for itself.",
            catalog.folder.name,
            sets_option(catalog.folder.set_name),
            set_option(catalog.folder.set_name),
        )
    catalog.write_labels(previous)


def _default_templates(catalog: OpenCatalog) -> Sequence[str]:
    return prompts.default_templates(catalog.encoder.fingerprint.content_kind)


def _check_embeddable(catalog: OpenCatalog, label_set: LabelSet) -> None:
    """Refuse labels without vectors in a catalog of precomputed vectors without a model."""
    if catalog.fingerprint.model == PRECOMPUTED and not catalog.options.model:
        label_note = f"and its {len(label_set)} labels " if len(label_set) else ""
        raise CatalogError(
            f"catalog {catalog.folder.name!r} {label_note}came as precomputed vectors: give the "
            "labels' vectors too (--vectors FILE.npy), or name the model that made the "
            "items' (--model)."
        )


def _warn_of_replaced(label_set: LabelSet, labels: Sequence[Label]) -> None:
    """Warn that the model's vectors replace imported ones (of labels without prompts)."""
    remaining = [label.label_id for label in labels if label.label_id in label_set.places]
    with_vectors = [label_id for label_id in remaining if label_set.prompts(label_id) is None]
    if with_vectors:
        _log.warning(
            "the vectors of %d labels, such as %r, were given: the model's own replace them. To "
            "keep such vectors, add labels with --vectors.",
            len(with_vectors),
            with_vectors[0],
        )


def _precomputed(options: CatalogOptions, vectors: Path) -> Fingerprint:
    exists = options.folder.exists()
    logit_scale = options.folder.fingerprint().logit_scale if exists else CLIP_LOGIT_SCALE
    return precomputed_fingerprint(options, open_vectors(str(vectors)).width, logit_scale)
