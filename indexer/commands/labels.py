"""The commands under ``zeroshelf labels``; parsing and printing, no logic."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, SetName, option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY, set_option

if TYPE_CHECKING:
    from indexer.jobs.label_plan import LabelPlan
    from indexer.labels.sets import LabelChanges

SHOWN_CHANGES = 100
"""Rows of a dry run that a terminal shows."""

app = typer.Typer(no_args_is_help=True, help="Manage the labels of a catalog.")


@app.command("add")
@with_common
def labels_add(
    *,
    file: Annotated[
        str,
        typer.Argument(
            help=".txt, .csv, .tsv, .jsonl, .json, .yaml, .xml, .xlsx, .parquet or SKOS; also "
            "packed, and at an address."
        ),
    ],
    template: Annotated[
        list[str] | None,
        option(help="Prompt template, repeatable: {}, {c}, {label}, {parent}, {path}, ..."),
    ] = None,
    template_file: Annotated[
        str | None,
        option(help="A file of templates: one a line, a JSON list, or CLIP_benchmark's."),
    ] = None,
    dataset: Annotated[
        str, option(help="Which names to take, where a file has those of several data sets.")
    ] = "",
    create_parents: Annotated[
        bool, option("--create-parents", help="Make root labels of parents that have no row.")
    ] = False,
    synonyms: Annotated[
        bool | None,
        option(
            "--synonyms/--no-synonyms",
            help="Fill the templates with each synonym too, beside the name. Default: as the "
            "labels that are there; without, for the first ones.",
        ),
    ] = None,
    vectors: Annotated[
        Path | None, option(help="Label vectors as given (.npy), rows in the file's order.")
    ] = None,
    replace: Annotated[
        bool, option("--replace", help="Make the file the whole label set.")
    ] = False,
    dry_run: Annotated[
        bool, option("--dry-run", help="Only show what would be added, changed and removed.")
    ] = False,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    applies_to: Annotated[
        list[str] | None,
        option(
            help="Category (id, name or path) that another label set is limited to, with all "
            "below it. Repeatable; labels gate changes it.",
        ),
    ] = None,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Add labels, or change them; only new and changed ones are embedded."""
    from indexer.jobs.labels import add_labels
    from indexer.labels.taxonomy import read_templates

    common = common.of_set(set)
    templates = list(template or ())
    if template_file is not None:
        templates += read_templates(template_file, dataset=dataset)
    # None decides by the file.
    creating = create_parents or None
    if dry_run:
        from indexer.jobs.label_plan import plan_labels

        plan = plan_labels(
            common,
            file,
            templates=templates,
            synonyms=synonyms,
            replace=replace,
            dataset=dataset,
            create_parents=creating,
        )
        _show_plan(plan, common, set, output)
        return
    with console.watched("Embedding prompts") as watch:
        changes = add_labels(
            common,
            file,
            templates=templates,
            synonyms=synonyms,
            dataset=dataset,
            create_parents=creating,
            vectors=vectors,
            replace=replace,
            applies_to=applies_to,
            watch=watch,
        )
    _show_changes(changes, common, set, output)


def _show_changes(
    changes: LabelChanges, common: CatalogOptions, set_name: str, output: Output
) -> None:
    """Print what was done to a label set; people read words, programs the fields' names."""
    counts = asdict(changes)
    if output != Output.TABLE:
        console.show_rows([counts], output)
        return
    facts = {name.replace("_", " "): count for name, count in counts.items() if name != "notes"}
    console.show_facts(_of_set(set_name) | facts, title=f"Labels of {common.catalog}")


def _of_set(set_name: str) -> dict[str, Any]:
    """A row with the name of the label set, where it is not the categories."""
    return {} if set_name == CATEGORY else {"label set": set_name}


