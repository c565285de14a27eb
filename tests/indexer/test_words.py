"""What a text and a query become for SQLite's full text search, tried in FTS5 itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.errors import UsageError
from indexer.core.words import MAX_TERMS, TOKENIZER, indexed_text, query_expression

Finder = Callable[..., list[str]]


def found(texts: Sequence[str], words: str, without: Sequence[str] = ()) -> list[str]:
    """The texts that a query finds, the best first."""
    database = sqlite3.connect(":memory:")
    database.execute(f'CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = "{TOKENIZER}")')
    database.executemany(
        "INSERT INTO texts (rowid, text) VALUES (?, ?)",
        [(row, indexed_text(text)) for row, text in enumerate(texts)],
    )
    expression = query_expression(words, without)
    if not expression:
        return []
    rows = database.execute(
        "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank", (expression,)
    )
    return [texts[row] for (row,) in rows]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mug AB-1234/X", "ab-1234/x"),
        ("Mug AB-1234/X", "AB1234X"),
        ("Mug AB-1234/X", "1234"),
        ("a striped T-Shirt", "tshirt"),
        ("Women's coat", "womens"),
        ("caf\u00e9 au lait", "CAFE"),
        ("\uff21\uff22 full width", "ab"),
        ("\u7ea2\u8272\u8fde\u8863\u88d9 \u590f\u5b63", "\u8fde\u8863\u88d9"),
        ("\u7ea2\u8272\u8fde\u8863\u88d9 \u590f\u5b63", "\u7ea2"),
        ("\u8d64\u3044\u30ef\u30f3\u30d4\u30fc\u30b9", "\u30ef\u30f3\u30d4\u30fc\u30b9"),
        (
            "\u0e40\u0e2a\u0e37\u0e49\u0e2d\u0e2a\u0e35\u0e41\u0e14\u0e07",
            "\u0e2a\u0e35\u0e41\u0e14\u0e07",
        ),
        ("party \U0001f389shirt", "\U0001f389"),
        ("\u0928\u0940\u0932\u0940 \u0915\u092e\u0940\u091c", "\u0915\u092e\u0940\u091c"),
    ],
)
def test_a_text_is_found_by_its_words(text: str, words: str) -> None:
    """Codes with and without their hyphens, accents, scripts without spaces, symbols."""
    assert found([text, "something else entirely", "another"], words) == [text]


@pytest.mark.parametrize(
    "words",
    ['"', 'a" OR b', "NEAR(a b, 3)", "a AND NOT b", "text: a", "^a", "a*", "{a b}: c", "-a", "()"],
)
def test_operators_are_words(words: str) -> None:
    """Nothing that is typed is read as an operator of FTS5."""
    assert "zebra" not in found(["zebra", "a b"], words)


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=3))
def test_no_query_is_an_error(words: str, without: list[str]) -> None:
    """Whatever is typed, FTS5 takes it."""
    found(["a striped mug", "\u7ea2\u8272"], words, without)


@given(st.text(alphabet="abz\u00fc\u00df\u0416\u03bb\u7ea2\u304279", min_size=1, max_size=20))
def test_a_word_finds_itself(word: str) -> None:
    """A text is found by itself, in any script."""
    assert found([word, "  "], word) == [word]


def test_unwanted_phrases_are_left_out() -> None:
    """A phrase is its words side by side; one of them alone leaves nothing out."""
    texts = ["dark blue mug", "blue mug", "dark mug"]
    assert set(found(texts, "mug", ["dark blue"])) == {"blue mug", "dark mug"}
    assert set(found(texts, "mug", ["blue", "dark"])) == set()


def test_rare_words_count_more() -> None:
    """BM25: the item with the rare word comes before those with the frequent one."""
    texts = ["red mug", "red cup", "red bowl", "acme plate"]
    assert found(texts, "red acme")[0] == "acme plate"


def test_too_many_words_are_told() -> None:
    """FTS5 limits the depth of an expression."""
    with pytest.raises(UsageError, match="fewer"):
        query_expression(" ".join(f"word{number}" for number in range(MAX_TERMS + 1)))
