"""The command ``labels map``; parsing and printing, no logic."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, SetName, option, with_common
from indexer.core.label_sets import CATEGORY, sets_option

if TYPE_CHECKING:
    from indexer.labels.mapping_files import ResolvedMapping
    from queries.mapping.job import MappingResult
    from queries.mapping.mapping import TaxonomyMapping
    from queries.mapping.measures import MappingMeasures
    from queries.mapping.migration import MigrationReport

SHOWN = 20
"""Doubtful labels that a terminal shows."""

app = typer.Typer()


@app.command("map")
@with_common
def labels_map(
    *,
    from_: Annotated[str, option("--from", metavar="CATALOG|FILE", help="The labels to map.")],
    to: Annotated[str, option("--to", metavar="CATALOG|FILE", help="The labels to map them to.")],
    from_set: Annotated[
        str, option(metavar="NAME", help="Label set of --from, where that is a catalog.")
    ] = CATEGORY,
    to_set: Annotated[
        str, option(metavar="NAME", help="Label set of --to, where that is a catalog.")
    ] = CATEGORY,
    out: Annotated[
        Path | None,
        option("--out", help="Write a row a label: .csv, .parquet or .jsonl."),
    ] = None,
    mappings: Annotated[
        Path | None,
        option(
            help="Rules that decide where there is one: a table of label_id and target_id, or "
            "Shopify's published mappings (.yml, .json, .txt)."
        ),
    ] = None,
    same_ids: Annotated[
        bool,
        option(
            "--same-ids",
            help="An id means the same in both, as in two versions of one taxonomy.",
        ),
    ] = False,
    items: Annotated[
        str | None,
        option(
            "--items",
            metavar="CATALOG",
            help="Let the items of this catalog vote too. Default: the catalog of --from, where "
            "its items were categorized with --write-back.",
        ),
    ] = None,
    truth: Annotated[
        str | None,
        option(
            help="Key of these items' metadata with labels of --from: ids, paths or names. "
            "Default: what was decided."
        ),
    ] = None,
    no_items: Annotated[
        bool, option("--no-items", help="Go by texts alone; no model is loaded.")
    ] = False,
    min_score: Annotated[
        float | None,
        option(min=0.0, max=1.0, help="Score from which a mapping is accepted."),
    ] = None,
    compare: Annotated[
        Path | None,
        option(help="Only measure: compare with the rules of a file, as --mappings reads it."),
    ] = None,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Map the labels of one taxonomy to those of another.

    Labels are compared by names, synonyms and paths, from the roots down. Doubtful ones have the
    status review.
    """
    from queries.categorizing.tables import TableWriter
    from queries.mapping.job import MappingOptions, map_labels
    from queries.mapping.mapper import ACCEPTED_FROM

    writer = None if out is None else TableWriter(out, csv_raw=console.csv_is_raw())
    how = MappingOptions(
        rules=mappings,
        compare=compare,
        items=items,
        truth=truth,
        by_items=not no_items,
        same_ids=same_ids,
        min_score=ACCEPTED_FROM if min_score is None else min_score,
        from_set=from_set,
        to_set=to_set,
    )
    with console.watched("Embedding prompts") as watch:
        result = map_labels(from_, to, how, catalogs=common, watch=watch)
    mapping = result.mapping
    if writer is not None:
        with writer:
            writer.write(mapping.table())
    if output != Output.TABLE:
        console.show_rows(mapping.table().to_pylist(), output)
    else:
        _show(mapping, out, same_ids=same_ids)
    _tell_items(result, from_)
    if mapping.published is not None:
        _tell_rules(mapping.published)
    if result.compared is not None:
        rules, measures = result.compared
        _tell_rules(rules)
        _show_measures(measures)


