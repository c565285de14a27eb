"""Taxonomies: reading labels from files, checking them, and walking the tree.

``files`` chooses the reader: ``lists`` (plain text), ``tables`` (a row a label), ``outlines``
(our own JSON and YAML), ``shapes`` and ``envelopes`` (JSON and YAML of other programs), ``skos``
and ``markup`` (RDF and XML). ``fields`` knows the meaning of columns, ``records`` and ``levels``
the ways to write a tree in a table. All readers give ``rows``, ``assembly`` turns these into
checked labels, and ``tree`` answers questions about labels.
"""

from __future__ import annotations

from indexer.labels.taxonomy.assembly import check, merge
from indexer.labels.taxonomy.files import (
    LabelFile,
    label_file_of_table,
    read_label_file,
    read_templates,
)
from indexer.labels.taxonomy.tree import ancestors, children, descendants, leaves, resolve

__all__ = [
    "LabelFile",
    "ancestors",
    "check",
    "children",
    "descendants",
    "label_file_of_table",
    "leaves",
    "merge",
    "read_label_file",
    "read_templates",
    "resolve",
]
