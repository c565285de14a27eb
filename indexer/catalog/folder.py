"""A catalog's folder: its files, its generations, and the locks of commands that use it.

DATA_DIR/
|-- milvus.db/               the default database (Milvus Lite)
|-- milvus.db.server/        lock, address and log of the process that serves it, if any
`-- catalogs/NAME/
    |-- catalog.json         its generations: the current one, and the model of each
    |-- catalog.copy.json    the same, for when that is lost
    |-- columns.json         the type of each column of metadata
    |-- text_columns.json    the columns whose words are indexed; none means all short ones
    |-- archive/             Parquet shards of items: the record
    |-- ledger.sqlite        the index of the archive; may be lost
    |-- texts.sqlite         the index of the items' words; may be lost
    |-- decisions/           labels of the last categorization, a file a shard
    |-- labels/              the labels with their vectors, a file a version
    |-- sets/NAME/           labels, decisions and corrections of another label set
    |-- dead_letters.jsonl   items that could not be used
    |-- downloads.sqlite     what the items' URLs gave; may be lost
    |-- fetched/             contents that were downloaded and are not stored yet
    |-- colours.sqlite       colours that were measured of pictures; may be lost
    |-- map.parquet          places of the items on the map; may be lost
    |-- origins.sqlite       which source each item came from; may be lost
    |-- readers.lock         held, with others, while a command reads the generation
    |-- generations/002/     the same files of another generation, made by another model
    |-- lock                 held while a command writes
    |-- map.lock             held while items are laid out on the map
    `-- reembed.lock         held while a generation is filled, dropped or gone back to
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.catalog import locks
from indexer.catalog.description_files import DescriptionFiles
from indexer.catalog.generations import FIRST, Generations
from indexer.core.column_types import ColumnType
from indexer.core.durable import write_text_durably
from indexer.core.errors import CatalogError, ConfigError, UnknownCatalogError, UsageError
from indexer.core.label_sets import CATEGORY, check_set_name
from indexer.core.locks import is_locked
from indexer.core.records import Fingerprint
from indexer.core.suggestions import did_you_mean

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_LOCK = "lock"
_GENERATION_FILES = (
    "archive",
    "decisions",
    "labels",
    "sets/*/decisions",
    "sets/*/labels",
    "scores*",
    "ledger.sqlite*",
    "texts.sqlite*",
    "map.parquet*",
    "dead_letters.*",
)
"""Files of one generation. Those of the first lie beside the files that all generations share."""

# A swap of generations is one rename.
_POLL_S = 0.01

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CatalogFolder:
    """The folder of one catalog, seen at one of its generations.

    Args:
        data_dir: holds all catalogs and the default database.
        name: letters, digits and underscores, as Milvus' collection names allow.
        generation: None is the current one, looked up each time it is needed.
        set_name: the label set whose labels, decisions and corrections these are.

    Raises:
        ConfigError: the name can't be a collection's.
        UsageError: the set's name is not one.
    """

    data_dir: Path
    name: str
    generation: int | None = None
    set_name: str = CATEGORY

    def __post_init__(self) -> None:
        check_set_name(self.set_name)
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"catalog name {self.name!r}: use letters, digits and underscores, "
                "a letter first, 60 at most (Milvus allows no more)."
            )

    def at(self, generation: int) -> CatalogFolder:
        """The same catalog at one generation, whichever is the current one."""
        return replace(self, generation=generation)

    def of_set(self, set_name: str) -> CatalogFolder:
        """The same catalog at another label set, which may not exist."""
        return replace(self, set_name=set_name)

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
    def texts(self) -> Path:
        """The index of the items' words."""
        return self.home / "texts.sqlite"

    @property
    def projection(self) -> Path:
        """The places of the items on the map."""
        return self.home / "map.parquet"

    @property
    def origins(self) -> Path:
        """Which source each item came from; the same for all generations."""
        return self.root / "origins.sqlite"

    @property
    def measured_colours(self) -> Path:
        """Colours that were measured of pictures; the same for all generations."""
        return self.root / "colours.sqlite"

    @property
    def downloads(self) -> Path:
        """Downloads of the items' URLs."""
        return self.root / "downloads.sqlite"

    @property
    def fetched(self) -> Path:
        """Contents that were downloaded and are not stored yet."""
        return self.root / "fetched"

    @property
    def decisions(self) -> Path:
        """The labels of the last categorization."""
        return self._set_home(self.home) / "decisions"

    @property
    def labels(self) -> Path:
        """The label set."""
        return self._set_home(self.home) / "labels"

    @property
    def corrections(self) -> Path:
        """The folder of people's corrections; the same for all generations."""
        return self._set_home(self.root)

    def _set_home(self, home: Path) -> Path:
        return home if self.set_name == CATEGORY else home / "sets" / self.set_name

    def set_names(self) -> tuple[str, ...]:
        """The generation's label sets: the category, and then the others by name."""
        names = (path.parent.name for path in self.home.glob("sets/*/labels"))
        return (CATEGORY, *sorted(names))

    def require_set(self) -> None:
        """Refuse a label set that the catalog does not have.

        Raises:
            UsageError: names the sets that there are.
        """
        names = self.set_names()
        if self.set_name not in names:
            raise UsageError(
                f"catalog {self.name!r} has no label set {self.set_name!r}."
                f"{did_you_mean(self.set_name, names)} It has: {', '.join(names)}. Make one with: "
                f"zeroshelf labels add FILE --set {self.set_name}"
            )

    @property
    def dead_letters(self) -> Path:
        """The items that could not be used."""
        return self.home / "dead_letters.jsonl"

    def exists(self) -> bool:
        """Whether the catalog was ever made."""
        return self._description.exists()

    def fingerprint(self) -> Fingerprint:
        """What made the generation's vectors.

        Raises:
            CatalogError: there is no such catalog, or it is of a newer zeroshelf.
        """
        described = self.generations()
        return described.fingerprints[self.generation or described.current]

    def generations(self) -> Generations:
        """The catalog's generations as they are now.

        Raises:
            CatalogError: there is no such catalog, or it is of a newer zeroshelf.
        """
        try:
            return self._description.read()[0]
        except FileNotFoundError as error:
            raise UnknownCatalogError(
                f"there is no catalog {self.name!r} in {str(self.data_dir)!r}"
                f"{_existing_catalogs(self.data_dir)}. Start one with: zeroshelf ingest SOURCE"
            ) from error

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
                "it: the next ingested table gives the types again."
            ) from error

    def store_column_types(self, types: Mapping[str, ColumnType]) -> None:
        """Store types of columns; they replace earlier ones."""
        stored = self.column_types()
        merged = stored | dict(types)
        if merged != stored:
            write_text_durably(self._columns, json.dumps(merged, indent=1) + "\n")

    def text_columns(self) -> tuple[str, ...] | None:
        """Columns of metadata whose words a hybrid search finds; None is all short ones.

        Raises:
            CatalogError: the file is damaged.
        """
        try:
            return tuple(map(str, json.loads(self._text_columns.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise CatalogError(
                f"{str(self._text_columns)!r} is damaged ({error}). Delete it: hybrid searches "
                "then find words of all columns; or name the columns again with: zeroshelf ingest "
                "--text-columns"
            ) from error

    def store_text_columns(self, columns: Sequence[str]) -> None:
        """Store which columns' words a hybrid search finds; they are indexed at the next one."""
        write_text_durably(self._text_columns, json.dumps(list(columns)) + "\n")

    def create(self, fingerprint: Fingerprint, *, partition_key: str = "") -> None:
        """Make the catalog, with one generation: this one, or the first."""
        number = self.number
        self.write_description(
            Generations(
                fingerprints={number: fingerprint}, current=number, partition_key=partition_key
            )
        )

    def write_description(self, description: Generations) -> None:
        """Replace the description of the generations in one step, then its copy."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._description.write(description)

    @contextlib.contextmanager
    def leased(self) -> Iterator[CatalogFolder]:
        """The catalog at its current generation, which can't be dropped during the block.

        Raises:
            CatalogError: there is no such catalog.
        """
        with contextlib.ExitStack() as stack:
            while True:
                pinned = self.at(self.generations().current)
                with contextlib.suppress(FileNotFoundError, BlockingIOError):
                    stack.enter_context(locks.shared_lease(pinned._lease))
                    if self.generations().current == pinned.generation:
                        break
                stack.close()  # another generation became current meanwhile, or will soon
                time.sleep(_POLL_S)
            yield pinned

    def drop_orphan(self, number: int) -> None:
        """Delete the files of a generation that the catalog does not use any more."""
        home = self.at(number).home
        if number != FIRST:
            shutil.rmtree(home)
            return
        # The first one lies beside what all generations share, such as corrections: that stays.
        for path in [path for pattern in _GENERATION_FILES for path in home.glob(pattern)]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def orphans(self) -> list[int]:
        """Generations that have files, and that the catalog does not use."""
        folders = (path.name for path in self.root.glob("generations/*") if path.is_dir())
        numbers = {int(name) for name in folders if name.isdigit()}
        if (self.at(FIRST).home / "archive").exists():
            numbers.add(FIRST)
        return sorted(numbers - self.generations().in_use)

    @contextlib.contextmanager
    def exclusive_lease(self, number: int, *, patience_s: float = 0.0) -> Iterator[bool]:
        """Hold a generation that nobody reads; yields False where somebody still does."""
        with locks.exclusive_lease(self.at(number)._lease, patience_s=patience_s) as is_held:
            yield is_held

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the catalog for writing.

        Raises:
            CatalogError: another process holds it.
        """
        with locks.exclusive_lock(self.root / _LOCK, self._refusal("writing to")):
            yield

    @property
    def is_written(self) -> bool:
        """Whether a command holds the catalog for writing."""
        return is_locked(self.root / _LOCK)

    @contextlib.contextmanager
    def reembed_lock(self) -> Iterator[None]:
        """Hold the catalog's generations for filling, dropping or rolling back.

        Raises:
            CatalogError: another process holds them.
        """
        refusal = self._refusal("changing the model of")
        with locks.exclusive_lock(self.root / "reembed.lock", refusal):
            yield

    def _refusal(self, action: str) -> str:
        return (
            f"another zeroshelf command is {action} catalog {self.name!r} in "
            f"{str(self.data_dir)!r}. Wait for it to finish, or stop it."
        )

    @property
    def _lease(self) -> Path:
        return self.home / "readers.lock"

    @property
    def _columns(self) -> Path:
        return self.root / "columns.json"

    @property
    def _text_columns(self) -> Path:
        return self.root / "text_columns.json"

    @property
    def _description(self) -> DescriptionFiles:
        return DescriptionFiles(self.root)


def catalog_names(data_dir: Path) -> list[str]:
    """Names of the catalogs in a data folder, sorted."""
    names = (file.parent.name for file in data_dir.glob("catalogs/*/catalog*.json"))
    return sorted(set(names))


def _existing_catalogs(data_dir: Path) -> str:
    names = catalog_names(data_dir)
    return f" (there are: {', '.join(names)})" if names else ""
