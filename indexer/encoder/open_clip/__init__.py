"""Folders that open_clip wrote, made into ones that transformers reads.

``architecture`` tells which towers a folder has, ``weights`` gives them their other names,
``conversion`` writes the new folder, once, into the user's cache. open_clip is not needed.
"""

from __future__ import annotations

from indexer.encoder.open_clip.conversion import convert, is_open_clip

__all__ = ["convert", "is_open_clip"]
