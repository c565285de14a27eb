"""The command that labels what is given; parsing and printing, no logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.ingesting import FailOnErrors
from indexer.commands.objects import with_objects
from indexer.commands.options import Output, Printed, SetName, option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.commands.tables import split_names
from indexer.core.errors import UsageError
from indexer.core.exit_codes import ExitCode
from indexer.core.label_sets import CATEGORY, set_option
from indexer.core.object_options import ObjectOptions
from queries.commands.object_results import classify_objects_here, show_labels
from queries.commands.options import Partition, with_question
from queries.commands.remote import (
    Remote,
    classify_objects_remotely,
    classify_remotely,
    with_remote,
)
from queries.deciding.question import Question
from queries.results import PartPrediction, Prediction

if TYPE_CHECKING:
    from indexer.core.records import FloatArray
    from indexer.encoder import SentenceTransformerEncoder
    from queries.commands.remote import RemoteInputs
    from queries.inputs.embedded import EmbeddedInputs
    from queries.inputs.query import Query

    Answers = tuple[EmbeddedInputs, list[list[Prediction]], list[list[PartPrediction]]]

app = typer.Typer()

_UNCALIBRATED = "Scores are not calibrated, so how many accepted labels are right is not known"


@app.command()
@with_common
@with_reading
@with_question
@with_objects
@with_remote
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
    question: Question,
    partition: Partition = None,
    candidate_labels: Annotated[
        str | None,
        option(help="Labels that are not stored, separated by commas."),
    ] = None,
    template: Annotated[
        list[str] | None, option(help="Prompt template for --candidate-labels, repeatable.")
    ] = None,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    objects: ObjectOptions | None,
    remote: Remote | None,
    reading: Reading,
    fail_on_errors: FailOnErrors = False,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Label pictures, sounds, videos or texts by nearest-neighbour search over the labels."""
    from indexer.labels.prompts import check_templates
    from indexer.sources import TableOptions
    from queries.inputs.query import expand_stdin, queries_of

    has_candidates = candidate_labels is not None
    _refuse_unclear(inputs or (), item or (), title or (), candidates=has_candidates)
    if partition is not None and not item:
        raise UsageError("--partition is for stored items: give some with --item.")
    if objects is not None and (text or item or title or has_candidates):
        raise UsageError(
            "--objects looks for things in pictures, by the catalog's labels: leave --text, "
            "--item, --title and --candidate-labels out."
        )
    if remote is not None and (has_candidates or partition is not None):
        raise UsageError("--server goes without --candidate-labels and without --partition.")
    if template:
        check_templates(template)
    named_queries = queries_of(
        list(expand_stdin(inputs or ())),
        text=text,
        titles=title or (),
        table=TableOptions(id_column=id_column, image_column=image_column, text_column=text_column),
    )
    set_question = replace(question, set_name=set)  # a service has all sets
    if objects is not None:
        labelled_objects, errors = (
            classify_objects_here(common.of_set(set), named_queries, objects, question, reading)
            if remote is None
            else classify_objects_remotely(remote, named_queries, objects, set_question)
        )
        names = [query.name for query in named_queries]
        show_labels(names, labelled_objects, errors, output)
        _exit(errors, is_any_answered=len(errors) < len(names), fail_on_errors=fail_on_errors)
        return
    answered: EmbeddedInputs | RemoteInputs
    parts: list[list[PartPrediction]] = []
    remedy = f": zeroshelf labels calibrate{set_option(set)} measures it on labelled items"
    if remote is not None:
        answered, predicted = classify_remotely(remote, named_queries, item or (), set_question)
        calibrated = answered.calibrated
    elif candidate_labels is not None:
        embed = partial(_embed, queries=named_queries, reading=reading, titles=False)
        labels = split_names(candidate_labels)
        calibrated, remedy = False, ""
        answered, predicted, parts = _among_candidates(
            common, labels, question, template or (), embed
        )
    else:
        titles = question.settings.title_share > 0
        embed = partial(_embed, queries=named_queries, reading=reading, titles=titles)
        where = common.of_set(set)
        (answered, predicted, parts), calibrated = _by_catalog(
            where, item or (), partition, question, embed
        )
    names = item or [query.name for query in named_queries]
    _show_predictions(names, answered, predicted, parts, output)
    if not calibrated and predicted and output == Output.TABLE:
        console.say(f"{_UNCALIBRATED}{remedy}.")
    _exit(
        answered.errors,
        is_any_answered=bool(answered.names),
        fail_on_errors=fail_on_errors,
        stored=bool(item),
    )


def _embed(
    encoder: Any, *, queries: Sequence[Query], reading: Reading, titles: bool
) -> EmbeddedInputs:
    from queries.inputs.embedding import embed_queries

    with reading.fetcher() as fetcher:
        return embed_queries(
            encoder, queries, titles=titles, decoder=reading.contents(), fetcher=fetcher
        )


