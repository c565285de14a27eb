"""A catalog's folder: what lies where, which model it is of, and who works in it now.

DATA_DIR/
|-- milvus.db/               the default database (Milvus Lite)
`-- catalogs/NAME/
    |-- catalog.json         its generations: the current one, and the model of each
    |-- catalog.copy.json    the same, for when that is lost
    |-- columns.json         the type of each column of metadata
    |-- archive/             Parquet shards of items: the record
    |-- ledger.sqlite        the index of the archive; may be lost
    |-- decisions/           labels of the last categorization, a file a shard
    |-- labels/              the label set with its vectors, a file a version
    |-- dead_letters.jsonl   items that could not be used
    |-- downloads.sqlite       what the items' URLs gave; may be lost
    |-- fetched/               contents that were downloaded and are not stored yet
    |-- origins.sqlite         which source each item came from; may be lost
    |-- readers.lock         held, with others, while a command reads the generation
    |-- generations/002/     the same files of another generation, made by another model
    |-- lock                 held while a command writes
    `-- reembed.lock         held while a generation is filled, dropped or gone back to
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.catalog import generations
from indexer.catalog.generations import FIRST, SCHEMA_VERSION, Generations
from indexer.core.column_types import ColumnType
from indexer.core.durable import replace_durably
from indexer.core.errors import CatalogError, ConfigError
from indexer.core.records import Fingerprint

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_OWN = ("archive", "decisions", "labels", "scores*", "ledger.sqlite*", "dead_letters.*")
"""What a generation has in its folder. The first one's lies beside what outlives a model."""

