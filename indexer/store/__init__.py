"""Milvus behind one interface, the only home of pymilvus: Lite and servers differ by URI only."""

from indexer.store.addresses import same_database
from indexer.store.collection import MAX_LIMIT
from indexer.store.database import Database
from indexer.store.items import MilvusItems
from indexer.store.labels import MilvusLabels
from indexer.store.tuning import Tuning

__all__ = ["MAX_LIMIT", "Database", "MilvusItems", "MilvusLabels", "Tuning", "same_database"]
