"""XML: Label Studio's labelling configurations, and SKOS written as RDF."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from indexer.core.errors import TaxonomyError
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, Row
from indexer.labels.taxonomy.skos import read_skos


def read_xml(content: bytes, place: str) -> list[Row]:
    """Rows of an XML file, by its root element.

    Raises:
        TaxonomyError: no XML, or of neither kind.
    """
    try:
        root = ET.fromstring(content)  # noqa: S314 - expat limits entities, and loads none
    except ET.ParseError as error:
        raise TaxonomyError(f"{place}: this is no XML that can be read: {error}") from error
    kind = root.tag.rpartition("}")[2]
    if kind == "RDF":
        return read_skos(content, place, "xml")
    if kind == "View":
        rows = list(_choices(root, (), place))
        return list({row.label_id: row for row in rows}.values())
    inside = sorted({child.tag.rpartition("}")[2] for child in root})
    raise TaxonomyError(
        f"{place}: only SKOS and Label Studio's configurations are read of XML, and this is "
        f"<{kind}> with {', '.join(f'<{tag}>' for tag in inside[:10]) or 'nothing'}."
    )


def _choices(element: ET.Element, path: tuple[str, ...], place: str) -> Iterator[Row]:
    """``<Choice value="...">`` and ``<Label value="...">``, wherever they stand."""
    for child in element:
        name = child.get("value", "").strip()
        if child.tag in {"Choice", "Label"} and name:
            names = (*path, name)
            yield Row(
                name=name,
                label_id=PATH_SEPARATOR.join(names),
                parent=PATH_SEPARATOR.join(path),
                handles=tuple(filter(None, [child.get("alias", "")])),
                place=place,
            )
            yield from _choices(child, names, place)
        else:
            yield from _choices(child, path, place)
