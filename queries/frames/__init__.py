"""A catalog in Python: what the commands do as methods, which give Arrow tables."""

from __future__ import annotations

from queries.frames.catalog import Catalog
from queries.frames.frame import Frame

__all__ = ["Catalog", "Frame"]
