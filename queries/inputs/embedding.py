"""Reads and embeds inputs that are no items: pictures, sounds, videos and texts."""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from dataclasses import replace

import numpy as np

from indexer.catalog.item_vectors import mean_vectors
from indexer.core.credentials import without_credentials
from indexer.core.errors import ItemError
from indexer.core.parts import END, START, place_text
from indexer.core.protocols import Encoder, Pixels, SoundInput
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray, Item, Kind
from indexer.core.towers import require_tower
from indexer.ingestion.shots import Shot
from indexer.ingestion.videos import VideoEmbedder
from indexer.sources import Fetcher, media
from indexer.sources.decoding.contents import ContentDecoder, Prepared, embed
from indexer.sources.open_files import open_file
from queries.inputs.embedded import EmbeddedInputs, InputViews
from queries.inputs.query import Query

_log = logging.getLogger(__name__)

BLOCK = 256
"""Decoded pictures and windows in memory at a time."""


def embed_queries(
    encoder: Encoder,
    queries: Sequence[Query],
    *,
    titles: bool = True,
    decoder: ContentDecoder,
    fetcher: Fetcher,
) -> EmbeddedInputs:
    """Embed pictures and sounds with their titles, or texts; a bad one is an error of its own.

    Args:
        titles: embed titles of pictures too.
    """
    if not any(query.source for query in queries):
        return embed_texts(encoder, queries)
    if not titles:
        queries = [replace(query, title="") for query in queries]
    return embed_contents(encoder, queries, decoder=decoder, fetcher=fetcher)


def embed_contents(
    encoder: Encoder, queries: Sequence[Query], *, decoder: ContentDecoder, fetcher: Fetcher
) -> EmbeddedInputs:
    """Read, decode and embed pictures, sounds and videos; a bad one is an error of its own.

    An input of several pictures, windows or shots has the mean of their vectors;
    of one with some bad pictures the good ones count, and the bad ones are warned of.
    """
    views = _Views(encoder)
    problems: list[tuple[int, str]] = []
    for place, query in enumerate(queries):
        for source in query.sources:
            try:
                if query.problem:
                    raise ItemError(Reason.UNREADABLE, query.problem)
                views.read(place, source, decoder=decoder, fetcher=fetcher)
            except ItemError as error:
                problems.append((place, str(error)))
    embedded_views = views.finish()
    decoded = np.unique(np.array(views.owners, dtype=np.int64))
    vectors = mean_vectors(embedded_views.vectors, embedded_views.starts)
    embedded = [queries[place] for place in decoded.tolist()]
    return EmbeddedInputs(
        names=tuple(query.name for query in embedded),
        vectors=vectors,
        errors=_errors(problems, set(decoded.tolist())),
        titles=_titles(encoder, [query.title for query in embedded], vectors),
        views=embedded_views,
    )


def embed_texts(encoder: Encoder, queries: Sequence[Query]) -> EmbeddedInputs:
    """Embed texts; an empty one is an error of its own."""
    errors = {
        place: query.problem or "the text is empty"
        for place, query in enumerate(queries)
        if _says_nothing(query)
    }
    usable = [query for query in queries if not _says_nothing(query)]
    return EmbeddedInputs(
        names=tuple(query.name for query in usable),
        vectors=encoder.embed_texts([query.title for query in usable]),
        errors=errors,
    )


def content_vector(
    encoder: Encoder, source: str, *, decoder: ContentDecoder, fetcher: Fetcher
) -> FloatArray:
    """float32 (d,), length 1, of a picture or a sound that is searched for.

    Raises:
        ItemError: it can't be read or decoded, or the model has no tower for it.
    """
    views = _Views(encoder)
    views.read(0, source, decoder=decoder, fetcher=fetcher)
    embedded = views.finish()
    vector: FloatArray = mean_vectors(embedded.vectors, embedded.starts)[0]
    return vector


def is_video(source: str) -> bool:
    """Whether a source is a video, by its name or its first bytes."""
    return Kind.VIDEO in (media.kind_of_name(source), media.kind_of_file(source))


