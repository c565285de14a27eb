"""Prompt templates: what they may say, and what a label makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.errors import ConfigError
from indexer.core.records import Label
from indexer.labels.prompts import (
    DEFAULT_TEMPLATES,
    TEXT_TEMPLATES,
    check_template,
    check_templates,
    prompts_for,
    prompts_hash,
)

ROOT = Label(label_id="clothing", name="clothing", path=("clothing",))
SHIRT = Label(
    label_id="shirt",
    name="t_shirt",
    path=("clothing", "t_shirt"),
    parent_id="clothing",
    description="A top with\nshort sleeves.",
    synonyms=("tee", "T-shirt"),
)


@pytest.mark.parametrize("template", ["a {}", "a {c}", "a {label}"])
def test_three_spellings_of_the_name(template: str) -> None:
    """``{}``, ``{c}`` and ``{label}`` are the same."""
    assert prompts_for(SHIRT, [template]) == ("a t shirt",)


def test_parent_path_and_description() -> None:
    """The other placeholders; a description comes without its full stop and line breaks."""
    template = "{path}: a {parent}, {description}."
    expected = "clothing > t shirt: a clothing, A top with short sleeves."
    assert prompts_for(SHIRT, [template]) == (expected,)


def test_literal_braces() -> None:
    """Doubled braces are text."""
    assert prompts_for(ROOT, ["{{{label}}}"]) == ("{clothing}",)


def test_equal_prompts_come_once() -> None:
    """Templates that give the same text count once, in template order."""
    assert prompts_for(ROOT, ["a {}", "the {}", "a {label}"]) == ("a clothing", "the clothing")


def test_template_without_value_is_left_out() -> None:
    """A root has no parent, and this one no description."""
    templates = ["a {}, a type of {parent}", "{}: {description}", "a {}"]
    assert prompts_for(ROOT, templates) == ("a clothing",)


def test_bare_name_where_no_template_is_left() -> None:
    """At least one prompt stays."""
    assert prompts_for(ROOT, ["a {} of {parent}"]) == ("clothing",)


def test_final_marks_of_a_name_are_dropped() -> None:
    """A data set's intent "reverted_card_payment?" is spoken without its mark."""
    label = Label(label_id="x", name="reverted_card_payment?", path=("x",))
    assert prompts_for(label, TEXT_TEMPLATES) == ("reverted card payment",)


@pytest.mark.parametrize("name", ["?!", "_"])
def test_name_of_marks_only_stays(name: str) -> None:
    """A name that is nothing but marks is not emptied."""
    assert prompts_for(Label(label_id="x", name=name, path=(name,)), ["a {}"]) == (f"a {name}",)


def test_synonyms_are_off_by_default() -> None:
    """Only the name is spoken of."""
    assert prompts_for(SHIRT, ["a {}"]) == ("a t shirt",)


def test_synonyms_fill_templates_of_the_name() -> None:
    """Each synonym takes the name's place; a template without the name is not repeated."""
    prompts = prompts_for(SHIRT, ["a {}", "{description}"], synonyms=True)
    assert prompts == ("a t shirt", "A top with short sleeves", "a tee", "a T-shirt")


def test_values_are_not_templates() -> None:
    """Braces in a name stay text."""
    label = Label(label_id="x", name="{parent} {0}", path=("x",))
    assert prompts_for(label, ["a {}"]) == ("a {parent} {0}",)


@pytest.mark.parametrize("templates", [DEFAULT_TEMPLATES, TEXT_TEMPLATES])
def test_given_templates_are_valid(templates: tuple[str, ...]) -> None:
    """What ships passes its own check."""
    check_templates(templates)


def test_default_ensemble_for_a_label_with_parent() -> None:
    """Every default template speaks of a label below another."""
    assert len(prompts_for(SHIRT, DEFAULT_TEMPLATES)) == len(DEFAULT_TEMPLATES)


def test_unknown_placeholder_names_nearest_and_allowed() -> None:
    """A slip of the pen is answered with the right word."""
    with pytest.raises(ConfigError, match=r"\{lable\}.*mean \{label\}.*\{description\}"):
        check_template("a photo of a {lable}")


@pytest.mark.parametrize(
    "template",
    ["{label.__class__}", "{label[0]}", "{label!r}", "{label:>99999999}", "{0}", "{ label }"],
)
def test_format_tricks_are_refused(template: str) -> None:
    """No attributes, indexes, conversions, widths or positions."""
    with pytest.raises(ConfigError, match="unknown placeholder"):
        check_template(template)


@pytest.mark.parametrize("template", ["a {", "a }", "a {label", "{la{b}el}"])
def test_single_brace_is_refused(template: str) -> None:
    """The message says how a brace is written."""
    with pytest.raises(ConfigError, match="written twice"):
        check_template(template)


@pytest.mark.parametrize("template", ["", "a photo", "a kind of {parent}"])
def test_template_that_tells_no_labels_apart_is_refused(template: str) -> None:
    """All labels would have one vector."""
    with pytest.raises(ConfigError, match="same text"):
        check_template(template)


def test_no_templates_are_refused() -> None:
    """An ensemble of nothing has no mean."""
    with pytest.raises(ConfigError, match="at least one"):
        check_templates([])


def test_prompts_for_checks_placeholders_too() -> None:
    """A template that was never checked is still refused."""
    with pytest.raises(ConfigError):
        prompts_for(SHIRT, ["{label.name}"])


def test_hash_changes_with_a_prompt() -> None:
    """A new description counts where a template speaks of it."""
    other = Label(label_id="shirt", name="t_shirt", path=SHIRT.path, description="Other")
    assert prompts_hash(prompts_for(SHIRT, ["a {}: {description}"])) != prompts_hash(
        prompts_for(other, ["a {}: {description}"])
    )


def test_hash_ignores_what_no_prompt_says() -> None:
    """A new description costs no embedding where no template speaks of it."""
    other = Label(label_id="shirt", name="t_shirt", path=SHIRT.path, description="Other")
    assert prompts_hash(prompts_for(SHIRT, ["a {}"])) == prompts_hash(prompts_for(other, ["a {}"]))


@given(st.text())
def test_any_template_is_valid_or_refused(template: str) -> None:
    """Nothing but a ConfigError comes of hostile text."""
    try:
        check_template(template)
    except ConfigError:
        return
    assert all(prompts_for(SHIRT, [template]))


@given(st.text(min_size=1).filter(str.strip), st.lists(st.sampled_from(DEFAULT_TEMPLATES)))
def test_every_label_has_a_prompt(name: str, templates: list[str]) -> None:
    """At least one, none empty, none twice."""
    prompts = prompts_for(Label(label_id="x", name=name, path=(name,)), templates)
    assert prompts
    assert len(set(prompts)) == len(prompts)
