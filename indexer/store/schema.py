"""Names, fields and properties of a catalog's two collections."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from indexer.core.errors import CatalogError, ConfigError
from indexer.core.label_sets import CATEGORY
from indexer.core.layout import VectorType
from indexer.core.records import MAX_ID_BYTES, MAX_SOURCE_BYTES, MAX_TEXT_BYTES, Fingerprint

SCHEMA_VERSION = "4"
"""1 had label vectors without a bias, 2 had items without a status, 3 had one label set and items
without parts."""

SCHEMA_PROPERTY = "zeroshelf.schema"
FINGERPRINT_PROPERTY = "zeroshelf.fingerprint"
PARTITION_KEY_PROPERTY = "zeroshelf.partition_key"
INDEXED_PROPERTY = "zeroshelf.indexed_metadata"
LABEL_VERSION_PROPERTY = "zeroshelf.label_version"
LABEL_SETTINGS_PROPERTY = "zeroshelf.label_settings"
IDENTITY_PROPERTY = "zeroshelf.collection"
STORED_VERSION_PROPERTY = "zeroshelf.stored_version"
"""Properties, not descriptions: Milvus Lite loses descriptions."""

CATALOG_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
PHYSICAL_NAME = re.compile(r"(?P<catalog>.+)_(?P<role>items|labels)_(?P<generation>\d{3})")

PARTITION = "partition"
"""Key of an item's partition, by ``records.key_of``: values are hostile, as ids are."""

LABEL_SET = "label_set"
"""The label set that a label belongs to; all sets of a catalog are in one collection."""

ITEMS = "items"
LABELS = "labels"

# Lengths are in bytes: servers count bytes, Milvus Lite counts characters.
KEY_BYTES = 32
TITLE_BYTES = 8_192
NAME_BYTES = 8_192
HASH_BYTES = 128

_ITEM: dict[str, int | str] = {
    "item_id": MAX_ID_BYTES,
    # The row's own id where it is no part, so that one field tells the item of every row.
    "parent_id": MAX_ID_BYTES,
    "part": "JSON",
    "kind": 32,
    "source": MAX_SOURCE_BYTES,
    "title": TITLE_BYTES,
    "metadata": "JSON",
    "content_hash": HASH_BYTES,
    # Empty and 0.0 where there is no decision: the 2.3 servers have no nullable fields.
    "label_id": MAX_ID_BYTES,
    "label": NAME_BYTES,
    "score": "FLOAT",
    "status": 32,
    "attributes": "JSON",
}
"""Longest text of a field, in bytes, or the type of another field, as Milvus calls it."""

ITEM_FIELDS = tuple(_ITEM)
"""Fields of an item that a filter may name and ``fetch`` gives."""

# Path and synonyms are JSON lists.
_LABEL: dict[str, int | str] = {
    "label_id": MAX_ID_BYTES,
    "name": NAME_BYTES,
    "path": MAX_TEXT_BYTES,
    "parent_id": MAX_ID_BYTES,
    "depth": "INT64",
    "position": "INT64",
    "is_leaf": "BOOL",
    "description": MAX_TEXT_BYTES,
    "synonyms": MAX_TEXT_BYTES,
    "definition_hash": HASH_BYTES,
}
LABEL_FIELDS = tuple(_LABEL)


def alias_name(catalog: str, role: str) -> str:
    """The alias under which a catalog's current collection of a role is found."""
    return f"{catalog}_{role}"


def physical_name(catalog: str, role: str, number: int = 1) -> str:
    """The collection behind an alias; another model fills the next number."""
    return f"{catalog}_{role}_{number:03d}"


def check_catalog_name(name: str) -> str:
    """The name, if Milvus servers accept it (Milvus Lite accepts more).

    Raises:
        ConfigError: it has other characters, starts with a digit, or is too long.
    """
    if not CATALOG_NAME.fullmatch(name):
        raise ConfigError(
            f"catalog {name!r}: not a name; use letters, digits and _, at most 60, "
            "and start with no digit"
        )
    return name


def properties(fingerprint: Fingerprint, partition_key: str = "") -> dict[str, str]:
    """Properties of a new collection: a random id, the schema's version, the model."""
    partitioned = {PARTITION_KEY_PROPERTY: partition_key} if partition_key else {}
    return partitioned | {
        IDENTITY_PROPERTY: uuid4().hex,
        SCHEMA_PROPERTY: SCHEMA_VERSION,
        FINGERPRINT_PROPERTY: fingerprint_text(fingerprint),
    }


