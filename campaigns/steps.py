"""The durable steps of commands: where a kill may come between two of them.

Each step is a call after which something is on disk, or in the database, that was not there
before. A process that has ``watch``ed its steps tells them in order, or is killed at one of them.
"""

from __future__ import annotations

import functools
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a command.

    Attributes:
        name: of the call.
        number: 1 is the first call of this name.
        after: whether the kill comes after the call, not before it.
    """

    name: str
    number: int
    after: bool

    def __str__(self) -> str:
        """Such as ``after MilvusItems.flush 2``."""
        return f"{'after' if self.after else 'before'} {self.name} {self.number}"


def watch(report: Callable[[str], None], kill_at: Step | None = None) -> None:
    """From here on, in this process, tell each durable step and be killed at one of them.

    Args:
        report: called with the name of each step before it is taken.
        kill_at: the process sends itself SIGKILL there.
    """
    from indexer.catalog import archive, dead_letters, decisions, ledger, stored_shards
    from indexer.catalog import folder as catalog
    from indexer.labels import examples, files
    from indexer.store import Database, MilvusItems, MilvusLabels

    counts: Counter[str] = Counter()

    def watched(owner: Any, attribute: str, name_of: Callable[..., str] | None = None) -> None:
        call = getattr(owner, attribute)
        own_name = f"{owner.__name__}.{attribute}"

        @functools.wraps(call)
        def step(*args: Any, **options: Any) -> Any:
            name = own_name if name_of is None else name_of(*args)
            counts[name] += 1
            report(name)
            _kill_where(kill_at, Step(name, counts[name], after=False))
            result = call(*args, **options)
            _kill_where(kill_at, Step(name, counts[name], after=True))
            return result

        setattr(owner, attribute, step)

    watched(Path, "replace", lambda _source, target: f"rename {_kind(Path(target))}")
    watched(Path, "unlink", lambda path, *_: f"delete {_kind(path)}")
    for owner, attributes in (
        (archive.Archive, ("write",)),
        (ledger.Ledger, ("add",)),
        (stored_shards.StoredShards, ("begin_version", "mark", "unmark", "mark_lost")),
        (decisions.DecisionFiles, ("prepare", "publish")),
        (dead_letters.DeadLetters, ("add", "tidy")),
        (files.LabelFolder, ("save",)),
        (files.AdaptationFolder, ("save", "disable")),
        (
            examples.LabelledFolder,
            ("save_items", "save_background", "save_fits"),
        ),
        (catalog.CatalogFolder, ("create", "write_description", "drop_orphan")),
        (MilvusItems, ("upsert", "delete", "flush", "set_stored_version", "ensure_index")),
        (MilvusLabels, ("upsert", "delete", "flush")),
        (
            Database,
            (
                *("create_catalog", "drop_catalog", "drop_generation"),
                *("make_current", "set_label_version"),
            ),
        ),
    ):
        for attribute in attributes:
            watched(owner, attribute)


def _kind(path: Path) -> str:
    """A file's name without its number: ``items-*.parquet``."""
    return re.sub(r"[0-9a-f]{8,}|\d+", "*", path.name)


def _kill_where(kill_at: Step | None, here: Step) -> None:
    if here == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
