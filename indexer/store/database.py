"""A Milvus database and the catalogs in it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Self

from indexer.core.errors import CatalogError, ConfigError, UnknownCatalogError
from indexer.core.label_sets import CATEGORY
from indexer.core.layout import AS_IT_IS, Layout, VectorType, columns_of
from indexer.core.records import Fingerprint
from indexer.store import addresses, schema
from indexer.store.capabilities import Capability, ServerInfo
from indexer.store.collection import VECTOR, Collection
from indexer.store.connection import LONG_TIMEOUT_S, Connection, connect
from indexer.store.indexes import FLAT
from indexer.store.indexing import index_metadata, index_texts
from indexer.store.items import MilvusItems
from indexer.store.labels import MilvusLabels
from indexer.store.physical import PhysicalCollections, collection_name_of
from indexer.store.state import CollectionState, Memory, memory, read_state
from indexer.store.tuning import TUNING_PROPERTY, from_property


class Database:
    """A connection to Milvus Lite or to a Milvus server; a context manager.

    A catalog is two collections, ``NAME_items_001`` and ``NAME_labels_001``, and two more
    for each further generation. The aliases ``NAME_items`` and ``NAME_labels`` stand for the
    current generation. They are for readers without the catalog's folder; readers with it use
    the generation's number, since two aliases can't be moved in one step. Items are created
    last and dropped first, so a killed command leaves no half catalog that looks whole.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client = connection.client
        self._collections = PhysicalCollections(connection)
        self._server: ServerInfo | None = None
        self._closed = False

    @classmethod
    def connect(cls, uri: str, *, token: str = "") -> Database:
        """Open the database at a URI.

        Args:
            uri: the path of a Milvus Lite database (ends in ``.db``, made if missing), or
                ``http://HOST:19530``.
            token: ``user:password`` or an API key, for a server.

        Raises:
            ConfigError: the URI is neither.
            StoreUnavailableError: the server does not answer.
            StoreLockedError: another process has the Milvus Lite database open.
            StoreError: the path is no database, or the server refused the token.
        """
        return cls(connect(addresses.parse(uri), token=token))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a Milvus Lite database is then free for other processes."""
        if not self._closed:
            self._closed = True
            self._connection.close()

    @property
    def address(self) -> str:
        """Where the database is, for people; without password."""
        return str(self._connection.address)

    @property
    def is_lite(self) -> bool:
        """Whether Milvus Lite serves it, in this process or in another one."""
        return self._connection.is_lite

    @property
    def is_shared(self) -> bool:
        """Whether other processes may use it at the same time."""
        return self._connection.is_shared

    def catalog_names(self) -> list[str]:
        """Names of the catalogs that have collections here, sorted."""
        return self._collections.catalog_names()

    def server_info(self) -> ServerInfo:
        """The database's version and capabilities, asked for once."""
        if self._server is None:
            self._server = self._connection.server_info()
        return self._server

    def memory(self) -> Memory | None:
        """Main memory of a server's query nodes; None where it does not say."""
        return memory(self._connection)

    def state(self, name: str, generation: int | None = None) -> CollectionState:
        """State of the catalog's items collection, without loading it.

        Raises:
            CatalogError: there is no such catalog.
        """
        return read_state(self._connection, self._physical(name, schema.ITEMS, generation), VECTOR)

    def has_catalog(self, name: str, generation: int | None = None) -> bool:
        """Whether the catalog exists, or the generation of it.

        Raises:
            ConfigError: the name is not valid.
        """
        return self._collections.exists(collection_name_of(name, schema.ITEMS, generation))

    def create_catalog(
        self,
        name: str,
        fingerprint: Fingerprint,
        generation: int = 1,
        *,
        partition_key: str = "",
        layout: Layout = AS_IT_IS,
        current: bool = True,
    ) -> None:
        """Make a generation of a catalog, for vectors of the model with this fingerprint.

        Args:
            partition_key: column of the items' metadata that it is divided by.
            layout: vector type and metadata indexes of the items.
            current: move the catalog's aliases to it.

        Raises:
            CatalogError: it exists, or collections of others have its names.
            ConfigError: the name is not valid, or the database has no such vectors.
        """
        self.check_layout(layout)
        if self.has_catalog(name, generation) and (not current or self.has_catalog(name)):
            raise CatalogError(f"catalog {name!r} exists in {self.address}; choose another name")
        # What a killed command left, which is no catalog yet.
        self._collections.drop(name, generation)
        partitioned = bool(partition_key)
        keyed = partitioned and Capability.PARTITION_KEYS in self.server_info().capabilities
        # Items last: a catalog exists by them, so one that was killed here is made again.
        for role in (schema.LABELS, schema.ITEMS):
            width = schema.width_of(role, fingerprint)
            physical = schema.physical_name(name, role, generation)
            fields = (
                schema.labels_schema(width)
                if role == schema.LABELS
                else schema.items_schema(
                    width,
                    partitioned=partitioned,
                    keyed=keyed,
                    vector_type=layout.vector_type or VectorType.FLOAT32,
                )
            )
            with self._connection.translate_errors(f"creating {physical}"):
                self._client.create_collection(
                    physical,
                    schema=fields,
                    properties=schema.properties(fingerprint, partition_key),
                    consistency_level="Bounded",
                    timeout=LONG_TIMEOUT_S,
                )
            collection = Collection(self._connection, physical, width=width)
            if role == schema.ITEMS and partitioned and not keyed:
                index_texts(self._connection, physical, schema.PARTITION)
            # Nothing can be loaded without an index; ``ensure_index`` chooses by the number of
            # rows.
            collection.build_index(FLAT)
            if role == schema.ITEMS:
                index_metadata(self._connection, physical, layout.indexed, self.server_info())
            if current:
                self._collections.point_alias(schema.alias_name(name, role), physical)

    def drop_catalog(self, name: str, generation: int | None = None) -> None:
        """Remove a catalog, or a generation of it, with its rows; the archive is not touched.

        Raises:
            CatalogError: there is none of this name.
        """
        self._collections.describe(name, schema.ITEMS, generation)
        self._collections.drop(name, generation)

    def drop_generation(self, name: str, generation: int) -> None:
        """Remove a generation's collections, if it has any; they may be incomplete."""
        self._collections.drop(name, generation)

    def current_generation(self, name: str) -> int:
        """The number of the generation that the catalog's aliases stand for.

        Raises:
            CatalogError: there is no such catalog, or its collections are not zeroshelf's.
        """
        described = self._collections.describe(name, schema.ITEMS)
        schema.check_ours(name, described["properties"])
        match = schema.PHYSICAL_NAME.fullmatch(described["collection_name"])
        return int(match["generation"]) if match else 1

    def make_current(self, name: str, generation: int) -> None:
        """Move the catalog's aliases to a generation, one after the other."""
        # Items last: their alias says which generation is current.
        for role in (schema.LABELS, schema.ITEMS):
            alias = schema.alias_name(name, role)
            physical = schema.physical_name(name, role, generation)
            try:
                named = self._physical(name, role)
            except UnknownCatalogError:
                named = ""
            if named != physical:
                self._collections.point_alias(alias, physical)

    def fingerprint(self, name: str, generation: int | None = None) -> Fingerprint:
        """What made the catalog's vectors.

        Raises:
            CatalogError: there is no such catalog, or another version of zeroshelf made it.
        """
        return schema.read_fingerprint(name, self._properties(name, generation))

    def set_fingerprint(
        self, name: str, fingerprint: Fingerprint, generation: int | None = None
    ) -> None:
        """Store another fingerprint of the same vectors with the catalog's collections."""
        stored = schema.fingerprint_text(fingerprint)
        for role in (schema.ITEMS, schema.LABELS):
            physical = self._physical(name, role, generation)
            self._connection.set_property(physical, schema.FINGERPRINT_PROPERTY, stored)

    def collection_id(self, name: str, generation: int | None = None) -> str:
        """A random id of the items collection, given when it was created."""
        return self._properties(name, generation).get(schema.IDENTITY_PROPERTY, "")

    def partition_key(self, name: str) -> str:
        """The column that the catalog's items are divided by; empty for none."""
        return self._properties(name, None).get(schema.PARTITION_KEY_PROPERTY, "")

    def layout(self, name: str, generation: int | None = None) -> Layout:
        """Vector type and metadata indexes of the catalog's items.

        Raises:
            CatalogError: there is no such catalog, or its collections are not zeroshelf's.
        """
        description = self._collections.describe(name, schema.ITEMS, generation)
        schema.check_ours(name, description["properties"])
        return Layout(
            vector_type=schema.vector_type_of(description),
            indexed=columns_of(description["properties"].get(schema.INDEXED_PROPERTY, "")),
        )

    def apply_layout(self, name: str, layout: Layout, generation: int | None = None) -> None:
        """Bring a catalog's items to a layout; indexes are only added.

        Raises:
            ConfigError: the database has no such vectors, or vectors or indexed values are of
                another type, which only a rebuild can change.
            CatalogError: there is no such catalog, or its collections are not zeroshelf's.
        """
        self.check_layout(layout)
        stored_layout = self.layout(name, generation)
        where = shlex.quote(self.address)
        rebuild = f"Store them again with: zeroshelf rebuild --catalog {name} --db {where}"
        if layout.vector_type not in {None, stored_layout.vector_type}:
            raise ConfigError(
                f"--vector-type {layout.vector_type}: the items of catalog {name!r} in "
                f"{self.address} are stored as {stored_layout.vector_type}. {rebuild} "
                f"--vector-type {layout.vector_type}"
            )
        changed = layout.retyped(stored_layout)
        if changed and Capability.JSON_INDEXES in self.server_info().capabilities:
            options = " ".join(
                f"--index-metadata {shlex.quote(column.option)}" for column in changed
            )
            raise ConfigError(
                f"{options}: in {self.address} the items of catalog {name!r} have an index of "
                f"values of another type there. {rebuild} {options}"
            )
        if layout.indexed:
            physical = self._physical(name, schema.ITEMS, generation)
            columns = layout.over(stored_layout).indexed
            index_metadata(self._connection, physical, columns, self.server_info())

    def check_layout(self, layout: Layout) -> None:
        """Refuse a layout that the database can't have.

        Raises:
            ConfigError: the database lacks float16 vectors. Missing metadata indexes are no
                error: filters give the same rows without them.
        """
        server = self.server_info()
        wants_float16 = layout.vector_type is VectorType.FLOAT16
        if wants_float16 and Capability.FLOAT16_VECTORS not in server.capabilities:
            raise ConfigError(
                f"--vector-type {layout.vector_type}: {self.address} ({server.version}) has no "
                "such vectors, servers have them from Milvus 2.4 on. Leave it out."
            )

    def label_sets(self, name: str) -> list[str]:
        """The label sets that labels were stored of, the category first."""
        stored = self._collections.describe(name, schema.LABELS)["properties"]
        prefix = schema.label_version_property("")
        others = (
            key.removeprefix(prefix) for key in stored if key.startswith(prefix) and stored[key]
        )
        return [CATEGORY, *sorted(others)]

    def label_version(
        self, name: str, generation: int | None = None, *, set_name: str = CATEGORY
    ) -> str:
        """The version of a label set, as last set; empty if never."""
        return self._label_property(name, generation, schema.label_version_property(set_name))

    def set_label_version(
        self, name: str, version: str, generation: int | None = None, *, set_name: str = CATEGORY
    ) -> None:
        """Store the version of a label set with the label collection."""
        physical = self._physical(name, schema.LABELS, generation)
        self._connection.set_property(physical, schema.label_version_property(set_name), version)

    def label_settings(self, name: str, generation: int | None = None, *, set_name: str) -> str:
        """The settings of a label set, as last set; empty if never."""
        return self._label_property(name, generation, schema.label_settings_property(set_name))

    def set_label_settings(
        self, name: str, settings: str, generation: int | None = None, *, set_name: str
    ) -> None:
        """Store the settings of a label set with the label collection."""
        physical = self._physical(name, schema.LABELS, generation)
        self._connection.set_property(physical, schema.label_settings_property(set_name), settings)

    def items(self, name: str, generation: int | None = None) -> MilvusItems:
        """The catalog's items, loaded for searching.

        Raises:
            CatalogError: there is no such catalog, or another version of zeroshelf made it.
        """
        description = self._collections.describe(name, schema.ITEMS, generation)
        stored = description["properties"]
        return MilvusItems(
            self._loaded(name, schema.ITEMS, description),
            from_property(str(stored.get(TUNING_PROPERTY, ""))),
            partition_key=str(stored.get(schema.PARTITION_KEY_PROPERTY, "")),
        )

    def labels(
        self, name: str, generation: int | None = None, *, set_name: str = CATEGORY
    ) -> MilvusLabels:
        """The labels of one of the catalog's sets, loaded for searching.

        Raises:
            CatalogError: there is no such catalog, or another version of zeroshelf made it.
        """
        description = self._collections.describe(name, schema.LABELS, generation)
        return MilvusLabels(self._loaded(name, schema.LABELS, description), set_name)

    def _physical(self, name: str, role: str, generation: int | None = None) -> str:
        """Name of a generation's collection, or of the one behind the alias."""
        return str(self._collections.describe(name, role, generation)["collection_name"])

    def _label_property(self, name: str, generation: int | None, key: str) -> str:
        """A property of the catalog's label collection; empty if never set."""
        stored = self._collections.describe(name, schema.LABELS, generation)["properties"]
        return str(stored.get(key, ""))

    def _properties(self, name: str, generation: int | None) -> dict[str, str]:
        """Properties of the catalog's items collection."""
        properties = self._collections.describe(name, schema.ITEMS, generation)["properties"]
        return {key: str(value) for key, value in properties.items()}

    def _loaded(self, name: str, role: str, description: Mapping[str, Any]) -> Collection:
        """A described collection of the catalog, loaded for searching."""
        fingerprint = schema.read_fingerprint(name, description["properties"])
        collection = Collection(
            self._connection,
            description["collection_name"],
            width=schema.width_of(role, fingerprint),
            unit=role == schema.ITEMS,
            vector_type=schema.vector_type_of(description),
        )
        collection.load()
        return collection
