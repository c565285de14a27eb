"""Product feeds in XML: RSS 2.0 and Atom with Google's elements, an item at a time.

A document type is refused, and with it entities, those that expand to gigabytes (CVE-2003-1564)
and those that name other files (CWE-611).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from indexer.core.column_types import ColumnType
from indexer.core.errors import SourceError
from indexer.sources.columns import Convert, Example, Survey, TypeExamples
from indexer.sources.tables import Row, bytes_of, cut_short
from indexer.sources.text_columns import TextColumn, text_converter

_ITEMS = ("item", "entry")
_ROOTS = ("rss", "feed", "RDF")
_SAMPLED_ITEMS = 100
_DAMAGE = (ParseError, DefusedXmlException, EOFError, OSError, zlib.error, ValueError)


@dataclass(frozen=True)
class XmlTable:
    """The items of a feed; a row's number is its item's place, from 1.

    An element that occurs several times is a list, one with elements inside an object.
    """

    address: str

    def columns(self) -> list[str]:
        """Names of the first items' elements, without their namespaces.

        Raises:
            SourceError: the file is no feed.
        """
        names: dict[str, None] = {}
        for row in islice(self.rows(), _SAMPLED_ITEMS):
            if row.values is None and not names:
                raise SourceError(f"{self.address}: {row.problem}")
            names.update(dict.fromkeys(row.values or ()))
        if not names:
            raise SourceError(f"{self.address}: holds no <item> and no <entry>; check the file")
        return list(names)

    def rows(self) -> Iterator[Row]:
        """The items in their order; damage is the problem of the last row."""
        number = 0
        with bytes_of(self.address) as content:
            try:
                events = iter(iterparse(content, events=("start", "end"), forbid_dtd=True))
                _, root = next(events)
                if _name(root) not in _ROOTS:
                    raise SourceError(
                        f"{self.address}: is XML with the root <{_name(root)}>; feeds are <rss> "
                        "or <feed> with Google's elements (g:id, g:image_link)"
                    )
                parents = [root]
                for event, element in events:
                    if event == "start":
                        parents.append(element)
                        continue
                    parents.pop()
                    if _name(element) in _ITEMS and _is_outermost(parents):
                        number += 1
                        yield Row(number=number, values=_values(element))
                        parents[-1].remove(element)
            except DefusedXmlException as error:
                problem = f"its document type or entities are refused ({error}); leave them out"
                yield Row(number=number + 1, values=None, problem=problem)
            except _DAMAGE as error:
                yield cut_short(number + 1, error)

    def survey(self, skipped: frozenset[str]) -> Survey:
        """The types of the columns by their texts; lists and objects are JSON."""
        texts: dict[str, TextColumn] = {}
        columns: dict[str, TypeExamples] = {}
        count = 0
        for row in self.rows():
            count += 1
            for name, value in (row.values or {}).items():
                if name in skipped:
                    continue
                if isinstance(value, str):
                    column = texts.setdefault(name, TextColumn(self.address))
                    column.add([row.number], [value])
                else:
                    example = Example(table=self.address, row=row.number, value=value)
                    columns.setdefault(name, {}).setdefault(ColumnType.JSON, example)
        for name, column in texts.items():
            columns[name] = column.types() | columns.get(name, {})
        return Survey(rows=count, columns=columns)

    def converter(self, column: str, kind: ColumnType | None) -> Convert | None:
        """Converts texts to numbers and truth values in columns of these."""
        convert = text_converter(kind, column)
        return lambda value: convert(value) if isinstance(value, str) else value


def _is_outermost(parents: list[Element]) -> bool:
    """Whether the element is in no other item: Atom's may contain a whole feed as its source."""
    return bool(parents) and not any(_name(parent) in _ITEMS for parent in parents)


def _values(element: Element) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for child in element:
        name = _name(child)
        value = _value(child)
        if value in ("", {}):
            continue
        if name in values:
            earlier = values[name]
            values[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            values[name] = value
    return values


def _value(element: Element) -> Any:
    """Text, an object of the elements inside, or the address of a link of Atom's.

    Marks within a text (``<title>red<br/>mug</title>``) leave blanks in their place.
    """
    if len(element):
        is_text = any((text or "").strip() for text in (element.text, *(e.tail for e in element)))
        return " ".join(" ".join(element.itertext()).split()) if is_text else _values(element)
    return (element.text or "").strip() or element.get("href", "")


def _name(element: Element) -> str:
    """The name without its namespace: Google's ``g:id`` is ``id``."""
    return str(element.tag).rpartition("}")[2]
