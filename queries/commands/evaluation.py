"""The command ``evaluate``; parsing and printing, no logic."""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, SetName, option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.commands.remedies import completed
from indexer.core.durable import write_text_durably
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY
from queries.commands.options import (
    Adapt,
    Coverage,
    Filter,
    OnlyLabels,
    Partition,
    TextWeight,
    UnderLabels,
    chosen_labels,
)
from queries.commands.sentences import MEASURES_IN_WORDS
from queries.deciding.question import Question
from queries.deciding.settings import Settings

if TYPE_CHECKING:
    from indexer.catalog.opening import OpenCatalog
    from queries.categorizing.categorize import Selection

app = typer.Typer()

_MISTAKES = 24
_CONFUSIONS = 5
"""The most frequent pairs in the terminal: the JSON has all."""


@app.command()
@with_common
@with_reading
def evaluate(
    *,
    table: Annotated[
        Path | None,
        typer.Argument(
            help="What categorize wrote: .parquet, .csv or .jsonl. Left out: categorizes now."
        ),
    ] = None,
    truth: Annotated[
        str | None,
        option(
            help="Column of the true labels (ids, names or paths), in the table or in the items' "
            "metadata. Items without a value are left out."
        ),
    ] = None,
    unknown: Annotated[
        list[str] | None,
        option(help="Value of the truth that means 'none of the labels', repeatable; '' too."),
    ] = None,
    slice: Annotated[  # noqa: A002 - the option's name is its key and variable too
        list[str] | None,
        option(help="Column of the table or the metadata to show the accuracy by, repeatable."),
    ] = None,
    labels: OnlyLabels = None,
    under: UnderLabels = None,
    include_taught: Annotated[
        bool,
        option(
            "--include-taught",
            help="Show each figure also with the items that were taught or calibrated on, which "
            "are left out.",
        ),
    ] = False,
    adapt: Adapt = True,
    text_weight: TextWeight = None,
    coverage: Coverage = None,
    filter: Filter = "",  # noqa: A002 - the option's name is its key and variable too
    partition: Partition = None,
    control_descriptions: Annotated[
        bool,
        option(
            "--control-descriptions",
            help="Also score random words in place of the descriptions in prompts (Roth et al. "
            "2023): do these help?",
        ),
    ] = False,
    to: Annotated[
        Path | None, option("--to", "--json", help="Write the whole evaluation as JSON.")
    ] = None,
    html: Annotated[
        Path | None, option(help="Write a report with plots and pictures: one file.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        option(metavar="A.json B.json", help="Only show how two written evaluations differ."),
    ] = None,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    reading: Reading,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Measure labels against a truth: accuracy, calibration, bias, confusions."""
    if compare is not None:
        _compare(*compare, output)
        return
    if truth is None:
        raise UsageError(
            "say with --truth which column has the true labels, or give --compare A.json B.json."
        )
    from queries.categorizing.categorize import Selection
    from queries.evaluation.categorized_items import LABELS_GIVEN
    from queries.evaluation.evaluate import as_json
    from queries.evaluation.evaluate import evaluate as job

    _refuse_unwritable(to, html)
    question = Question(
        labels=chosen_labels(labels, under),
        adapt=adapt,
        settings=Settings(text_weight=text_weight, coverage=coverage),
        limit=LABELS_GIVEN,
    )
    with (
        _opened(
            common.of_set(set),
            table,
            truth=truth,
            slices=slice or (),
            question=question,
            selection=Selection(filter_expression=filter, partition=partition),
        ) as (catalog, path),
        console.watched("Measuring") as watch,
    ):
        evaluation = job(
            catalog,
            path,
            truth=truth,
            unknown=unknown or (),
            slices=slice or (),
            restrict_to=question.labels,
            include_taught=include_taught,
            control=control_descriptions,
            adapt=adapt,
            watch=watch,
        )
        if html is not None:
            with reading.fetcher() as fetcher:
                decoder = reading.decoder()
                page = _page(catalog, evaluation, table, slice or (), fetcher, decoder)
                write_text_durably(html, page)
    if to is not None:
        write_text_durably(to, json.dumps(as_json(evaluation), ensure_ascii=False))
    _show(evaluation, output, {"report": html, "written to": to})


@contextlib.contextmanager
def _opened(
    common: CatalogOptions,
    table: Path | None,
    *,
    truth: str,
    slices: Sequence[str],
    question: Question,
    selection: Selection,
) -> Iterator[tuple[OpenCatalog, Path]]:
    """The catalog, and the table given or made."""
    from indexer.catalog.opening import open_catalog

    if table is not None:
        _refuse_decided(question, selection)
        with open_catalog(common) as catalog:
            yield catalog, table
        return
    from queries.evaluation.categorized_items import categorize_for_evaluation

    with tempfile.TemporaryDirectory() as folder, open_catalog(common, write=True) as catalog:
        with console.watched("Categorizing") as watch:
            path = categorize_for_evaluation(
                catalog,
                Path(folder),
                question,
                truth=truth,
                slices=slices,
                selection=selection,
                watch=watch,
            )
        yield catalog, path


def _refuse_decided(question: Question, selection: Selection) -> None:
    """Refuse options that decide on labels where a table has them already."""
    settings = question.settings
    for name, value in (("--text-weight", settings.text_weight), ("--coverage", settings.coverage)):
        if value is not None:
            raise UsageError(
                f"{name} is for items that are categorized: leave it or the table out."
            )
    if selection.filter_expression:
        raise UsageError("--filter chooses items to categorize: leave it or the table out.")
    if selection.partition is not None:
        raise UsageError(
            "--partition chooses items to categorize: leave it or the table out. --slice "
            "shows a table's accuracy by each partition."
        )


def _page(
    catalog: OpenCatalog,
    evaluation: Any,
    table: Path | None,
    slices: Sequence[str],
    fetcher: Any,
    decoder: Any,
) -> str:
    from queries.evaluation.mistakes import surest_mistakes
    from queries.pages.evaluation import evaluation_page
    from queries.pages.parts import Pictures

    command = [
        "zeroshelf evaluate",
        *([table.name] if table else []),
        f"--truth {evaluation.truth}",
    ]
    return evaluation_page(
        evaluation,
        surest_mistakes(catalog, evaluation.outcomes, limit=_MISTAKES),
        Pictures(fetcher, decoder),
        command=completed(" ".join([*command, *(f"--slice {name}" for name in slices)])),
    )


def _show(evaluation: Any, output: Output, files: Mapping[str, Path | None]) -> None:
    from queries.evaluation.evaluate import as_json

    if output != Output.TABLE:
        plain = as_json(evaluation)
        del plain["outcomes"]
        if output == Output.JSON:
            console.print_json(plain)
        else:
            console.show_rows([plain], output)
        return
    facts = _facts(evaluation)
    facts |= {name: str(path) for name, path in files.items() if path is not None}
    console.show_facts(facts, title=_title(evaluation))
    if evaluation.control is not None:
        _show_control(evaluation.control)
    for name, groups in {"level": evaluation.levels, **evaluation.slices}.items():
        rows = [
            {
                name: group.name,
                "items": group.items,
                "accuracy": group.acc1,
                "95% from": group.low,
                "to": group.high,
            }
            for group in groups
        ]
        if rows:
            console.show_table(rows, title=f"By {name}")
    _show_confusions(evaluation)


def _facts(evaluation: Any) -> dict[str, Any]:
    """The rows of the table: what was measured, and each figure that there is."""
    left_out = (
        f", {evaluation.unlabelled:,} without a truth left out" if evaluation.unlabelled else ""
    )
    unknowns = f", {evaluation.unknowns:,} of none of the labels" if evaluation.unknowns else ""
    low, high = evaluation.interval
    figures = {
        name: f"{value:.4f}"
        for name, value in evaluation.measures.items()
        if not math.isnan(value) and (evaluation.levels or not name.startswith("hierarchical"))
    }
    figures["acc1"] += f"  (95% interval {low:.4f} to {high:.4f})"
    if evaluation.with_taught is not None and not evaluation.of_training:
        for name in figures:
            figures[name] += f"; {evaluation.with_taught[name]:.4f} with those left out"
    training = {}
    if evaluation.taught + evaluation.calibrating:
        training["learnt from" if evaluation.of_training else "left out"] = _training_items(
            evaluation
        )
    return {
        "items": f"{evaluation.items:,} with a truth{unknowns}{left_out}",
        **training,
        "labels": f"{evaluation.labels:,}"
        + ("" if evaluation.labels_certain else " or more")
        + (f" of level {evaluation.level}, where truths are cut too" if evaluation.level else ""),
        **{MEASURES_IN_WORDS[name]: value for name, value in figures.items()},
    }


def _show_confusions(evaluation: Any) -> None:
    """Print which labels are given most often in place of which."""
    rows = [
        {
            "truth": evaluation.names[pair.truth_id],
            "given": evaluation.names.get(pair.predicted_id, pair.predicted_id) or "none",
            "items": pair.items,
        }
        for pair in evaluation.confusions[:_CONFUSIONS]
    ]
    if rows:
        more = len(evaluation.confusions) - len(rows)
        console.show_table(rows, title="Confused most often")
        if more:
            console.say(f"{more:,} more pairs of labels are confused: --to FILE writes all.")


def _title(evaluation: Any) -> str:
    of_set = "" if evaluation.label_set == CATEGORY else f", label set {evaluation.label_set},"
    return f"Catalog {evaluation.catalog}{of_set} against {evaluation.truth!r}"


def _training_items(evaluation: Any) -> str:
    counts = f"{evaluation.taught:,} that were taught, {evaluation.calibrating:,} calibrated on: "
    if evaluation.of_training:
        return counts + "no other item has a label as its truth"
    return counts + "the catalog has learnt from them"


def _show_control(control: Any) -> None:
    facts = {
        "with descriptions": f"{control.descriptions:.4f}",
        "random words instead": f"{control.random_words:.4f}  (mean of {control.draws} draws)",
        "names only": f"{control.names:.4f}",
        "gain over random words": f"{control.gain:+.4f}  (95% interval {control.low:+.4f} to "
        f"{control.high:+.4f})",
        "gain over names only": f"{control.names_gain:+.4f}  (95% interval "
        f"{control.names_low:+.4f} to {control.names_high:+.4f})",
    }
    console.show_facts(facts, title=f"Descriptions, {control.items:,} items without their titles")
    console.say(control.verdict)


def _compare(first_table: Path, second_table: Path, output: Output) -> None:
    from queries.evaluation.compare import compare as job
    from queries.evaluation.compare import load

    saved = load(first_table), load(second_table)
    with console.watched("Resampling") as watch:
        comparison = job(*saved, watch=watch)
    for path, count in (
        (first_table, comparison.only_first),
        (second_table, comparison.only_second),
    ):
        if count:
            console.say(f"{count:,} items are only in {path}: left out.")
    for note in comparison.notes:
        console.say(f"Note: {note}.")
    if output == Output.JSON:
        console.print_json(asdict(comparison))
        return
    rows: list[dict[str, Any]] = [asdict(difference) for difference in comparison.differences]
    if output == Output.TABLE:
        for row, difference in zip(rows, comparison.differences, strict=True):
            row |= {"measure": MEASURES_IN_WORDS[difference.measure]}
            row |= {"sure": "yes" if difference.sure else "no"}
    console.show_rows(
        rows, output, title=f"{second_table} against {first_table}, {comparison.items:,} items"
    )


def _refuse_unwritable(to: Path | None, html: Path | None) -> None:
    """Say before the work what would fail after it."""
    for path in (to, html):
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"folder {str(path.parent)!r} does not exist: make it first.")
    if html is not None:
        from queries.evaluation import plots

        plots.require()
