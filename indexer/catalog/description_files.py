"""The file that names a catalog's generations, and its copy for when that is lost or damaged."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from indexer.catalog.generations import SCHEMA_VERSION, Generations, from_json, to_json
from indexer.core.durable import write_text_durably
from indexer.core.errors import CatalogError

_DAMAGES = (ValueError, KeyError, TypeError, AttributeError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DescriptionFiles:
    """Both files of one catalog.

    The copy is read where the first file is lost, damaged, or restored from an older backup.

    Attributes:
        root: the catalog's folder.
    """

    root: Path

    @property
    def file(self) -> Path:
        """The one that is read first and written first."""
        return self.root / "catalog.json"

    @property
    def copy(self) -> Path:
        """The other one."""
        return self.root / "catalog.copy.json"

    def exists(self) -> bool:
        """Whether there is one of them."""
        return self.file.exists() or self.copy.exists()

    def read(self) -> tuple[Generations, int]:
        """The newer readable one of the two, and its serial number.

        Raises:
            FileNotFoundError: neither is there.
            CatalogError: both are damaged, or of a newer zeroshelf.
        """
        try:
            description = _read(self.file)
        except FileNotFoundError as error:
            if not self.copy.exists():
                raise
            fault: Exception = error
        except _DAMAGES as error:
            fault = error
        else:
            copy = self._read_copy()
            return description if copy is None or copy[1] <= description[1] else copy
        copy = self._read_copy()
        if copy is None:
            raise CatalogError(
                f"{str(self.file)!r} is damaged ({type(fault).__name__}: {fault}), and "
                "so is the copy beside it. Restore one of them from a backup."
            ) from fault
        _log.warning("%s can't be read: its copy is used.", self.file)
        return copy

    def write(self, description: Generations) -> None:
        """Replace the file in one step, and then the copy.

        A kill between the two leaves an older copy; serial numbers tell which is newer.
        """
        serial = self.read()[1] + 1 if self.exists() else 1
        text = json.dumps(to_json(description, serial), indent=1) + "\n"
        write_text_durably(self.file, text)
        write_text_durably(self.copy, text)

    def _read_copy(self) -> tuple[Generations, int] | None:
        """The copy; None where it can't be read."""
        try:
            return _read(self.copy)
        except (OSError, *_DAMAGES):
            return None


def _read(path: Path) -> tuple[Generations, int]:
    """A description, and its serial number.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: missing or damaged.
        CatalogError: it is of a newer zeroshelf.
    """
    stored = json.loads(path.read_text(encoding="utf-8"))
    description = from_json(stored)
    if description is None:
        raise CatalogError(
            f"catalog {path.parent.name!r} has the layout {stored['schema']}, and this zeroshelf "
            f"reads up to {SCHEMA_VERSION}. Use the version that made it."
        )
    return description, int(stored.get("serial", 0))
