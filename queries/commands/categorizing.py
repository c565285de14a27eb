"""The command that labels every stored item; parsing and printing, no logic."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.computing import Computing, with_computing
from indexer.commands.options import Output, Printed, option, with_common
from indexer.commands.tables import split_names
from indexer.core.label_sets import CATEGORY, set_option
from queries.commands.options import Filter, Partition, with_question
from queries.commands.outcome import ToTable
from queries.deciding.question import Question, ViewPooling

if TYPE_CHECKING:
    from queries.categorizing.categorize import CategorizeReport, SetReport
    from queries.deciding.calibrated_labels import Calibration

app = typer.Typer()


@app.command()
@with_common
@with_question
@with_computing
def categorize(
    *,
    to: ToTable,
    question: Question,
    partition: Partition = None,
    filter: Filter = "",  # noqa: A002 - the option's name is its key and variable too
    sets: Annotated[
        str | None,
        option(
            "--sets",
            metavar="NAME,NAME",
            help="Label sets to decide, separated by commas: category (the default) and others of "
            "the catalog. Columns of another set begin with its name.",
        ),
    ] = None,
    parts: Annotated[
        bool,
        option(
            "--parts",
            help="A row for each part of an item, decided by itself, with its place: windows of "
            "sounds, shots of videos, boxes, further pictures.",
        ),
    ] = False,
    write_back: Annotated[
        bool, option("--write-back", help="Store label and score on the items.")
    ] = False,
    computing: Computing,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Give every stored item its label, and write a table."""
    from indexer.catalog.opening import open_catalog
    from queries.categorizing.categorize import Selection
    from queries.categorizing.categorize import categorize as job

    cluster = computing.cluster()

    with (
        contextlib.redirect_stdout(sys.stderr),  # Ray tells there of workers that died
        open_catalog(common, write=True) as catalog,
        console.watched("Categorizing") as watch,
    ):
        report = job(
            catalog,
            to,
            question,
            sets=split_names(sets) if sets is not None else (),
            selection=Selection(filter_expression=filter, partition=partition),
            by_part=parts,
            write_back=write_back,
            cluster=cluster,
            csv_raw=console.csv_is_raw(),
            watch=watch,
        )
    if output != Output.TABLE:
        console.show_rows([asdict(report) | {"to": str(to)}], output)
        return
    only_category = report.label_set == CATEGORY and not report.others
    facts = {
        "parts" if parts else "items": report.items,
        **(_facts_of(report) if only_category else {}),
        "written to": str(to),
        **_by_best_part(report, question),
        **({"stored on the items": "yes"} if write_back else {}),
    }
    console.show_facts(facts, title=f"Catalog {common.catalog}")
    for of_set in () if only_category else (report, *report.others):
        console.show_facts(_facts_of(of_set), title=f"Label set {of_set.label_set}")


def _facts_of(report: CategorizeReport) -> dict[str, Any]:
    """What was decided of one label set, in words."""
    is_attribute = report.label_set != CATEGORY
    return {
        "labels": report.labels,
        "adapted to the catalog": _adapted(report),
        **({"share of the titles": report.text_weight} if report.text_weight else {}),
        "scores": "of the colours of pixels, where these were measured"
        if report.by_pixels
        else _scores(report.calibration, report.label_set),
        "accepted": _accepted(report),
        **_set_facts(report.sets),
        **({"by embeddings": _unmeasured(report)} if report.unmeasured else {}),
        **({"not applicable": report.not_applicable} if is_attribute else {}),
        **({"not visible": report.not_visible} if is_attribute else {}),
    }


def _by_best_part(report: CategorizeReport, question: Question) -> dict[str, str]:
    """How many items their best part decided, where any."""
    count = report.by_best_part
    if not count:
        return {}
    told = f"{count:,} item{'' if count == 1 else 's'}"
    if question.view_pooling is ViewPooling.AUTO:
        told += " with boxes; --view-pooling mean takes the mean of all parts"
    return {"decided by their best part": told}


def _unmeasured(report: CategorizeReport) -> str:
    return (
        f"{report.unmeasured:,} that are not measured: zeroshelf labels pixels --set "
        f"{report.label_set} measures pictures"
    )


def _set_facts(sets: SetReport | None) -> dict[str, Any]:
    """What a coverage gave, in words."""
    if sets is None:
        return {}
    return {
        "labels a set": f"{sets.mean_size:.2f} on the mean, {sets.largest:,} at most",
        "coverage of the sets": f"{sets.coverage:g} by {sets.calibrating_items:,} calibrating "
        f"items; {sets.sure_coverage:.3f} or more in nine of ten draws of so many",
    }


def _adapted(report: CategorizeReport) -> str:
    if not report.adapted:
        return "no"
    fitted = "" if report.fitted is None else f", fitted in this run: {report.fitted}"
    return f"yes{fitted}; the items' mean is taken off by {report.trust:.0%}"


def _accepted(report: CategorizeReport) -> str:
    """How many labels are accepted, and what that is worth."""
    from queries.deciding.calibration import UNCALIBRATED

    count = f"{report.accepted:,} of {report.items:,}"
    if report.calibration.calibrated or report.by_pixels:
        return count
    worth = f". {UNCALIBRATED}" if report.by_default_threshold else ". Uncalibrated"
    return count + worth


def _scores(calibration: Calibration, set_name: str = CATEGORY) -> str:
    """Whether scores are probabilities, and by what."""
    command = f"zeroshelf labels calibrate{set_option(set_name)}"
    if not calibration.calibrated:
        return (
            f"uncalibrated, no probabilities: {command} fits them to about 200 labelled items, and "
            "measures how far they are off"
        )
    if not calibration.items:
        return (
            "calibrated by cross-validation of the taught items; how far they are off is not "
            f"measured: {command}, with other labelled items, does"
        )
    return (
        f"calibrated on {calibration.items:,} labelled items; {_error(calibration, command)}"
        f"{_changed(calibration, command)}"
    )


def _error(calibration: Calibration, command: str) -> str:
    """How far the scores of held-out items are off."""
    if calibration.error is None:
        return f"how far they are off was not measured: {command} does"
    are = "were" if calibration.changed_labels else "are"
    points = f"held out, they {are} off by {100 * calibration.error:.1f} points on the mean"
    if calibration.is_exact:
        return f"{points}, no more than probabilities are by chance"
    return f"{points}, more than by chance: no probabilities"


def _changed(calibration: Calibration, command: str) -> str:
    """Whether labels are others than when the calibrating items were given."""
    if not calibration.changed_labels:
        return ""
    return (
        f". They were fitted to them again: {calibration.changed_labels:,} of "
        f"{calibration.labels:,} labels are others than when they were given; {command} takes new "
        "ones"
    )
