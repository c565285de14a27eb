"""The few fakes: a model that hashes, a database that can be away, a client that remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.core.errors import ModelError, StoreUnavailableError
from indexer.core.protocols import Decision, Pixels, SoundInput
from indexer.core.records import EmbeddedItem, Fingerprint, FloatArray
from indexer.core.vectors import normalise

WIDTH = 8


def vector_of(content: bytes) -> FloatArray:
    """float32 (WIDTH,), length 1, that follows from the content."""
    seed = int.from_bytes(hashlib.sha256(content).digest()[:8])
    return normalise(np.random.default_rng(seed).normal(size=WIDTH))


class FakeEncoder:
    """Vectors are hashes of pixels or words, so equal content has equal vectors.

    Args:
        fails: whether the model fails on a content; a batch that holds such a one fails whole.
    """

    fingerprint = Fingerprint(
        model="fake", revision="1", preprocessing="", width=WIDTH, logit_scale=10.0
    )

    least_side: int | None = None
    takes_all_cores = False

    def __init__(self, fails: Callable[[bytes], bool] = lambda _: False) -> None:
        self.embedded = 0
        self.batches: list[int] = []
        self._fails = fails

    def prepare(self, picture: Pixels) -> Pixels:
        """The picture as it is."""
        return picture

    def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """float32 (n, WIDTH) of the pixels."""
        return self._embed([picture.tobytes() for picture in pictures])

    sound_rate: int | None = None
    longest_sound_s: float | None = None

    def prepare_sound(self, samples: FloatArray) -> SoundInput:
        """The samples as they are."""
        return samples

    def embed_sounds(self, sounds: Sequence[SoundInput]) -> FloatArray:
        """float32 (n, WIDTH) of the samples."""
        return self._embed([sound.tobytes() for sound in sounds])

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, WIDTH) of the words."""
        return self._embed([text.encode() for text in texts])

    def overlong(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """None: the fake model reads all of every text."""
        del texts
        return {}

    def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        """As of other texts: the fake model knows no prompts."""
        return self.embed_texts(texts)

    def _embed(self, contents: Sequence[bytes]) -> FloatArray:
        if any(map(self._fails, contents)):
            raise ModelError("the fake model fails on this")
        if not contents:
            return np.empty((0, WIDTH), dtype=np.float32)
        self.embedded += len(contents)
        self.batches.append(len(contents))
        return np.stack([vector_of(content) for content in contents])


class FakeItemStore:
    """An ``items`` collection in memory that may be away for some calls.

    Args:
        away: calls that find the database away before it is back.
    """

    def __init__(self, away: int = 0) -> None:
        self.rows: dict[str, EmbeddedItem] = {}
        self.decisions: dict[str, Decision | None] = {}
        self.flushed: dict[str, EmbeddedItem] = {}
        self.away = away
        self.version = 0

    def stored_version(self) -> int:
        """The version that was written last."""
        return self.version

    def set_stored_version(self, version: int) -> None:
        """Keep the version."""
        self.version = version

    def upsert(self, rows: Sequence[EmbeddedItem], decisions: Sequence[Decision | None]) -> None:
        """Keep the rows."""
        self._answer()
        self.rows |= {row.item_id: row for row in rows}
        self.decisions |= {
            row.item_id: decision for row, decision in zip(rows, decisions, strict=True)
        }

    def delete(self, item_ids: Sequence[str]) -> None:
        """Forget the rows."""
        self._answer()
        for item_id in item_ids:
            self.rows.pop(item_id, None)

    def flush(self) -> None:
        """Make the rows durable."""
        self._answer()
        self.flushed = dict(self.rows)

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailableError("the fake database is away")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a client."""

    method: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]


class RecordingClient:
    """Stands in for ``MilvusClient`` where the server is one that can't be run: remembers calls.

    Args:
        answers: what methods return; None for those that are not named.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self._calls: list[Call] = []

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def answer(*arguments: Any, **named: Any) -> Any:
            self._calls.append(Call(method, arguments, named))
            return self.answers.get(method)

        return answer

    def calls(self, method: str) -> list[Call]:
        """The calls of one method, in order."""
        return [call for call in self._calls if call.method == method]
