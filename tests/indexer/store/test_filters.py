"""Users' filters of metadata: lists for Milvus Lite, and columns that no item has."""

from __future__ import annotations

import pytest

from indexer.core.errors import UsageError
from indexer.store.filters import lists_as_comparisons, metadata_keys, require_keys


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ('metadata["a"] in ["x", "y"]', '(metadata["a"] == "x" or metadata["a"] == "y")'),
        ("metadata['a'] IN ['x']", "(metadata['a'] == 'x')"),
        ('metadata["a"] not in [1, -2.5]', '(metadata["a"] != 1 and metadata["a"] != -2.5)'),
        ('metadata["a"]["b"] in [true]', '(metadata["a"]["b"] == true)'),
        ('metadata["a"] in ["]", "x"]', '(metadata["a"] == "]" or metadata["a"] == "x")'),
        (
            'label == "mug" and (metadata["a"] in ["x","y"])',
            'label == "mug" and ((metadata["a"] == "x" or metadata["a"] == "y"))',
        ),
    ],
)
def test_a_list_of_metadata_is_comparisons(typed: str, given: str) -> None:
    """Milvus Lite takes ``in`` for fields only."""
    assert lists_as_comparisons(typed) == given


@pytest.mark.parametrize(
    "typed",
    [
        'label in ["a", "b"]',
        'title == "metadata[\\"a\\"] in [1]"',
        "title == 'metadata[\"a\"] in [1]'",
        'metadata["a"] in []',
        'metadata["a"] in [x]',
        'metadata["a"] == 1',
    ],
)
def test_all_else_stays(typed: str) -> None:
    """Fields, what stands in texts, and what is no list of values."""
    assert lists_as_comparisons(typed) == typed


def test_keys_of_a_filter() -> None:
    """Outside of texts, each once, escapes read."""
    typed = (
        """metadata["a"] == "metadata['b']" and metadata['c"d'] > 1 or metadata["a"]["e"] == 2"""
    )
    assert metadata_keys(typed) == ["a", 'c"d']


def test_an_unknown_column_is_told_with_near_ones() -> None:
    """It would find nothing, in silence."""
    require_keys('metadata["brand"] == "x"', {"brand"})
    with pytest.raises(UsageError, match="Did you mean 'brand'"):
        require_keys('metadata["brnd"] == "x"', {"brand", "colour"})
    with pytest.raises(UsageError, match="There are"):
        require_keys('metadata["zzz"] == "x"', {"brand", "colour"})
