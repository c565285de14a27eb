"""Commands under ``zeroshelf labels`` that make labels trustworthy; parsing and printing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, SetName, option, with_common
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY
from queries.commands.options import TextWeight
from queries.commands.sentences import of_calibration, of_teaching

app = typer.Typer()

LabelledFile = Annotated[
    Path | None, typer.Argument(help="CSV with the columns item_id and label_id.", metavar="FILE")
]
Truth = Annotated[
    str | None,
    option(
        help="Key of the items' metadata with label ids, names or paths. Items without a value "
        "are left out."
    ),
]

Unknown = Annotated[
    list[str] | None,
    option(
        help="Value that means 'none of the labels', repeatable; '' too. Such items set the "
        "threshold of the unknown score."
    ),
]


@app.command("teach")
@with_common
def labels_teach(
    *,
    file: LabelledFile = None,
    truth: Truth = None,
    unknown: Unknown = None,
    forget: Annotated[bool, option("--forget", help="Forget all examples.")] = False,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Learn labels from labelled items, as far as cross-validation says that they help."""
    from indexer.catalog.opening import open_catalog
    from indexer.labels.examples import LabelledFolder
    from queries.teaching.teach import teach

    _refuse_both(forget, file, truth)
    with open_catalog(common.of_set(set), write=True) as catalog:
        if forget:
            LabelledFolder(catalog.folder.labels).save_items("taught", None)
            console.say(f"The labels of {common.catalog} have no examples any more.")
            return
        report = teach(catalog, truth=truth, file=file, unknown=unknown or ())
    if output == Output.TABLE:
        console.say_all(of_teaching(report, set))
    else:
        console.show_rows([_flat(asdict(report))], output)


@app.command("calibrate")
@with_common
def labels_calibrate(
    *,
    file: LabelledFile = None,
    truth: Truth = None,
    unknown: Unknown = None,
    target_precision: Annotated[
        float | None,
        option(min=0.5, max=0.999, help="Also say from which score on so many labels are right."),
    ] = None,
    text_weight: TextWeight = None,
    forget: Annotated[bool, option("--forget", help="Go back to the model's own scores.")] = False,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Fit scores to labelled items, and measure how far they are off; 200 are a good number."""
    from indexer.catalog.opening import open_catalog
    from indexer.labels.examples import LabelledFolder
    from queries.deciding.settings import Settings
    from queries.teaching.calibrate import calibrate

    settings = Settings(target_precision=target_precision, text_weight=text_weight)
    _refuse_both(forget, file, truth)
    with open_catalog(common.of_set(set), write=True) as catalog:
        if forget:
            LabelledFolder(catalog.folder.labels).save_items("calibrating", None)
            LabelledFolder(catalog.folder.labels).save_items("unknown", None)
            console.say(f"The scores of {common.catalog} are the model's own.")
            return
        report = calibrate(
            catalog, truth=truth, file=file, unknown=unknown or (), settings=settings
        )
    if output == Output.TABLE:
        console.say_all(of_calibration(report, target_precision, set))
        return
    facts = _flat(report.facts())
    if target_precision is None:
        thresholds = ("min_score", "titled_min_score", "coverage", "more_items")
        facts = {name: facts[name] for name in facts if name not in thresholds}
    if report.more_items is None:
        facts.pop("more_items", None)
    if not report.titled_items:
        facts = {name: facts[name] for name in facts if not name.startswith("titled")}
    console.show_rows([facts], output)


@app.command("background")
@with_common
def labels_background(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(help="Names, one a line. Default: the list that ships.", metavar="FILE"),
    ] = None,
    vectors: Annotated[
        Path | None, option(help="Their vectors as given (.npy), rows in the file's order.")
    ] = None,
    forget: Annotated[bool, option("--forget", help="Go without a background.")] = False,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    common: CatalogOptions,
) -> None:
    """Tell unknown items by a vocabulary of things that are not the labels."""
    from indexer.jobs.background import remove_background, save_background

    common = common.of_set(set)
    if forget:
        if file is not None or vectors is not None:
            raise UsageError("--forget goes without a FILE and without --vectors.")
        remove_background(common)
        console.say(f"Catalog {common.catalog} has no background vocabulary any more.")
        return
    with console.watched("Embedding names") as watch:
        count = save_background(common, file, vectors=vectors, watch=watch)
    console.say(f"Catalog {common.catalog} has a background vocabulary of {count:,} names.")


def _flat(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a report as one row, with a column for each figure of unknown items."""
    for prefix in ("", "titled_"):
        figures = facts.pop(f"{prefix}unknown_figures") or {}
        names = {"above": "unknown_above", "auroc": "unknown_auroc"}
        facts |= {f"{prefix}{names.get(name, name)}": figures[name] for name in figures}
    return facts


def _refuse_both(forget: bool, file: Path | None, truth: str | None) -> None:
    if forget and (file is not None or truth is not None):
        raise UsageError("--forget goes without a FILE and without --truth.")
