"""What is said of a label set that may not be as it was meant: labels alike, prompts cut."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence

from indexer.core.records import Label
from indexer.labels.prompt_sets import PromptSet
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, SHOWN

_log = logging.getLogger(__name__)

Tokens = tuple[int, ...]


def tell_same_paths(labels: Sequence[Label]) -> None:
    """Warn of labels with the same path, be it but for case, which most models do not see."""
    paths = {label.label_id: PATH_SEPARATOR.join(label.path) for label in labels}
    groups = _groups((path.casefold(), label_id) for label_id, path in paths.items())
    _tell(
        [f"{paths[ids[0]]!r}: {_ids(ids)}" for _, ids in groups],
        "Labels with the same path, or the same but for case, by their ids",
    )


def tell_same_prompts(prompts: PromptSet, cut: Mapping[str, Tokens]) -> None:
    """Warn of labels whose prompts are the same to the model.

    Args:
        cut: of each prompt that the model does not read to its end, the tokens that it reads.
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
    _tell(shown, "Labels whose prompts are the same, by their ids")


def tell_cut(prompts: PromptSet, cut: Mapping[str, Tokens]) -> int:
    """Warn of prompts that the model does not read to their end.

    Returns:
        How many of the set's prompts these are.
    """
    found = [
        label_id
        for label_id, text in zip(prompts.label_ids, prompts.texts, strict=True)
        if text in cut
    ]
    if found:
        limit = max(map(len, cut.values()))
        _log.warning(
            "prompts longer than the %d tokens that the model reads, and cut there: %d of %d, such "
            "as of %s. Shorten the descriptions, or leave {description} out of the template.",
            limit,
            len(found),
            len(prompts),
            _ids(list(dict.fromkeys(found))),
        )
    return len(found)


def _groups(pairs: Iterable[tuple[Hashable, str]]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Ids by what they have in common, where several do."""
    ids: dict[Hashable, list[str]] = {}
    for key, label_id in pairs:
        ids.setdefault(key, []).append(label_id)
    return [(key, some) for key, some in ids.items() if len(some) > 1]  # type: ignore[misc]


def _tell(groups: Sequence[str], what: str) -> None:
    if groups:
        more = f"; and {len(groups) - SHOWN} more groups" if len(groups) > SHOWN else ""
        _log.warning(
            "%s: %s%s. They split each other's score: remove all but one, or give them "
            "different names.",
            what,
            "; ".join(groups[:SHOWN]),
            more,
        )


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(map(repr, ids[:SHOWN])) + (" ..." if len(ids) > SHOWN else "")
