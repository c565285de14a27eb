"""What can be explained: a new picture or sound, a new text, a stored item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from indexer.catalog.item_vectors import mean_vectors, vectors_of_items
from indexer.catalog.near_ids import hint
from indexer.catalog.opening import OpenCatalog
from indexer.core.boxes import Box, box_of
from indexer.core.credentials import without_credentials
from indexer.core.errors import ItemError, UsageError
from indexer.core.parts import BOX, END, START, place_text
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray, Kind, Part
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder
from indexer.sources.decoding.contents import ContentDecoder, embed
from queries.deciding.predictor import Predictor
from queries.deciding.question import ViewPooling
from queries.deciding.views import Views, predict_items
from queries.inputs.embedding import is_video, shots_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectView:
    """One of several parts of an item: a picture, a window of a sound.

    Attributes:
        part_id: id of its row.
        vector: float32 (d,), length 1.
        source: where it lies.
        place: where it lies in its file, such as ``0:10-0:20``; empty for a whole file.
        box: of a thing in a picture; None for others.
        part: which part it is, as its row tells.
    """

    part_id: str
    vector: FloatArray
    source: str
    place: str = ""
    box: Box | None = None
    part: Part = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is explained.

    Attributes:
        name: the path, URL (without credentials), text or item id as it was given.
        kind: picture, sound, video, text or vector.
        vector: float32 (d,), length 1.
        source: where the picture lies, without credentials; empty for others.
        item_id: of a stored item; else empty.
        pixels: of a picture; None where it can't be read any more.
        title: what is said of a picture; may be empty.
        title_vector: float32 (d,), length 1; None where the title is not embedded.
        views: the parts of an item that has several, whose vectors' mean ``vector`` is,
            or one of which it is where the best picture decides; ``pixels`` are of the first one.
        deciding: place among ``views`` of the part that decides alone; None where all do.
    """

    name: str
    kind: Kind
    vector: FloatArray
    source: str = ""
    item_id: str = ""
    pixels: Pixels | None = None
    title: str = ""
    title_vector: FloatArray | None = None
    views: tuple[SubjectView, ...] = ()
    deciding: int | None = None

    @property
    def deciding_box(self) -> Box | None:
        """The box that decides alone, in ``pixels``; None for any other part."""
        if self.deciding is None or self.views[self.deciding].source != self.source:
            return None
        return self.views[self.deciding].box


def content_subject(
    catalog: OpenCatalog, source: str, *, title: str = "", decoder: ContentDecoder, fetcher: Fetcher
) -> Subject:
    """A new picture, sound or video, and what is said of it.

    Raises:
        ItemError: it can't be read.
    """
    encoder, pixels = catalog.encoder, None
    parts: Sequence[Part]
    if is_video(source):
        kind = Kind.VIDEO
        shots = shots_of(encoder, source, decoder=decoder, fetcher=fetcher)
        vectors = np.stack([shot.vector for shot in shots])
        parts = [{START: shot.start_s, END: shot.end_s} for shot in shots]
    else:
        content = fetcher.read(source)
        prepared = decoder.prepared(content, source, encoder)
        kind, parts = prepared.kind, prepared.parts
        vectors = embed(encoder, kind, prepared.inputs)
        pixels = decoder.pictures.decode(content, source) if kind is Kind.PICTURE else None
    title = title.strip()
    shown = without_credentials(source)
    return Subject(
        name=shown,
        kind=kind,
        vector=mean_vectors(vectors, np.zeros(1, dtype=np.int64))[0],
        source=shown,
        pixels=pixels,
        views=window_views(vectors, parts, shown),
        title=title,
        title_vector=encoder.embed_texts([title])[0] if title else None,
    )


