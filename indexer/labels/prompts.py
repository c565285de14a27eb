"""Prompt templates: from a label to the texts that stand for it; pure.

Braces name what is filled in: ``{}``, ``{c}`` and ``{label}`` the name, ``{parent}``
the parent's name, ``{path}`` the names from the root joined by " > ", ``{description}``
the description; ``{{`` and ``}}`` are literal braces. Nothing else is: templates come
from users, so ``str.format`` with its attribute access never sees them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import string
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from indexer.core.errors import ConfigError
from indexer.core.kinds import Kind

if TYPE_CHECKING:
    from indexer.core.records import Label

DEFAULT_TEMPLATES = (
    "a photo of a {label}.",
    "a photo of the {label}.",
    "a close-up photo of a {label}.",
    "a product photo of a {label}.",
    "a {label} on a white background.",
    "a photo of a {label}, a type of {parent}.",
)
"""A small ensemble for product pictures, averaged after encoding.

The first three are of OpenAI's ImageNet prompts and "a type of" is their form for
sets of one domain (pets, food, flowers, aircraft): Radford et al. 2021, "Learning
Transferable Visual Models From Natural Language Supervision", arXiv:2103.00020,
section 3.1.4. The other two say what catalog pictures look like.
"""

SOUND_TEMPLATES = ("This is a sound of {}.",)
"""The prompt that CLAP is evaluated with: Wu et al. 2023, "Large-Scale Contrastive Language-Audio
Pretraining with Feature Fusion and Keyword-to-Caption Augmentation", arXiv:2211.06687; also the
default of transformers' pipeline ``zero-shot-audio-classification``."""

TEXT_TEMPLATES = ("{}",)
"""For catalogs of texts: sentence models compare meanings, so the bare name is the prompt."""


def default_templates(kind: Kind) -> tuple[str, ...]:
    """Prompt templates that suit a model, by what it embeds beside texts."""
    return {Kind.PICTURE: DEFAULT_TEMPLATES, Kind.SOUND: SOUND_TEMPLATES}.get(kind, TEXT_TEMPLATES)


class Pooling(StrEnum):
    """How the scores of a label's prompts become the label's."""

    MEAN = "mean"
    MAX = "max"


_NAME_FIELDS = frozenset({"", "c", "label"})
_FIELDS = _NAME_FIELDS | {"parent", "path", "description"}
_DISTINGUISHING = _FIELDS - {"parent"}
_ALLOWED = "{}, {c}, {label}, {parent}, {path}, {description}"
_LITERAL = "A brace that is meant as text is written twice: {{ or }}."

Part = tuple[str, str | None]
"""Literal text, then the field that follows it (None after the last text)."""


def check_templates(templates: Sequence[str]) -> None:
    """Check each template and that there is one at all.

    Raises:
        ConfigError: names the template, the cause and the remedy.
    """
    if not templates:
        raise ConfigError("No prompt template is given: give at least one, such as 'a {label}'.")
    for template in templates:
        check_template(template)


def check_template(template: str) -> None:
    """Check that a template has only known placeholders and tells labels apart.

    Raises:
        ConfigError: names the template, the cause and the remedy.
    """
    fields = _parse(template)
    if not {name for _, name in fields} & _DISTINGUISHING:
        raise ConfigError(
            f"Prompt template {template!r} gives different labels the same text: "
            "put {label} where the name belongs."
        )


def prompts_for(
    label: Label, templates: Sequence[str], *, synonyms: bool = False
) -> tuple[str, ...]:
    """Texts that stand for a label, in template order, each once.

    A template with ``{parent}`` or ``{description}`` is left out for a label that has
    none. Where no template is left, the bare name is the prompt. In prompts underscores
    are spaces (``tank_top``), and names and descriptions lose the mark that ends a
    sentence: the template brings its own.

    Args:
        label: what to describe.
        templates: as ``check_template`` accepts them.
        synonyms: also fill every template that has the name with each synonym. Off by
            default: in a mean of prompts a label with many synonyms drifts from its name.

    Raises:
        ConfigError: a template is not valid.
    """
    name = _plain_words(label.name)
    values = {
        "parent": _plain_words(label.path[-2]) if len(label.path) > 1 else "",
        "path": " > ".join(map(_plain_words, label.path)),
        "description": _plain_words(label.description, underscores=True),
    }
    parsed = [_parse(template) for template in templates]
    texts = [_fill(fields, values, name) for fields in parsed]
    if synonyms:
        naming = [fields for fields in parsed if any(name in _NAME_FIELDS for _, name in fields)]
        for synonym in map(_plain_words, label.synonyms):
            texts += [_fill(fields, values, synonym) for fields in naming if synonym]
    return tuple(dict.fromkeys(prompt for prompt in texts if prompt)) or (name,)


def prompts_hash(prompts: Sequence[str]) -> str:
    """Hash of all that a label's vector comes from: its prompts, in order.

    Two labels with equal prompts have equal hashes, and a template that doesn't reach
    a label (``{parent}`` at a root) doesn't change its hash: no embedding is made again.

    Returns:
        BLAKE2b with 128 bits as 32 hex digits.
    """
    content = "prompts " + json.dumps(list(prompts))
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _fill(template: tuple[Part, ...], values: dict[str, str], name: str) -> str:
    """The prompt, or an empty text where a field has no value."""
    pieces: list[str] = []
    for literal, field in template:
        pieces.append(literal)
        if field is not None:
            value = name if field in _NAME_FIELDS else values[field]
            if not value:
                return ""
            pieces.append(value)
    return " ".join("".join(pieces).split())


def _plain_words(text: str, *, underscores: bool = False) -> str:
    """A name or description as it is put into a sentence."""
    words = " ".join((text if underscores else text.replace("_", " ")).split())
    return words.rstrip(".?! ") or words or text.strip()


@lru_cache(maxsize=1024)
def _parse(template: str) -> tuple[Part, ...]:
    try:
        return tuple(_parts(template))
    except ValueError as error:
        raise ConfigError(
            f"Prompt template {template!r} has a brace without its partner ({error}). {_LITERAL}"
        ) from error


def _parts(template: str) -> Iterator[Part]:
    for literal, field, spec, conversion in string.Formatter().parse(template):
        if field is not None and (field not in _FIELDS or spec or conversion):
            written = (
                field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            )
            raise ConfigError(_unknown(template, written))
        yield literal, field


def _unknown(template: str, written: str) -> str:
    near = difflib.get_close_matches(written.lower(), sorted(_FIELDS - {""}), n=1)
    guess = f" Did you mean {{{near[0]}}}?" if near else ""
    return (
        f"Prompt template {template!r} has the unknown placeholder {{{written}}}.{guess} "
        f"These can be used, as they stand: {_ALLOWED}. {_LITERAL}"
    )
