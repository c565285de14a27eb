"""What can be explained: a new picture, a new text, a stored item."""

from __future__ import annotations

from dataclasses import dataclass, replace

from indexer.catalog.opening import Catalog
from indexer.core.credentials import without_credentials
from indexer.core.errors import ItemError, UsageError
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray, Kind
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is explained.

    Attributes:
        name: the path, URL (without credentials), text or item id as it was given.
        kind: picture, text or vector.
        vector: float32 (d,), length 1.
        source: where the picture lies, without credentials; empty for others.
        item_id: of a stored item; else empty.
        pixels: of a picture; None where it can't be read any more.
        title: what is said of a picture; may be empty.
        title_vector: float32 (d,), length 1; None where the title is not embedded.
    """

    name: str
    kind: Kind
    vector: FloatArray
    source: str = ""
    item_id: str = ""
    pixels: Pixels | None = None
    title: str = ""
    title_vector: FloatArray | None = None


def picture_subject(
    catalog: Catalog, source: str, *, title: str = "", decoder: Decoder, fetcher: Fetcher
) -> Subject:
    """A new picture, and what is said of it.

    Raises:
        ItemError: it can't be read.
    """
    pixels = decoder.decode(fetcher.read(source), source)
    encoder = catalog.encoder
    vector = encoder.embed_pictures([encoder.prepare(pixels)])[0]
    title = title.strip()
    shown = without_credentials(source)
    return Subject(
        name=shown,
        kind=Kind.PICTURE,
        vector=vector,
        source=shown,
        pixels=pixels,
        title=title,
        title_vector=encoder.embed_texts([title])[0] if title else None,
    )


def text_subject(catalog: Catalog, text: str) -> Subject:
    """A new text.

    Raises:
        UsageError: it is empty.
    """
    if not text.strip():
        raise UsageError("the text is empty: give one with a word in it.")
    return Subject(name=text, kind=Kind.TEXT, vector=catalog.encoder.embed_texts([text])[0])


def item_subject(
    catalog: Catalog,
    item_id: str,
    *,
    partition: str | None = None,
    decoder: Decoder,
    fetcher: Fetcher,
) -> Subject:
    """A stored item, by its stored vector; its picture is read again if it is still there.

    Raises:
        UsageError: as ``stored_subject``.
    """
    subject = stored_subject(catalog, item_id, partition=partition)
    if subject.kind is not Kind.PICTURE:
        return subject
    try:
        pixels = decoder.decode(fetcher.read(subject.source), subject.source)
    except ItemError:
        return subject
    return replace(subject, pixels=pixels)


def stored_subject(catalog: Catalog, item_id: str, *, partition: str | None = None) -> Subject:
    """A stored item, by its stored vector, without its picture.

    Args:
        partition: items of others count as unknown.

    Raises:
        UsageError: there is no such item, or no such partition.
    """
    place, where = catalog.ledger.find([item_id]).get(item_id), ""
    if partition is not None:
        catalog.require_partition(partition)
        where = f" of {catalog.partition_key} {partition!r}"
        if not list(catalog.ledger.filter_partition([item_id], partition)):
            place = None
    if place is None:
        raise UsageError(f"catalog {catalog.folder.name!r} has no item {item_id!r}{where}.")
    vector = catalog.archive.vector(place.shard, place.row)
    title, title_vector = catalog.archive.title(place.shard, place.row)
    fields = catalog.items.fetch([item_id]).get(item_id, {})
    kind, source = Kind(fields.get("kind", Kind.VECTOR)), str(fields.get("source", ""))
    return Subject(
        name=str(fields["title"]) if kind is Kind.TEXT else item_id,
        kind=kind,
        vector=vector,
        source=source,
        item_id=item_id,
        title="" if kind is Kind.TEXT else title,
        title_vector=title_vector,
    )
