"""The collections behind catalogs: found by name, named by aliases, dropped."""

from __future__ import annotations

import re
from typing import Any

from indexer.core.errors import UnknownCatalogError
from indexer.store import schema
from indexer.store.connection import LONG_TIMEOUT_S, Connection


class PhysicalCollections:
    """Collections and aliases of a database, by catalog, role and generation."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = connection.client
        self._timeout_s = connection.timeout_s

    def exists(self, name: str) -> bool:
        """Whether there is a collection or an alias of this name."""
        with self._connection.translate_errors(f"looking for {name}"):
            return bool(self._client.has_collection(name, timeout=self._timeout_s))

    def describe(self, name: str, role: str, generation: int | None = None) -> dict[str, Any]:
        """Pymilvus' description of a generation's collection, or of the one behind the alias.

        Raises:
            UnknownCatalogError: there is none.
        """
        from pymilvus.exceptions import MilvusException

        collection_name = collection_name_of(name, role, generation)
        with self._connection.translate_errors(f"describing {collection_name}"):
            try:
                description: dict[str, Any] = self._client.describe_collection(
                    collection_name, timeout=self._timeout_s
                )
            except MilvusException:
                # Asked only now: each answer of a server takes a round trip.
                if self.exists(collection_name):
                    raise
            else:
                return description
        raise UnknownCatalogError(
            f"catalog {name!r}: not in {self._connection.address}; `zeroshelf ingest` makes "
            "it, `zeroshelf status` lists those there are"
        )

    def point_alias(self, alias: str, physical: str) -> None:
        """Make an alias stand for a collection."""
        from pymilvus.exceptions import MilvusException

        with self._connection.translate_errors(f"naming {physical}"):
            try:
                self._client.create_alias(physical, alias, timeout=self._timeout_s)
            except MilvusException:
                # A 2.3 server keeps the alias of a collection that was dropped underneath.
                self._client.alter_alias(physical, alias, timeout=self._timeout_s)

    def drop(self, name: str, generation: int | None = None) -> None:
        """Drop a catalog's aliases and collections, whole or left by a killed command.

        Raises:
            CatalogError: a collection that zeroshelf did not make has such a name.
        """
        with self._connection.translate_errors(f"dropping {name}"):
            for match in self._names():  # items before labels: a catalog exists by its items
                if match["catalog"] == name and generation in (None, int(match["generation"])):
                    self._drop(name, match[0])

    def catalog_names(self) -> list[str]:
        """Names of the catalogs that have an items collection, sorted."""
        return sorted(
            {match["catalog"] for match in self._names() if match["role"] == schema.ITEMS}
        )

    def _names(self) -> list[re.Match[str]]:
        """The names of catalogs' collections, sorted."""
        with self._connection.translate_errors("listing the collections"):
            names = self._client.list_collections(timeout=self._timeout_s)
        return list(filter(None, map(schema.PHYSICAL_NAME.fullmatch, sorted(names))))

    def _drop(self, catalog: str, physical: str) -> None:
        description = self._client.describe_collection(physical, timeout=self._timeout_s)
        schema.check_ours(catalog, description["properties"])
        # Servers since 2.4 refuse to drop a collection that an alias stands for.
        for alias in self._client.list_aliases(physical, timeout=self._timeout_s)["aliases"]:
            self._client.drop_alias(alias, timeout=self._timeout_s)
        self._client.drop_collection(physical, timeout=LONG_TIMEOUT_S)


def collection_name_of(name: str, role: str, generation: int | None) -> str:
    """The name of a generation's collection; without a generation, the alias."""
    schema.check_catalog_name(name)
    if generation is None:
        return schema.alias_name(name, role)
    return schema.physical_name(name, role, generation)
