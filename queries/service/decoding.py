"""Uploads become pixels in other processes, which may crash or hang without harm."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import TimeoutError as ProcessTimeoutError
from concurrent.futures.process import BrokenProcessPool
from typing import Self

from pebble import ProcessExpired, ProcessPool

from indexer.decode import Decoder
from indexer.errors import ItemError
from indexer.protocols import Pixels
from indexer.reasons import Reason
from queries.service.settings import ServiceSettings


class DecodingPool:
    """Processes that decode; one that crashes or exceeds its time is replaced."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._workers = settings.decoders
        self._timeout_s = settings.decode_timeout_s
        self._decoder = Decoder(max_pixels=settings.max_pixels, max_bytes=settings.max_bytes)
        self._pool = self._new_pool()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they do."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    async def decode(self, content: bytes, name: str) -> Pixels:
        """Decode one picture.

        Args:
            content: the encoded picture.
            name: what messages call it.

        Returns:
            uint8 (height, width, 3), RGB.

        Raises:
            ItemError: it can't be decoded, or its decoder crashed or took too long.
        """
        try:
            found = await self._decoded(content, name)
        except ProcessTimeoutError as error:
            raise ItemError(
                Reason.NOT_A_PICTURE,
                f"{name}: not decoded within {self._timeout_s:g} s; save it anew, smaller",
            ) from error
        except (ProcessExpired, BrokenProcessPool, MemoryError) as error:
            raise ItemError(
                Reason.NOT_A_PICTURE, f"{name}: the decoder failed on it; save it anew"
            ) from error
        if isinstance(found, tuple):
            raise ItemError(*found)
        return found

    async def _decoded(self, content: bytes, name: str) -> Pixels | tuple[Reason, str]:
        pool = self._pool
        try:
            return await self._schedule(content, name)
        except BrokenProcessPool:
            # A process that ends between two pictures, as one killed for memory does, breaks
            # the whole pool; which picture it would have been is not known.
            if self._pool is pool:
                self.close()
                self._pool = self._new_pool()
            return await self._schedule(content, name)

    async def _schedule(self, content: bytes, name: str) -> Pixels | tuple[Reason, str]:
        if not self._pool.active:
            raise BrokenProcessPool("a process ended between two pictures")
        future = self._pool.schedule(
            _decode, args=(self._decoder, content, name), timeout=self._timeout_s
        )
        found: Pixels | tuple[Reason, str] = await asyncio.wrap_future(future)
        return found

    def _new_pool(self) -> ProcessPool:
        # Not forked: the service has threads, whose locks a fork would copy as they stand.
        context = multiprocessing.get_context("spawn")
        return ProcessPool(max_workers=self._workers, context=context)


def _decode(decoder: Decoder, content: bytes, name: str) -> Pixels | tuple[Reason, str]:
    """In the other process; an ``ItemError`` travels as its parts."""
    try:
        return decoder.decode(content, name)
    except ItemError as error:
        return error.reason, str(error)