def _show_plan(plan: LabelPlan, common: CatalogOptions, set_name: str, output: Output) -> None:
    """Print what a label file would do."""
    rows = [asdict(change) for change in plan.changes]
    if output != Output.TABLE:
        console.show_rows(rows, output)
        return
    counts = Counter(change.change for change in plan.changes)
    facts = _of_set(set_name) | {
        "added": counts["added"],
        "changed": counts["changed"],
        "unchanged": plan.unchanged,
        "removed": counts["removed"],
    }
    made = sum(change.made for change in plan.changes)
    if made:
        facts["made as parents"] = made
    if rows:
        shown = [
            {
                "change": "made" if row["made"] and row["change"] == "added" else row["change"],
                "label_id": row["label_id"],
                "path": row["path"],
                "what": ", ".join(row["what"]),
            }
            for row in rows
        ]
        title = f"What would change in {common.catalog}"
        console.show_rows(shown[:SHOWN_CHANGES], output, title=title)
        if len(shown) > SHOWN_CHANGES:
            more = len(shown) - SHOWN_CHANGES
            console.say(f"... and {more:,} more: --output csv shows all.")
    console.show_facts(facts, title="A dry run")


@app.command("list")
@with_common
def labels_list(
    *,
    contains: Annotated[
        str, typer.Argument(help="Only labels with this text in path or synonyms.", metavar="TEXT")
    ] = "",
    under: Annotated[
        str | None, option(help="Only this label and those below it: id, name or path.")
    ] = None,
    tree: Annotated[bool, option("--tree", help="As a tree.")] = False,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """List the labels, in order."""
    from indexer.catalog.opening import open_catalog
    from indexer.commands.label_tree import select_labels, tree_lines

    with open_catalog(common.of_set(set)) as catalog:
        all_labels = catalog.label_set.labels
    labels = select_labels(all_labels, contains=contains, under=under)
    if tree and output == Output.TABLE:
        for line in tree_lines(labels):
            typer.echo(line)
        console.say(f"{len(labels):,} of {len(all_labels):,} labels of {common.catalog}.")
        return
    rows = [
        {
            "label_id": label.label_id,
            "label": label.name,
            "path": list(label.path),
            "parent_id": label.parent_id,
            "description": label.description,
            "synonyms": list(label.synonyms),
        }
        for label in labels
    ]
    if output == Output.TABLE:
        if not all_labels:
            console.say(
                f"{common.catalog} has no labels. Add some with: zeroshelf labels add FILE"
                f"{set_option(set)}"
            )
            return
        if not rows:
            console.say(f"None of the {len(all_labels):,} labels of {common.catalog} fits.")
            return
        rows = [{name: row[name] for name in ("label_id", "label", "path")} for row in rows]
    console.show_rows(rows, output, title=f"{len(rows):,} labels of {common.catalog}")


@app.command("remove")
@with_common
def labels_remove(
    *,
    labels: Annotated[list[str], typer.Argument(help="Ids or names.")],
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Take labels out of the label set."""
    from indexer.jobs.labels import remove_labels

    changes = remove_labels(common.of_set(set), labels)
    _show_changes(changes, common, set, output)


@app.command("sets")
@with_common
def labels_sets(*, output: Printed = Output.TABLE, common: CatalogOptions) -> None:
    """List the label sets, and the categories that each is limited to."""
    from indexer.jobs.label_sets import summaries

    rows = [asdict(summary) for summary in summaries(common)]
    if output == Output.TABLE:
        for row in rows:
            # A gate whose categories are all removed is no gate to every item.
            everywhere = "nothing" if row["missing"] else "all items"
            row["applies_to"] = "; ".join(row["applies_to"]) or everywhere
            row["missing"] = ", ".join(row["missing"])
    console.show_rows(rows, output, title=f"Label sets of {common.catalog}")


@app.command("attributes")
@with_common
def labels_attributes(
    *,
    file: Annotated[
        Path, typer.Argument(help="Attributes and their values, as Shopify's attributes.json.")
    ],
    categories: Annotated[
        Path | None,
        option(
            help="Which categories have which attributes, as Shopify's categories.json: each set "
            "is limited to those of the catalog that have it."
        ),
    ] = None,
    only: Annotated[
        str | None, option(help="Attributes to take, by name or handle, separated by commas.")
    ] = None,
    template: Annotated[
        list[str] | None, option(help="Prompt template of all sets, repeatable.")
    ] = None,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Make a label set of each attribute of a file, limited to the categories that have it."""
    from indexer.jobs.attribute_sets import add_attributes

    names = [name.strip() for name in (only or "").split(",") if name.strip()]
    with console.watched("Making label sets") as watch:
        report = add_attributes(
            common, file, categories=categories, only=names, templates=template or (), watch=watch
        )
    if output == Output.TABLE:
        facts = asdict(report) | {"sets": ", ".join(report.sets) or "none"}
        console.show_facts(console.in_words(facts), title=f"Label sets of {common.catalog}")
    else:
        console.show_rows([asdict(report)], output)


@app.command("pixels")
@with_common
@with_reading
def labels_pixels(
    *,
    off: Annotated[
        bool, option("--off", help="Decide by embeddings again; what was measured is kept.")
    ] = False,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    reading: Reading,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Decide a label set of colours by the pixels of the pictures; reads these again."""
    from indexer.jobs.measure_colours import by_embeddings, measure_colours

    if off:
        by_embeddings(common.of_set(set))
        console.say(f"Embeddings decide label set {set} of {common.catalog}.")
        return
    with reading.fetcher() as fetcher, console.watched("Measuring colours") as watch:
        report = measure_colours(common.of_set(set), fetcher, reading.decoder(), watch)
    if output != Output.TABLE:
        console.show_rows([asdict(report)], output)
        return
    failed = ", ".join(f"{count} {reason}" for reason, count in report.failed.items())
    facts = console.in_words(asdict(report) | {"failed": failed or 0})
    console.show_facts(facts, title=f"Label set {set}")


@app.command("gate")
@with_common
def labels_gate(
    *,
    categories: Annotated[
        list[str] | None,
        typer.Argument(help="Categories: ids, names or paths.", metavar="[CATEGORY]..."),
    ] = None,
    everywhere: Annotated[
        bool, option("--everywhere", help="Let the set apply to every item.")
    ] = False,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Limit a label set to categories, with all below them: others are not applicable."""
    from indexer.jobs.label_sets import set_gate

    if bool(categories) == everywhere:
        raise UsageError("name the categories that the set applies to, or give --everywhere.")
    summary = set_gate(common.of_set(set), categories or ())
    if output != Output.TABLE:
        console.show_rows([asdict(summary)], output)
        return
    where = "; ".join(summary.applies_to) or "every item"
    console.say(f"Label set {set} of {common.catalog} applies to: {where}.")


@app.command("remove-set")
@with_common
def labels_remove_set(
    *,
    set: Annotated[  # noqa: A002 - the option's name is its key and variable too
        str, option("--set", metavar="NAME", help="Label set, such as colour.")
    ],
    common: CatalogOptions,
) -> None:
    """Remove a label set, with its decisions on items; corrections by people are kept."""
    from indexer.jobs.label_sets import remove_set

    with console.watched("Storing items without it") as watch:
        count = remove_set(common.of_set(set), watch)
    console.say(f"Label set {set} of {common.catalog} is removed, with {count:,} labels.")


@app.command("adapt")
@with_common
def labels_adapt(
    *,
    off: Annotated[
        bool, option("--off", help="Go back to labels as the model has them, until adapted again.")
    ] = False,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Adapt the labels to the catalog's items; no labelled item is needed."""
    from indexer.jobs.adapt import adapt

    report = adapt(common.of_set(set), off=off)
    if output != Output.TABLE:
        console.show_rows([asdict(report)], output)
    elif off:
        console.say(f"The labels of {common.catalog} decide as the model has them.")
    else:
        facts = {name: value for name, value in asdict(report).items() if name != "version"}
        console.show_facts(facts, title=f"Labels of {common.catalog}")
