"""The gate of a label set: the branches of the category's taxonomy that the set applies to.

A sleeve length belongs to clothing, so a mug is not asked for one. The gate lies with the set's
labels, and names categories by id: a category that gets another name or place keeps its attributes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from indexer.core.durable import write_text_durably
from indexer.core.errors import CatalogError
from indexer.core.label_sets import set_name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A category that a set applies to, with all below it.

    Attributes:
        label_id: of the category.
        path: its path when the gate was set, for people.
    """

    label_id: str
    path: tuple[str, ...]


Gate = tuple[Branch, ...]
"""The branches; empty where the set applies to every item."""


class GateFile:
    """The gate of one label set.

    Args:
        folder: of the set's labels.

    Attributes:
        path: the file; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate.json"

    def load(self) -> Gate:
        """The branches; none where the set applies to every item.

        Raises:
            CatalogError: the file is damaged.
        """
        try:
            return gate_of_values(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CatalogError(
                f"{str(self.path)!r} is damaged ({error}). Say again which categories the set "
                f"applies to: zeroshelf labels gate CATEGORY --set {set_name_of(self.path.parent)}"
            ) from error

    @property
    def version(self) -> str:
        """Another one for another gate; empty where the set applies to every item."""
        try:
            return hashlib.blake2b(self.path.read_bytes(), digest_size=8).hexdigest()
        except FileNotFoundError:
            return ""

    def save(self, gate: Gate) -> None:
        """Replace the gate; without branches the set applies to every item."""
        if not gate:
            self.path.unlink(missing_ok=True)
            return
        text = json.dumps([asdict(branch) for branch in gate], ensure_ascii=False, indent=1)
        write_text_durably(self.path, text + "\n")


def gate_of_values(values: Any) -> Gate:
    """A gate from its JSON values.

    Raises:
        KeyError, TypeError: they are none.
    """
    return tuple(
        Branch(label_id=str(branch["label_id"]), path=tuple(map(str, branch["path"])))
        for branch in values
    )
