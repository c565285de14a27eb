"""Milvus behind one interface, the only home of pymilvus: Lite and servers differ by URI only.

It must not import `labels`, `sources` or `encoder`, its siblings: rows and vectors come in as
records of `core`. ``docs/server.md`` says which versions were run.
"""

import os

# Before anything imports gRPC: what its core has to say (a GOAWAY of a server, a fork) it writes
# to stderr by itself, and it also raises what matters.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from indexer.store.addresses import same_database
from indexer.store.collection import MAX_LIMIT
from indexer.store.database import Database
from indexer.store.items import MilvusItems
from indexer.store.labels import MilvusLabels
from indexer.store.tuning import Tuning

__all__ = ["MAX_LIMIT", "Database", "MilvusItems", "MilvusLabels", "Tuning", "same_database"]
