"""From what a user names to query vectors: pictures, sounds, texts, tables, stored items."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from indexer.catalog.item_vectors import mean_vectors, vectors_of_items
from indexer.catalog.opening import OpenCatalog
from indexer.catalog.places import places_of
from indexer.core.credentials import without_credentials
from indexer.core.errors import ItemError, UsageError
from indexer.core.parts import END, START, place_text
from indexer.core.protocols import Encoder, Pixels, SoundInput
from indexer.core.reasons import Reason
from indexer.core.records import Failure, FloatArray, IndexArray, Item, Kind
from indexer.core.towers import require_tower
from indexer.ingestion.shots import Shot
from indexer.ingestion.videos import VideoEmbedder
from indexer.sources import Fetcher, TableOptions, media, open_sources
from indexer.sources.addresses import is_remote
from indexer.sources.decoding.contents import ContentDecoder, Prepared, embed
from indexer.sources.formats import open_table
from indexer.sources.open_files import open_file
from indexer.sources.options import NO_COLUMN
from queries.deciding.question import ViewPooling
from queries.deciding.views import best_views, decides_by_best
from queries.results import PartPrediction, Prediction

_log = logging.getLogger(__name__)

BLOCK = 256
"""Decoded pictures and windows in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One input.

    Attributes:
        name: what its result is called: the path, URL (without credentials) or text itself, the
            id in a table.
        source: path or URL of its picture; empty for a text.
        title: the text, or what is said of the picture; may be empty there.
        problem: why it can't be embedded; empty where it can.
        further: paths or URLs of its other pictures; it is decided by all of them.
    """

    name: str
    source: str = ""
    title: str = ""
    problem: str = ""
    further: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Where all of its pictures lie."""
        return (self.source, *self.further)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputViews:
    """All pictures of n inputs, or windows of sounds.

    Attributes:
        vectors: float32 (m, d), rows of length 1, those of an input together.
        starts: int64 (n,), the first row of each input.
        ids: of the m pictures: the id of a stored row, or where a picture lies; of a window also
            its seconds.
        places: where each lies in the file that it is cut from; empty for whole files.
    """

    vectors: FloatArray
    starts: IndexArray
    ids: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedInputs:
    """Query vectors and the inputs that gave none.

    Attributes:
        names: the inputs that were embedded, in order.
        vectors: float32 (n, d), a row a name.
        errors: what went wrong, by the input's place among all; several may have one name.
        titles: float32 (n, d), vectors of the pictures' titles; zeros where one has none,
            None where none has.
        views: each picture of the inputs, whose means ``vectors`` are; None for texts.
    """

    names: tuple[str, ...]
    vectors: FloatArray
    errors: dict[int, str]
    titles: FloatArray | None = None
    views: InputViews | None = None

    def decide(
        self,
        classify: Callable[[FloatArray, FloatArray | None], list[list[Prediction]]],
        pooling: ViewPooling,
    ) -> list[list[Prediction]]:
        """The labels of each input, by all its pictures.

        Args:
            classify: gives the labels of vectors and their titles' vectors, which may be None.
        """
        views = self.views
        if not self.names:  # none could be read
            return []
        if views is None:
            return classify(self.vectors, self.titles)
        ids: list[str] = []
        blocks: list[FloatArray] = []
        ends = np.append(views.starts[1:], len(views.vectors)).tolist()
        for vector, start, end in zip(self.vectors, views.starts.tolist(), ends, strict=True):
            by_best = decides_by_best(pooling, views.ids[start:end])
            ids += views.ids[start:end] if by_best else [""]
            blocks.append(views.vectors[start:end] if by_best else vector[np.newaxis])
        counts = np.array([len(block) for block in blocks], dtype=np.int64)
        titles = None if self.titles is None else np.repeat(self.titles, counts, axis=0)
        vectors = np.concatenate([self.vectors[:0], *blocks])
        return best_views(classify(vectors, titles), np.cumsum(counts) - counts, ids)

    def decide_parts(
        self, classify: Callable[[FloatArray, FloatArray | None], list[list[Prediction]]]
    ) -> list[list[PartPrediction]]:
        """The best label of each window, shot or box of the inputs, without their titles.

        Args:
            classify: as of ``decide``.

        Returns:
            A list for each input; empty for one that is not cut.
        """
        views = self.views
        if views is None or not any(views.places):
            return [[] for _ in self.names]
        cut = [row for row, place in enumerate(views.places) if place]
        answers = classify(views.vectors[cut], None)
        owners = np.searchsorted(views.starts, cut, side="right") - 1
        parts: list[list[PartPrediction]] = [[] for _ in self.names]
        for row, owner, predicted in zip(cut, owners.tolist(), answers, strict=True):
            if predicted:
                best = PartPrediction(place=views.places[row], prediction=predicted[0])
                parts[owner].append(best)
        return parts


