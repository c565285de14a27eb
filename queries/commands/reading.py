"""The commands of the read path; parsing and printing, no logic."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer import console
from indexer.catalog_options import CatalogOptions
from indexer.commands.items import (
    BYTES,
    PIXELS,
    FailOnErrors,
    MaxBytes,
    MaxPixels,
    Retries,
    Timeout,
)
from indexer.commands.options import (
    Address,
    Engine,
    OnEngine,
    Output,
    Printed,
    RayWorkers,
    cluster_of,
    option,
    with_common,
)
from indexer.errors import UsageError
from indexer.prompts import Pooling
from queries.commands.options import (
    BackOff,
    Level,
    MinScore,
    MultiLabel,
    Partition,
    PromptPooling,
    TargetPrecision,
    TextWeight,
)
from queries.results import Prediction, SearchHit

if TYPE_CHECKING:
    from indexer.build import Catalog
    from queries.categorize import CategorizeReport

app = typer.Typer()

Limit = Annotated[int, option("--limit", min=1, help="Results for each input.")]
Filter = Annotated[
    str,
    option(
        "--filter",
        help="Only items that match, in Milvus' syntax: "
        'metadata["price"] < 20 and label == "mug".',
        show_default=False,
    ),
]
OnlyLabels = Annotated[
    str | None,
    option(
        "--labels",
        help="Only these labels (default: all leaves): ids or names, separated by commas; one "
        'that holds a comma in "double quotes".',
    ),
]
Adapt = Annotated[
    bool,
    option("--adapt/--no-adapt", help="Decide by labels that are adapted to the catalog's items."),
]


class SearchOutput(StrEnum):
    """How a search prints its result."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


