"""What ``search --objects`` and ``classify --objects`` ask, and how they show the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from indexer.commands import console
from indexer.commands.objects import say_words
from indexer.core.errors import UsageError
from queries.results import PictureObject, PictureObjects

if TYPE_CHECKING:
    from indexer.catalog.options import CatalogOptions
    from indexer.commands.reading import Reading
    from indexer.core.object_options import ObjectOptions
    from indexer.core.protocols import Pixels
    from queries.deciding.question import Question
    from queries.inputs.query import Query
    from queries.search.query import SearchQuery


def check_object_search(
    query: SearchQuery, *, text: str | None, image: str | None, hybrid: bool, output: str
) -> None:
    """Refuse what a search for each thing of a picture does not answer.

    Raises:
        UsageError: it names the option.
    """
    if image is None:
        raise UsageError("--objects looks for things in a picture: give one with --image.")
    if text or hybrid or query.without:
        raise UsageError(
            "--objects finds items like each thing in the picture: leave the words out, or search "
            "for them without --objects."
        )
    if query.facets:
        raise UsageError("--facet counts one list of items, and --objects makes one a thing.")
    if output == "html":
        raise UsageError("--objects has no page of its own: zeroshelf serve shows the boxes.")


def search_objects_here(
    common: CatalogOptions,
    image: str | None,
    query: SearchQuery,
    objects: ObjectOptions,
    reading: Reading,
) -> PictureObjects:
    """The things in a picture with the items like each, by this process."""
    from indexer.catalog.opening import open_catalog
    from queries.objects import search_objects

    assert image is not None  # checked
    with open_catalog(common) as catalog:
        return search_objects(catalog, read_picture(image, reading), objects, query)


def classify_objects_here(
    common: CatalogOptions,
    pictures: Sequence[Query],
    objects: ObjectOptions,
    question: Question,
    reading: Reading,
) -> tuple[list[PictureObjects | None], dict[int, str]]:
    """The labels of the things in some pictures, by this process.

    Returns:
        An answer a picture, and what went wrong with others, by place.
    """
    from indexer.catalog.objects import object_finder
    from indexer.catalog.opening import open_catalog
    from indexer.core.errors import ItemError
    from queries.classify import Classifier
    from queries.objects import embed_objects

    answers: list[PictureObjects | None] = []
    errors: dict[int, str] = {}
    with open_catalog(common) as catalog:
        classifier, finder = Classifier(catalog, question), object_finder(catalog, objects)
        for place, picture in enumerate(pictures):
            try:
                pixels = read_picture(picture.source, reading)
                embedded = embed_objects(catalog.encoder, finder, pixels)
            except ItemError as error:
                errors[place] = str(error)
                answers.append(None)
                continue
            labels = classifier.classify(embedded.vectors)
            answers.append(embedded.results().with_labels(labels))
    return answers, errors


def read_picture(image: str, reading: Reading) -> Pixels:
    """A picture of full size: boxes are in its pixels.

    Raises:
        ItemError: it can't be read.
    """
    with reading.fetcher() as fetcher:
        return reading.decoder().decode(fetcher.read(image), image)


def show_found_items(answer: PictureObjects, output: str) -> None:
    """The items like each thing of a picture: a row an item, or nested as JSON."""
    say_words(answer.words)
    _tell(answer)
    if output == "json":
        console.print_json(asdict(answer))
        return
    rows = [
        {"object": number, "box": list(thing.box), **_label(thing)}
        | {"similarity": hit.similarity, "item_id": hit.item_id, "title": hit.title}
        for number, thing in enumerate(answer.objects, start=1)
        for hit in thing.hits
    ]
    console.show_rows(list(_blanked(rows)) if output == "table" else rows, output)


def show_labels(
    names: Sequence[str],
    answers: Sequence[PictureObjects | None],
    errors: Mapping[int, str],
    output: str,
) -> None:
    """The labels of each thing of some pictures.

    Args:
        answers: None where a picture could not be used.
        errors: why, by place.
    """
    for place, error in errors.items():
        name = names[place]
        console.fail(error if error.startswith(name) else f"{name}: {error}")
    looked = [answer for answer in answers if answer is not None]
    say_words(looked[0].words if looked else ())
    for answer in looked:
        _tell(answer)
    if output == "json":
        console.print_json([None if answer is None else asdict(answer) for answer in answers])
        return
    rows = [
        {"input": name, "object": number, "box": list(thing.box)}
        | {
            "label": prediction.path if output == "table" else prediction.label,
            "score": prediction.score,
            "similarity": prediction.similarity,
            "status": prediction.status,
        }
        for name, answer in zip(names, answers, strict=True)
        for number, thing in enumerate(() if answer is None else answer.objects, start=1)
        for prediction in thing.predictions
    ]
    console.show_rows(list(_blanked(rows)) if output == "table" else rows, output)


def _label(thing: PictureObject) -> dict[str, Any]:
    best = thing.predictions[0] if thing.predictions else None
    label = thing.word if best is None else best.label
    return {"label": label, "score": thing.score if best is None else best.score}


def _blanked(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows for people: what is said of a thing stands in its first row only."""
    from indexer.core.parts import BOX, place_text

    previous_thing: tuple[Any, Any] = (None, None)
    for row in rows:
        thing = row.get("input"), row["object"]
        shown = row | {"box": place_text({BOX: row["box"]})}
        if thing == previous_thing:
            shown |= dict.fromkeys(("object", "box"), "")
            shown |= {} if "item_id" not in row else {"label": "", "score": ""}
            shown |= {"input": ""} if "input" in row else {}
        previous_thing = thing
        yield shown


def _tell(answer: PictureObjects) -> None:
    if answer.is_whole:
        console.warn(
            f"nothing was found in the picture of {answer.width} x {answer.height} pixels: it is "
            "taken as a whole. A lower --object-score, or other --object-words, may find things."
        )
