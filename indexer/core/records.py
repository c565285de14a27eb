"""The values that flow through the pipeline: small, frozen, picklable.

An item travels as ``Item`` (a description), becomes a ``Picture`` of pixels in a
decoding worker, and ends as an ``EmbeddedItem`` in the archive and the database,
or as a ``Failure`` in the dead letters. Labels travel as ``Label`` and
``EmbeddedLabel``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.core.credentials import without_credentials
from indexer.core.kinds import Kind as Kind
from indexer.core.reasons import Reason, Stage

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MAX_ID_BYTES = 2048
"""Longest item or label id in UTF-8 bytes; Milvus servers count bytes, Lite characters."""

MAX_SOURCE_BYTES = 8192
"""Longest address of an item's content in UTF-8 bytes."""

MAX_TEXT_BYTES = 65_535
"""Longest description of a label, or its synonyms as JSON, in UTF-8 bytes: Milvus' longest text."""

MAX_METADATA_BYTES = 65_536
"""Longest metadata of an item as JSON in UTF-8 bytes: the limit of Milvus' JSON field."""

FURTHER_PICTURES = "further_pictures"
"""Key of an item's metadata: the ordered addresses of its pictures after the first one."""


Part = Mapping[str, Any]
"""Which part of an item something is, as JSON values: ``{"view": 2}``; see ``core.parts``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What was downloaded from a URL.

    Attributes:
        content_hash: SHA-256 of the content, as hex.
        etag: the server's tag of it, to be asked with; empty where it gives none.
        last_modified: the server's time of it, likewise.
        trusted: it is known to be as it was: the URL is not to be asked.
    """

    content_hash: str
    etag: str = ""
    last_modified: str = ""
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row of a source, before its content is read.

    Attributes:
        item_id: the user's id, the path relative to the source, or the URL.
        kind: what the content is.
        source: where the content lies: a path, an http(s) or fsspec address,
            ``tar://MEMBER::ARCHIVE`` for a member of a tar shard,
            ``FILE.npy#ROW`` for a vector, ``TABLE#ROW`` for a text or a picture in a table.
        address: where the content is read from, if the source must not say it: an address with
            credentials, which is never stored. Empty where the source says it.
        title: the item's text; for ``Kind.TEXT`` it is the content.
        metadata: what else the table said of the item; JSON values.
        content: the picture's bytes where reading the source yields them anyway; the parts of one
            file share them.
        content_hash: hash that the content must have, as hex; empty where any will do.
        file_hash: SHA-256 of the file that the part is cut from, where it is known already.
        vector: float32 (d,) where the source is of precomputed vectors; with a ``content_hash``,
            what the same model made of that content, of length 1.
        origin: which source of the command it came from, from 0 on.
        download: what its URL gave before, where the catalog has that content.
        parent_id: the item that this is a part of; empty for an item of its own.
        part: which part of that item it is, such as ``{"view": 2}``; empty for an item of its own,
            unless that is cut from a file too: the first window of a sound has its seconds here.
        parts: the item's further parts, each an item with this one as its parent, or a failure;
            None where the source does not tell all of them.
    """

    item_id: str
    kind: Kind
    source: str
    address: str = field(default="", repr=False)
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | None = None
    content_hash: str = ""
    file_hash: str = ""
    vector: FloatArray | None = None
    origin: int = 0
    download: Download | None = None
    parent_id: str = ""
    part: Part = field(default_factory=dict)
    parts: tuple[Item | Failure, ...] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One item that could not be used: a dead letter.

    Attributes:
        item: the item without its content, so that it can be tried again.
        stage: where it failed.
        reason: the class of the cause.
        message: the cause and the remedy, for people.
        time: when, ISO 8601 in UTC.
        attempts: how often it was tried, this time included.
    """

    item: Item
    stage: Stage
    reason: Reason
    message: str
    time: str
    attempts: int = 1


