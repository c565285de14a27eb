"""The plan of a move to other labels: what takes the place of what, so that a killed move goes on.

It lies with the labels of the set that is moved. As long as it is there, part of what names labels
by id is of the old ones and part of the new ones: nothing else may write then.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from indexer.core.durable import replace_durably, write_text_durably
from indexer.core.errors import CatalogError
from indexer.core.label_sets import set_name_of, set_option

_PLAN, _DONE = "migration.json", "migrated.json"


class MigrationPlan:
    """The plan of one label set.

    Args:
        folder: of the set's labels.

    Attributes:
        path: the file; it is there while a migration is under way.
        aside: the folder of the new files, until they take the place of the others.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _PLAN
        self.aside = folder / "migrating"
        self._done = folder / _DONE

    def load(self) -> dict[str, Any]:
        """The plan of the migration that is under way; empty where there is none.

        Raises:
            CatalogError: the file is damaged.
        """
        return _read(self.path)

    def last(self) -> dict[str, Any]:
        """The plan of the last migration that was finished; empty where there is none."""
        return _read(self._done)

    def save(self, plan: Mapping[str, Any]) -> None:
        """Begin a migration: from here on it goes on by this plan."""
        write_text_durably(self.path, json.dumps(plan, indent=1) + "\n")

    def finish(self) -> None:
        """End the migration; its plan says later that it was done."""
        replace_durably(self.path, self._done)

    def carry_last(self, other: MigrationPlan) -> None:
        """Know the last migration of another generation's labels, so that it is not done twice."""
        if last := other.last():
            write_text_durably(self._done, json.dumps(last, indent=1) + "\n")

    def refuse_others(self) -> None:
        """Refuse to write while a migration is under way.

        Raises:
            CatalogError: it names the command that finishes the migration.
        """
        if not self.path.exists():
            return
        plan = self.load()
        file, mapping = (shlex.quote(self._address(plan[name])) for name in ("file", "mapping"))
        raise CatalogError(
            "the catalog is moving to other labels, or was interrupted in it, and what changes it "
            f"now would be lost. Finish the move with: zeroshelf labels migrate {file} --mapping "
            f"{mapping}{set_option(set_name_of(self.path.parent))}"
        )

    def copy(self, file: str, name: str) -> str:
        """Copy a file of the move, since people go on editing theirs.

        Args:
            name: of the folder that the copy lies in.

        Returns:
            The copy, as seen from the folder of the labels, since a backup has it elsewhere; of a
            file that is not on this machine, its address.
        """
        source, folder = Path(file), self.aside / name
        if not source.is_file():
            return file
        folder.mkdir(parents=True, exist_ok=True)
        return str(Path(shutil.copy(source, folder / source.name)).relative_to(self.path.parent))

    def _address(self, file: str) -> str:
        copy = self.path.parent / file
        return str(copy.resolve()) if copy.is_file() else file


def _read(path: Path) -> dict[str, Any]:
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CatalogError(f"{str(path)!r} is damaged ({error}): delete it.") from error
    return plan
