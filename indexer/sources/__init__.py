"""Where items come from: folders, tables, lists, tar shards, precomputed vectors."""

from indexer.sources.fetch import Fetcher, read_content
from indexer.sources.npy import read_vector
from indexer.sources.opening import SUPPORTED, open_sources
from indexer.sources.options import TableOptions

__all__ = [
    "SUPPORTED",
    "Fetcher",
    "TableOptions",
    "open_sources",
    "read_content",
    "read_vector",
]
