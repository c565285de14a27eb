"""From a sound's bytes to mono samples, a window at a time, within limits.

soundfile (libsndfile) decodes, soxr resamples; both come with the extra ``audio``.
"""

from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from indexer.core import limits
from indexer.core.errors import ItemError, first_line
from indexer.core.parts import END, START, clock
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray, Part

WINDOW_S = 10.0
"""Seconds of a window: what CLAP was trained on."""

LEAST_REST = 1 / 20
"""A rest of at most so much of a window gets none of its own: encoders of MP3 add some frames."""

_MAX_CHANNELS = 64
_RATES = (1_000, 768_000)
_MARGIN_S = 0.05
"""Seconds around a window that are resampled with it: the filter of soxr at HQ is shorter."""

_MISSING = "is a sound, which takes packages more. Run: pip install 'zeroshelf[audio]'"
_ENDLESS = (0, 0xFFFFFFFF)
"""Lengths in a WAV's header of a stream whose writer did not know its end."""

_OGG_PAGE, _OGG_LAST = b"OggS", 0x04
_RIFF_HEADER = 8
_MP3 = "MP3"
_XING_WITHIN = 256
"""Bytes of the first frame of an MP3 in which its header lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows of one sound.

    Attributes:
        parts: those that can be decoded, in order.
        broken_at: seconds from which on it can't be; None for a whole file.
        cause: why.
    """

    parts: tuple[Part, ...]
    broken_at: float | None = None
    cause: str = ""

    def warning(self, name: str) -> str:
        """What of a broken sound is left out, for people; empty for a whole one."""
        if self.broken_at is None:
            return ""
        return (
            f"{name}: the sound is cut short or damaged after {clock(self.broken_at)} "
            f"({self.cause}); what is before {clock(self.parts[-1][END])} was used"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundDecoder:
    """Decodes sounds within limits; a small value that travels to workers.

    Attributes:
        window_s: seconds of a window; None for ``WINDOW_S``.
        max_bytes: largest encoded sound.
        max_seconds: longest sound.
    """

    window_s: float | None = None
    max_bytes: int = limits.MAX_SOUND_BYTES
    max_seconds: float = limits.MAX_SOUND_S

    def for_model(self, longest_s: float | None) -> SoundDecoder:
        """Its windows not longer than a model takes, unless somebody chose their length.

        Args:
            longest_s: seconds of the longest sound that the model takes; None for no limit.
        """
        if self.window_s is not None or longest_s is None:
            return self
        return replace(self, window_s=min(WINDOW_S, longest_s))

    def windows(self, content: bytes, name: str) -> Windows:
        """The windows of a sound; of a broken one those before the break.

        A sound shorter than a window is one. The last window of a longer one ends with the sound
        and is as long as the others, so it overlaps the one before it. A rest of at most
        ``LEAST_REST`` of a window is left out.

        Args:
            content: the encoded sound: WAV, FLAC, Ogg or MP3.
            name: its name in error messages.

        Raises:
            ItemError: TOO_MANY_BYTES, TOO_LONG, NOT_A_SOUND, UNSUPPORTED; TRUNCATED where it
                breaks before the end of its first window.
        """
        if len(content) > self.max_bytes:
            raise ItemError(
                Reason.TOO_MANY_BYTES,
                f"{name}: {len(content):,} bytes, the limit is {self.max_bytes:,}; cut the sound "
                "or raise max_sound_bytes",
            )
        window_s = self.window_s or WINDOW_S
        with _opened(content, name) as file:
            declared_s = file.frames / file.samplerate
            if declared_s > self.max_seconds:
                raise ItemError(
                    Reason.TOO_LONG,
                    f"{name}: {clock(declared_s)} long, the limit is {clock(self.max_seconds)}; "
                    "cut the sound or raise max_sound_seconds",
                )
            cause = _cause_of_break(file, content)
        if not cause:
            return Windows(parts=tuple(_windows(declared_s, window_s)))
        readable_s = _readable_s(content, name)
        whole = int(readable_s / window_s)
        if not whole:
            raise _truncated(name, readable_s, cause)
        parts = [_window(number * window_s, window_s) for number in range(whole)]
        return Windows(parts=tuple(parts), broken_at=readable_s, cause=cause)

    def decode(self, content: bytes, name: str, part: Part, *, rate: int) -> FloatArray:
        """Samples of a window, mono.

        Channels are averaged. The window is resampled with a margin, so its samples are those
        of the whole sound.

        Args:
            part: its start and end in seconds; without them it is the whole sound.
            rate: samples a second to resample to.

        Returns:
            float32 (n,), from -1 to 1.

        Raises:
            ItemError: as ``windows``.
        """
        resample = _libraries(name)[1].resample
        with _reader_of(content, name, part.get(START, 0.0)) as reader:
            own_rate, frames = reader.rate, reader.frames
            start = round(part.get(START, 0.0) * own_rate)
            end = min(frames, round(part[END] * own_rate)) if END in part else frames
            margin = round(_MARGIN_S * own_rate)
            first = max(0, start - margin)
            mixed = reader.read(first, min(frames, end + margin), name)
        if len(mixed) < end - first:
            raise _truncated(name, (first + len(mixed)) / own_rate, "its frames end")
        if not np.isfinite(mixed).all():
            raise ItemError(
                Reason.UNSUPPORTED,
                f"{name}: holds samples that are not finite numbers; export it again",
            )
        if own_rate == rate:
            return mixed[start - first : end - first]
        resampled = np.asarray(resample(mixed, own_rate, rate, quality="HQ"), dtype=np.float32)
        offset = round((start - first) * rate / own_rate)
        return resampled[offset : offset + round((end - start) * rate / own_rate)]


def _windows(seconds: float, window_s: float) -> Iterator[Part]:
    whole = int(seconds / window_s)
    if not whole:
        yield {START: 0.0, END: _rounded(seconds)}
        return
    yield from (_window(number * window_s, window_s) for number in range(whole))
    if seconds - whole * window_s > LEAST_REST * window_s:
        yield _window(seconds - window_s, window_s)


def _window(start: float, window_s: float) -> Part:
    return {START: _rounded(start), END: _rounded(start + window_s)}


def _rounded(seconds: float) -> float:
    return round(seconds, 3)


def _libraries(name: str) -> tuple[Any, Any]:
    try:
        import soundfile
        import soxr
    except (ImportError, OSError) as error:  # OSError: soundfile without its libsndfile
        raise ItemError(Reason.UNSUPPORTED, f"{name}: {_MISSING}") from error
    return soundfile, soxr


def _opened(content: bytes, name: str) -> Any:
    """The sound with its header read; a ``soundfile.SoundFile``."""
    soundfile, _ = _libraries(name)
    if not content:
        raise ItemError(Reason.NOT_A_SOUND, f"{name}: the file is empty; export it again")
    try:
        file = soundfile.SoundFile(io.BytesIO(content))
    # Damaged headers make it raise errors of several kinds.
    except Exception as error:
        raise ItemError(
            Reason.NOT_A_SOUND,
            f"{name}: not a sound that can be read ({_library_message(error)}); it starts with "
            f"{content[:16]!r}; readable are WAV, FLAC, Ogg (Vorbis and Opus) and MP3",
        ) from error
    low, high = _RATES
    if not (low <= file.samplerate <= high and file.channels <= _MAX_CHANNELS):
        file.close()
        raise ItemError(
            Reason.UNSUPPORTED,
            f"{name}: {file.channels} channels of {file.samplerate:,} samples a second; readable "
            f"are at most {_MAX_CHANNELS} channels of {low:,} to {high:,}; export it anew",
        )
    if not _rounded(file.frames / file.samplerate):
        holds = "less than a millisecond of sound" if file.frames > 0 else "no samples"
        file.close()
        raise ItemError(Reason.NOT_A_SOUND, f"{name}: holds {holds}; export it again")
    if file.format == _MP3:
        # soundfile seeks to where it is after each read, and an MP3's decoder begins anew there.
        file.seekable = lambda: False
    return file


class _Reader:
    """Reads frames of an open sound, its channels averaged.

    Args:
        file: a ``soundfile.SoundFile``; closed with this.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.rate, self.frames = int(file.samplerate), int(file.frames)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, first: int, last: int, name: str) -> FloatArray:
        """float32 (n,) from a frame to another; fewer where the file ends before.

        Raises:
            ItemError: TRUNCATED: they can't be decoded.
        """
        try:
            self._file.seek(first)
            return self._mono(last - first)
        except Exception as error:
            raise _truncated(name, first / self.rate, _library_message(error)) from error

    def _mono(self, count: int) -> FloatArray:
        """The next frames, a second at a time: there may be many channels."""
        blocks: list[FloatArray] = [np.empty(0, dtype=np.float32)]
        while count > 0:
            block = self._file.read(min(count, self.rate), dtype="float32", always_2d=True)
            if not len(block):
                break
            count -= len(block)
            blocks.append(block.mean(axis=1, dtype=np.float32))
        return np.concatenate(blocks)


class _ForwardReader(_Reader):
    """Reads an MP3, in which libsndfile finds no frame exactly, from its beginning.

    It stays open for the next window of the same file, so all of them cost one pass a thread.
    """

    def __init__(self, file: Any, content: bytes) -> None:
        super().__init__(file)
        self.content = content
        # Before Python takes its modules apart at the end: soundfile needs them to close a file.
        weakref.finalize(self, file.close)
        self._read_from = 0
        self._last = np.empty(0, dtype=np.float32)
        """The frames that were read last: a window begins before the one before it ends."""

    def __exit__(self, *_: object) -> None:
        """It stays open, unless it is at its end."""
        if self._read_from + len(self._last) >= self.frames:
            self.forget()

    def forget(self) -> None:
        """Close the file; a window that comes later opens it again."""
        self._file.close()
        _open_mp3.reader = None

    def has(self, content: bytes, start_s: float) -> bool:
        """Whether it can read this file from some second on."""
        return self.content is content and max(0.0, start_s) * self.rate >= self._read_from

    def read(self, first: int, last: int, name: str) -> FloatArray:
        """As ever."""
        try:
            at = self._read_from + len(self._last)
            while at < first:
                self._last = self._mono(min(first - at, self.rate))
                self._read_from, at = at, at + len(self._last)
                if not len(self._last):
                    break
            samples = np.concatenate([self._last, self._mono(last - at)])[first - self._read_from :]
        except Exception as error:
            self.forget()
            raise _truncated(name, first / self.rate, _library_message(error)) from error
        self._read_from, self._last = first, samples
        return samples[: last - first]


_open_mp3 = threading.local()


def _reader_of(content: bytes, name: str, start_s: float) -> _Reader:
    """What reads a sound from some second on; an MP3 that this thread has open goes on."""
    reader: _ForwardReader | None = getattr(_open_mp3, "reader", None)
    if reader is not None and reader.has(content, start_s - 2 * _MARGIN_S):
        return reader
    file = _opened(content, name)
    if file.format != _MP3:
        return _Reader(file)
    if reader is not None:
        reader.forget()
    _open_mp3.reader = reader = _ForwardReader(file, content)
    return reader


def _cause_of_break(file: Any, content: bytes) -> str:
    """Why a sound can't be read to its end; empty where it can."""
    if (cause := _cut_short(content)) or file.format == _MP3:
        return cause
    try:
        file.seek(file.frames - 1)
        return "" if len(file.read(1)) == 1 else "its last frames are missing"
    except Exception as error:  # noqa: BLE001 - libsndfile's errors are of several kinds
        return _library_message(error)


def _cut_short(content: bytes) -> str:
    """What a container's own marks say of a missing end; empty where they say nothing."""
    if content[:4] == b"RIFF":
        declared = int.from_bytes(content[4:8], "little")
        # Some writers leave out the byte that makes a length even.
        if declared not in _ENDLESS and declared + _RIFF_HEADER > len(content) + 1:
            return f"{len(content):,} of {declared + _RIFF_HEADER:,} bytes"
    if content[:4] == _OGG_PAGE:
        last = content.rfind(_OGG_PAGE)
        # Behind the page's mark and version are its flags (RFC 3533, section 6).
        if len(content) <= last + 5 or not content[last + 5] & _OGG_LAST:
            return "its last page is missing"
    return _cut_short_mp3(content)


def _cut_short_mp3(content: bytes) -> str:
    """What the first frame of an MP3 says of a missing end: encoders write its length there."""
    start = 0
    if content[:3] == b"ID3":  # its length in four bytes of seven bits
        size = content[6:10]
        start = 10 + sum(byte << shift for byte, shift in zip(size, (21, 14, 7, 0), strict=False))
    head = content[start : start + _XING_WITHIN]
    mark = max(head.find(b"Xing"), head.find(b"Info"))
    # Flags behind the mark say what follows: 1 the number of frames, 2 that of bytes.
    if mark < 0 or not (len(head) > mark + 16 and head[mark + 7] & 2):
        return ""
    place = start + mark + (12 if head[mark + 7] & 1 else 8)
    declared = int.from_bytes(content[place : place + 4], "big")
    present = len(content) - start
    return f"{present:,} of {declared:,} bytes" if present < declared else ""


def _readable_s(content: bytes, name: str) -> float:
    """Seconds from the beginning that can be decoded."""
    readable = 0
    with _opened(content, name) as file:  # anew: a failed seek leaves a file unusable
        try:
            while count := len(file.read(file.samplerate // 10, dtype="float32")):
                readable += count
        except Exception:  # noqa: BLE001 - as above
            return readable / float(file.samplerate)
        return readable / float(file.samplerate)


def _library_message(error: Exception) -> str:
    """What libsndfile says, without soundfile's words about the Python object that it opened."""
    return str(getattr(error, "error_string", "")).strip().rstrip(".") or first_line(error)


def _truncated(name: str, seconds: float, cause: str) -> ItemError:
    return ItemError(
        Reason.TRUNCATED,
        f"{name}: the sound is cut short or damaged after {clock(seconds)} ({cause}); fetch or "
        "export it again",
    )
