"""The pure parts of the store: expressions, batches, cutting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.records import key_of
from indexer.store.checks import MAX_BATCH_BYTES, batches, cut
from indexer.store.expressions import KEYS_PER_EXPRESSION, key_expressions, key_in


@pytest.mark.parametrize("key", ["", "a", "A" * 32, "0" * 31 + '"', "0" * 33, "0" * 32 + "\n"])
def test_only_keys_stand_in_expressions(key: str) -> None:
    """Anything but 32 hex digits is refused."""
    with pytest.raises(ValueError, match="is not a key"):
        key_in([key])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_expressions_hold_each_key_once(identifiers: list[str]) -> None:
    """All keys, no other text, whatever the ids are."""
    expressions = list(key_expressions(identifiers))
    keys = [key for text in expressions for key in text[len('key in ["') : -2].split('", "')]
    assert keys == list(dict.fromkeys(map(key_of, identifiers)))


def test_expressions_are_bounded() -> None:
    """A long list of ids makes several."""
    assert len(list(key_expressions(map(str, range(2 * KEYS_PER_EXPRESSION + 1))))) == 3


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 40))
def test_cut_keeps_whole_characters(text: str, limit: int) -> None:
    """The longest start of the text that fits, never half a character."""
    kept = cut(text, limit)
    assert text.startswith(kept)
    assert len(kept.encode()) <= limit
    assert kept == text or len((kept + text[len(kept)]).encode()) > limit


def test_batches_keep_rows_in_order() -> None:
    """Every row once, in order, never more than asked for."""
    rows = [{"key": str(number)} for number in range(25)]
    found = list(batches(rows, 10))
    assert [len(batch) for batch in found] == [10, 10, 5]
    assert [row for batch in found for row in batch] == rows


def test_batches_stay_below_the_message_limit() -> None:
    """Wide rows make smaller batches; a row that is too wide by itself goes alone."""
    vector = np.zeros(MAX_BATCH_BYTES // 4 // 3, np.float32)
    found = list(batches([{"vector": vector, "key": str(number)} for number in range(7)], 1_000))
    assert [len(batch) for batch in found] == [2, 2, 2, 1]
    assert len(list(batches([{"vector": np.tile(vector, 4)}] * 2, 1_000))) == 2