def queries_of(
    inputs: Sequence[str],
    *,
    text: bool = False,
    titles: Sequence[str] = (),
    table: TableOptions | None = None,
) -> list[Query]:
    """What the inputs ask, in order; a table asks one a row.

    Args:
        inputs: pictures' paths or URLs, tables of them, or texts.
        text: inputs are texts, and tables hold texts.
        titles: of the pictures, in order; for all or for none.
        table: which column is what.

    Raises:
        UsageError: titles for other than all pictures.
        SourceError: a table can't be read, or lacks a column.
    """
    options = replace(table or TableOptions(), metadata=False)
    if text:
        options = replace(options, image_column=NO_COLUMN)
    queries: list[Query] = []
    for name in inputs:
        if is_table(name):
            queries += map(_row, open_sources([name], options))
        else:
            shown = without_credentials(name)
            query = Query(name=shown, title=name) if text else Query(name=shown, source=name)
            queries.append(query)
    if not titles:
        return queries
    if text or len(queries) != len(inputs):
        raise UsageError("--title is for pictures: texts and tables bring their own.")
    if len(titles) != len(queries):
        raise UsageError(
            f"{len(titles)} titles for {len(queries)} pictures: give one --title for each, "
            "in their order; '' for none."
        )
    return [replace(query, title=title) for query, title in zip(queries, titles, strict=True)]


def is_table(name: str) -> bool:
    """Whether an input is a table by its ending, and not a text that ends like one."""
    return open_table(name) is not None and (is_remote(name) or Path(name).is_file())


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


def stored_items(
    catalog: OpenCatalog, item_ids: Sequence[str], *, partition: str | None = None
) -> EmbeddedInputs:
    """Items of a catalog by their stored vectors, with those of their titles.

    An item with several pictures has the mean of their vectors.

    Args:
        partition: items of others count as unknown.

    Raises:
        UsageError: there is no such partition.
    """
    requested_ids = list(dict.fromkeys(item_ids))
    absent = f"catalog {catalog.folder.name!r} has no such item"
    if partition is not None:
        catalog.require_partition(partition)
        requested_ids = catalog.ledger.items_in_partition(requested_ids, partition)
        absent += f" of {catalog.partition_key} {partition!r}"
    stored = vectors_of_items(catalog.archive, catalog.ledger.parts, requested_ids)
    names = tuple(item_id for item_id in item_ids if item_id in stored)
    vectors = np.zeros((len(names), catalog.archive.width), dtype=np.float32)
    titles = np.zeros_like(vectors)
    for row, name in enumerate(names):
        vectors[row] = stored[name].mean
        title_vector = stored[name].title
        if title_vector is not None:
            titles[row] = title_vector
    counts = np.array([len(stored[name].rows) for name in names], dtype=np.int64)
    rows = [row for name in names for row in stored[name].rows]
    views = InputViews(
        vectors=np.concatenate([vectors[:0], *(stored[name].views for name in names)]),
        starts=np.cumsum(counts) - counts,
        ids=tuple(row.row_id for row in rows),
        places=tuple(places_of(catalog.archive, rows)),
    )
    return EmbeddedInputs(
        names=names,
        vectors=vectors,
        errors={
            place: f"{absent}{catalog.ledger.parts.hint(item_id)}"
            for place, item_id in enumerate(item_ids)
            if item_id not in stored
        },
        titles=titles if titles.any() else None,
        views=views,
    )


def expand_stdin(inputs: Sequence[str]) -> Iterator[str]:
    """The inputs, with ``-`` replaced by the lines of standard input."""
    for value in inputs:
        if value == "-":
            yield from (line for raw in sys.stdin if (line := raw.rstrip("\r\n")))
        else:
            yield value


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
) -> tuple[Shot, ...]:
    """The shots of a video that is no item; of one that breaks off, those before the break.

    Raises:
        ItemError: it can't be read or decoded, or the model has no tower for it.
    """
    name = without_credentials(source)
    require_tower(encoder.fingerprint, Kind.VIDEO, name)
    embedder = VideoEmbedder(encoder=encoder, decoder=decoder.videos)
    try:
        with open_file(fetcher, Item(item_id=name, kind=Kind.VIDEO, source=source)) as file:
            found = embedder.shots(file, name)
    except OSError as error:
        message = f"{name}: can't be read ({error}); check the file"
        raise ItemError(Reason.UNREADABLE, message) from error
    if found.problem is not None:
        _log.warning("%s; the shots before that decide.", found.problem)
    return found.shots


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


def _row(row: Item | Failure) -> Query:
    if isinstance(row, Failure):
        return Query(name=row.item.item_id, problem=row.message)
    picture = "" if row.kind in {Kind.TEXT, Kind.VECTOR} else row.source
    further = tuple(part.source for part in row.parts or () if isinstance(part, Item))
    return Query(name=row.item_id, source=picture, title=row.title, further=further)