def fingerprint_text(fingerprint: Fingerprint) -> str:
    """A fingerprint as a collection's property."""
    return json.dumps(asdict(fingerprint), sort_keys=True)


def label_version_property(set_name: str) -> str:
    """The name of the property with the version of a set's labels."""
    return (
        LABEL_VERSION_PROPERTY if set_name == CATEGORY else f"{LABEL_VERSION_PROPERTY}.{set_name}"
    )


def label_settings_property(set_name: str) -> str:
    """The name of the property with the settings of a label set, such as its gate."""
    return f"{LABEL_SETTINGS_PROPERTY}.{set_name}"


def width_of(role: str, fingerprint: Fingerprint) -> int:
    """Dimension of a collection's vectors: d for items, d + 1 for labels, with their bias."""
    return fingerprint.width + (role == LABELS)


def check_ours(catalog: str, stored: dict[str, str]) -> str:
    """The schema version in a collection's properties.

    Raises:
        CatalogError: the collection is not zeroshelf's.
    """
    if SCHEMA_PROPERTY not in stored or FINGERPRINT_PROPERTY not in stored:
        raise CatalogError(
            f"catalog {catalog!r}: its collections were not made by zeroshelf; "
            "choose another name with --catalog"
        )
    return stored[SCHEMA_PROPERTY]


def read_fingerprint(catalog: str, stored: dict[str, str]) -> Fingerprint:
    """The fingerprint in a collection's properties.

    Raises:
        CatalogError: the collection is not zeroshelf's, or of another version's schema.
    """
    version = check_ours(catalog, stored)
    if version != SCHEMA_VERSION:
        raise CatalogError(
            f"catalog {catalog!r}: schema version {version}, this zeroshelf uses "
            f"{SCHEMA_VERSION}; `zeroshelf rebuild --catalog {catalog}` makes it again from the "
            "archive"
        )
    values = json.loads(stored[FINGERPRINT_PROPERTY])
    for probe in ("text_probe", "picture_probe", "sound_probe"):
        values[probe] = tuple(values.get(probe, ()))
    return Fingerprint(**values)


def items_schema(
    width: int,
    *,
    partitioned: bool = False,
    keyed: bool = False,
    vector_type: VectorType = VectorType.FLOAT32,
) -> Any:
    """The pymilvus schema of the ``items`` collection with vectors of width d.

    Args:
        partitioned: the catalog has a partition key.
        keyed: the database keeps rows of one partition together by it.
        vector_type: number format of the vectors.
    """
    from pymilvus import DataType

    kinds = {
        VectorType.FLOAT32: DataType.FLOAT_VECTOR,
        VectorType.FLOAT16: DataType.FLOAT16_VECTOR,
    }
    schema = _keyed_schema()
    if partitioned:
        schema.add_field(PARTITION, DataType.VARCHAR, max_length=KEY_BYTES, is_partition_key=keyed)
    _add_fields(schema, _ITEM)
    schema.add_field("vector", kinds[vector_type], dim=width)
    return schema


def vector_type_of(description: Mapping[str, Any]) -> VectorType:
    """The format of the vectors in a collection that pymilvus has described."""
    from pymilvus import DataType

    (kind,) = (field["type"] for field in description["fields"] if field["name"] == "vector")
    return VectorType.FLOAT16 if kind == DataType.FLOAT16_VECTOR else VectorType.FLOAT32


def labels_schema(width: int) -> Any:
    """The pymilvus schema of the ``labels`` collection.

    The labels of all sets are in it: a set a collection would be hundreds for a catalog with all
    attributes of a shop.
    """
    from pymilvus import DataType

    schema = _keyed_schema()
    schema.add_field(LABEL_SET, DataType.VARCHAR, max_length=NAME_BYTES)
    _add_fields(schema, _LABEL)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=width)
    return schema


def _keyed_schema() -> Any:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=KEY_BYTES)
    return schema


def _add_fields(schema: Any, fields: Mapping[str, int | str]) -> None:
    from pymilvus import DataType

    for name, kind in fields.items():
        if isinstance(kind, int):
            schema.add_field(name, DataType.VARCHAR, max_length=kind)
        else:
            schema.add_field(name, DataType[kind])
