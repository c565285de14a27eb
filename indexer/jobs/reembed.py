"""Changes a catalog's model while it is being read.

A new generation is filled from the sources beside the current one. The catalog's lock is held
only at the end, while later changes are added. Then one file names the new generation as the
current one. The file decides, not the aliases: readers open collections by the generation's
number, so a kill between the file and the aliases does no harm, and the next writing command
moves the aliases.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from indexer.catalog.fingerprints import same_contents, same_model
from indexer.catalog.folder import CatalogFolder
from indexer.catalog.opening import (
    CatalogOptions,
    OpenCatalog,
    model_of,
    open_catalog,
    open_generation,
    refuse_while_migrating,
    warn_of_text_model,
)
from indexer.core.errors import CatalogError, UsageError
from indexer.core.layout import AS_IT_IS, Layout
from indexer.core.records import Kind
from indexer.core.watch import Watch
from indexer.encoder import SentenceTransformerEncoder
from indexer.ingestion.ray import RayStages
from indexer.jobs import acceptance, adapt, carrying
from indexer.jobs.acceptance import Agreement
from indexer.jobs.cluster import cluster_stages
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.rollback import READERS_PATIENCE_S, drop_orphans
from indexer.jobs.source_ingestion import ingest_source
from indexer.store import Database

GRACE_S = 2.0
"""Seconds between the swap and the drop of collections on a server: clients that use the alias
hold no lease, and may be in the middle of a search."""

# The other command may run for minutes; nobody notices a second more.
_LOCK_POLL_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReembedOptions:
    """How a model is changed.

    Attributes:
        ingest: how sources are read, decoded and embedded; items added meanwhile are embedded
            on this machine.
        keep_old: keep the old generation, for a rollback.
        max_dead: largest share of items that may become dead letters; with more, nothing is
            swapped.
    """

    ingest: IngestOptions = field(default_factory=IngestOptions)
    keep_old: bool = False
    max_dead: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ReembedReport:
    """The result of a change of the model.

    Attributes:
        model: the catalog's model after the change.
        before: its model before.
        items: in the new generation.
        dead_letters: items of the old generation that are not in the new one, by reason.
        unchanged: the catalog was of this model already, and nothing was embedded.
        query_prompt: what is put before searches from now on; None where that is as before.
        keeps_pictures: both models embed pictures alike: their vectors were carried over.
        recall: of the ten nearest items of a sample, against exact search.
        agreement: of old and new labels; None where there are fewer than two.
        left: generations that are still being read; the next command drops them.
        interrupted: it was stopped before all was embedded.
    """

    model: str
    before: str
    items: int
    unchanged: bool = False
    query_prompt: str | None = None
    keeps_pictures: bool = False
    dead_letters: dict[str, int] = field(default_factory=dict)
    recall: float = 1.0
    agreement: Agreement | None = None
    left: tuple[int, ...] = ()
    interrupted: bool = False


def reembed(options: CatalogOptions, how: ReembedOptions, watch: Watch = Watch()) -> ReembedReport:
    """Re-embed a catalog with another model; the same call resumes after a kill.

    Vectors that both models make alike are carried over: where only texts are embedded otherwise
    (``--text-model``, ``--prompt``), no picture is read.

    Args:
        options: ``model`` is the new one; without it the catalog's stays, and what else is named
            changes.

    Raises:
        UsageError: nothing to change is named, or there are items or labels that can't be
            embedded.
        CatalogError: no such catalog, in use, moving to other labels, or the new generation does
            not pass its checks.
    """
    folder = options.folder
    folder.generations()  # before a lock would make the folder of a missing one
    options = _requested(options)
    assert options.model is not None
    with ExitStack() as stack:
        stack.enter_context(folder.reembed_lock())
        database = stack.enter_context(Database.connect(options.db_uri, token=options.token))
        drop_orphans(options, database)
        encoder = options.load_encoder(options.model)
        warn_of_text_model(encoder)
        with open_catalog(options.without_model) as old:
            if same_model(old.fingerprint, encoder.fingerprint):
                return _unchanged_report(options, old, encoder.fingerprint.query_prompt)
            _check_embeddable(old, encoder)
            report = _fill_and_swap(options, old, encoder, how, watch)
        if report.interrupted:
            return report
        if database.is_shared:
            time.sleep(GRACE_S)
        left = drop_orphans(options, database, patience_s=READERS_PATIENCE_S)
    return replace(report, left=tuple(left))


def _requested(options: CatalogOptions) -> CatalogOptions:
    """The options with what is to stay of a catalog's model, where no model is named."""
    if options.model is not None:
        return options
    settings, made_by = options.settings, options.folder.fingerprint()
    if settings.text_model is not None:  # prompts are those of the model for texts
        settings = replace(
            settings.of_catalog(made_by),
            prompt=settings.prompt,
            query_prompt=settings.query_prompt,
        )
    elif (settings.prompt, settings.query_prompt, settings.truncate_dim) != (None, None, None):
        settings = settings.of_catalog(made_by)
    else:
        raise UsageError(
            "say what shall change: --model for another model, --text-model for another one for "
            "texts, --prompt or --query-prompt for other words before texts."
        )
    model = model_of(options, made_by, catalog=options.catalog)
    return replace(options, model=model, settings=settings)


