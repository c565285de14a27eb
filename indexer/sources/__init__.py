"""Where items come from: folders, tables, lists, tar shards, precomputed vectors."""

from indexer.sources.fetch import Fetcher, read_content
from indexer.sources.opening import SUPPORTED, open_sources
from indexer.sources.options import TableOptions
from indexer.sources.row_vectors import read_vector

__all__ = [
    "SUPPORTED",
    "Fetcher",
    "TableOptions",
    "open_sources",
    "read_content",
    "read_vector",
]
