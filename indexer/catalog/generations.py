"""Generations of a catalog: the files that one model made, and which generation is current.

A new model fills a new generation beside the current one: an archive, a ledger, labels
and collections of its own. The file that names the current one is replaced in one step,
so a reader sees all of the old generation or all of the new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from indexer.core.hashing import checksum
from indexer.core.records import Fingerprint

SCHEMA_VERSION = 2
"""1 had one generation only."""

# Generations count from 1: a catalog's file of the first version names none.
FIRST = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Generations:
    """A catalog's description of its generations; methods give the description after a step.

    Attributes:
        fingerprints: the model of each generation in use.
        current: the generation that commands work on.
        previous: the one that a rollback goes back to.
        filling: the one that another model is filling.
        partition_key: metadata column that the catalog is partitioned by; empty for none.
    """

    fingerprints: Mapping[int, Fingerprint]
    current: int = FIRST
    previous: int | None = None
    filling: int | None = None
    partition_key: str = ""

    @property
    def in_use(self) -> frozenset[int]:
        """Generations that must not be dropped."""
        roles = (self.current, self.previous, self.filling)
        return frozenset(number for number in roles if number is not None)

    def started(self, number: int, fingerprint: Fingerprint) -> Generations:
        """With a generation that is being filled."""
        return replace(
            self, filling=number, fingerprints={**self.fingerprints, number: fingerprint}
        )

    def swapped(self, *, keep_old: bool) -> Generations:
        """With the filled generation as the current one."""
        assert self.filling is not None
        previous = self.current if keep_old else None
        return replace(self, current=self.filling, previous=previous, filling=None)._tidy()

    def rolled_back(self) -> Generations:
        """With the previous generation and the current one exchanged."""
        assert self.previous is not None
        return replace(self, current=self.previous, previous=self.current)

    def forgotten(self) -> Generations:
        """Without the previous generation and the one being filled."""
        return replace(self, previous=None, filling=None)._tidy()

    def _tidy(self) -> Generations:
        in_use = {number: self.fingerprints[number] for number in sorted(self.in_use)}
        return replace(self, fingerprints=in_use)


def to_json(generations: Generations, serial: int = 0) -> dict[str, Any]:
    """A description as JSON values, with a checksum of them.

    Args:
        serial: one more than the previous description's.
    """
    values = _values(generations) | {"serial": serial}
    return values | {"checksum": checksum(values)}


def _values(generations: Generations) -> dict[str, Any]:
    return {
        "schema": SCHEMA_VERSION,
        "current": generations.current,
        # The key is that of files which earlier versions wrote.
        "kept": generations.previous,
        "filling": generations.filling,
        "partition_key": generations.partition_key,
        "fingerprints": {
            str(number): asdict(fingerprint)
            for number, fingerprint in generations.fingerprints.items()
        },
    }


def from_json(stored: Mapping[str, Any]) -> Generations | None:
    """The description from its JSON values; None where a newer zeroshelf wrote it.

    Raises:
        KeyError, TypeError, ValueError: a part is missing or wrong.
    """
    if stored["schema"] not in {1, SCHEMA_VERSION}:
        return None
    values = {name: value for name, value in stored.items() if name != "checksum"}
    if stored.get("checksum", checksum(values)) != checksum(values):
        raise ValueError("its checksum is another")
    if stored["schema"] == 1:
        return Generations(fingerprints={FIRST: _fingerprint(stored["fingerprint"])})
    generations = Generations(
        fingerprints={
            int(number): _fingerprint(fingerprint)
            for number, fingerprint in stored["fingerprints"].items()
        },
        current=int(stored["current"]),
        previous=stored["kept"],
        filling=stored["filling"],
        partition_key=str(stored["partition_key"]),
    )
    if missing := generations.in_use - set(generations.fingerprints):
        raise KeyError(f"fingerprint of generation {min(missing)}")
    return generations


def _fingerprint(stored: dict[str, Any]) -> Fingerprint:
    """The fingerprint from its JSON; fields of later versions are ignored."""
    names = ("text_probe", "picture_probe", "sound_probe")
    probes = {name: tuple(stored.get(name, ())) for name in names}
    field_names = {field.name for field in fields(Fingerprint)}
    return Fingerprint(
        **{key: value for key, value in (stored | probes).items() if key in field_names}
    )