@app.command()
@with_common
def classify(
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Pictures (paths, URLs, - for paths on stdin), texts, or tables of them."
        ),
    ] = None,
    text: Annotated[bool, option("--text", help="The inputs are texts.")] = False,
    title: Annotated[
        list[str] | None,
        option("--title", help="What is said of a picture; one for each, in their order."),
    ] = None,
    item: Annotated[
        list[str] | None, option("--item", help="Id of a stored item instead, repeatable.")
    ] = None,
    id_column: Annotated[str, option(help="Column of a table's ids; none counts lines.")] = "id",
    image_column: Annotated[
        str, option(help="Column of a table's pictures: paths or URLs.")
    ] = "image",
    text_column: Annotated[str, option(help="Column of a table's titles, or texts.")] = "title",
    limit: Limit = 5,
    labels: OnlyLabels = None,
    adapt: Adapt = True,
    level: Level = None,
    back_off: BackOff = None,
    min_score: MinScore = None,
    target_precision: TargetPrecision = None,
    multi_label: MultiLabel = False,
    text_weight: TextWeight = None,
    prompt_pooling: PromptPooling = Pooling.MEAN,
    partition: Partition = None,
    candidate_labels: Annotated[
        str | None,
        option(help="Labels that are not stored, separated by commas."),
    ] = None,
    template: Annotated[
        list[str] | None, option(help="Prompt template for --candidate-labels, repeatable.")
    ] = None,
    max_pixels: MaxPixels = PIXELS,
    max_bytes: MaxBytes = BYTES,
    timeout: Timeout = 30.0,
    retries: Retries = 2,
    fail_on_errors: FailOnErrors = False,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Label pictures or texts by nearest-neighbour search over the labels."""
    from indexer.build import open_catalog
    from indexer.decode import Decoder
    from indexer.encoder import DEFAULT_MODEL
    from indexer.prompts import check_templates
    from indexer.sources import Fetcher, TableOptions
    from queries import inputs as reading
    from queries.classify import Classifier, classify_among, default_templates
    from queries.judgement.judging import Settings

    _refuse_unclear(inputs or (), item or (), title or (), candidates=candidate_labels is not None)
    if partition is not None and not item:
        raise UsageError("--partition is for stored items: give some with --item.")
    settings = Settings(
        level=level,
        back_off=back_off,
        min_score=min_score,
        target_precision=target_precision,
        multi_label=multi_label,
        text_weight=text_weight,
    )
    settings.check()
    if template:
        check_templates(template)
    asked = reading.queries_of(
        list(reading.expand_stdin(inputs or ())),
        text=text,
        titles=title or (),
        table=TableOptions(id_column=id_column, image_column=image_column, text_column=text_column),
    )
    names = item or [one.name for one in asked]

    def embedded(encoder: Any) -> reading.Embedded:
        with Fetcher(max_bytes=max_bytes, timeout_s=timeout, retries=retries) as fetcher:
            decoder = Decoder(max_pixels=max_pixels, max_bytes=max_bytes)
            return reading.embed_queries(
                encoder,
                asked,
                titles=candidate_labels is None and settings.title_share > 0,
                decoder=decoder,
                fetcher=fetcher,
            )

    if candidate_labels is not None:
        model = common.model
        if model is None and common.folder.exists():
            model = common.folder.fingerprint().model
        encoder = common.load_encoder(model or DEFAULT_MODEL)
        queries = embedded(encoder)
        templates = template or default_templates(pictures=encoder.sees_pictures)
        found = classify_among(
            encoder,
            queries.vectors,
            words(candidate_labels),
            templates=templates,
            limit=limit,
            pooling=prompt_pooling,
            settings=settings,
            pictures=encoder.sees_pictures,
        )
    else:
        with open_catalog(common) as catalog:
            only = words(labels) if labels else None
            classifier = Classifier(
                catalog, restrict_to=only, adapt=adapt, pooling=prompt_pooling, settings=settings
            )
            queries = (
                reading.stored_items(catalog, item, partition=partition)
                if item
                else embedded(catalog.encoder)
            )
            found = classifier.classify(queries.vectors, titles=queries.titles, limit=limit)
    _show_predictions(names, queries, found, output)
    if queries.errors and not queries.names:
        raise typer.Exit(1)
    if queries.errors and fail_on_errors:
        raise typer.Exit(3)


@app.command()
@with_common
def categorize(
    *,
    to: Annotated[Path, option("--to", help="Result: .parquet, .csv or .jsonl.")],
    limit: Limit = 5,
    labels: OnlyLabels = None,
    adapt: Adapt = True,
    level: Level = None,
    back_off: BackOff = None,
    min_score: MinScore = None,
    target_precision: TargetPrecision = None,
    multi_label: MultiLabel = False,
    prompt_pooling: PromptPooling = Pooling.MEAN,
    text_weight: TextWeight = None,
    filter: Filter = "",  # noqa: A002 - the option's name is its key and variable too
    partition: Partition = None,
    write_back: Annotated[
        bool, option("--write-back", help="Store label and score on the items.")
    ] = False,
    full: Annotated[
        bool, option("--full", help="Score all labels, not only those that changed since.")
    ] = False,
    engine: OnEngine = Engine.LOCAL,
    address: Address = None,
    ray_workers: RayWorkers = None,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Give every stored item its label, and write a table."""
    from indexer.build import open_catalog
    from queries.categorize import categorize as job
    from queries.judgement.judging import Settings

    settings = Settings(
        level=level,
        back_off=back_off,
        min_score=min_score,
        target_precision=target_precision,
        multi_label=multi_label,
        text_weight=text_weight,
    )
    settings.check()
    cluster = cluster_of(engine, address, ray_workers)

    with (
        contextlib.redirect_stdout(sys.stderr),  # Ray tells there of workers that died
        open_catalog(common, write=True) as catalog,
        console.progress("Categorizing") as update,
    ):
        report = job(
            catalog,
            to,
            limit=limit,
            filter_expression=filter,
            partition=partition,
            restrict_to=words(labels) if labels else None,
            adapt=adapt,
            pooling=prompt_pooling,
            settings=settings,
            full=full,
            write_back=write_back,
            cluster=cluster,
            on_adapting=lambda done, of: update(description="Adapting", completed=done, total=of),
            on_total=lambda total: update(description="Categorizing", completed=0, total=total),
            on_rows=lambda rows: update(advance=rows),
        )
    facts = {
        "items": report.items,
        "labels": report.labels,
        "adapted to the catalog": "yes" if report.adapted else "no",
        **({"share of the titles": report.text_weight} if report.text_weight else {}),
        **({} if report.changed_labels is None else {"scored": _scored(report)}),
        "written to": str(to),
    }
    if write_back:
        facts["stored on the items"] = "yes"
    if output == Output.TABLE:
        console.show_facts(facts, title=f"Catalog {common.catalog}")
    else:
        console.show_rows([asdict(report) | {"to": str(to)}], output)


@app.command()
@with_common
def search(
    *,
    text: Annotated[str | None, typer.Argument(help="What to search for, in words.")] = None,
    image: Annotated[str | None, option("--image", help="A picture: path or URL.")] = None,
    text_weight: Annotated[
        float, option(min=0.0, max=1.0, help="Share of the words where both are given.")
    ] = 0.5,
    filter: Filter = "",  # noqa: A002 - the option's name is its key and variable too
    partition: Partition = None,
    limit: Limit = 10,
    max_pixels: MaxPixels = PIXELS,
    max_bytes: MaxBytes = BYTES,
    timeout: Timeout = 30.0,
    retries: Retries = 2,
    output: Annotated[
        SearchOutput, option("--output", help="How the result is printed.")
    ] = SearchOutput.TABLE,
    common: CatalogOptions,
) -> None:
    """Find items by words, by a picture, or by both."""
    from indexer.build import open_catalog
    from indexer.decode import Decoder
    from indexer.sources import Fetcher
    from queries.pages.parts import Pictures
    from queries.pages.search import search_page
    from queries.search import query_vector
    from queries.search import search as find

    decoder = Decoder(max_pixels=max_pixels, max_bytes=max_bytes)
    with (
        Fetcher(max_bytes=max_bytes, timeout_s=timeout, retries=retries) as fetcher,
        open_catalog(common) as catalog,
    ):
        words = catalog.encoder.embed_texts([text])[0] if text else None
        picture = _picture_vector(catalog, image, decoder, fetcher) if image else None
        vector = query_vector(words, picture, text_weight=text_weight)
        hits = find(catalog, vector, limit=limit, filter_expression=filter, partition=partition)
        if output == SearchOutput.HTML:
            query = " + ".join(part for part in (text, image) if part)
            pictures = Pictures(fetcher, decoder)
            page = search_page(hits, query=query, catalog=common.catalog, pictures=pictures)
            sys.stdout.write(page)
            return
    _show_hits(hits, output)


