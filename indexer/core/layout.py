"""How a catalog's items lie in a database, beyond what every database has; pure, and light."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from indexer.core.errors import ConfigError


class VectorType(StrEnum):
    """Number format of stored vectors; the archive keeps float32.

    There is no int8: Milvus 2.6 has it for HNSW alone, and nothing but the rounded vectors is
    kept then. ``HNSW_SQ`` and ``IVF_SQ8`` hold eight bits a dimension in memory, too, and
    search puts their candidates in order by the whole vectors.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"

    @property
    def value_bytes(self) -> int:
        """Bytes of a dimension."""
        return 2 if self is VectorType.FLOAT16 else 4


class ValueType(StrEnum):
    """What the values of a metadata column are; the value is what Milvus casts them to."""

    TEXT = "VARCHAR"
    NUMBER = "DOUBLE"
    BOOLEAN = "BOOL"


class QuantizedAs(StrEnum):
    """How ``HNSW_SQ`` rounds the numbers of a vector in its graph."""

    SQ4U = "SQ4U"
    SQ6 = "SQ6"
    SQ8 = "SQ8"
    BF16 = "BF16"
    FP16 = "FP16"


class RefinedBy(StrEnum):
    """Vectors by which a server puts the candidates of ``HNSW_SQ`` in order again."""

    SQ6 = "SQ6"
    SQ8 = "SQ8"
    BF16 = "BF16"
    FP16 = "FP16"
    FP32 = "FP32"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedColumn:
    """A metadata column that filters ask for by an index."""

    name: str
    values: ValueType = ValueType.TEXT

    @classmethod
    def parse(cls, text: str) -> Self:
        """Out of ``COLUMN``, ``COLUMN:text``, ``COLUMN:number`` or ``COLUMN:boolean``.

        A name may hold a colon where its type is given, too.

        Raises:
            ConfigError: no name, one that can't stand in a JSON path, or no such type.
        """
        name, _, kind = text.rpartition(":") if ":" in text else (text, "", "text")
        value_types = {candidate.name.lower(): candidate for candidate in ValueType}
        if kind not in value_types:
            raise ConfigError(
                f"--index-metadata {text!r}: {kind!r} is no type of values, those are "
                f"{', '.join(value_types)}. A column that is called so: {text}:text"
            )
        if not name.strip() or any(candidate in name for candidate in '"\\'):
            raise ConfigError(
                f"--index-metadata {text!r}: give the name of a column, without quotation marks "
                "and backslashes; for numbers as COLUMN:number, for true and false COLUMN:boolean"
            )
        return cls(name=name, values=value_types[kind])

    @property
    def option(self) -> str:
        """As it is asked for: ``price:number``."""
        return f"{self.name}:{self.values.name.lower()}"

    @property
    def path(self) -> str:
        """As filters name it: ``metadata["price"]``."""
        return f'metadata["{self.name}"]'

    def __str__(self) -> str:
        return f"{self.name} ({self.values.name.lower()})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How items lie in a database, or how they shall.

    Attributes:
        vector_type: None asks for nothing: what is there, or else float32.
        indexed: metadata columns with an index, each once.
    """

    vector_type: VectorType | None = None
    indexed: tuple[IndexedColumn, ...] = ()

    @classmethod
    def of_options(cls, vector_type: str | None, columns: Sequence[str]) -> Self:
        """Out of the values of ``--vector-type`` and ``--index-metadata``.

        Raises:
            ConfigError: a column is none.
        """
        parsed = {column.name: column for column in map(IndexedColumn.parse, columns)}
        requested_type = None if vector_type is None else VectorType(vector_type)
        return cls(vector_type=requested_type, indexed=tuple(parsed.values()))

    def retyped(self, previous: Layout) -> tuple[IndexedColumn, ...]:
        """Columns that this indexes as values of another type than another layout does."""
        values = {column.name: column.values for column in previous.indexed}
        return tuple(
            column
            for column in self.indexed
            if values.get(column.name, column.values) != column.values
        )

    def over(self, previous: Layout) -> Layout:
        """This, and of another what this leaves open."""
        columns = {column.name: column for column in (*previous.indexed, *self.indexed)}
        return replace(
            self,
            vector_type=self.vector_type or previous.vector_type,
            indexed=tuple(columns.values()),
        )


AS_IT_IS = Layout()
"""Asks for nothing."""


def columns_text(columns: Sequence[IndexedColumn]) -> str:
    """Indexed columns as a collection's property."""
    return json.dumps({column.name: column.values for column in columns}, ensure_ascii=False)


def columns_of(text: str) -> tuple[IndexedColumn, ...]:
    """Indexed columns out of a collection's property; none of an empty one."""
    stored = json.loads(text) if text else {}
    return tuple(
        IndexedColumn(name=name, values=ValueType(value_type))
        for name, value_type in stored.items()
    )
