"""Uploads become pixels or samples in other processes, which may crash or hang without harm."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, InvalidStateError, wait
from concurrent.futures import TimeoutError as ProcessTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from pebble import ProcessExpired, ProcessPool

from indexer.core.errors import ItemError
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray, Part
from indexer.sources.decoding import DecodeMemory, Decoder, Tally
from indexer.sources.decoding.sounds import SoundDecoder
from queries.service.batching import QueueFullError
from queries.service.settings import ServiceSettings

_LOOK_S = 1.0
"""Seconds between looks whether the pool still works on a picture."""

Samples = list[tuple[Part, FloatArray]]
"""The windows of a sound: which each is, and its samples, float32 (n,), mono."""

Found = tuple[Any, bool] | tuple[Reason, str]
"""A picture or a sound's windows and whether its colour profile was ignored, or the parts of the
error that it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundReader:
    """Decodes a sound in a process of the pool, as ``Decoder`` does a picture.

    Attributes:
        rate: samples a second; None only finds the windows.
    """

    sounds: SoundDecoder
    rate: int | None
    ignored_profiles: Tally = field(default_factory=Tally, compare=False, repr=False)

    def decode(self, content: bytes, name: str) -> Samples:
        """The windows of a sound, in order; of a broken one those before the break."""
        parts = self.sounds.windows(content, name).parts
        if self.rate is None:
            return [(part, np.empty(0, dtype=np.float32)) for part in parts]
        return [(part, self.sounds.decode(content, name, part, rate=self.rate)) for part in parts]