_POLL_S = 0.01

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CatalogFolder:
    """The folder of one catalog, seen at one of its generations.

    Args:
        data_dir: holds all catalogs and the default database.
        name: letters, digits and underscores, as Milvus' collection names allow.
        generation: None is the current one, looked up anew each time it is needed.

    Raises:
        ConfigError: the name can't be a collection's.
    """

    data_dir: Path
    name: str
    generation: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"catalog name {self.name!r}: use letters, digits and underscores, "
                "a letter first, 60 at most (Milvus allows no more)."
            )

    def at(self, generation: int) -> CatalogFolder:
        """The same catalog at one generation, whichever is the current one."""
        return replace(self, generation=generation)

    @property
    def number(self) -> int:
        """The number of the generation; the first where there is no catalog yet."""
        if self.generation is not None:
            return self.generation
        return self.generations().current if self.exists() else FIRST

    @property
    def root(self) -> Path:
        """The catalog's own folder."""
        return self.data_dir / "catalogs" / self.name

    @property
    def home(self) -> Path:
        """The generation's own folder."""
        number = self.number
        return self.root if number == FIRST else self.root / "generations" / f"{number:03d}"

    @property
    def archive(self) -> Path:
        """The shards of items."""
        return self.home / "archive"

    @property
    def ledger(self) -> Path:
        """The index of the archive."""
        return self.home / "ledger.sqlite"

    @property
    def origins(self) -> Path:
        """Which source each item came from; the same for all generations."""
        return self.root / "origins.sqlite"

    @property
    def downloads(self) -> Path:
        """What the items' URLs gave."""
        return self.root / "downloads.sqlite"

    @property
    def fetched(self) -> Path:
        """Contents that were downloaded and are not stored yet."""
        return self.root / "fetched"

    @property
    def decisions(self) -> Path:
        """The labels of the last categorization."""
        return self.home / "decisions"

    @property
    def labels(self) -> Path:
        """The label set."""
        return self.home / "labels"

    @property
    def dead_letters(self) -> Path:
        """The items that could not be used."""
        return self.home / "dead_letters.jsonl"

    def exists(self) -> bool:
        """Whether anything was ever put into the catalog."""
        return self._description.exists() or self._second_description.exists()

    def fingerprint(self) -> Fingerprint:
        """What made the generation's vectors.

        Raises:
            CatalogError: there is no such catalog, or it is of a newer zeroshelf.
        """
        found = self.generations()
        return found.fingerprints[self.generation or found.current]

    def generations(self) -> Generations:
        """The catalog's generations as they are now.

        Raises:
            CatalogError: there is no such catalog, or it is of a newer zeroshelf.
        """
        return self._described()[0]

    def _described(self) -> tuple[Generations, int]:
        """What the newer of the two descriptions says that can be read, and its serial number."""
        try:
            found = _read(self._description)
        except FileNotFoundError as error:
            if not self._second_description.exists():
                raise CatalogError(
                    f"there is no catalog {self.name!r} in {str(self.data_dir)!r}"
                    f"{_others(self.data_dir)}. Start one with: zeroshelf ingest SOURCE"
                ) from error
            fault: Exception = error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fault = error
        else:
            second = self._second()
            return found if second is None or second[1] <= found[1] else second
        second = self._second()
        if second is None:
            raise CatalogError(
                f"{str(self._description)!r} is damaged ({type(fault).__name__}: {fault}), and "
                "so is the copy beside it. Restore one of them from a backup."
            ) from fault
        _log.warning("%s can't be read: the copy beside it is taken.", self._description)
        return second

    def _second(self) -> tuple[Generations, int] | None:
        """What the copy says; None where it can't be read."""
        try:
            return _read(self._second_description)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def column_types(self) -> dict[str, ColumnType]:
        """The types of the columns of metadata, as the first tables had them.

        Raises:
            CatalogError: the file is damaged.
        """
        try:
            stored = json.loads(self._columns.read_text(encoding="utf-8"))
            return {name: ColumnType(kind) for name, kind in stored.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError) as error:
            raise CatalogError(
                f"{str(self._columns)!r} is damaged ({error}). Restore it from a backup, or delete "
                "it: the next table that is ingested says the types anew."
            ) from error

    def keep_column_types(self, types: Mapping[str, ColumnType]) -> None:
        """Keep the types of columns, in the place of those that they had."""
        kept = self.column_types()
        after = kept | dict(types)
        if after != kept:
            aside = self._columns.with_suffix(".writing")
            aside.write_text(json.dumps(after, indent=1) + "\n", encoding="utf-8")
            replace_durably(aside, self._columns)

    def create(self, fingerprint: Fingerprint, *, partition_key: str = "") -> None:
        """Make the catalog, with one generation: this one, or the first."""
        number = self.number
        self.describe(
            Generations(
                fingerprints={number: fingerprint}, current=number, partition_key=partition_key
            )
        )

    def describe(self, found: Generations) -> None:
        """Replace what the catalog says of its generations, in one step; then the copy of it.

        The copy is read where the first one is lost, damaged, or put back from a backup.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        serial = self._described()[1] + 1 if self.exists() else 1
        text = json.dumps(generations.to_json(found, serial), indent=1) + "\n"
        for path in (self._description, self._second_description):
            aside = path.with_suffix(".writing")
            aside.write_text(text, encoding="utf-8")
            replace_durably(aside, path)

    @contextlib.contextmanager
    def leased(self) -> Iterator[CatalogFolder]:
        """The catalog at its current generation, which is not dropped while it is held.

        Raises:
            CatalogError: there is no such catalog.
        """
        with contextlib.ExitStack() as stack:
            while True:
                pinned = self.at(self.generations().current)
                with contextlib.suppress(FileNotFoundError, BlockingIOError):
                    stack.enter_context(generations.reading(pinned._lease))
                    if self.generations().current == pinned.generation:
                        break
                stack.close()  # another became current in between, or is about to
                time.sleep(_POLL_S)
            yield pinned

    def drop_unnamed(self, number: int) -> None:
        """Delete the files of a generation that the catalog does not name any more."""
        home = self.at(number).home
        if number != FIRST:
            shutil.rmtree(home)
            return
        for path in [path for pattern in _OWN for path in home.glob(pattern)]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def unnamed(self) -> list[int]:
        """Generations whose files are there, and that the catalog does not name."""
        named = self.generations().named
        folders = (path.name for path in self.root.glob("generations/*") if path.is_dir())
        numbers = {int(name) for name in folders if name.isdigit()}
        if (self.at(FIRST).home / "archive").exists():
            numbers.add(FIRST)
        return sorted(numbers - named)

    @contextlib.contextmanager
    def unread(self, number: int, *, patience_s: float = 0.0) -> Iterator[bool]:
        """Hold a generation that nobody reads; yields False where it is being read."""
        with generations.unread(self.at(number)._lease, patience_s=patience_s) as held:
            yield held

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the catalog for writing.

        Raises:
            CatalogError: another process holds it.
        """
        with self._alone("lock", "writing to"):
            yield

    @contextlib.contextmanager
    def changing_models(self) -> Iterator[None]:
        """Hold the catalog's generations: one is filled, dropped or gone back to at a time.

        Raises:
            CatalogError: another process holds them.
        """
        with self._alone("reembed.lock", "changing the model of"):
            yield

    @contextlib.contextmanager
    def _alone(self, name: str, doing: str) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / name)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise CatalogError(
                f"another zeroshelf command is {doing} catalog {self.name!r} in "
                f"{str(self.data_dir)!r}. Wait for it to finish, or stop it."
            ) from error
        try:
            yield
        finally:
            lock.release()

    @property
    def _lease(self) -> Path:
        return self.home / "readers.lock"

    @property
    def _columns(self) -> Path:
        return self.root / "columns.json"

    @property
    def _description(self) -> Path:
        return self.root / "catalog.json"

    @property
    def _second_description(self) -> Path:
        return self.root / "catalog.copy.json"


def _read(path: Path) -> tuple[Generations, int]:
    """A description, and its serial number.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: it is not there, or damaged.
        CatalogError: it is of a newer zeroshelf.
    """
    stored = json.loads(path.read_text(encoding="utf-8"))
    found = generations.from_json(stored)
    if found is None:
        raise CatalogError(
            f"catalog {path.parent.name!r} has the layout {stored['schema']}, and this zeroshelf "
            f"reads up to {SCHEMA_VERSION}. Use the version that made it."
        )
    return found, int(stored.get("serial", 0))


def catalog_names(data_dir: Path) -> list[str]:
    """Names of the catalogs in a data folder, sorted."""
    found = (file.parent.name for file in data_dir.glob("catalogs/*/catalog*.json"))
    return sorted(set(found))


def _others(data_dir: Path) -> str:
    names = catalog_names(data_dir)
    return f" (there are: {', '.join(names)})" if names else ""
