"""Label sets: reading them from files, checking them, and walking the tree.

``rows`` is what all file formats are read into, ``assembly`` makes checked labels of
rows, ``tree`` answers questions on labels; ``lists``, ``tables`` and ``outlines`` read
one family of formats each, and ``files`` chooses among them.
"""

from __future__ import annotations

from indexer.taxonomy.assembly import check, merge
from indexer.taxonomy.files import read_labels
from indexer.taxonomy.tree import ancestors, children, descendants, leaves, resolve

__all__ = [
    "ancestors",
    "check",
    "children",
    "descendants",
    "leaves",
    "merge",
    "read_labels",
    "resolve",
]