class DecodingPool:
    """Processes that decode; one that crashes or exceeds its time is replaced."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._workers = settings.decoders
        self._timeout_s = settings.decode_timeout_s
        self._folder = tempfile.TemporaryDirectory(prefix="zeroshelf-decoding-")
        self._decoder = Decoder(
            max_pixels=settings.max_pixels,
            max_bytes=settings.max_bytes,
            memory=DecodeMemory(
                limit=settings.decode_memory,
                processes=settings.decoders,
                lock_file=f"{self._folder.name}/memory",
            ),
            timeout_s=None,  # the pool sees to it
        )
        self.sounds = SoundDecoder(max_seconds=settings.max_sound_s, max_bytes=settings.max_bytes)
        self._pool = self._new_pool()
        self._lock = threading.Lock()
        self._most = settings.max_queue
        self._under_way = 0
        self._open: set[Future[Found]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they do."""
        self._end()
        self._folder.cleanup()

    def _end(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    async def decode(self, content: bytes, name: str, *, least_side: int | None = None) -> Pixels:
        """Decode one picture.

        Args:
            content: the encoded picture.
            name: what messages call it.
            least_side: as ``Decoder`` has it.

        Returns:
            uint8 (height, width, 3), RGB.

        Raises:
            ItemError: it can't be decoded, or its decoder crashed or took too long.
            QueueFullError: too many pictures wait.
        """
        if self._under_way >= self._most:
            raise QueueFullError
        with self._refusals(name):
            pixels: Pixels = _result(
                await self._awaited(self.in_process(least_side), content, name)
            )[0]
            return pixels

    async def decode_sound(
        self, content: bytes, name: str, *, rate: int | None, longest_s: float | None = None
    ) -> Samples:
        """Decode one sound.

        Args:
            rate: as ``SoundReader`` has it.
            longest_s: seconds of the longest window that the model takes; None for no limit.

        Raises:
            ItemError, QueueFullError: as ``decode``.
        """
        if self._under_way >= self._most:
            raise QueueFullError
        reader = SoundReader(sounds=self.sounds.for_model(longest_s), rate=rate)
        with self._refusals(name):
            samples: Samples = _result(await self._awaited(reader, content, name))[0]
        return samples

    def decode_now(self, decoder: Decoder, content: bytes, name: str) -> tuple[Pixels, bool]:
        """As ``decode``, by another decoder, for threads that may wait.

        Returns:
            The pixels, and whether the picture's colour profile was ignored.

        Raises:
            ItemError: as ``decode``.
        """
        with self._refusals(name):
            try:
                decoded = self._waited_for(decoder, content, name)
            except BrokenProcessPool:
                decoded = self._waited_for(decoder, content, name)
        return _result(decoded)

    def for_threads(self) -> Decoder:
        """A decoder by the limits of the service whose work is done in these processes."""
        decoder = self._decoder
        return ProcessDecoder(pool=self, max_pixels=decoder.max_pixels, max_bytes=decoder.max_bytes)

    def in_process(self, least_side: int | None) -> Decoder:
        """What does the work in a process of the pool."""
        return replace(self._decoder, least_side=least_side)

    @contextlib.contextmanager
    def _refusals(self, name: str) -> Iterator[None]:
        try:
            yield
        except ProcessTimeoutError as error:
            raise ItemError(
                Reason.TOO_SLOW,
                f"{name}: not decoded within {self._timeout_s:g} s; save it anew, smaller",
            ) from error
        except (ProcessExpired, BrokenProcessPool, MemoryError) as error:
            raise ItemError(
                Reason.NOT_A_PICTURE, f"{name}: the decoder failed on it; save it anew"
            ) from error

    async def _awaited(self, decoder: _Decodes, content: bytes, name: str) -> Found:
        try:
            return await self._to_its_end(decoder, content, name)
        except BrokenProcessPool:
            return await self._to_its_end(decoder, content, name)

    async def _to_its_end(self, decoder: _Decodes, content: bytes, name: str) -> Found:
        """What becomes of a picture; one that nobody waits for any more is not begun.

        One that has reached a process goes on, and counts: where that is cancelled, pebble ends
        the process, and clients that hang up would have the service start processes all the time.
        """
        future = self._schedule(decoder, content, name)
        decoded = asyncio.wrap_future(future)
        self._under_way += 1
        decoded.add_done_callback(self._ended)
        try:
            while not (await asyncio.wait([decoded], timeout=_LOOK_S))[0]:
                self._fail_lost()
        except asyncio.CancelledError:
            if not future.running():
                future.cancel()
            raise
        return decoded.result()

    def _ended(self, decoded: asyncio.Future[Found]) -> None:
        self._under_way -= 1
        if not decoded.cancelled():
            decoded.exception()  # looked at here, as nobody else may wait for it

    def _waited_for(self, decoder: _Decodes, content: bytes, name: str) -> Found:
        decoded = self._schedule(decoder, content, name)
        while not wait([decoded], timeout=_LOOK_S).done:
            self._fail_lost()
        return decoded.result()

    def _schedule(self, decoder: _Decodes, content: bytes, name: str) -> Future[Found]:
        with self._lock:
            try:
                return self._scheduled(decoder, content, name)
            except RuntimeError:
                # A process that ends between two pictures, as one killed for memory does, breaks
                # the whole pool; which picture it would have been is not known.
                self._end()
                self._fail_open()
                self._pool = self._new_pool()
                return self._scheduled(decoder, content, name)

    def _scheduled(self, decoder: _Decodes, content: bytes, name: str) -> Future[Found]:
        """The picture's future.

        Raises:
            RuntimeError: the pool is broken.
        """
        future: Future[Found] = self._pool.schedule(
            _decode, args=(decoder, content, name), timeout=self._timeout_s
        )
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        return future

    def _fail_lost(self) -> None:
        """A picture that reaches a pool just as it breaks is one that pebble forgets."""
        with self._lock:
            if not self._pool.active:
                self._fail_open()

    def _fail_open(self) -> None:
        for future in list(self._open):
            with contextlib.suppress(InvalidStateError):  # it has ended meanwhile
                future.set_exception(BrokenProcessPool("the pool broke before it took the picture"))

    def _new_pool(self) -> ProcessPool:
        # Not forked: the service has threads, whose locks a fork would copy as they stand.
        context = multiprocessing.get_context("spawn")
        return ProcessPool(max_workers=self._workers, context=context)


_Decodes = Decoder | SoundReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessDecoder(Decoder):
    """Decodes in the processes of a pool: for jobs, whose pictures come from users too."""

    pool: DecodingPool

    def decode(self, content: bytes, name: str) -> Pixels:
        """Decode one picture; see ``DecodingPool``."""
        inner = self.pool.in_process(self.least_side)
        pixels, ignored = self.pool.decode_now(inner, content, name)
        if ignored:
            self.ignored_profiles.add()
        return pixels


def _result(decoded: Found) -> tuple[Any, bool]:
    if isinstance(decoded[0], Reason):
        raise ItemError(decoded[0], str(decoded[1]))
    return decoded[0], bool(decoded[1])


def _decode(decoder: _Decodes, content: bytes, name: str) -> Found:
    """In the other process; an ``ItemError`` travels as its parts."""
    try:
        return decoder.decode(content, name), decoder.ignored_profiles.take() > 0
    except ItemError as error:
        return error.reason, str(error)
