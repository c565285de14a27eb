"""Names of labels as words that can be compared; pure."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
_LINKS = frozenset({"a", "an", "and", "by", "for", "in", "of", "or", "other", "the", "to", "with"})
"""Words that say nothing of what a label holds."""

_ES_STEMS = ("ch", "sh", "ss", "x", "z")
_SINGULAR_S = ("ss", "us", "is", "os")


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in order: small letters, without accents, in the singular.

    A name without any letter or digit is a word itself, so that no label is without words.

    >>> words("Women's Dresses & Skirts")
    ('women', 'dress', 'skirt')
    """
    bare = unicodedata.normalize("NFKD", name.casefold().replace("'s", "").replace("\u2019s", ""))
    letters = "".join(letter for letter in bare if not unicodedata.combining(letter))
    spelled = _WORD.findall(letters)
    telling = [word for word in spelled if word not in _LINKS] or spelled
    return tuple(map(singular, telling)) or (name.strip(),)


def singular(word: str) -> str:
    """An English plural without its ending; other words as they are.

    >>> [singular(word) for word in ("batteries", "boxes", "shoes", "glass")]
    ['battery', 'box', 'shoe', 'glass']
    """
    if len(word) < 4 or not word.endswith("s") or word.endswith(_SINGULAR_S):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith("es") and word[:-2].endswith(_ES_STEMS):
        return word[:-2]
    return word[:-1]
