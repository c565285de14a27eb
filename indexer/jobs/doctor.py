"""Examine a catalog's database: what is wrong, and what to do about each finding."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.catalog.opened import Catalog, CatalogOptions, open_catalog
from indexer.core.errors import (
    CatalogError,
    ModelError,
    StoreError,
    StoreLockedError,
    StoreUnavailableError,
    ZeroshelfError,
)
from indexer.core.layout import Layout, VectorType
from indexer.jobs.capacity import LITE_ITEMS, Room, needed
from indexer.store import Database
from indexer.store.addresses import parse
from indexer.store.capabilities import Capability, ServerInfo

if TYPE_CHECKING:
    from indexer.store.state import CollectionState


class State(StrEnum):
    """How a check ended."""

    GOOD = "good"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: what was looked at.
        found: what there is, for people.
        remedy: what to do; empty where nothing is to be done.
    """

    check: str
    state: State
    found: str
    remedy: str = ""


def examine(options: CatalogOptions, *, planned_items: int | None = None) -> list[Finding]:
    """Check the database, then the catalog in it; errors become findings.

    Args:
        planned_items: size to judge room by; the catalog's own if None.

    Raises:
        ConfigError: the database's address or the catalog's name is none.
    """
    if (path := parse(options.db_uri).path) is not None and not path.exists():
        return [_missing(path, options)]
    try:
        database = Database.connect(options.db_uri, token=options.token)
    except StoreError as error:
        return [_unreachable(error)]
    with database:
        findings = [*_about_database(database)]
    if not options.folder.exists():
        findings.append(_absent(options))
        return findings
    try:
        with open_catalog(options) as catalog:
            findings += _about_catalog(catalog)
            findings += _about_room(catalog, planned_items)
    except ZeroshelfError as error:
        findings.append(Finding(check="catalog", state=State.PROBLEM, found=str(error)))
    return findings


def _good(check: str, found: str) -> Finding:
    return Finding(check=check, state=State.GOOD, found=found)


def _missing(path: Path, options: CatalogOptions) -> Finding:
    """A Milvus Lite database that opening would make."""
    return Finding(
        check="connection",
        state=State.PROBLEM,
        found=f"there is no database {str(path)!r}",
        remedy=f"correct --db, or make it: zeroshelf rebuild --catalog {options.catalog}",
    )


def _unreachable(error: StoreError) -> Finding:
    """The first thing that keeps a command from the database."""
    found, _, remedy = str(error).rpartition("; ")
    if isinstance(error, StoreUnavailableError):
        remedy = (
            "start the server, or correct --db: `docker compose -f docker-compose.milvus.yml up "
            "-d --wait` starts one at http://127.0.0.1:19530"
        )
    check = "lock" if isinstance(error, StoreLockedError) else "connection"
    if "token" in remedy:
        check = "credentials"
    return Finding(check=check, state=State.PROBLEM, found=found, remedy=remedy)


def _about_database(database: Database) -> Iterator[Finding]:
    yield _good("connection", database.address)
    server = database.server_info()
    if server.is_too_old:
        yield Finding(
            check="version",
            state=State.PROBLEM,
            found=f"{server.version}: too old, it has no upsert",
            remedy="update the server to Milvus 2.6",
        )
    else:
        note = "" if server.is_tested else " (zeroshelf's tests were not run on this version)"
        yield _good("version", server.version + note)
    names = ", ".join(sorted(server.capabilities))
    yield _good("capabilities", names or "the basics")


def _absent(options: CatalogOptions) -> Finding:
    return Finding(
        check="catalog",
        state=State.PROBLEM,
        found=f"there is no catalog {options.catalog!r} in {str(options.data_dir)!r}",
        remedy="name another with --catalog or --data-dir, start it with zeroshelf ingest, or "
        "read it out of this database with zeroshelf copy --to-db",
    )


def _about_catalog(catalog: Catalog) -> Iterator[Finding]:
    """Model, rows, labels, index; what follows from a finding is not checked any more."""
    name = catalog.folder.name
    rebuild = f"zeroshelf rebuild --catalog {name}"
    generation = catalog.folder.number
    try:
        stored = catalog.database.fingerprint(name, generation)
        condition = catalog.database.state(name, generation)
        layout = catalog.database.layout(name, generation)
    except CatalogError as error:
        yield Finding(check="catalog", state=State.PROBLEM, found=str(error), remedy=rebuild)
        return
    try:
        items = catalog.items
    except (CatalogError, ModelError) as error:
        yield Finding(
            check="model",
            state=State.PROBLEM,
            found=str(error),
            remedy="another data folder made this catalog: give its --data-dir, or name another "
            "--catalog",
        )
        return
    probes = "probed" if stored.text_probe or stored.picture_probe else "no probes to compare"
    yield _good(
        "model", f"{stored.model}, {stored.width} dimensions as {layout.vector_type}, {probes}"
    )
    yield _about_rows(catalog, rebuild)
    try:
        yield _good("labels", f"{catalog.labels.count():,}, as in the catalog")
    except CatalogError as error:
        yield Finding(check="labels", state=State.PROBLEM, found=str(error), remedy=rebuild)
    yield from _about_index(condition, items.suggested_index(), rebuild)
    if layout.indexed:
        yield _about_metadata(layout, catalog.database.server_info())
    yield _about_load(condition, is_lite=catalog.database.is_lite)


