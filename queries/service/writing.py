"""What changes the catalog: one change at a time, in a thread of its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from indexer.build import CatalogOptions
from indexer.records import Item

if TYPE_CHECKING:
    from indexer.encoder import SentenceTransformerEncoder

T = TypeVar("T")


class Writer:
    """Runs changes one after the other; each opens the catalog for itself.

    The catalog's lock keeps other processes out while a change runs; one that is held
    elsewhere is answered 409.
    """

    def __init__(self, options: CatalogOptions) -> None:
        self.options = options
        self._thread = ThreadPoolExecutor(1, "writer")

    async def run(self, change: Callable[[], T]) -> T:
        """Do a change, after those that wait."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, change)

    def close(self) -> None:
        """Wait for the change under way; what waits is dropped."""
        self._thread.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedOptions(CatalogOptions):
    """Options whose model is loaded already: a service holds it once.

    Attributes:
        loaded: gives the model of the service.
    """

    loaded: Callable[[], SentenceTransformerEncoder]

    def load_encoder(self, model: str) -> SentenceTransformerEncoder:
        """The model that is loaded, whatever its name: it is the catalog's."""
        del model
        return self.loaded()


def shared(
    options: CatalogOptions, loaded: Callable[[], SentenceTransformerEncoder]
) -> SharedOptions:
    """The options with a model that is loaded."""
    known = {field.name: getattr(options, field.name) for field in fields(CatalogOptions)}
    return SharedOptions(**known, loaded=loaded)


class Spool:
    """Uploads, kept as the sources of their items, by content.

    No name of a user's becomes a path: an upload lies under its SHA-256.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: bytes, *, ending: str = "") -> str:
        """Store an upload.

        Args:
            ending: of its name, where readers go by it.

        Returns:
            Its path, absolute.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = (self._folder / digest[:2] / f"{digest}{ending}").absolute()
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f"{path.name}.writing")
            aside.write_bytes(content)
            aside.replace(path)
        return str(path)


class GivenItems:
    """Items of a request, as a source."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def count(self) -> int:
        """How many there are."""
        return len(self._items)
