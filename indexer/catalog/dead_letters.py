"""The file of items that failed: JSON lines, one an item, until they work.

A failure is appended when it happens, so a killed job has recorded it too. When the file is
tidied, at the end of a job, the newest line of each item that still fails stays.

A row whose id came before fails under the id of an item that may work, with the same picture or
another. So such rows are numbered, and stay until a job meets the id without them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer.core.durable import write_text_durably
from indexer.core.errors import CatalogError
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, Kind

Key = tuple[str, str, int]
"""Id and source of an item; of a row whose id came before also its number, from 1."""


class DeadLetters:
    """The dead letters of one catalog.

    All of them are held in memory while a job runs: about 1 kB each.

    Args:
        path: the JSONL file; made with the first failure.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._letters, self._torn = _read(path)
        self._added: set[Key] = set()
        self._repeated: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        return len(self._letters)

    def all(self) -> list[Failure]:
        """The dead letters, in the order of their first failure."""
        return list(self._letters.values())

    def by_reason(self) -> dict[str, int]:
        """How many of each reason, the most frequent first."""
        counts = Counter(str(letter.reason) for letter in self._letters.values())
        return dict(counts.most_common())

    def add(self, failure: Failure) -> None:
        """Append a failure; it adds to the attempts of earlier failures of the same item."""
        key = self._key_of(failure)
        previous = self._letters.get(key)
        attempts = failure.attempts + (previous.attempts if previous else 0)
        failure = replace(
            failure,
            attempts=attempts,
            item=replace(
                failure.item, address="", content=None, file_hash="", vector=None, parts=None
            ),
        )
        if self._torn:
            self.tidy()  # removes the half line, which nothing must be appended to
        self._letters[key] = failure
        self._added.add(key)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(_line(failure, key))

    def _key_of(self, failure: Failure) -> Key:
        """The key of a failure of this job."""
        place = failure.item.item_id, failure.item.source
        if failure.reason is not Reason.DUPLICATE_ID:
            return (*place, 0)
        self._repeated[place] += 1
        return (*place, self._repeated[place])

    def resolve(self, item: Item) -> None:
        """Forget an item's failure: it works now. Rows that repeat its id stay."""
        self._letters.pop((item.item_id, item.source, 0), None)

    def forget(self, item: Item) -> None:
        """Forget all failures of an item at its source."""
        self.resolve(item)
        number = 1
        while self._letters.pop((item.item_id, item.source, number), None) is not None:
            number += 1

    def forget_earlier(self, seen: Callable[[Sequence[str]], Collection[str]]) -> None:
        """Forget failures of earlier jobs whose items this job has met again.

        A corrected table may name another picture, or another id for a row that repeated one:
        the former row is gone then, and trying it again would put its picture back.

        Args:
            seen: the ids among some that this job has met.
        """
        earlier = self._letters.keys() - self._added
        met = {key[0] for key in self._added}.union(seen([key[0] for key in earlier]))
        for key in earlier:
            if key[0] in met:
                del self._letters[key]

    def of_item(self, item_id: str) -> list[Failure]:
        """The dead letters of an item and of its parts."""
        return [
            letter
            for letter in self._letters.values()
            if item_id in (letter.item.item_id, letter.item.parent_id)
        ]

    def forget_unread_rows(self, places: Collection[str]) -> None:
        """Forget unreadable rows that did not fail again since the file was opened.

        Such a row has no id. Its place, ``TABLE#LINE``, stands for it, and no other item has
        that name.

        Args:
            places: tables, and folders of tables, that were read to their end since then.
        """
        for key in self._letters.keys() - self._added:
            table, mark, _ = key[0].rpartition("#")
            if key[0] == key[1] and mark and _lies_in(table, places):
                del self._letters[key]

    def tidy(self) -> None:
        """Rewrite the file: one line for each item that still fails."""
        self._torn = False
        if not self._letters:
            self.path.unlink(missing_ok=True)
            return
        lines = (_line(letter, key) for key, letter in self._letters.items())
        write_text_durably(self.path, "".join(lines))


def _lies_in(table: str, places: Collection[str]) -> bool:
    return any(table == place or table.startswith(f"{place.rstrip('/')}/") for place in places)


def _line(failure: Failure, key: Key) -> str:
    item = failure.item
    record = {
        "item_id": item.item_id,
        "kind": item.kind,
        "source": item.source,
        "stage": failure.stage,
        "reason": failure.reason,
        "message": failure.message,
        "time": failure.time,
        "attempts": failure.attempts,
        "title": item.title,
        "metadata": item.metadata,
    }
    if item.parent_id or item.part:
        record |= {"parent_id": item.parent_id, "part": item.part}
    if key[2]:
        record["number"] = key[2]
    # ASCII escapes keep lone surrogates (names of files that are not UTF-8) as they are.
    return json.dumps(record, ensure_ascii=True, default=str) + "\n"


def _read(path: Path) -> tuple[dict[Key, Failure], bool]:
    """The letters of a file, the newest of each item, and whether its last line is torn."""
    letters: dict[Key, Failure] = {}
    if not path.exists():
        return letters, False
    content = path.read_text(encoding="utf-8", errors="replace")
    torn = bool(content) and not content.endswith("\n")
    lines = content.splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            failure, key = _failure(record), _read_key(record)
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines) and torn:
                break  # killed in the middle of an append; the next job records the item again
            raise CatalogError(
                f"{str(path)!r}, line {number}, is not a dead letter ({error}). "
                "Correct or delete the line."
            ) from error
        letters[key] = failure
    return letters, torn


def _read_key(record: dict[str, Any]) -> Key:
    """The key of a line; earlier versions wrote no numbers."""
    unnumbered = int(record["reason"] == Reason.DUPLICATE_ID)
    return record["item_id"], record["source"], int(record.get("number", unnumbered))


def _failure(record: dict[str, Any]) -> Failure:
    return Failure(
        item=Item(
            item_id=record["item_id"],
            kind=Kind(record["kind"]),
            source=record["source"],
            title=record["title"],
            metadata=record["metadata"],
            parent_id=record.get("parent_id", ""),
            part=record.get("part", {}),
        ),
        stage=Stage(record["stage"]),
        reason=Reason(record["reason"]),
        message=record["message"],
        time=record["time"],
        attempts=int(record["attempts"]),
    )