def window_views(vectors: FloatArray, parts: Sequence[Part], name: str) -> tuple[SubjectView, ...]:
    """The windows of a new sound; none where it is one.

    Args:
        vectors: float32 (n, d), of the windows.
        name: of the sound.
    """
    if len(parts) < 2:
        return ()
    return tuple(
        SubjectView(
            part_id=f"{name} {(place := place_text(part))}",
            vector=vector,
            source=name,
            place=place,
            part=part,
        )
        for vector, part in zip(vectors, parts, strict=True)
    )


def text_subject(catalog: OpenCatalog, text: str) -> Subject:
    """A new text.

    Raises:
        UsageError: it is empty.
    """
    if not text.strip():
        raise UsageError("the text is empty: give one with a word in it.")
    return Subject(name=text, kind=Kind.TEXT, vector=catalog.encoder.embed_texts([text])[0])


def item_subject(
    catalog: OpenCatalog,
    item_id: str,
    *,
    partition: str | None = None,
    decoder: Decoder,
    fetcher: Fetcher,
) -> Subject:
    """A stored item, by its stored vector; its picture is read again if it is still there.

    Where the vector was given, a picture that came with it is only shown: the model may be another.

    Raises:
        UsageError: as ``stored_subject``.
    """
    subject = stored_subject(catalog, item_id, partition=partition)
    if subject.kind not in {Kind.PICTURE, Kind.VECTOR}:
        return subject
    try:
        pixels = decoder.decode(fetcher.read(subject.source), subject.source)
    except ItemError:
        return subject
    return replace(subject, pixels=pixels)


def stored_subject(catalog: OpenCatalog, item_id: str, *, partition: str | None = None) -> Subject:
    """A stored item, by its stored vector, without its picture.

    Args:
        partition: items of others count as unknown.

    Raises:
        UsageError: there is no such item, or no such partition.
    """
    requested, where = [item_id], ""
    if partition is not None:
        catalog.require_partition(partition)
        where = f" of {catalog.partition_key} {partition!r}"
        requested = catalog.ledger.partitions.items_inside(requested, partition)
    stored = vectors_of_items(catalog.archive, catalog.ledger.parts, requested).get(item_id)
    if stored is None:
        near = hint(catalog.ledger, item_id, partition=partition)
        raise UsageError(f"catalog {catalog.folder.name!r} has no item {item_id!r}{where}{near}.")
    lead = stored.rows[0]
    title, title_vector = catalog.archive.title(lead.shard, lead.row)
    row_ids = [row.row_id for row in stored.rows]
    stored_fields = catalog.items.fetch(row_ids)
    fields = stored_fields.get(lead.row_id, {})
    kind, source = Kind(fields.get("kind", Kind.VECTOR)), str(fields.get("source", ""))
    return Subject(
        name=str(fields["title"]) if kind is Kind.TEXT else item_id,
        kind=kind,
        vector=stored.mean,
        source=source,
        item_id=item_id,
        views=tuple(
            SubjectView(
                part_id=row.row_id,
                vector=vector,
                source=str(stored_fields.get(row.row_id, {}).get("source", "")),
                place=place_text(part := stored_fields.get(row.row_id, {}).get("part", {})),
                box=box_of(part) if BOX in part else None,
                part=part,
            )
            for row, vector in zip(stored.rows, stored.views, strict=True)
        )
        if len(stored.rows) > 1
        else (),
        title="" if kind is Kind.TEXT else title,
        title_vector=title_vector,
    )


def by_best_view(subject: Subject, predictor: Predictor) -> Subject:
    """The subject by its picture with the highest score alone, as ``categorize`` takes it.

    Args:
        predictor: that decides; of titles too where the subject's counts.
    """
    vectors = np.stack([view.vector for view in subject.views])
    title = subject.title_vector
    inputs = Views(
        vectors=vectors,
        starts=np.zeros(1, dtype=np.int64),
        titles=None if title is None else title[np.newaxis],
    )
    decided = predict_items(predictor, inputs, pooling=ViewPooling.BEST, limit=1)
    assert decided.deciding is not None
    return replace(subject, vector=decided.vectors[0], deciding=int(decided.deciding[0]))
