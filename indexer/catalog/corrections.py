"""People's corrections of items' labels, one a line; the newest of an item counts.

They overrule the decisions of the last categorization: a categorization does not change a label
that a person has confirmed or corrected.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from indexer.core.errors import CatalogError


class Verdict(StrEnum):
    """A person's judgement of an item's predicted label."""

    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """The newest judgement of the item that still counts was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedDecision:
    """The decision that an item had when a person judged it; all empty where it had none."""

    label_id: str
    label: str
    score: float
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One person's judgement of one item.

    Attributes:
        label_id: the right label; empty where no label fits.
        before: the predicted label.
        who: name of the API key; empty for commands on this machine.
        time: UTC, ISO 8601.
        replaced: what taking it back restores; None where that is not known.
    """

    item_id: str
    verdict: Verdict
    label_id: str
    before: str
    who: str
    time: str
    replaced: ReplacedDecision | None = None


class CorrectionFile:
    """The corrections of one catalog, JSON lines.

    Args:
        folder: of the label set, made with the first one; they outlive a change of the model.

    Attributes:
        path: the file; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "corrections.jsonl"
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._read: dict[str, Correction] = {}
        self._withdrawn: dict[str, ReplacedDecision] = {}

    def add(self, correction: Correction) -> None:
        """Append a correction."""
        # ASCII escapes keep lone surrogates (names of files that are not UTF-8) as they are.
        line = json.dumps(asdict(correction), ensure_ascii=True) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("a+b") as stream:
            _end_last_line(stream)
            stream.write(line.encode("ascii"))

    def all(self) -> dict[str, Correction]:
        """The newest correction of each item that counts, by its id, without withdrawn ones.

        The file is read again where it has changed.

        Raises:
            CatalogError: a line is damaged; the last one may be cut short by a crash.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return {}
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._seen:
            self._read, self._withdrawn = self._parsed()
            self._seen = stamp
        return self._read

    def withdrawn(self) -> dict[str, ReplacedDecision]:
        """What items had before they were judged, of those whose judgements are all taken back.

        Raises:
            CatalogError: as ``all``.
        """
        self.all()
        return self._withdrawn

    def history(self, item_id: str) -> list[Correction]:
        """All corrections of an item, the oldest first.

        Raises:
            CatalogError: as ``all``.
        """
        if item_id not in self.all() and item_id not in self._withdrawn:
            return []
        return [correction for correction in self._corrections() if correction.item_id == item_id]

    def _parsed(self) -> tuple[dict[str, Correction], dict[str, ReplacedDecision]]:
        """What counts, and what is restored where nothing counts any more, by item."""
        counting: dict[str, list[Correction]] = {}
        withdrawn: dict[str, ReplacedDecision] = {}
        for correction in self._corrections():
            earlier = counting.setdefault(correction.item_id, [])
            if correction.verdict is not Verdict.WITHDRAWN:
                earlier.append(correction)
                withdrawn.pop(correction.item_id, None)
            elif earlier:
                replaced = earlier.pop().replaced
                if not earlier and replaced is not None:
                    withdrawn[correction.item_id] = replaced
        return {item_id: made[-1] for item_id, made in counting.items() if made}, withdrawn

    def _corrections(self) -> Iterator[Correction]:
        lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n")
        for number, line in enumerate(lines, start=1):
            is_last = number == len(lines)
            if is_last and not line:
                break
            try:
                correction = _correction(line)
            except (ValueError, KeyError, TypeError) as error:
                if is_last:
                    break  # a kill came in the middle of an append
                raise CatalogError(
                    f"line {number} of {str(self.path)!r} is damaged ({error}). Delete the line."
                ) from error
            yield correction


def _correction(line: str) -> Correction:
    row = json.loads(line)
    replaced = row.get("replaced")
    return Correction(
        **row
        | {"verdict": Verdict(row["verdict"])}
        | {"replaced": None if replaced is None else ReplacedDecision(**replaced)}
    )


def _end_last_line(stream: BinaryIO) -> None:
    """Prepare the file for an append: remove a half line that a crash left."""
    if not stream.seek(0, os.SEEK_END):
        return
    stream.seek(-1, os.SEEK_END)
    if stream.read(1) == b"\n":
        return
    stream.seek(0)
    content = stream.read()
    start = content.rfind(b"\n") + 1
    try:
        _correction(content[start:].decode("utf-8"))
    except (ValueError, KeyError, TypeError):
        stream.truncate(start)
    else:
        stream.write(b"\n")  # a complete line without its end, such as after editing by hand
