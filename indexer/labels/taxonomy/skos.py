"""Thesauri in SKOS (https://www.w3.org/TR/skos-reference/): a concept is a label.

The preferred label is the name, other labels are synonyms, ``broader`` (or ``narrower`` of
the other) is the parent. English labels come first, then those without language, then others.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from typing import Any

from indexer.core.errors import TaxonomyError
from indexer.labels.taxonomy.rows import Row

logger = logging.getLogger(__name__)

FORMATS = {
    ".ttl": "turtle",
    ".rdf": "xml",
    ".owl": "xml",
    ".skos": "xml",
    ".jsonld": "json-ld",
    ".nt": "nt",
    ".n3": "n3",
    ".nq": "nquads",
    ".trig": "trig",
}
"""rdflib's names by the ends of files."""

_QUADS = frozenset({"json-ld", "nquads", "trig"})


def read_skos(content: bytes, place: str, kind: str) -> list[Row]:
    """Rows of the concepts of an RDF file, in the order of their addresses.

    Args:
        kind: what rdflib calls the file's format.

    Raises:
        TaxonomyError: rdflib is missing, the file can't be read, or has no concepts.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rdflib's, of classes that it uses itself
        return _read(_graph(content, place, kind), place)


def _read(graph: Any, place: str) -> list[Row]:
    from rdflib.namespace import RDF, SKOS

    concepts = sorted(set(graph.subjects(RDF.type, SKOS.Concept)), key=str)
    concepts = concepts or sorted(set(graph.subjects(SKOS.prefLabel)), key=str)
    if not concepts:
        raise TaxonomyError(
            f"{place}: there is no skos:Concept in this file of {len(graph):,} statements: "
            "only SKOS is read of RDF."
        )
    parents = _parents(graph)
    several = sum(len(addresses) > 1 for addresses in parents.values())
    if several:
        logger.warning(
            "%s: %d concepts have several broader ones: the first by address is taken.",
            place,
            several,
        )
    concept_ids = set(map(str, concepts))
    return [_row(graph, concept, parents, concept_ids, place) for concept in concepts]


def _graph(content: bytes, place: str, kind: str) -> Any:
    try:
        import rdflib
    except ImportError as error:
        raise TaxonomyError(
            f"{place}: SKOS needs rdflib, which is not installed. Run: "
            "pip install 'zeroshelf[skos]'"
        ) from error
    graph = rdflib.Dataset(default_union=True) if kind in _QUADS else rdflib.Graph()
    try:
        graph.parse(data=content, format=kind)
    except Exception as error:  # rdflib's parsers have no common error
        cause = " ".join(str(error).split())[:300]
        raise TaxonomyError(f"{place}: this is no {kind} that can be read: {cause}") from error
    return graph


def _parents(graph: Any) -> dict[str, list[str]]:
    """Addresses of the broader concepts by address, sorted."""
    from rdflib.namespace import SKOS

    parents_by_id: dict[str, set[str]] = {}
    for ours, theirs in (
        (SKOS.broader, SKOS.narrower),
        (SKOS.broaderTransitive, SKOS.narrowerTransitive),
    ):
        pairs = [*graph.subject_objects(ours), *((b, a) for a, b in graph.subject_objects(theirs))]
        if not parents_by_id:
            for concept, parent in pairs:
                parents_by_id.setdefault(str(concept), set()).add(str(parent))
    return {concept: sorted(parents) for concept, parents in parents_by_id.items()}


def _row(
    graph: Any, concept: Any, parents: dict[str, list[str]], concept_ids: set[str], place: str
) -> Row:
    from rdflib import URIRef
    from rdflib.namespace import RDFS, SKOS

    xl = "http://www.w3.org/2008/05/skos-xl#"

    def texts(plain: Any, extended: str = "") -> list[Any]:
        forms = graph.objects(concept, URIRef(xl + extended)) if extended else ()
        literal = URIRef(xl + "literalForm")
        return [
            *graph.objects(concept, plain),
            *(text for form in forms for text in graph.objects(form, literal)),
        ]

    names = texts(SKOS.prefLabel, "prefLabel") or texts(RDFS.label)
    name = _best(names)
    if not name:
        raise TaxonomyError(f"{place}: the concept {str(concept)!r} has no skos:prefLabel.")
    language = _language(names)
    alternatives = [
        text for text in texts(SKOS.altLabel, "altLabel") if text.language in {language, None}
    ]
    above = [parent for parent in parents.get(str(concept), ()) if parent in concept_ids]
    return Row(
        name=name,
        label_id=str(concept),
        parent=above[0] if above else "",
        description=_best(texts(SKOS.definition)) or _best(texts(SKOS.scopeNote)),
        synonyms=tuple(
            text for text in dict.fromkeys(sorted(map(str, alternatives))) if text != name
        ),
        place=f"{place}, {concept}",
    )


def _language(texts: Iterable[Any]) -> str | None:
    """The language to use: English, else none, else the first."""
    languages = sorted(
        {text.language for text in texts}, key=lambda tag: (tag is not None, tag or "")
    )
    english = [tag for tag in languages if tag and tag.lower().split("-")[0] == "en"]
    if english:
        return str(english[0])
    return None if not languages or languages[0] is None else str(languages[0])


def _best(texts: Iterable[Any]) -> str:
    texts = list(texts)
    language = _language(texts)
    return min((str(text).strip() for text in texts if text.language == language), default="")