def shots_of(
    encoder: Encoder, source: str, *, decoder: ContentDecoder, fetcher: Fetcher
) -> list[Shot]:
    """The shots of a video that is no item; of one that breaks off, those before the break.

    Raises:
        ItemError: it can't be read or decoded, or the model has no tower for it.
    """
    name = without_credentials(source)
    require_tower(encoder.fingerprint, Kind.VIDEO, name)
    embedder = VideoEmbedder(encoder=encoder, decoder=decoder.videos)
    try:
        with open_file(fetcher, Item(item_id=name, kind=Kind.VIDEO, source=source)) as file:
            shots, problem = embedder.shots(file, name)
    except OSError as error:
        message = f"{name}: can't be read ({error}); check the file"
        raise ItemError(Reason.UNREADABLE, message) from error
    if problem is not None:
        _log.warning("%s; the shots before that decide.", problem)
    return shots


class _Views:
    """Embeds the pictures, windows and shots of inputs, a block at a time."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._waiting: list[tuple[Kind, Pixels | SoundInput]] = []
        self._none = np.empty((0, encoder.fingerprint.width), dtype=np.float32)
        self._blocks: list[FloatArray] = []
        self._ids: list[str] = []
        self._places: list[str] = []
        self.owners: list[int] = []
        """The place of the input that each view is of."""

    def read(self, owner: int, source: str, *, decoder: ContentDecoder, fetcher: Fetcher) -> None:
        """Add what one source gives.

        Raises:
            ItemError: it can't be read or decoded, or the model has no tower for it.
        """
        name = without_credentials(source)
        if is_video(source):
            shots = shots_of(self._encoder, source, decoder=decoder, fetcher=fetcher)
            self._add_shots(owner, name, shots)
            return
        prepared = decoder.prepared(fetcher.read(source), source, self._encoder)
        self._add(owner, name, prepared)
        if prepared.warning:
            _log.warning("%s", prepared.warning)

    def _add_shots(self, owner: int, name: str, shots: Sequence[Shot]) -> None:
        if self._waiting:
            self._embed()
        for shot in shots:
            place = place_text({START: shot.start_s, END: shot.end_s})
            self._ids.append(f"{name} {place}")
            self._places.append(place)
            self.owners.append(owner)
            self._blocks.append(shot.vector[np.newaxis])

    def _add(self, owner: int, name: str, prepared: Prepared) -> None:
        for part, content in zip(prepared.parts, prepared.inputs, strict=True):
            self._waiting.append((prepared.kind, content))
            place = place_text(part)
            self._ids.append(" ".join(filter(None, (name, place))))
            self._places.append(place)
            self.owners.append(owner)
            if len(self._waiting) == BLOCK:
                self._embed()

    def finish(self) -> InputViews:
        """All that was added, embedded, in order."""
        if self._waiting:
            self._embed()
        _, starts = np.unique(np.array(self.owners, dtype=np.int64), return_index=True)
        return InputViews(
            vectors=np.concatenate([self._none, *self._blocks]),
            starts=starts,
            ids=tuple(self._ids),
            places=tuple(self._places),
        )

    def _embed(self) -> None:
        waiting, self._waiting = self._waiting, []
        block = np.empty((len(waiting), self._none.shape[1]), dtype=np.float32)
        for kind in dict.fromkeys(kind for kind, _ in waiting):
            places = [place for place, (other, _) in enumerate(waiting) if other is kind]
            block[places] = embed(self._encoder, kind, [waiting[place][1] for place in places])
        self._blocks.append(block)


def _errors(problems: Sequence[tuple[int, str]], embedded: Container[int]) -> dict[int, str]:
    """What went wrong with inputs that have no good picture; other problems are warned of."""
    errors: dict[int, str] = {}
    for place, problem in problems:
        if place in embedded:
            _log.warning("%s: the other pictures of this input decide without it.", problem)
        else:
            errors.setdefault(place, problem)
    return errors


def _says_nothing(query: Query) -> bool:
    return bool(query.problem) or not query.title.strip()


def _titles(encoder: Encoder, titles: Sequence[str], like: FloatArray) -> FloatArray | None:
    """float32 (n, d): each title once through the model; None where there is none."""
    distinct = dict.fromkeys(title for title in titles if title.strip())
    if not distinct:
        return None
    vector_of = dict(zip(distinct, encoder.embed_texts(list(distinct)), strict=True))
    zero = np.zeros(like.shape[1], dtype=np.float32)
    return np.stack([vector_of.get(title, zero) for title in titles])
