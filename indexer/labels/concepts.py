"""The names that ship as a background vocabulary: things that an item might be."""

from __future__ import annotations

from importlib import resources


def packaged_concepts() -> tuple[str, ...]:
    """Some 1,700 names of things, each once, in the order of their topics."""
    text = (resources.files("indexer") / "data" / "concepts.txt").read_text(encoding="utf-8")
    return tuple(dict.fromkeys(parse_concepts(text)))


def parse_concepts(text: str) -> tuple[str, ...]:
    """The names of a list: one a line, in order; blank lines and # lines are left out."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
