"""Unpacks files: ``.gz``, ``.bz2``, ``.xz`` and ``.zst``."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""Errors of reading a damaged or truncated packed file."""

_READ_BYTES = 2**16


class _Decompressor(Protocol):
    """One packed stream, as ``bz2`` and ``lzma`` unpack it."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Streams(io.RawIOBase):
    """The packed streams of a file, one after the other.

    ``bz2.BZ2File`` and ``lzma.LZMAFile`` end without an error where the beginning of a further
    stream is damaged. All that follows would be lost in silence, and parallel packers write a
    stream for each piece of a file.
    """

    def __init__(self, raw: IO[bytes], begin: Callable[[], _Decompressor]) -> None:
        self._raw = raw
        self._begin = begin
        self._stream = begin()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Unpack into a buffer; raises one of ``DAMAGE``."""
        view = memoryview(buffer).cast("B")
        while view:
            packed = b""
            if self._stream.eof:
                packed = self._next_stream()
                if not packed:
                    break
                self._stream = self._begin()
            elif self._stream.needs_input:
                packed = self._raw.read(_READ_BYTES)
                if not packed:
                    raise EOFError("the packed file ends before its content does")
            if data := self._stream.decompress(packed, len(view)):
                view[: len(data)] = data
                return len(data)
        return 0

    def _next_stream(self) -> bytes:
        """The beginning of the next stream, behind zeros that fill up blocks; empty at the end."""
        packed = self._stream.unused_data.lstrip(b"\0")
        while not packed and (read := self._raw.read(_READ_BYTES)):
            packed = read.lstrip(b"\0")
        return packed


# By Arrow, since Python itself has zstd from 3.14 on only.
def _unpack_zstandard(raw: IO[bytes]) -> IO[bytes]:
    import pyarrow as pa

    return io.BufferedReader(pa.CompressedInputStream(raw, "zstd"))


PACKED: dict[str, Callable[[IO[bytes]], Any]] = {
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".bz2": lambda raw: io.BufferedReader(_Streams(raw, bz2.BZ2Decompressor)),
    ".xz": lambda raw: io.BufferedReader(_Streams(raw, lzma.LZMADecompressor)),
    ".zst": _unpack_zstandard,
}
"""Functions that unpack files, by the ends of their names."""
