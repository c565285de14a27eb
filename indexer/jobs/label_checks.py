"""Warnings about a label set: labels that are alike, prompts that are cut."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Hashable, Iterable, Mapping, Sequence

from indexer.core.records import Label
from indexer.labels.prompt_sets import PromptSet
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, SHOWN

_log = logging.getLogger(__name__)

Tokens = tuple[int, ...]


def warn_of_same_paths(labels: Sequence[Label]) -> None:
    """Warn of labels whose paths look the same, apart from case, which most models ignore."""
    paths = {label.label_id: PATH_SEPARATOR.join(label.path) for label in labels}
    groups = _groups((_plain(path), label_id) for label_id, path in paths.items())
    _warn(
        [f"{paths[ids[0]]!r}: {_ids(ids)}" for _, ids in groups],
        "Labels with the same path, or the same but for case and blanks, by their ids",
    )


def _plain(text: str) -> str:
    """A text without what few people see: case, kinds of blanks, how accents are encoded."""
    composed = unicodedata.normalize("NFKC", text)
    seen = "".join(mark for mark in composed if unicodedata.category(mark) != "Cf")
    return " ".join(seen.casefold().split())


def warn_of_emptied(previous: Sequence[Label], labels: Sequence[Label]) -> tuple[str, ...]:
    """Warn of labels that lose their parent, description or synonyms: a row replaces a label.

    Returns:
        The warning; none where none does.
    """
    new = {label.label_id: label for label in labels}
    lost: dict[str, list[str]] = {}
    for label in previous:
        if (replaced_by := new.get(label.label_id)) is None:
            continue
        for name in ("parent_id", "description", "synonyms"):
            if getattr(label, name) and not getattr(replaced_by, name):
                lost.setdefault(name, []).append(label.label_id)
    if not lost:
        return ()
    counts = ", ".join(
        f"{len(ids):,} their {name.removesuffix('_id')}" for name, ids in lost.items()
    )
    note = (
        f"labels that the file has without what they had lose it: {counts}, such as "
        f"{_ids(next(iter(lost.values())))}. A row replaces a label as a whole: zeroshelf labels "
        "list --output csv writes all columns of the present ones."
    )
    _log.warning("%s", note)
    return (note,)


def warn_of_same_prompts(prompts: PromptSet, cut: Mapping[str, Tokens]) -> None:
    """Warn of labels whose prompts are the same to the model.

    Args:
        cut: the prompts that are longer than the model's limit, with the tokens that it reads.
    """

    def read(label_id: str) -> tuple[str | Tokens, ...]:
        return tuple(cut.get(text, text) for text in prompts.texts_of(label_id))

    groups = _groups((read(label_id), label_id) for label_id in prompts.places)
    shown = [
        f"{prompts.texts_of(ids[0])[0][:60]!r}"
        f"{' ... (as far as the model reads)' if prompts.texts_of(ids[0])[0] in cut else ''}: "
        f"{_ids(ids)}"
        for _, ids in groups
    ]
    _warn(shown, "Labels whose prompts are the same, by their ids")


def warn_of_cut_prompts(prompts: PromptSet, cut: Mapping[str, Tokens]) -> int:
    """Warn of prompts that are longer than the model's limit.

    Returns:
        Their number.
    """
    cut_ids = [
        label_id
        for label_id, text in zip(prompts.label_ids, prompts.texts, strict=True)
        if text in cut
    ]
    if cut_ids:
        limit = max(map(len, cut.values()))
        _log.warning(
            "prompts longer than the %d tokens that the model reads, and cut there: %d of %d, such "
            "as of %s. Shorten the descriptions, or leave {description} out of the template.",
            limit,
            len(cut_ids),
            len(prompts),
            _ids(list(dict.fromkeys(cut_ids))),
        )
    return len(cut_ids)


def _groups(pairs: Iterable[tuple[Hashable, str]]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Ids that share a key, for keys with several ids."""
    ids: dict[Hashable, list[str]] = {}
    for key, label_id in pairs:
        ids.setdefault(key, []).append(label_id)
    return [(key, label_ids) for key, label_ids in ids.items() if len(label_ids) > 1]  # type: ignore[misc]


def _warn(groups: Sequence[str], problem: str) -> None:
    if groups:
        more = f"; and {len(groups) - SHOWN} more groups" if len(groups) > SHOWN else ""
        _log.warning(
            "%s: %s%s. They split each other's score: remove all but one, or give them "
            "different names.",
            problem,
            "; ".join(groups[:SHOWN]),
            more,
        )


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(map(repr, ids[:SHOWN])) + (" ..." if len(ids) > SHOWN else "")