@app.command()
def demo(
    context: typer.Context,
    *,
    folder: Annotated[
        Path, typer.Argument(help="A new folder for the catalog and the page.", metavar="DIR")
    ] = Path("demo"),
) -> None:
    """Draw a sample catalog, run the main job on it, and show the result as a page."""
    from indexer.decode import Decoder
    from indexer.sources import Fetcher
    from queries.demo import tell
    from queries.pages.demo import accuracy, demo_page
    from queries.pages.parts import Pictures

    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"folder {str(folder)!r} is not empty: remove it, or name a new one.")
    command = context.find_root().command
    story = tell(
        folder, lambda words: command.main(words, prog_name="zeroshelf", standalone_mode=False)
    )
    with Fetcher() as fetcher:
        page = demo_page(story, Pictures(fetcher, Decoder()))
    (folder / "index.html").write_text(page, encoding="utf-8")
    right, items = accuracy(story)
    console.say(
        f"Accuracy against the known truth: {right:.1%} of {items:,}. "
        f"First labelling of the electronics {story.before.seconds:.1f} s after "
        f"{story.shelf_ingest.seconds:.1f} s of embedding; with the new label "
        f"{story.new_label.seconds + story.after.seconds:.1f} s, nothing embedded again."
    )
    console.say(f"All in {story.seconds:.0f} s. Open {folder / 'index.html'} in a browser.")


def _scored(report: CategorizeReport) -> str:
    """What was scored where a run before has left its scores."""
    return (
        f"{report.changed_labels:,} labels that changed; {report.rescored:,} of the items by all "
        "labels"
    )


def _picture_vector(catalog: Catalog, image: str, decoder: Any, fetcher: Any) -> Any:
    encoder = catalog.encoder
    return encoder.embed_pictures([encoder.prepare(decoder.decode(fetcher.read(image), image))])[0]


def words(text: str) -> list[str]:
    """The words between commas; one that holds a comma itself stands in double quotes."""
    try:
        parts = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:  # a line break outside of quotes
        parts = text.split(",")
    return [word for part in parts if (word := part.strip())]


def _refuse_unclear(
    inputs: Sequence[str], items: Sequence[str], titles: Sequence[str], *, candidates: bool
) -> None:
    if bool(inputs) == bool(items):
        raise UsageError("give pictures, texts or tables, or else stored items with --item ID.")
    if candidates and (items or titles):
        raise UsageError(
            "--candidate-labels stand without a catalog, and --item and --title need its items: "
            "name some of the catalog's own labels with --labels instead."
        )
    if items and titles:
        raise UsageError("--title is for pictures: stored items bring their own.")


def _show_predictions(
    names: Sequence[str], queries: Any, found: Sequence[Sequence[Prediction]], output: Output
) -> None:
    """A list for each input, in the order of the inputs; an empty one where it failed."""
    given = iter(found)
    answers = [(name, () if name in queries.errors else next(given)) for name in names]
    for name, error in queries.errors.items():
        console.fail(error if error.startswith(name) else f"{name}: {error}")
    if output == Output.JSON:
        console.print_json([list(map(asdict, answer)) for _, answer in answers])
        return
    if output == Output.JSONL:
        rows: list[dict[str, Any]] = [
            {
                "input": name,
                "predictions": list(map(asdict, answer)),
                "error": queries.errors.get(name),
            }
            for name, answer in answers
        ]
    elif output == Output.CSV:
        rows = [
            {"input": name, "rank": rank, **asdict(prediction)}
            | {"path": " > ".join(prediction.path)}
            for name, answer in answers
            for rank, prediction in enumerate(answer, start=1)
        ]
    else:
        rows = [
            _prediction_row("" if rank else name, prediction)
            for name, answer in answers
            for rank, prediction in enumerate(answer)
        ]
    console.show_rows(rows, output)


def _prediction_row(name: str, prediction: Prediction) -> dict[str, Any]:
    """What people read: the input stands beside its best label only, and the path names it."""
    return {
        "input": name,
        "label": prediction.path,
        "score": prediction.score,
        "similarity": prediction.similarity,
        "status": prediction.status,
    }


def _show_hits(hits: Sequence[SearchHit], output: SearchOutput) -> None:
    rows = [asdict(hit) for hit in hits]
    if output == SearchOutput.TABLE:
        shown = ("similarity", "item_id", "title", "label", "metadata")
        rows = [{name: row[name] for name in shown} for row in rows]
        for row in rows:
            row["metadata"] = ", ".join(
                f"{name}={value}" for name, value in row["metadata"].items()
            )
        if not rows:
            console.say("No items found.")
            return
    console.show_rows(rows, output)
