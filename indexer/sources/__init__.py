"""Where items come from: folders, tables, lists, tar shards, feeds, precomputed vectors.

A source yields an ``Item`` or a ``Failure`` for each row, in a stable order. `decoding` makes
pixels of bytes. This room must not import `labels`, `store` or `encoder`, its siblings.
"""

from indexer.sources.fetch import Fetcher
from indexer.sources.opening import open_sources
from indexer.sources.options import TableOptions
from indexer.sources.row_vectors import read_vector

__all__ = ["Fetcher", "TableOptions", "open_sources", "read_vector"]