def _about_rows(catalog: Catalog, rebuild: str) -> Finding:
    lag = catalog.lag
    found = f"{lag.rows:,} of {lag.items:,} in the archive"
    retry = f"zeroshelf retry --catalog {catalog.folder.name}"
    if lag.missing:
        return Finding(check="items", state=State.PROBLEM, found=found, remedy=rebuild)
    if lag.lost:
        found += f"; the database is older: up to {lag.lost:,} rows are not in it as they are now"
        return Finding(check="items", state=State.PROBLEM, found=found, remedy=retry)
    if lag.waiting:
        removals = f", {len(lag.removals):,} removals among them" if lag.removals else ""
        found += f"; up to {lag.waiting:,} rows{removals} wait to be stored"
        return Finding(check="items", state=State.WARNING, found=found, remedy=retry)
    if lag.extra:
        found += ": rows that the archive does not know, or rows twice"
        return Finding(check="items", state=State.PROBLEM, found=found, remedy=rebuild)
    if lag.is_foreign:
        found += "; another data folder wrote to the database since, or this one is a backup"
        return Finding(
            check="items", state=State.WARNING, found=found, remedy=f"{rebuild} --verify"
        )
    return _good("items", found)


def _about_index(found: CollectionState, wanted: str, rebuild: str) -> Iterator[Finding]:
    if not found.index or found.index_state == "Failed":
        yield Finding(
            check="index",
            state=State.PROBLEM,
            found=f"{found.index or 'none'} {found.index_state}".strip(),
            remedy=f"{rebuild} --index auto",
        )
    elif found.pending_rows:
        yield Finding(
            check="index",
            state=State.WARNING,
            found=f"{found.index}, {found.pending_rows:,} rows are not in it yet",
            remedy="wait: searches are slow until it is built",
        )
    elif found.index != wanted:
        yield Finding(
            check="index",
            state=State.WARNING,
            found=f"{found.index}; {wanted} suits this size",
            remedy=f"{rebuild} --index {wanted}, unless it was chosen",
        )
    else:
        yield _good("index", found.index)


def _about_metadata(layout: Layout, server: ServerInfo) -> Finding:
    columns = ", ".join(map(str, layout.indexed))
    if Capability.JSON_INDEXES in server.capabilities:
        return _good("metadata", f"indexed: {columns}")
    return Finding(
        check="metadata",
        state=State.WARNING,
        found=f"{columns}: this database can't index it, filters look at every row",
        remedy="servers can from Milvus 2.6 on; nothing else differs",
    )


def _about_load(found: CollectionState, *, is_lite: bool) -> Finding:
    if is_lite:
        return _good("load state", "loaded whenever it is opened")
    if found.loaded:
        return _good("load state", "loaded")
    return Finding(
        check="load state",
        state=State.WARNING,
        found="was not loaded; this check has loaded it",
        remedy="if it happens again, something else releases it",
    )


def _about_room(catalog: Catalog, planned_items: int | None) -> Iterator[Finding]:
    held = catalog.ledger.count()
    planned = planned_items or held
    is_lite = catalog.database.is_lite
    more = max(0, planned - held)
    room = needed(
        more,
        catalog.fingerprint.width,
        is_lite=is_lite,
        value_bytes=_vector_type(catalog).value_bytes,
    )
    if is_lite and planned > LITE_ITEMS:
        yield Finding(
            check="size",
            state=State.WARNING,
            found=f"{planned:,} items: Milvus Lite is slow beyond some {LITE_ITEMS:,}",
            remedy="start a server and run: zeroshelf copy --to-db http://127.0.0.1:19530",
        )
    yield _about_memory(catalog, room, planned)
    yield _about_disk(catalog, room, planned)


def _vector_type(catalog: Catalog) -> VectorType:
    """What items are stored as, or will be where they are not."""
    name, generation = catalog.folder.name, catalog.folder.number
    if not catalog.database.has_catalog(name, generation):
        return VectorType.FLOAT32
    return catalog.database.layout(name, generation).vector_type or VectorType.FLOAT32


def _about_memory(catalog: Catalog, room: Room, planned: int) -> Finding:
    if catalog.database.is_lite:
        free, where = _free_memory(), "of this machine"
    else:
        told = catalog.database.memory()
        free, where = (None if told is None else told.free), "of the server"
    return _judged(f"memory for {planned:,} items", room.memory_bytes, free, where)


def _about_disk(catalog: Catalog, room: Room, planned: int) -> Finding:
    """The archive's disk, and Milvus Lite's; a server does not tell of its own."""
    folder = catalog.folder.archive
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    own = "" if catalog.database.is_lite else " for the archive; the server does not tell its own"
    return _judged(f"disk for {planned:,} items", room.disk_bytes, free, f"at {folder}{own}")


def _judged(check: str, needed_bytes: int, free: int | None, where: str) -> Finding:
    need = f"about {_gigabytes(needed_bytes)} more needed"
    if free is None:
        return _good(check, f"{need}; {where} it can't be asked how much is free")
    found = f"{need}, {_gigabytes(free)} free {where}"
    if needed_bytes > free:
        return Finding(
            check=check,
            state=State.PROBLEM,
            found=found,
            remedy="free some, give it more, or take a quantized index (--index)",
        )
    if needed_bytes > free // 2:
        return Finding(
            check=check, state=State.WARNING, found=found, remedy="it fits, with little to spare"
        )
    return _good(check, found)


def _free_memory() -> int | None:
    """Bytes that this machine can give; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return int(values["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"
