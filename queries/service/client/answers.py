"""How answers of the service become the values that the client gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from queries.results import Facet, FoundBy, Prediction, SearchHit, SearchResult
from queries.service.client.results import (
    Explanation,
    Heat,
    Neighbour,
    PartLabel,
    PromptSimilarity,
    QueuedItem,
    Review,
    ReviewQueue,
    ServedItem,
)

T = TypeVar("T")


def value_of(kind: type[T], answer: Mapping[str, Any], **values: Any) -> T:
    """A value of an answer's fields; lists become tuples.

    What it has no field for is left out: a newer service may say more.

    Args:
        values: fields that are made already.
    """
    names = {field.name for field in fields(kind)}.difference(values)  # type: ignore[arg-type]
    answered = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in answer.items()
        if name in names
    }
    return kind(**answered, **values)


def values_of(kind: type[T], answers: Sequence[Mapping[str, Any]]) -> tuple[T, ...]:
    """As ``value_of``, of each."""
    return tuple(value_of(kind, answer) for answer in answers)


def predictions_of(result: Mapping[str, Any]) -> list[Prediction]:
    """The predictions of one input or item."""
    of_input = {"part_id": result.get("part_id") or ""}
    if "unknown_score" in result:
        of_input["unknown_score"] = result["unknown_score"]
    return [value_of(Prediction, row, **of_input) for row in result["predictions"]]


def hit_of(hit: Mapping[str, Any]) -> SearchHit:
    """A hit; where its picture lies is the service's affair."""
    return value_of(SearchHit, hit, source="", found_by=FoundBy(hit.get("found_by", "vector")))


def search_result_of(answer: Mapping[str, Any]) -> SearchResult:
    """What a search found."""
    return value_of(
        SearchResult,
        answer,
        hits=list(map(hit_of, answer["hits"])),
        facets=values_of(Facet, answer.get("facets", ())),
    )


def item_of(answer: Mapping[str, Any]) -> ServedItem:
    """A stored item."""
    return value_of(ServedItem, answer, reviews=values_of(Review, answer["reviews"]))


def queue_of(answer: Mapping[str, Any]) -> ReviewQueue:
    """A page of the review queue."""
    items = tuple(
        value_of(QueuedItem, row, predictions=tuple(predictions_of(row))) for row in answer["items"]
    )
    return value_of(ReviewQueue, answer, items=items)


def explanation_of(answer: Mapping[str, Any]) -> Explanation:
    """An explanation."""
    heat = answer["heat"]
    return value_of(
        Explanation,
        answer,
        predictions=tuple(predictions_of(answer)),
        prompts=values_of(PromptSimilarity, answer["prompts"]),
        neighbours=values_of(Neighbour, answer["neighbours"]),
        words=tuple((word, evidence) for word, evidence in answer["words"]),
        heat=None if heat is None else value_of(Heat, heat),
        views=values_of(PartLabel, answer["views"]),
    )