def _among_candidates(
    common: CatalogOptions,
    labels: Sequence[str],
    question: Question,
    templates: Sequence[str],
    embed: Callable[[Any], EmbeddedInputs],
) -> Answers:
    """By labels that are not stored, without a catalog."""
    from indexer.labels.prompts import default_templates
    from queries.classify import classify_among

    encoder = _encoder_of(common)
    queries = embed(encoder)

    def label(vectors: FloatArray, _: FloatArray | None) -> list[list[Prediction]]:
        return classify_among(
            encoder,
            vectors,
            labels,
            question,
            templates=templates or default_templates(encoder.fingerprint.content_kind),
        )

    return queries, queries.decide(label, question.view_pooling), queries.decide_parts(label)


def _by_catalog(
    options: CatalogOptions,
    items: Sequence[str],
    partition: str | None,
    question: Question,
    embed: Callable[[Any], EmbeddedInputs],
) -> tuple[Answers, bool]:
    """By a catalog's labels; of its stored items, or of what ``embed`` gives.

    Returns:
        The answers, and whether their scores are calibrated.
    """
    from indexer.catalog.opening import open_catalog
    from queries.classify import Classifier
    from queries.inputs.stored import stored_items

    with open_catalog(options) as catalog:
        classifier = Classifier(catalog, question)
        queries = (
            stored_items(catalog, items, partition=partition) if items else embed(catalog.encoder)
        )

        def label(vectors: FloatArray, titles: FloatArray | None) -> list[list[Prediction]]:
            return classifier.classify(vectors, titles=titles)

        decided = queries.decide(label, question.view_pooling)
        calibrated = classifier.predictor.scorer.calibrated
        return (queries, decided, queries.decide_parts(label)), calibrated


def _exit(
    errors: Mapping[int, str], *, is_any_answered: bool, fail_on_errors: bool, stored: bool = False
) -> None:
    """End with the code of the outcome, where there are errors.

    Args:
        is_any_answered: some input has an answer.
        stored: the inputs were ids: those without an answer are not there.
    """
    if errors and not is_any_answered:
        raise typer.Exit(ExitCode.USAGE if stored else ExitCode.FAILED)
    if errors and fail_on_errors:
        raise typer.Exit(ExitCode.ITEMS_FAILED)


def _encoder_of(common: CatalogOptions) -> SentenceTransformerEncoder:
    """The model that was named, else the catalog's where there is one, else the default."""
    from indexer.encoder import DEFAULT_MODEL

    model = common.model
    if model is None and common.folder.exists():
        stored = common.folder.fingerprint()
        model, common = stored.model, common.of_catalog(stored)
    return common.load_encoder(model or DEFAULT_MODEL)


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
    names: Sequence[str],
    queries: EmbeddedInputs | RemoteInputs,
    predicted: Sequence[Sequence[Prediction]],
    parts: Sequence[Sequence[PartPrediction]],
    output: Output,
) -> None:
    """A list for each input, in the order of the inputs; an empty one where it failed.

    Args:
        parts: of each input that was embedded, its windows, shots or boxes; empty for none.
    """
    results = iter(predicted)
    errors = queries.errors
    embedded = [place for place in range(len(names)) if place not in errors]
    parts_of = dict(zip(embedded, parts, strict=False))
    answers = [(name, () if place in errors else next(results)) for place, name in enumerate(names)]
    for place, error in errors.items():
        name = names[place]
        console.fail(error if error.startswith(name) else f"{name}: {error}")
    if output == Output.JSON:
        console.print_json([list(map(asdict, answer)) for _, answer in answers])
        return
    if output == Output.JSONL:
        rows: list[dict[str, Any]] = [
            {
                "input": name,
                "predictions": list(map(asdict, answer)),
                "error": errors.get(place),
                **({"parts": list(map(_part, parts_of[place]))} if parts_of.get(place) else {}),
            }
            for place, (name, answer) in enumerate(answers)
        ]
    elif output == Output.CSV:
        rows = [
            {"input": name, "rank": rank, **asdict(prediction)}
            | {"path": " > ".join(prediction.path)}
            for name, answer in answers
            for rank, prediction in enumerate(answer, start=1)
        ]
    else:
        rows = []
        for place, (name, answer) in enumerate(answers):
            rows += [
                _prediction_row("" if rank else name, prediction)
                for rank, prediction in enumerate(answer)
            ]
            rows += [
                _prediction_row(f"  {part.place}", part.prediction)
                for part in parts_of.get(place, ())
            ]
        if not any(row["part_id"] for row in rows):
            rows = [{name: row[name] for name in row if name != "part_id"} for row in rows]
    console.show_rows(rows, output)


def _part(part: PartPrediction) -> dict[str, Any]:
    """A part's place and its best label, as JSON values."""
    return {"place": part.place, **asdict(part.prediction)}


def _prediction_row(name: str, prediction: Prediction) -> dict[str, Any]:
    """What people read: the input stands beside its best label only, and the path names it."""
    return {
        "input": name,
        "label": prediction.path,
        "score": prediction.score,
        "similarity": prediction.similarity,
        "status": prediction.status,
        "part_id": prediction.part_id,
    }
