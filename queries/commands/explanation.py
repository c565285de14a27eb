"""The command that explains a label; parsing and printing, no logic."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import SetName, option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY
from queries.commands.options import Partition, with_question
from queries.commands.sentences import of_separation
from queries.deciding.question import Question

if TYPE_CHECKING:
    from queries.explanation.explanation import Explanation

app = typer.Typer()


class ExplainOutput(StrEnum):
    """How an explanation is printed."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


class HeatMapMethod(StrEnum):
    """How the parts of a picture that matter are found."""

    OCCLUSION = "occlusion"
    ATTENTION = "attention"
    NONE = "none"


@app.command()
@with_common
@with_reading
@with_question
def explain(
    *,
    input: Annotated[  # noqa: A002 - the argument's name in the help
        str | None, typer.Argument(help="A picture (path or URL), or a text.")
    ] = None,
    text: Annotated[bool, option("--text", help="The input is a text.")] = False,
    item: Annotated[str | None, option("--item", help="Id of a stored item instead.")] = None,
    title: Annotated[str, option("--title", help="What is said of the picture.")] = "",
    neighbours: Annotated[int, option(min=0, help="Labelled items that are shown.")] = 8,
    question: Question,
    partition: Partition = None,
    heat_map: Annotated[
        HeatMapMethod,
        option(
            help="Where in a picture it shows. occlusion asks the whole decision, by 182 forward "
            "passes; attention is quick, for CLIP's ViT only."
        ),
    ] = HeatMapMethod.NONE,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    reading: Reading,
    output: Annotated[
        ExplainOutput, option("--output", help="How the explanation is printed.")
    ] = ExplainOutput.TABLE,
    common: CatalogOptions,
) -> None:
    """Show why a picture, a sound, a text or an item gets its label."""
    _refuse_unclear(question, input, item, title=title, text=text)
    from indexer.catalog.opening import open_catalog
    from queries.explanation import subjects
    from queries.explanation.explain import explain as reasons
    from queries.inputs.query import refuse_absent
    from queries.pages.explain import explain_page
    from queries.pages.parts import Pictures

    if input is not None and not text:
        refuse_absent([input])  # before a model is loaded for nothing
    decoder = reading.decoder()
    with (
        reading.fetcher() as fetcher,
        open_catalog(common.of_set(set)) as catalog,
    ):
        if item is not None:
            subject = subjects.item_subject(
                catalog, item, partition=partition, decoder=decoder, fetcher=fetcher
            )
        elif text:
            subject = subjects.text_subject(catalog, input or "")
        else:
            subject = subjects.content_subject(
                catalog, input or "", title=title, decoder=reading.contents(), fetcher=fetcher
            )
        explanation = reasons(
            catalog,
            subject,
            question,
            neighbours=neighbours,
            partition=partition,
            heat_map=heat_map.value,
        )
        if output == ExplainOutput.HTML:
            pictures = Pictures(fetcher, decoder)
            page = explain_page(
                explanation, pixels=subject.pixels, catalog=common.catalog, pictures=pictures
            )
            sys.stdout.write(page)
        elif output == ExplainOutput.JSON:
            console.print_json(as_json(explanation))
        else:
            _show(explanation)


def _refuse_unclear(
    question: Question, source: str | None, item: str | None, *, title: str, text: bool
) -> None:
    """Refuse options that do not go together."""
    if question.settings.coverage is not None:
        raise UsageError(
            "--coverage gives sets of labels, and explain tells why one label is decided: leave "
            "it out. zeroshelf classify --coverage shows the set."
        )
    if (source is None) == (item is None) or (text and item is not None):
        raise UsageError("give a picture, or --text and a text, or --item ID: one of them.")
    if title and (text or item is not None):
        raise UsageError("--title is for a picture: a stored item brings its own, a text has none.")


def as_json(explanation: Explanation) -> dict[str, Any]:
    """An explanation as JSON values; grids as lists of rows."""
    values = asdict(explanation)
    if explanation.heat_map is not None:
        grids = ("winner", "runner_up", "rather", "opposite")
        found_grids = {name: getattr(explanation.heat_map, name) for name in grids}
        values["heat_map"] |= {
            name: None if grid is None else grid.round(4).tolist()
            for name, grid in found_grids.items()
        }
    return values


def _decides(deciding: int | None, place: int) -> dict[str, str]:
    """The column of the part that decides alone; none where all do."""
    return {} if deciding is None else {"decides": "alone" if place == deciding else ""}


def _show(explanation: Explanation) -> None:
    rows: list[dict[str, Any]] = [
        {
            "label": entry.label,
            "score": entry.score,
            "similarity": entry.similarity,
            "status": entry.status,
        }
        for entry in explanation.predictions
    ]
    console.show_rows(rows, "table", title=f"Labels of {explanation.input}")
    if explanation.views:
        has_places = any(view.place for view in explanation.views)
        has_boxes = any(view.box for view in explanation.views)
        views = [
            {
                "part" if has_places else "picture": view.place
                or ("whole picture" if has_boxes else view.part_id)
            }
            | {"alone": view.label, "score": view.score}
            | {f"score of {explanation.winner.label}": view.winner_score}
            | _decides(explanation.deciding, place)
            for place, view in enumerate(explanation.views)
        ]
        title = "Its parts, each alone" if has_places else "Its pictures, each alone"
        console.show_rows(views, "table", title=title)
    if explanation.title is not None:
        says = explanation.title
        facts = {
            "title": says.title,
            "its best label alone": says.label,
            "best label of the picture alone": f"{says.picture_label}, {says.picture_score:.4f}",
            "share of the title in the scores": says.weight,
        }
        console.show_facts(facts, title="What the title adds")
    if explanation.separation is not None:
        names = [
            "none of them" if entry is None else entry.label
            for entry in (explanation.winner, explanation.runner_up)
        ]
        console.say_all(of_separation(explanation.separation, *names))
    prompts = [
        {"label": entry.leaf or entry.label, "prompt": prompt.text, "similarity": prompt.similarity}
        for entry in (explanation.winner, explanation.runner_up)
        if entry is not None
        for prompt in entry.prompts
    ]
    if prompts:
        console.show_rows(prompts, "table", title="Prompts")
    if explanation.words:
        where = "Words of the title" if explanation.title is not None else "Words"
        console.show_rows([asdict(entry) for entry in explanation.words], "table", title=where)
    if explanation.neighbours:
        shown = ("similarity", "item_id", "title", "label", "origin")
        near = [{name: getattr(entry, name) for name in shown} for entry in explanation.neighbours]
        console.show_rows(near, "table", title="Nearest items")
    for note in explanation.notes:
        console.say(note)
    if explanation.heat_map is not None:
        console.say("The heat map is part of --output html and json.")
