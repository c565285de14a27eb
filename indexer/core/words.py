"""Words of texts and of queries, as SQLite's full text search (FTS5) takes them; pure.

FTS5's own tokenizer ``unicode61`` folds case and accents and splits at everything that is no
letter, digit or symbol. This module adds what it lacks:

- Scripts without spaces (Chinese, Japanese, Korean, Thai): each character is a word, and a query
  asks for pairs of neighbours, as Lucene's CJK analyzer does.
- Codes and compounds: ``AB-1234/X`` is found by ``ab1234x`` too, and ``T-shirt`` by ``tshirt``.
- Queries: each word is quoted, so no operator of FTS5 (``OR``, ``NEAR``, ``*``, ``"``) works.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from indexer.core.errors import UsageError

RULES_VERSION = 1
"""Rises when texts are indexed otherwise, so that an index of earlier rules is made again."""

TOKENIZER = "unicode61 remove_diacritics 2 categories 'L* N* Co So'"

MAX_TERMS = 64
"""Terms of a query, at most: FTS5 limits the depth of an expression to 256."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_SYMBOL = re.compile(r"[\u2190-\u2bff\U0001f000-\U0001faff]")
_COMPOUND = re.compile(r"[^\W_]+(?:[-_./'\u2019][^\W_]+)+")
_JOINERS = re.compile(r"[-_./'\u2019]")
_MAX_COMPOUND = 64


def indexed_text(text: str) -> str:
    """A text with spaces between characters that are words, and its compounds joined.

    >>> indexed_text("T-shirt \u7ea2\u8272")
    'T-shirt  \u7ea2  \u8272  Tshirt'
    """
    text = unicodedata.normalize("NFKC", text)
    joined = [_joined(match[0]) for match in _COMPOUND.finditer(text)]
    return " ".join([_spaced(text), *filter(None, joined)])


def query_expression(words: str, without: Sequence[str] = (), *, every: bool = False) -> str:
    """An FTS5 expression that matches texts with the words; empty where there is no word.

    Args:
        words: as a person typed them.
        without: phrases that a text must not have.
        every: all of the words must be there; else any of them.

    Raises:
        UsageError: too many words.
    """
    terms = list(dict.fromkeys(_terms(words)))
    if len(terms) > MAX_TERMS:
        raise UsageError(
            f"the query has {len(terms)} words, and a search by words takes {MAX_TERMS}: give "
            "fewer, or search without --hybrid"
        )
    if not terms:
        return ""
    junction = " AND " if every else " OR "
    wanted_words = junction.join(f"({' OR '.join(spellings)})" for spellings in terms)
    unwanted = excluded_expression(without)
    return f"({wanted_words}) NOT ({unwanted})" if unwanted else wanted_words


def excluded_expression(without: Sequence[str]) -> str:
    """An FTS5 expression of texts that have one of the phrases; empty where there is none."""
    phrases: list[str] = []
    for words in without:
        text = unicodedata.normalize("NFKC", words)
        phrases += filter(None, [_quoted(_spaced(text)), _quoted(_joined(text.strip()))])
    return " OR ".join(dict.fromkeys(phrases))


def _terms(words: str) -> Iterator[tuple[str, ...]]:
    """The terms of a query, each in its spellings: a code is also meant without its joints."""
    for chunk in unicodedata.normalize("NFKC", words).split():
        for run in _UNSPACED_RUN.findall(chunk):
            yield from ((pair,) for pair in map(_quoted, _pairs(run)) if pair)
        for rest in _UNSPACED_RUN.sub(" ", chunk).split():
            spellings = tuple(filter(None, [_quoted(_spaced(rest)), _quoted(_joined(rest))]))
            if spellings:
                yield spellings


def _pairs(run: str) -> list[str]:
    """Neighbouring characters of a run without spaces; the character itself where it is one."""
    return [" ".join(run[at : at + 2]) for at in range(max(1, len(run) - 1))]


def _spaced(text: str) -> str:
    """Spaces around each character that is a word by itself."""
    text = _UNSPACED_RUN.sub(lambda run: f" {'  '.join(run[0])} ", text)
    return _SYMBOL.sub(lambda symbol: f" {symbol[0]} ", text)


def _joined(word: str) -> str:
    """A compound without its joiners; empty where the word is none."""
    if len(word) > _MAX_COMPOUND or not _COMPOUND.fullmatch(word):
        return ""
    return _JOINERS.sub("", word)


def _quoted(text: str) -> str:
    """A phrase as a string of FTS5; empty where the tokenizer finds no word in it."""
    if not any(unicodedata.category(letter)[0] in "LN" or _is_symbol(letter) for letter in text):
        return ""
    return '"' + " ".join(text.replace('"', " ").replace("\0", " ").split()) + '"'


def _is_symbol(letter: str) -> bool:
    return unicodedata.category(letter) in {"So", "Co"}
