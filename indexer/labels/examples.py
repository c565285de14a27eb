"""Labelled items and a background vocabulary, stored with a catalog's labels.

Each is a file with vectors in the labels' folder. What was fitted to them is fitted again when
the labels change. Files are written aside, synced and renamed; zip archives carry a CRC-32 of each
part.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from indexer.core.durable import write_text_durably, written_aside
from indexer.core.errors import CatalogError
from indexer.core.hashing import checksum
from indexer.core.records import FloatArray


@dataclass(frozen=True)
class LabelledItems:
    """Items whose label is known.

    Attributes:
        item_ids: n items.
        label_ids: the label of each.
        vectors: float32 (n, d), rows of length 1.
        titles: float32 (n, d), vectors of the items' titles; zeros where an item has none,
            None where none has.
    """

    item_ids: tuple[str, ...]
    label_ids: tuple[str, ...]
    vectors: FloatArray
    titles: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def version(self) -> str:
        """Hash of all of it: equal items have equal versions."""
        return _hash(self)

    def take(self, rows: Iterable[int]) -> LabelledItems:
        """Some of the items, in the order of ``rows``."""
        places = list(rows)
        return LabelledItems(
            tuple(self.item_ids[row] for row in places),
            tuple(self.label_ids[row] for row in places),
            self.vectors[places],
            None if self.titles is None else self.titles[places],
        )

    @property
    def titled(self) -> LabelledItems:
        """Those items that have a title."""
        return self.take([] if self.titles is None else np.flatnonzero(self.titles.any(axis=1)))


@dataclass(frozen=True)
class Background:
    """Names of things that are not the labels, as a background to tell unknowns by.

    Attributes:
        words: n names.
        vectors: float32 (n, d), rows of length 1.
    """

    words: tuple[str, ...]
    vectors: FloatArray

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def version(self) -> str:
        """Hash of all of it: equal vocabularies have equal versions."""
        return _hash(self)


def packaged_concepts() -> tuple[str, ...]:
    """Some 1,700 names of things, each once, in the order of their topics."""
    text = (resources.files("indexer") / "data" / "concepts.txt").read_text(encoding="utf-8")
    return tuple(dict.fromkeys(parse_concepts(text)))


def parse_concepts(text: str) -> tuple[str, ...]:
    """The names of a list: one a line, in order; blank lines and # lines are left out."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


ItemKind = Literal["taught", "calibrating", "unknown"]
"""What labelled items are for: examples, to calibrate scores on, and such as are of no label."""

ITEM_KINDS: tuple[ItemKind, ...] = get_args(ItemKind)

Stored = TypeVar("Stored", LabelledItems, Background)


class LabelledFolder:
    """The files of one catalog; each is None where it was never written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def items(self, kind: ItemKind) -> LabelledItems | None:
        """The labelled items of a kind.

        Raises:
            CatalogError: the file is damaged.
        """
        return self._load(kind, LabelledItems)

    def save_items(self, kind: ItemKind, items: LabelledItems | None) -> None:
        """Keep items in the place of those of this kind before; None forgets them."""
        self._save(kind, items)

    def background(self) -> Background | None:
        """The background vocabulary.

        Raises:
            CatalogError: the file is damaged.
        """
        return self._load("background", Background)

    def save_background(self, background: Background | None) -> None:
        """Keep a vocabulary in the place of the one before; None forgets it."""
        self._save("background", background)

    def fits(self) -> dict[str, Any]:
        """What was fitted, as JSON values by name; a file that can't be read is made again."""
        try:
            stored = json.loads((self.folder / "fits.json").read_text(encoding="utf-8"))
            fits: dict[str, Any] = stored["fits"]
            whole = stored["checksum"] == checksum(fits)
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return fits if whole else {}

    def save_fits(self, fits: dict[str, Any]) -> None:
        """Keep what was fitted."""
        text = json.dumps({"fits": fits, "checksum": checksum(json.loads(json.dumps(fits)))})
        write_text_durably(self.folder / "fits.json", f"{text}\n")

    def _load(self, name: str, kind: type[Stored]) -> Stored | None:
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                names = [field.name for field in fields(kind)]
                stored_names = [name for name in names if name != "titles" or name in stored]
                arrays = {name: stored[name] for name in stored_names}
            values: dict[str, Any] = {
                name: array if name in _BLOCKS else _texts(array) for name, array in arrays.items()
            }
            loaded = kind(**values)
            if any(len(array) != len(loaded) for array in values.values()):
                raise ValueError("its parts are of different lengths")
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            remedy = {
                "taught": "labels teach",
                "calibrating": "labels calibrate",
                "unknown": "labels calibrate --unknown VALUE",
            }
            raise CatalogError(
                f"{str(path)!r} is damaged: {error}. Delete it, then run again: zeroshelf "
                f"{remedy.get(name, 'labels background')}"
            ) from error
        return loaded

    def _save(self, name: str, content: LabelledItems | Background | None) -> None:
        path = self.folder / f"{name}.npz"
        if content is None:
            path.unlink(missing_ok=True)
            return
        arrays = {
            name: values if name in _BLOCKS else _bytes(values) for name, values in _parts(content)
        }
        with written_aside(path) as aside, aside.open("wb") as stream:
            np.savez(stream, **arrays)


_BLOCKS = ("vectors", "titles")
"""Parts that are arrays; the others are texts."""


def _parts(content: LabelledItems | Background) -> list[tuple[str, Any]]:
    pairs = [(field.name, getattr(content, field.name)) for field in fields(content)]
    return [(name, values) for name, values in pairs if values is not None]


def _bytes(texts: tuple[str, ...]) -> Any:
    return np.frombuffer(json.dumps(texts).encode(), dtype=np.uint8)


def _texts(array: Any) -> tuple[str, ...]:
    return tuple(json.loads(array.tobytes()))


def _hash(content: LabelledItems | Background) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, values in _parts(content):
        block = name in _BLOCKS
        digest.update(
            np.ascontiguousarray(values).tobytes() if block else json.dumps(values).encode()
        )
    return digest.hexdigest()
