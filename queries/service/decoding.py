"""Uploads become pixels in other processes, which may crash or hang without harm."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import TimeoutError as ProcessTimeoutError
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
        self._timeout_s = settings.decode_timeout_s
        self._decoder = Decoder(max_pixels=settings.max_pixels, max_bytes=settings.max_bytes)
        # Not forked: the service has threads, whose locks a fork would copy as they stand.
        self._pool = ProcessPool(
            max_workers=settings.decoders, context=multiprocessing.get_context("spawn")
        )

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
        future = self._pool.schedule(
            _decode, args=(self._decoder, content, name), timeout=self._timeout_s
        )
        try:
            found = await asyncio.wrap_future(future)
        except ProcessTimeoutError as error:
            raise ItemError(
                Reason.NOT_A_PICTURE,
                f"{name}: not decoded within {self._timeout_s:g} s; save it anew, smaller",
            ) from error
        except (ProcessExpired, MemoryError) as error:
            raise ItemError(
                Reason.NOT_A_PICTURE, f"{name}: the decoder failed on it; save it anew"
            ) from error
        if isinstance(found, tuple):
            raise ItemError(*found)
        pixels: Pixels = found
        return pixels


def _decode(decoder: Decoder, content: bytes, name: str) -> Pixels | tuple[Reason, str]:
    """In the other process; an ``ItemError`` travels as its parts."""
    try:
        return decoder.decode(content, name)
    except ItemError as error:
        return error.reason, str(error)
