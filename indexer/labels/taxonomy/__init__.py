"""Label sets: reading them from files, checking them, and walking the tree.

``files`` chooses among the readers: ``lists`` (plain text), ``tables`` (a row a label),
``outlines`` (our own JSON and YAML), ``shapes`` and ``envelopes`` (what other programs
write in them), ``skos`` and ``markup`` (RDF and XML). ``fields`` tells what columns mean,
``records`` and ``levels`` in which ways they say a tree. All are read into ``rows``,
``assembly`` makes checked labels of these, and ``tree`` answers questions on labels.
"""

from __future__ import annotations

from indexer.labels.taxonomy.assembly import check, merge
from indexer.labels.taxonomy.files import (
    LabelFile,
    label_file_of_table,
    read_label_file,
    read_labels,
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
    "read_labels",
    "read_templates",
    "resolve",
]
