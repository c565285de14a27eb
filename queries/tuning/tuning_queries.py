"""The queries that an index is measured by: the user's own, or a sample of what is stored."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.sources import Fetcher
from indexer.sources.decoding.contents import ContentDecoder
from indexer.sources.npy import open_vectors
from queries.inputs.embedded import EmbeddedInputs
from queries.inputs.embedding import embed_contents
from queries.inputs.query import Query

ITEMS = "items"
LABELS = "labels"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """Queries of one kind.

    Attributes:
        kind: "items", "labels", or a file's name.
        vectors: float32 (n, d), rows of length 1.
        item_ids: of queries that are stored items, which are left out of their own results.
    """

    kind: str
    vectors: FloatArray
    item_ids: tuple[str, ...] = ()


def usual_queries(catalog: OpenCatalog, count: int, seed: int = 0) -> list[Queries]:
    """A sample of the stored items, and of the labels' prompts as words that people search by."""
    generator = np.random.default_rng(seed)
    kinds = [_sampled_items(catalog, count, generator)]
    words = normalise(catalog.prompts.vectors) if catalog.prompts else catalog.label_set.vectors
    if len(words):
        rows = generator.permutation(len(words))[:count]
        kinds.append(Queries(kind=LABELS, vectors=words[np.sort(rows)]))
    return kinds


def _sampled_items(catalog: OpenCatalog, count: int, generator: np.random.Generator) -> Queries:
    shards = catalog.ledger.shards()
    live = [catalog.ledger.live_rows(shard) for shard in shards]
    ends = np.cumsum([len(rows) for rows in live])
    total = int(ends[-1]) if shards else 0
    positions = np.sort(generator.choice(total, size=min(count, total), replace=False))
    vectors: list[FloatArray] = []
    item_ids: list[str] = []
    for place, shard in enumerate(shards):
        shard_start = int(ends[place]) - len(live[place])
        rows = live[place][
            positions[(positions >= shard_start) & (positions < ends[place])] - shard_start
        ]
        if len(rows):
            table = catalog.archive.table(shard, ["item_id", "vector"])
            vectors.append(catalog.archive.vectors(shard, table)[rows])
            item_ids += table.column("item_id").take(rows).to_pylist()
    none = np.empty((0, catalog.archive.width), dtype=np.float32)
    return Queries(kind=ITEMS, vectors=np.concatenate([none, *vectors]), item_ids=tuple(item_ids))


def queries_of_file(
    catalog: OpenCatalog,
    path: Path,
    count: int,
    *,
    decoder: ContentDecoder,
    fetcher: Fetcher,
    seed: int = 0,
) -> list[Queries]:
    """At most ``count`` queries of a file, of each kind.

    Args:
        path: ``.npy`` is vectors, float (n, d); any other file has a query a line, which is a
            picture where it is a URL or names a file that is there, else a text.

    Raises:
        UsageError: the file can't be read, or no query of it can be used.
    """
    generator = np.random.default_rng(seed)
    if path.suffix == ".npy":
        return [Queries(kind="vectors", vectors=_vectors(catalog, path, count, generator))]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"queries {str(path)!r} can't be read: {error}. Give a text file with a query a "
            "line, or a .npy of vectors."
        ) from error
    lines = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    pictures = [line for line in lines if _is_picture(line)]
    texts = [line for line in lines if not _is_picture(line)]
    encoder = catalog.encoder
    kinds = []
    if sample := _some(pictures, count, generator):
        queries = [Query(name=line, source=line) for line in sample]
        embedded = embed_contents(encoder, queries, decoder=decoder, fetcher=fetcher)
        kinds += _usable("pictures", embedded)
    if sample := _some(texts, count, generator):
        kinds.append(Queries(kind="texts", vectors=encoder.embed_queries(sample)))
    if not kinds:
        raise UsageError(
            f"queries {str(path)!r}: none of its {len(lines)} lines can be used; give a text, a "
            "picture's path or a URL a line."
        )
    return kinds


def _is_picture(line: str) -> bool:
    try:
        return line.startswith(("http://", "https://")) or Path(line).is_file()
    except (OSError, ValueError):  # a text that no file's name can be
        return False


def _some(lines: Sequence[str], count: int, generator: np.random.Generator) -> list[str]:
    rows = generator.permutation(len(lines))[:count]
    return [lines[row] for row in sorted(rows)]


def _usable(kind: str, embedded: EmbeddedInputs) -> list[Queries]:
    for error in embedded.errors.values():
        _log.warning("query left out: %s", error)
    return [Queries(kind=kind, vectors=embedded.vectors)] if embedded.names else []


def _vectors(
    catalog: OpenCatalog, path: Path, count: int, generator: np.random.Generator
) -> FloatArray:
    """Float32 (m, d) of length 1: some rows of a file that can be queries."""
    if not path.is_file():
        raise UsageError(f"queries {str(path)!r}: no such file.")
    file = open_vectors(str(path), catalog.archive.width)
    rows = np.sort(generator.permutation(file.rows)[:count])
    vectors = []
    for row in rows.tolist():
        vector = file.row(row)
        if problem := file.problem(vector):
            _log.warning("query left out: row %d of %s: %s", row, path, problem)
        else:
            vectors.append(vector)
    if not vectors:
        raise UsageError(f"queries {str(path)!r}: none of its rows can be used as a query.")
    return normalise(np.stack(vectors))
