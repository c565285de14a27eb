"""What people said of items' labels: one line a decision, the newest counts.

Beside the decisions of the last categorization, which these overrule: a label that a person
has looked at is not changed by a machine.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from indexer.core.errors import CatalogError


class Verdict(StrEnum):
    """What a person said of an item's label."""

    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One decision of a person.

    Attributes:
        label_id: what the item is; empty where it is none of the labels.
        before: what the machine had said.
        who: name of the API key, empty on this machine.
        time: UTC, ISO 8601.
    """

    item_id: str
    verdict: Verdict
    label_id: str
    before: str
    who: str
    time: str


class CorrectionFile:
    """The corrections of one catalog, JSON lines.

    Args:
        folder: the catalog's; they outlive a change of its model.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "corrections.jsonl"
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._read: dict[str, Correction] = {}

    def add(self, correction: Correction) -> None:
        """Append one, durably as far as the file system is."""
        # ASCII escapes keep lone surrogates (names of files that are not UTF-8) as they are.
        line = json.dumps(asdict(correction), ensure_ascii=True) + "\n"
        with self._lock, self._path.open("a+b") as stream:
            _end_last_line(stream)
            stream.write(line.encode("ascii"))

    def all(self) -> dict[str, Correction]:
        """The newest of each item, by its id; read again where the file has changed.

        Raises:
            CatalogError: a line is damaged; the last one may be cut short by a crash.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return {}
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._seen:
            self._read, self._seen = self._parsed(), stamp
        return self._read

    def _parsed(self) -> dict[str, Correction]:
        found: dict[str, Correction] = {}
        lines = self._path.read_text(encoding="utf-8", errors="replace").split("\n")
        for number, line in enumerate(lines, start=1):
            is_last = number == len(lines)
            if is_last and not line:
                break
            try:
                one = _correction(line)
            except (ValueError, KeyError, TypeError) as error:
                if is_last:
                    break  # a kill came in the middle of an append
                raise CatalogError(
                    f"line {number} of {str(self._path)!r} is damaged ({error}). Delete the line."
                ) from error
            found[one.item_id] = one
        return found


def _correction(line: str) -> Correction:
    row = json.loads(line)
    return Correction(**row | {"verdict": Verdict(row["verdict"])})


def _end_last_line(stream: BinaryIO) -> None:
    """See to it that a line may be appended: not to half of one that a crash has left."""
    if not stream.seek(0, os.SEEK_END):
        return
    stream.seek(-1, os.SEEK_END)
    if stream.read(1) == b"\n":
        return
    stream.seek(0)
    whole = stream.read()
    start = whole.rfind(b"\n") + 1
    try:
        _correction(whole[start:].decode("utf-8"))
    except (ValueError, KeyError, TypeError):
        stream.truncate(start)
    else:
        stream.write(b"\n")  # whole, such as one edited by hand
