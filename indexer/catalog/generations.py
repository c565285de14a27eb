"""Generations of a catalog: what one model made of it, and which of them counts.

A new model fills a new generation beside the current one: an archive, a ledger, labels
and collections of its own. The file that names the current one is replaced in one step,
so a reader finds all of the old generation or all of the new one. A reader holds a
lease on its generation, so that it is not dropped underneath.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from indexer.core.records import Fingerprint

SCHEMA_VERSION = 2
"""1 had one generation only."""

FIRST = 1

_POLL_S = 0.1
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generations:
    """What a catalog says of itself; each method gives the description after a step.

    Attributes:
        fingerprints: the model of each generation that is named below.
        current: the generation that commands work on.
        kept: the one that a rollback goes back to.
        filling: the one that is being filled by another model.
        partition_key: column of the items' metadata that the catalog is divided by.
    """

    fingerprints: Mapping[int, Fingerprint]
    current: int = FIRST
    kept: int | None = None
    filling: int | None = None
    partition_key: str = ""

    @property
    def named(self) -> frozenset[int]:
        """Generations that must not be dropped."""
        found = (self.current, self.kept, self.filling)
        return frozenset(number for number in found if number is not None)

    def started(self, number: int, fingerprint: Fingerprint) -> Generations:
        """With a generation that is being filled."""
        return replace(
            self, filling=number, fingerprints={**self.fingerprints, number: fingerprint}
        )

    def swapped(self, *, keep_old: bool) -> Generations:
        """With the filled generation as the current one."""
        assert self.filling is not None
        kept = self.current if keep_old else None
        return replace(self, current=self.filling, kept=kept, filling=None)._tidy()

    def rolled_back(self) -> Generations:
        """With the kept generation as the current one, and the current one kept."""
        assert self.kept is not None
        return replace(self, current=self.kept, kept=self.current)

    def forgotten(self) -> Generations:
        """Without the kept generation and without the one that is being filled."""
        return replace(self, kept=None, filling=None)._tidy()

    def _tidy(self) -> Generations:
        named = {number: self.fingerprints[number] for number in sorted(self.named)}
        return replace(self, fingerprints=named)


def to_json(found: Generations, serial: int = 0) -> dict[str, Any]:
    """A description as JSON values, with a checksum of them.

    Args:
        serial: one more than that of the description before.
    """
    values = _values(found) | {"serial": serial}
    return values | {"checksum": _checksum(values)}


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=8).hexdigest()


def _values(found: Generations) -> dict[str, Any]:
    return {
        "schema": SCHEMA_VERSION,
        "current": found.current,
        "kept": found.kept,
        "filling": found.filling,
        "partition_key": found.partition_key,
        "fingerprints": {str(key): asdict(one) for key, one in found.fingerprints.items()},
    }


def from_json(stored: Mapping[str, Any]) -> Generations | None:
    """The description out of its JSON values; None where it is of a newer zeroshelf.

    Raises:
        KeyError, TypeError, ValueError: a part is missing or wrong.
    """
    if stored["schema"] not in {1, SCHEMA_VERSION}:
        return None
    values = {name: value for name, value in stored.items() if name != "checksum"}
    if stored.get("checksum", _checksum(values)) != _checksum(values):
        raise ValueError("its checksum is another")
    if stored["schema"] == 1:
        return Generations(fingerprints={FIRST: _fingerprint(stored["fingerprint"])})
    found = Generations(
        fingerprints={int(key): _fingerprint(one) for key, one in stored["fingerprints"].items()},
        current=int(stored["current"]),
        kept=stored["kept"],
        filling=stored["filling"],
        partition_key=str(stored["partition_key"]),
    )
    if missing := found.named - set(found.fingerprints):
        raise KeyError(f"fingerprint of generation {min(missing)}")
    return found


def _fingerprint(stored: dict[str, Any]) -> Fingerprint:
    """The fingerprint out of its JSON; fields of later versions are left out."""
    probes = {name: tuple(stored[name]) for name in ("text_probe", "picture_probe")}
    known = {field.name for field in fields(Fingerprint)}
    return Fingerprint(**{key: value for key, value in (stored | probes).items() if key in known})


@contextlib.contextmanager
def reading(lease: Path) -> Iterator[None]:
    """Hold a generation's lease with others; the system takes it back from a killed process.

    Raises:
        FileNotFoundError: the generation's folder is gone.
        BlockingIOError: it is being dropped, which may take a while: look for another.
    """
    file = _opened(lease)
    if file is None:
        yield
        return
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)


def _opened(lease: Path) -> int | None:
    """The lease's file; None in a folder that can only be read: nothing is dropped from here."""
    try:
        return os.open(lease, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno in _READ_ONLY:
            return None
        raise


@contextlib.contextmanager
def unread(lease: Path, *, patience_s: float) -> Iterator[bool]:
    """Wait until nobody reads a generation, then hold its lease alone.

    Yields:
        Whether it is held; False where it was still being read when patience ended.
    """
    until = time.monotonic() + patience_s
    file = os.open(lease, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while not _held(file):
            if time.monotonic() >= until:
                yield False
                return
            time.sleep(_POLL_S)
        yield True
    finally:
        os.close(file)


def _held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
