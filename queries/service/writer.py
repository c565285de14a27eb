"""What changes the catalog: one change at a time, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from indexer.catalog.opening import CatalogOptions
from indexer.core.durable import written_aside
from indexer.core.errors import ZeroshelfError
from indexer.core.hashing import sha256
from indexer.core.records import Item
from queries.service.problems import Problem

if TYPE_CHECKING:
    from indexer.encoder import SentenceTransformerEncoder

T = TypeVar("T")

_log = logging.getLogger(__name__)

_PATIENCE_S = 5.0
"""Seconds that a change waits for a job before its sender is told to come again."""


class Writer:
    """Runs changes one after the other; each opens the catalog for itself.

    The catalog's lock keeps other processes out while a change runs; one that is held
    elsewhere is answered 409.

    Args:
        options: which catalog.
        after_job: what every job is followed by; where it fails, the log says why.

    Attributes:
        job: what runs for long, in words; empty where nothing does.
    """

    def __init__(
        self, options: CatalogOptions, *, after_job: Callable[[], object] = lambda: None
    ) -> None:
        self.options = options
        self.job = ""
        self._after_job = after_job
        self._thread = ThreadPoolExecutor(1, "writer")
        self._later: set[Future[bool]] = set()
        self._is_behind = False

    async def run(self, change: Callable[[], T]) -> T:
        """Do a change now, or after a short one that is under way.

        Raises:
            Problem: 503, a job runs and has not ended in time.
        """
        waiting = self._thread.submit(change)
        answer = asyncio.wrap_future(waiting)
        finished, _ = await asyncio.wait({answer}, timeout=_PATIENCE_S)
        if not finished and self.job and waiting.cancel():
            raise Problem(
                503,
                "busy",
                "The catalog is being changed",
                f"{self.job} is under way and changes the catalog: try again when it has ended, or "
                "cancel it. Nothing of this request was carried out.",
                headers={"Retry-After": "30"},
            )
        return await answer

    async def run_job(self, name: str, function: Callable[[], T]) -> T:
        """Do what takes long, after the changes that wait; one job at a time."""
        self.job = name
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function)
        finally:
            self.job = ""
            self.catch_up()

    async def soon(self, change: Callable[[], object]) -> bool:
        """Do a change now, or when its turn comes, without waiting long for that.

        Returns:
            Whether it is done. Where it fails, the log says why.
        """
        waiting = self._thread.submit(self._do, change)
        self._later.add(waiting)
        waiting.add_done_callback(self._later.discard)
        if self.job:
            return False
        # Neither a change that takes long nor a request that is given up cancels it.
        finished, _ = await asyncio.wait({asyncio.wrap_future(waiting)}, timeout=_PATIENCE_S)
        return any(future.result() for future in finished)

    def catch_up(self) -> None:
        """Do what follows every job, without waiting for it: also when a service starts."""
        self._thread.submit(_done, self._after_job)

    def _do(self, change: Callable[[], object]) -> bool:
        """In the writer's thread: a change, and after one that works those that did not."""
        if not _done(change):
            self._is_behind = True
            return False
        if self._is_behind:
            self._is_behind = not _done(self._after_job)
        return True

    async def close(self) -> None:
        """Wait for the change under way, and for those that nobody waited for."""
        await asyncio.gather(
            *(asyncio.wrap_future(future) for future in tuple(self._later)), return_exceptions=True
        )
        self._thread.shutdown(cancel_futures=True)


def _done(change: Callable[[], object]) -> bool:
    """Whether a change that nobody waits for was done."""
    try:
        change()
    except ZeroshelfError as error:
        _log.warning("a change is left for later: %s", error)
        return False
    except Exception:  # noqa: BLE001 (nobody else would tell of it)
        _log.exception("a change failed")
        return False
    return True


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
    values = {field.name: getattr(options, field.name) for field in fields(CatalogOptions)}
    return SharedOptions(**values, loaded=loaded)


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
        digest = sha256(content)
        path = (self._folder / digest[:2] / f"{digest}{ending}").absolute()
        if not path.exists():
            # The same picture may be uploaded twice at the same moment.
            with written_aside(path, shared=True) as aside:
                aside.write_bytes(content)
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
