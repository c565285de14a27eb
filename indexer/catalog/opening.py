"""Opens catalogs, and makes them where there are none."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from indexer.catalog.catalog import OpenCatalog
from indexer.catalog.fingerprints import model_of, require_same
from indexer.catalog.folder import CatalogFolder
from indexer.catalog.options import CatalogOptions
from indexer.core.errors import UsageError
from indexer.core.layout import AS_IT_IS, Layout
from indexer.core.records import Fingerprint
from indexer.labels.migration_plan import MigrationPlan

if TYPE_CHECKING:
    from indexer.encoder import SentenceTransformerEncoder

__all__ = [
    "CatalogOptions",
    "OpenCatalog",
    "model_of",
    "open_catalog",
    "open_generation",
    "open_or_create",
    "refuse_while_migrating",
    "warn_of_text_model",
]

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def open_catalog(
    options: CatalogOptions, *, write: bool = False, migrating: bool = False
) -> Iterator[OpenCatalog]:
    """Open a catalog that exists, at its current generation; close it on leaving.

    Args:
        write: hold the catalog's lock.
        migrating: write also while the catalog is moving to other labels: the move itself, and
            what repairs the database.

    Raises:
        CatalogError: there is none, another process writes to it, or it is moving to other labels.
    """
    with contextlib.ExitStack() as stack:
        options.folder.generations()  # before a lock would make the folder of a missing one
        options.folder.require_set()
        if write:
            stack.enter_context(options.folder.locked())
        folder, fingerprint = _enter_current(options, stack)
        if write and not migrating:
            refuse_while_migrating(folder)
        yield OpenCatalog(options, folder, fingerprint, stack, is_writer=write)


def _enter_current(
    options: CatalogOptions, stack: contextlib.ExitStack
) -> tuple[CatalogFolder, Fingerprint]:
    """The catalog at its current generation, leased on the stack, and what made its vectors."""
    while True:
        with contextlib.ExitStack() as lease, contextlib.suppress(KeyError):
            folder = lease.enter_context(options.folder.leased())
            # The lease keeps the files. A change of the model may end between it and this line,
            # and the description then names the generation no more: take the new one.
            fingerprint = folder.fingerprint()
            stack.enter_context(lease.pop_all())
            return folder, fingerprint


@contextlib.contextmanager
def open_generation(
    options: CatalogOptions, number: int, *, write: bool = False
) -> Iterator[OpenCatalog]:
    """Open one generation of a catalog; the caller must keep it from being dropped.

    Args:
        write: the caller is the only one that writes to this generation.
    """
    with contextlib.ExitStack() as stack:
        folder = options.folder.at(number)
        yield OpenCatalog(options, folder, folder.fingerprint(), stack, is_writer=write)


@contextlib.contextmanager
def open_or_create(
    options: CatalogOptions,
    *,
    made_by: Fingerprint | None = None,
    partition_key: str | None = None,
    layout: Layout = AS_IT_IS,
    labels: bool = True,
) -> Iterator[OpenCatalog]:
    """Open a catalog for writing; make it where there is none.

    Args:
        made_by: fingerprint of imported vectors; None loads the model.
        partition_key: column that a new catalog is partitioned by; None leaves it as it is.
        layout: vector type and metadata indexes of the items.
        labels: as ``OpenCatalog.create_collections`` takes it.

    Raises:
        ModelMismatchError: the catalog exists and is of another model or width.
        UsageError: the catalog exists and is partitioned otherwise.
        ConfigError: the stored items have another layout, or the database can't have this one.
    """
    from indexer.encoder import DEFAULT_MODEL

    with contextlib.ExitStack() as stack:
        stack.enter_context(options.folder.locked())
        encoder = None
        if options.folder.exists():
            fingerprint = options.folder.fingerprint()
            _check_partition_key(options, partition_key)
            if made_by is not None:
                require_same(fingerprint, made_by, catalog=options.catalog)
        elif made_by is not None:
            fingerprint = made_by
        else:
            encoder = options.load_encoder(options.model or DEFAULT_MODEL)
            fingerprint = encoder.fingerprint
            warn_of_text_model(encoder)
        # No generation is dropped while the lock is held, so a writer needs no lease.
        folder = options.folder.at(options.folder.number)
        refuse_while_migrating(folder)
        catalog = OpenCatalog(options, folder, fingerprint, stack, is_writer=True)
        if encoder is not None:
            catalog.encoder = encoder
        catalog.database.check_layout(layout)  # connects, before anything is written
        if not options.folder.exists():
            options.folder.create(fingerprint, partition_key=partition_key or "")
        catalog.create_collections(layout=layout, labels=labels)
        yield catalog


def refuse_while_migrating(folder: CatalogFolder) -> None:
    """Refuse to change a catalog while labels of one of its sets are being replaced.

    Raises:
        CatalogError: it names the command that finishes the move.
    """
    for set_name in folder.set_names():
        MigrationPlan(folder.of_set(set_name).labels).refuse_others()


def warn_of_text_model(encoder: SentenceTransformerEncoder) -> None:
    """Warn where ``--text-model`` does not share the space of ``--model``."""
    alignment = getattr(encoder, "text_alignment", None)
    if alignment is not None and alignment.is_chance:
        _log.warning(
            "--text-model does not seem to be of the space of --model: the %d texts that were "
            "tried are nearer to their own counterparts than to others in %.0f%% of the cases, and "
            "chance gives 50%%. Labels and searches would find anything.",
            alignment.pairs,
            100 * alignment.share,
        )


def _check_partition_key(options: CatalogOptions, partition_key: str | None) -> None:
    stored = options.folder.generations().partition_key
    if partition_key not in {None, stored}:
        state = f"divided by {stored!r}" if stored else "not divided"
        raise UsageError(
            f"--partition-key {partition_key}: catalog {options.catalog!r} is there already, and "
            f"{state}. A catalog is divided when it is made: ingest into another --catalog."
        )
