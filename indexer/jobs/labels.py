"""Change a catalog's label set, in its folder and in its database."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from indexer.catalog.fingerprints import PRECOMPUTED
from indexer.catalog.opened import Catalog, CatalogOptions, open_catalog, open_or_create
from indexer.core.errors import CatalogError
from indexer.core.records import Fingerprint, Label
from indexer.encoder import name_of
from indexer.jobs.ingest import CLIP_LOGIT_SCALE
from indexer.jobs.label_checks import tell_cut, tell_same_paths, tell_same_prompts
from indexer.jobs.label_files import read_label_file
from indexer.labels import prompts, taxonomy
from indexer.labels.prompt_sets import PromptSet, no_prompts
from indexer.labels.sets import LabelChanges, LabelSet, embed, empty, read_vectors, take_vectors
from indexer.sources.npy import open_vectors

OnTexts = Callable[[int, int], None]

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
    on_texts: OnTexts = lambda _done, _of: None,
) -> LabelChanges:
    """Bring a label file into a catalog; only new and changed labels are embedded.

    Args:
        file: as ``read_label_file`` takes it, ``dataset`` and ``create_parents`` too.
        templates: prompt templates; empty takes those of the labels that are there, or, for
            the first labels, those that suit the model.
        synonyms: the templates that have the name are filled with each synonym too; None
            keeps to what the labels have that are there.
        vectors: a ``.npy`` file, float (n, d), a row for each label of the file.
        replace: the file is the whole label set; others are removed.

    Raises:
        TaxonomyError: the file is no valid taxonomy, or the vectors do not fit it.
        ConfigError: a template is not valid.
    """
    if templates:
        prompts.check_templates(templates)
    known: Sequence[Label] = ()
    if options.folder.exists() and not replace:
        with open_catalog(options) as catalog:
            known = catalog.label_set.labels
    read = read_label_file(file, known=known, create_parents=create_parents, dataset=dataset).labels
    labels = read if replace else taxonomy.merge(known, read)
    tell_same_paths(labels)
    precomputed = None if vectors is None else _precomputed(options, vectors)
    with open_or_create(options, made_by=precomputed, labels=not replace) as catalog:
        if replace:
            _forget_damaged(catalog)
        before = catalog.label_set
        if vectors is not None:
            given = read_vectors(vectors, read, catalog.fingerprint.width)
            after, changes = take_vectors(before, labels, given)
            kept = [one.label_id for one in labels if one.label_id not in given]
            own = catalog.prompts.subset(kept)
        else:
            _refuse_unembeddable(catalog, before)
            _tell_replaced(before, labels)
            chosen = templates or before.templates or _default_templates(catalog)
            after, own, changes = embed(
                before,
                labels,
                templates=chosen,
                embed_texts=lambda texts: catalog.encoder.embed_texts(texts),
                synonyms=before.with_synonyms if synonyms is None else synonyms,
                prompts=catalog.prompts,
                on_texts=on_texts,
            )
            cut = catalog.encoder.overlong(own.texts)
            changes = dataclasses.replace(changes, cut_prompts=tell_cut(own, cut))
            tell_same_prompts(own, cut)
        replace_labels(catalog, after, own)
        return changes


def _forget_damaged(catalog: Catalog) -> None:
    """Go on without labels, or prompts, whose files are damaged: others take their place."""
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
    """Take labels out, by id or by name.

    Raises:
        TaxonomyError: unknown labels, or parents of labels that stay; nothing is removed.
    """
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        before = catalog.label_set
        gone = set(taxonomy.resolve(before.labels, label_ids))
        kept = [label for label in before.labels if label.label_id not in gone]
        if kept:
            taxonomy.check(kept)
        after = (
            before.subset([label.label_id for label in kept])
            if kept
            else empty(catalog.fingerprint.width)
        )
        replace_labels(catalog, after, catalog.prompts.subset(list(after.places)))
        return LabelChanges(
            added=0, changed=0, unchanged=len(kept), removed=len(gone), embedded_texts=0
        )


def replace_labels(catalog: Catalog, after: LabelSet, own: PromptSet) -> None:
    """Make a label set with its prompts a catalog's own.

    File first, then database: a command that is killed between the two is told of it.
    """
    before = catalog.label_set, catalog.adaptation
    catalog.label_folder.save(after, own)
    catalog.label_set, catalog.prompts = after, own
    del catalog.adaptation  # of the labels before
    if catalog.adaptation_is_outdated:
        _log.warning(
            "labels have changed since they were fitted to the items of catalog %r. The next "
            "zeroshelf categorize, or zeroshelf labels adapt, fits all of them again; until then "
            "each classify fits them for itself.",
            catalog.folder.name,
        )
    catalog.write_labels(before)


def _default_templates(catalog: Catalog) -> Sequence[str]:
    pictures = catalog.encoder.sees_pictures
    return prompts.DEFAULT_TEMPLATES if pictures else prompts.TEXT_TEMPLATES


def _refuse_unembeddable(catalog: Catalog, before: LabelSet) -> None:
    """Vectors of a catalog without a model can only come with --vectors."""
    if catalog.fingerprint.model == PRECOMPUTED and not catalog.options.model:
        held = f"and its {len(before)} labels " if len(before) else ""
        raise CatalogError(
            f"catalog {catalog.folder.name!r} {held}came as precomputed vectors: give the labels' "
            "vectors too (--vectors FILE.npy), or name the model that made the items' (--model)."
        )


def _tell_replaced(before: LabelSet, labels: Sequence[Label]) -> None:
    """Labels without prompts had vectors from outside, and the model makes others of them."""
    stay = [one.label_id for one in labels if one.label_id in before.places]
    given = [label_id for label_id in stay if before.prompts(label_id) is None]
    if given:
        _log.warning(
            "the vectors of %d labels, such as %r, were given: the model's own replace them. To "
            "keep such vectors, add labels with --vectors.",
            len(given),
            given[0],
        )


def _precomputed(options: CatalogOptions, vectors: Path) -> Fingerprint:
    stored = options.folder.fingerprint() if options.folder.exists() else None
    remembered = stored.model if stored else PRECOMPUTED
    return Fingerprint(
        model=name_of(options.model) if options.model else remembered,
        revision="",
        preprocessing="",
        width=open_vectors(str(vectors)).width,
        logit_scale=stored.logit_scale if stored else CLIP_LOGIT_SCALE,
    )