def failure(item: Item, stage: Stage, reason: Reason, message: str) -> Failure:
    """A dead letter of now, without the credentials of an address in its message."""
    return Failure(
        item=item,
        stage=stage,
        reason=reason,
        message=without_credentials(message),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def item_of(entry: Item | Failure) -> Item:
    """An item, or the one that failed."""
    return entry if isinstance(entry, Item) else entry.item


def with_origin(entry: Item | Failure, origin: int) -> Item | Failure:
    """An item, or a failed one, of a source of the command."""
    item = replace(item_of(entry), origin=origin)
    return item if isinstance(entry, Item) else replace(entry, item=item)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedItem:
    """A row of the archive and of the ``items`` collection.

    Attributes:
        content_hash: SHA-256 of the picture's bytes, the text, or the vector, as hex; of what is
            cut from a file ``hashing.part_hash``.
        row_hash: BLAKE2b of everything else that is stored (source, title, metadata).
        vector: float32 (d,), length 1.
        metadata_json: the metadata as canonical JSON.
        title_vector: float32 (d,), length 1, of a picture's title; None where it has none, or
            where it was not asked for.
        parent_id: the item that the row is a part of; empty where it is an item of its own.
        part_json: which part, as canonical JSON; empty where the row is of a whole content.
    """

    item_id: str
    kind: Kind
    source: str
    title: str
    metadata_json: str
    content_hash: str
    row_hash: str
    vector: FloatArray
    title_vector: FloatArray | None = None
    parent_id: str = ""
    part_json: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One class of the taxonomy.

    Attributes:
        label_id: unique in the label set.
        name: what people call it.
        path: names from the root to this label, itself included.
        parent_id: the parent's ``label_id``; empty for a root.
        description: a sentence or more; empty where there is none.
        synonyms: other names.
    """

    label_id: str
    name: str
    path: tuple[str, ...]
    parent_id: str = ""
    description: str = ""
    synonyms: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        """Distance from the root: 0 for a root."""
        return len(self.path) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedLabel:
    """A row of the ``labels`` collection.

    Attributes:
        position: the label's place in the label set; ties are broken by it.
        is_leaf: no label of the set names it as its parent.
        definition_hash: hash of all that its vector came from (prompts or given vector).
        vector: float32 (d + 1,), its row of the head: a vector, then a bias.
    """

    label: Label
    position: int
    is_leaf: bool
    definition_hash: str
    vector: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What made a catalog's vectors; stored with every collection.

    A width check is not enough: a wrong activation or another checkpoint of the
    same width gives silently wrong vectors (open_clip issue 771), so the vectors
    of fixed probe inputs are part of it.

    Attributes:
        model: hub name or folder, as given; ``precomputed`` for vectors from outside.
        revision: the model's commit or the hash of its weights file; empty if unknown.
        preprocessing: hash of the settings of what prepares pictures or sounds; empty for texts
            only.
        width: dimension d of the vectors.
        logit_scale: what the model multiplies cosines by before a softmax.
        logit_bias: what it adds then, where it was trained by a sigmoid; None for a softmax.
        truncated: vectors are the first dimensions of wider ones.
        prompt: what was put before items and labels.
        query_prompt: what is put before the words of a search.
        text_model: the model that embeds texts, where it is another; the probe text is its.
        text_revision: its commit or the hash of its weights.
        text_probe: first dimensions of a fixed text's vector, rounded; empty if unknown.
        picture_probe: the same of a fixed picture; empty for a model that sees none.
        sound_probe: the same of a fixed sound; empty for a model that hears none.
        precision: number format of the model that made the probes; empty if unknown. Vectors
            of others fit too, as long as the probes agree.
    """

    model: str
    revision: str
    preprocessing: str
    width: int
    logit_scale: float
    text_probe: tuple[float, ...] = ()
    picture_probe: tuple[float, ...] = ()
    precision: str = ""
    logit_bias: float | None = None
    truncated: bool = False
    prompt: str = ""
    query_prompt: str = ""
    text_model: str = ""
    text_revision: str = ""
    sound_probe: tuple[float, ...] = ()

    @property
    def content_kind(self) -> Kind:
        """What the model embeds beside texts, by its probes; ``TEXT`` for nothing else."""
        if self.picture_probe:
            return Kind.PICTURE
        return Kind.SOUND if self.sound_probe else Kind.TEXT

    @property
    def is_probed(self) -> bool:
        """Whether there are vectors to compare another model's with."""
        return bool(self.text_probe or self.picture_probe or self.sound_probe)

    @property
    def models(self) -> str:
        """The model's name, with that of the other one for texts."""
        return f"{self.model}, texts by {self.text_model}" if self.text_model else self.model


def key_of(identifier: str) -> str:
    """Primary key in Milvus for an item or label id: 32 hex digits.

    Ids are hostile (quotes, newlines, whole expressions), and Milvus pastes string
    keys into expressions. A key of fixed length and alphabet can't change what a
    filter, a fetch or a delete touches, whatever the id is. BLAKE2b with 128 bits:
    a collision among 10**9 ids has a probability of about 1.5e-21.
    """
    return hashlib.blake2b(identifier.encode(), digest_size=16).hexdigest()