@app.command("migrate")
@with_common
def labels_migrate(
    *,
    file: Annotated[str, typer.Argument(help="The new labels, as labels add --replace has them.")],
    mapping: Annotated[
        Path,
        option(
            help="From the present labels to the new ones: what labels map wrote, or Shopify's "
            "published mappings. A label without a rule keeps its id where the file has it."
        ),
    ],
    vectors: Annotated[
        Path | None, option(help="Label vectors as given (.npy), rows in the file's order.")
    ] = None,
    dry_run: Annotated[bool, option("--dry-run", help="Only show what would be moved.")] = False,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Change to another taxonomy: examples, verdicts and decisions move to the new labels."""
    from queries.mapping.migration import migrate

    with console.watched("Embedding prompts") as watch:
        report = migrate(
            common.of_set(set), file, mapping, vectors=vectors, dry_run=dry_run, watch=watch
        )
    if output != Output.TABLE:
        console.show_rows([asdict(report)], output)
        return
    _tell_migration(report, set, dry_run=dry_run)


def _tell_migration(report: MigrationReport, set_name: str, *, dry_run: bool) -> None:
    """Print what was moved, and what was not."""
    if report.is_done:
        console.say("This migration is done already: nothing is moved again.")
        return
    console.show_facts(
        {
            "labels": report.labels,
            "mapped by a rule": report.mapped,
            "kept by their id": report.kept_ids,
            "without a counterpart": report.without,
        },
        title="What would be moved" if dry_run else "Moved to the new labels",
    )
    rows = [
        {"kind": kind, "moved": report.moved[kind], "left": report.left[kind]}
        for kind in report.moved
    ]
    console.show_rows(rows, Output.TABLE)
    if report.split:
        console.say(
            f"{report.split:,} labels have a rule with several targets: what items had of them is "
            "at the first of these now, and gates name all. Look at it by review."
        )
    if report.inner:
        console.say(
            f"{report.inner:,} taught or calibrating items have a label now that has others below "
            "it: only leaves are learnt. Give them a finer label to count again."
        )
    if report.left_file is not None and not dry_run:
        console.say(
            f"What is left has no counterpart; {report.left_file} lists it. Give those items new "
            "labels by review. labels teach and labels calibrate take a whole file: it replaces "
            "what was moved, too."
        )
    if not dry_run:
        console.say(
            "Next: zeroshelf categorize --to categories.parquet --write-back"
            f"{sets_option(set_name)}"
        )


def _tell_items(result: MappingResult, source: str) -> None:
    """Say how many items voted, or why none did."""
    if result.votes is not None:
        items = result.votes.items
        console.say(f"{items.sum():,} items of {(items > 0).sum():,} labels voted.")
    if result.unlabelled:
        console.say(
            f"The items of {source} have no labels yet, so texts decided alone. Their votes come "
            "with --truth COLUMN, or after: zeroshelf categorize --write-back"
        )


def _show(mapping: TaxonomyMapping, out: Path | None, *, same_ids: bool) -> None:
    """Print counts and the most doubtful labels."""
    from queries.mapping.mapper import MappingStatus

    counts = {status.value: mapping.count(status) for status in MappingStatus}
    console.show_facts(
        {"labels": len(mapping.rows), "targets": len(mapping.target)} | counts,
        title="Mapped labels",
    )
    doubtful = sorted(
        (row for row in mapping.rows if row.status is MappingStatus.REVIEW),
        key=lambda row: row.score,
    )
    shown = [
        {
            "label": mapping.source.path(row.place),
            "to": mapping.target.path(row.target),
            "score": f"{row.score:.2f}",
            "why": row.why,
        }
        for row in doubtful[:SHOWN]
    ]
    if shown:
        console.show_rows(shown, Output.TABLE, title="To review, the most doubtful first")
    if out is not None:
        console.say(f"All {len(mapping.rows):,} labels are in {out}.")
    elif len(doubtful) > SHOWN:
        console.say(f"... and {len(doubtful) - SHOWN:,} more to review: --out FILE has all.")
    if mapping.shared_ids and not same_ids:
        console.say(
            f"{mapping.shared_ids:,} ids are in both, and were not gone by: --same-ids does, where "
            "both are versions of one taxonomy."
        )


def _tell_rules(rules: ResolvedMapping) -> None:
    """Say which rules of a file were taken, and which were not."""
    console.say(f"Rules{f' of {rules.name}' if rules.name else ''}: {len(rules.targets):,} taken.")
    for names, problem in (
        (rules.unknown_sources, "name a label that --from lacks"),
        (rules.unknown_targets, "targets are not in --to"),
        (rules.lost, "labels have no target that exists"),
        (rules.undecided, "labels have a row that is not accepted"),
    ):
        if names:
            console.say(f"{len(names):,} {problem}, such as {', '.join(names[:3])}.")


def _show_measures(measures: MappingMeasures) -> None:
    """Print how well the mapping agrees with published rules."""
    console.show_facts(
        {
            "labels with a rule": measures.labels,
            "exactly as the rule": f"{measures.exact:.1%}",
            "as the rule, its parent, child or sibling": f"{measures.near:.1%}",
            "accepted": f"{measures.accepted:.1%}, of these exact {measures.accepted_exact:.1%}",
            "coverage at 95% exact": f"{measures.coverage:.1%}, from {measures.coverage_from:.2f}",
        },
        title="Against the rules",
    )
    console.show_rows(
        [
            {"score from": band.start, "labels": band.labels, "exact": f"{band.right:.1%}"}
            for band in measures.bands
        ],
        Output.TABLE,
    )