def _unchanged_report(
    options: CatalogOptions, old: OpenCatalog, query_prompt: str
) -> ReembedReport:
    """All vectors are as they shall be: a call before was killed after the swap, or finished.

    What is put before searches is in no vector of the catalog: it is only stored.
    """
    folder, fingerprint = options.folder, old.fingerprint
    changed = fingerprint.query_prompt != query_prompt
    with folder.locked():
        old.create_collections()
        if changed:
            fingerprint = replace(fingerprint, query_prompt=query_prompt)
            number, catalog = old.folder.number, folder.generations()
            old.database.set_fingerprint(folder.name, fingerprint, number)
            fingerprints = {**catalog.fingerprints, number: fingerprint}
            folder.write_description(replace(catalog, fingerprints=fingerprints))
    return ReembedReport(
        model=fingerprint.models,
        before=fingerprint.models,
        items=old.ledger.item_count(),
        unchanged=True,
        query_prompt=query_prompt if changed else None,
    )


def _check_embeddable(old: OpenCatalog, encoder: SentenceTransformerEncoder) -> None:
    """Refuse, before the start, a catalog with items or labels that can't be embedded.

    Raises:
        UsageError: items or labels that came as vectors, or pictures for a model of texts.
    """
    name, kinds = old.folder.name, Counter[str]()
    for shard in old.archive.shards():
        rows = old.ledger.live_rows(shard)
        kinds.update(old.archive.table(shard, ["kind"]).column("kind").take(rows).to_pylist())
    vectors = kinds[Kind.VECTOR]
    if vectors and not same_contents(old.fingerprint, encoder.fingerprint):
        raise UsageError(
            f"{vectors:,} of the {old.ledger.count():,} items of catalog {name!r} came as vectors "
            "(--vectors), and there is nothing to embed them from. Nothing was begun: ingest them "
            "from pictures or texts into another --catalog, or give the new model's vectors there."
        )
    if kinds[Kind.SOUND] and not encoder.hears_sounds:
        raise UsageError(
            f"catalog {name!r} holds {kinds[Kind.SOUND]:,} windows of sounds, and model "
            f"{encoder.fingerprint.model!r} hears none. Nothing was begun: give a CLAP model."
        )
    if kinds[Kind.PICTURE] and not encoder.sees_pictures:
        raise UsageError(
            f"catalog {name!r} holds {kinds[Kind.PICTURE]:,} pictures, and model "
            f"{encoder.fingerprint.model!r} embeds texts only. Nothing was begun."
        )
    with_vectors = [
        label.label_id
        for at_set in old.sets
        for label in at_set.label_set.labels
        if at_set.label_set.prompts(label.label_id) is None
    ]
    if with_vectors:
        raise UsageError(
            f"{len(with_vectors):,} labels of catalog {name!r} came as vectors, among them "
            f"{with_vectors[0]!r}: the new model can't embed them. Nothing was begun: add them "
            "by name first, with zeroshelf labels add FILE, or remove them."
        )


def _fill_and_swap(
    options: CatalogOptions,
    old: OpenCatalog,
    encoder: SentenceTransformerEncoder,
    how: ReembedOptions,
    watch: Watch,
) -> ReembedReport:
    folder = options.folder
    refuse_while_migrating(old.folder)
    number = _start_generation(options, encoder)
    newest = max(old.archive.shards(), default=0)
    with _opened(options, number, encoder) as new:
        report = _fill_and_measure(old, new, how, watch)
    if report.interrupted:
        return report
    with ExitStack() as stack:
        if not _wait_for_lock(folder, stack, watch):
            return replace(report, interrupted=True)
        # Opened again: labels, decisions and dead letters may have changed before the lock.
        new = stack.enter_context(_opened(options, number, encoder))
        old = stack.enter_context(open_generation(old.options, old.folder.number))
        refuse_while_migrating(old.folder)
        if not _complete(old, new, how, watch, since=newest):
            return replace(report, interrupted=True)
        folder.write_description(folder.generations().swapped(keep_old=how.keep_old))
        new.database.make_current(folder.name, number)
        dead = acceptance.unembedded(old, new).most_common()
        return replace(report, items=new.ledger.item_count(), dead_letters=dict(dead))


