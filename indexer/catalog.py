"""A catalog's folder: what lies where, which model it is of, and who works in it now.

DATA_DIR/
|-- milvus.db/               the default database (Milvus Lite)
`-- catalogs/NAME/
    |-- catalog.json         the fingerprint of the model
    |-- archive/             Parquet shards of items: the record
    |-- ledger.sqlite        the index of the archive; may be lost
    |-- decisions/           labels of the last categorization, a file a shard
    |-- labels/              the label set with its vectors, a file a version
    |-- dead_letters.jsonl   items that could not be used
    `-- lock                 held while a command writes
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from indexer.archive import replace_durably
from indexer.errors import CatalogError, ConfigError
from indexer.records import Fingerprint

SCHEMA_VERSION = 1
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")


@dataclass(frozen=True, slots=True)
class CatalogFolder:
    """The folder of one catalog.

    Args:
        data_dir: holds all catalogs and the default database.
        name: letters, digits and underscores, as Milvus' collection names allow.

    Raises:
        ConfigError: the name can't be a collection's.
    """

    data_dir: Path
    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"catalog name {self.name!r}: use letters, digits and underscores, "
                "a letter first, 60 at most (Milvus allows no more)."
            )

    @property
    def root(self) -> Path:
        """The catalog's own folder."""
        return self.data_dir / "catalogs" / self.name

    @property
    def archive(self) -> Path:
        """The shards of items."""
        return self.root / "archive"

    @property
    def ledger(self) -> Path:
        """The index of the archive."""
        return self.root / "ledger.sqlite"

    @property
    def decisions(self) -> Path:
        """The labels of the last categorization."""
        return self.root / "decisions"

    @property
    def labels(self) -> Path:
        """The label set."""
        return self.root / "labels"

    @property
    def dead_letters(self) -> Path:
        """The items that could not be used."""
        return self.root / "dead_letters.jsonl"

    def exists(self) -> bool:
        """Whether anything was ever put into the catalog."""
        return self._description.exists()

    def fingerprint(self) -> Fingerprint:
        """What made the catalog's vectors.

        Raises:
            CatalogError: there is no such catalog, or it is of a newer zeroshelf.
        """
        try:
            description = json.loads(self._description.read_text(encoding="utf-8"))
            layout = description["schema"]
            if layout == SCHEMA_VERSION:
                return _fingerprint(description["fingerprint"])
        except FileNotFoundError as error:
            raise CatalogError(
                f"there is no catalog {self.name!r} in {str(self.data_dir)!r}"
                f"{_others(self.data_dir)}. Start one with: zeroshelf ingest SOURCE"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise CatalogError(
                f"{str(self._description)!r} is damaged ({type(error).__name__}: {error}). "
                "Restore it from a backup."
            ) from error
        raise CatalogError(
            f"catalog {self.name!r} has the layout {layout}, and this zeroshelf reads "
            f"{SCHEMA_VERSION}. Use the version that made it."
        )

    def create(self, fingerprint: Fingerprint) -> None:
        """Write down what makes the catalog's vectors, once and for all."""
        self.root.mkdir(parents=True, exist_ok=True)
        aside = self._description.with_suffix(".writing")
        content = {"schema": SCHEMA_VERSION, "fingerprint": asdict(fingerprint)}
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        replace_durably(aside, self._description)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the catalog for writing.

        Raises:
            CatalogError: another process holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise CatalogError(
                f"another zeroshelf command is writing to catalog {self.name!r} in "
                f"{str(self.data_dir)!r}. Wait for it to finish, or stop it."
            ) from error
        try:
            yield
        finally:
            lock.release()

    @property
    def _description(self) -> Path:
        return self.root / "catalog.json"


def catalog_names(data_dir: Path) -> list[str]:
    """Names of the catalogs in a data folder, sorted."""
    return sorted(file.parent.name for file in data_dir.glob("catalogs/*/catalog.json"))


def _others(data_dir: Path) -> str:
    names = catalog_names(data_dir)
    return f" (there are: {', '.join(names)})" if names else ""


def _fingerprint(stored: dict[str, Any]) -> Fingerprint:
    """The fingerprint out of its JSON; fields of later versions are left out."""
    probes = {name: tuple(stored[name]) for name in ("text_probe", "picture_probe")}
    known = {field.name for field in fields(Fingerprint)}
    return Fingerprint(**{key: value for key, value in (stored | probes).items() if key in known})
