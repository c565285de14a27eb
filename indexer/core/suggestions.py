"""Suggestions of similar names, for the errors that refuse an unknown one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, candidates: Iterable[str], *, most: int = 3) -> str:
    """The end of a message: `` Did you mean 'a' or 'b'?``; empty where no name is similar.

    Case is no difference.

    Args:
        most: names that are suggested, the most similar first.
    """
    written: dict[str, str] = {}
    for candidate in candidates:
        written.setdefault(candidate.casefold(), candidate)
    similar = difflib.get_close_matches(name.casefold(), written, n=most)
    if not similar:
        return ""
    return f" Did you mean {' or '.join(repr(written[folded]) for folded in similar)}?"