def _fill_and_measure(
    old: OpenCatalog, new: OpenCatalog, how: ReembedOptions, watch: Watch
) -> ReembedReport:
    """Fill the generation and measure it, without the lock."""
    carrying.make_sets(old, new)
    new.create_collections(layout=_layout(old, new), current=False)
    with cluster_stages(new.options, how.ingest) as stages:
        filled = _fill(old, new, how, watch, stages=stages)
    report = ReembedReport(
        model=new.fingerprint.models,
        before=old.fingerprint.models,
        items=new.ledger.item_count(),
        keeps_pictures=same_contents(old.fingerprint, new.fingerprint),
        interrupted=not filled,
    )
    if not filled:
        return report
    _carry_labels(old, new, watch)
    return replace(
        report,
        recall=acceptance.recall_of_sample(new),
        agreement=acceptance.agreement(old, new),
    )


def _layout(old: OpenCatalog, new: OpenCatalog) -> Layout:
    """The old generation's layout in this database, if it is there.

    Collections that an earlier call made with another layout are dropped, and stored again.
    """
    database, name = new.database, new.folder.name
    if not database.has_catalog(name, old.folder.number):
        return AS_IT_IS
    layout = database.layout(name, old.folder.number)
    exists = database.has_catalog(name, new.folder.number)
    if exists and database.layout(name, new.folder.number) != layout:
        database.drop_generation(name, new.folder.number)
    return layout


def _complete(
    old: OpenCatalog, new: OpenCatalog, how: ReembedOptions, watch: Watch, *, since: int
) -> bool:
    """Add the old generation's later changes, and check the new one; False if stopped."""
    carrying.make_sets(old, new)
    carrying.remove_deleted(old, new)
    carrying.catch_up_decisions(old, new)
    if not _fill(old, new, how, Watch(stop=watch.stop), since=since):
        return False
    _carry_labels(old, new, watch)
    for at_set in old.sets:
        carrying.carry_labelled(at_set, new.of_set(at_set.folder.set_name))
    carrying.carry_dead_letters(old, new)
    acceptance.check_counts(old, new, how.max_dead)
    acceptance.check_model(new)
    acceptance.warm(new)
    return True


def _start_generation(options: CatalogOptions, encoder: SentenceTransformerEncoder) -> int:
    """The generation to fill: the one that an earlier call started, or a new one."""
    folder = options.folder
    with folder.locked():
        generations = folder.generations()
        if generations.filling is None:
            number = 1 + max({*generations.fingerprints, *folder.orphans()})
            folder.at(number).home.mkdir(parents=True, exist_ok=True)
            folder.write_description(generations.started(number, encoder.fingerprint))
            return number
    started = generations.fingerprints[generations.filling]
    if not same_model(started, encoder.fingerprint):
        text_model = f" --text-model {started.text_model}" if started.text_model else ""
        raise CatalogError(
            f"a change of catalog {folder.name!r} to model {started.models!r} was begun and not "
            f"finished. Finish it with: zeroshelf reembed --model {started.model}"
            f"{text_model}, or drop what it made with: zeroshelf rollback --forget"
        )
    return generations.filling


@contextmanager
def _opened(
    options: CatalogOptions, number: int, encoder: SentenceTransformerEncoder
) -> Iterator[OpenCatalog]:
    with open_generation(options, number, write=True) as catalog:
        catalog.encoder = encoder
        yield catalog


def _fill(
    old: OpenCatalog,
    new: OpenCatalog,
    how: ReembedOptions,
    watch: Watch,
    *,
    since: int = 0,
    stages: RayStages | None = None,
) -> bool:
    """Embed the items that the new generation lacks; False if stopped."""
    report = ingest_source(
        new,
        carrying.Archived(old, new, since=since),
        how.ingest,
        watch,
        stage="Embedding",
        embeds=True,
        on_shard=partial(carrying.carry_decisions, old, new),
        stages=stages,
    )
    return not report.interrupted


def _wait_for_lock(folder: CatalogFolder, stack: ExitStack, watch: Watch) -> bool:
    """Wait until no other command writes to the catalog; False if stopped."""
    warned = False
    while not watch.stop.is_set():
        try:
            stack.enter_context(folder.locked())
        except CatalogError as error:
            if not warned:
                _log.warning("all is embedded; waiting to finish: %s", error)
            warned = True
            watch.stop.wait(_LOCK_POLL_S)
        else:
            return True
    return False


def _carry_labels(old: OpenCatalog, new: OpenCatalog, watch: Watch) -> None:
    """Embed the labels of all sets by the new model; adapt them unless that is turned off."""
    for old_set in old.sets:
        new_set = new.of_set(old_set.folder.set_name)
        carrying.carry_labels(old_set, new_set, watch)
        if old_set.adaptation_folder.is_disabled:
            new_set.adaptation_folder.disable()
        adapt.current(new_set)
        new_set.store_labels()  # an earlier call may have been killed between files and database
