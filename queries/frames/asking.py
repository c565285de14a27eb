"""Methods of a catalog in Python that ask it: labels of inputs, searches, explanations."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa

from indexer.core.errors import UsageError
from indexer.core.given_values import (
    is_missing,
    refuse_below,
    refuse_beyond,
    refuse_other_than_text,
    texts_of,
)
from indexer.core.label_sets import CATEGORY
from indexer.core.records import FloatArray
from indexer.sources import Fetcher
from indexer.sources.decoding.contents import ContentDecoder
from queries.classify import Classifier
from queries.deciding.question import Question
from queries.explanation import subjects
from queries.explanation.explain import explain as reasons
from queries.explanation.explanation import Explanation, Prompt, ViewSays
from queries.explanation.heat_maps import Word
from queries.explanation.neighbours import Neighbour
from queries.frames.frame import SHOWN_ROWS, Frame, columns_of
from queries.frames.given import GivenFiles, as_files
from queries.frames.opened import Opened, sources_of
from queries.inputs.embedded import EmbeddedInputs
from queries.inputs.embedding import embed_queries
from queries.inputs.query import queries_of
from queries.inputs.stored import stored_items
from queries.results import Prediction, SearchHit
from queries.search.facets import require_columns, value_of
from queries.search.query import SearchQuery
from queries.search_inputs import SearchInputs, find_by_inputs

_log = logging.getLogger(__name__)

_HIT_TYPES = {
    "item_id": pa.string(),
    "title": pa.string(),
    "label": pa.string(),
    "label_id": pa.string(),
    "score": pa.float64(),
    "status": pa.string(),
    "similarity": pa.float64(),
    "kind": pa.string(),
    "source": pa.string(),
    "part_id": pa.string(),
    "place": pa.string(),
    "metadata_json": pa.string(),
}
_LISTS = {"without", "categories", "item_ids"}
_HITS_SHOWN = ("title", "item_id", "label", "score", "similarity")

_PREDICTION_TYPES = {
    "input": pa.string(),
    "rank": pa.int64(),
    "label": pa.string(),
    "label_id": pa.string(),
    "path": pa.list_(pa.string()),
    "score": pa.float64(),
    "similarity": pa.float64(),
    "status": pa.string(),
    "unknown_score": pa.float64(),
    "part_id": pa.string(),
    "error": pa.string(),
}
_PREDICTIONS_SHOWN = ("input", "path", "score", "status")

_EXPLAINED: dict[str, tuple[type, Callable[[Explanation], list[dict[str, Any]]]]] = {
    "labels": (Prediction, lambda explanation: list(map(asdict, explanation.predictions))),
    "prompts": (
        Prompt,
        lambda explanation: [
            {"label": contender.leaf or contender.label, **asdict(prompt)}
            for contender in (explanation.winner, explanation.runner_up)
            if contender is not None
            for prompt in contender.prompts
        ],
    ),
    "neighbours": (Neighbour, lambda explanation: list(map(asdict, explanation.neighbours))),
    "words": (Word, lambda explanation: list(map(asdict, explanation.words))),
    "parts": (ViewSays, lambda explanation: list(map(asdict, explanation.views))),
}


class Asking(Opened):
    """Methods that change nothing."""

    def classify(
        self,
        *inputs: Any,
        texts: Sequence[str] = (),
        item_ids: Sequence[str] = (),
        titles: Sequence[str] = (),
        question: Question = Question(),
        set_name: str = CATEGORY,
    ) -> Frame:
        """Label pictures, sounds, videos, texts and stored items, as ``zeroshelf classify`` does.

        Args:
            inputs: paths, URLs or tables of them; encoded contents (bytes); pictures of Pillow;
                arrays, uint8 (height, width, 3), RGB.
            texts: a list or a column of a data frame, as ``item_ids`` and ``titles``.
            titles: what is said of each of ``inputs``, in their order; none at all, or one for
                each, where an empty text, None or NaN is no title.
            question: how many labels, which, and how they decide.

        Returns:
            A row a label, the best first, of the inputs, then of the texts, then of the items.
            An input that can't be used has one row with its ``error``.

        Raises:
            CatalogError: no labels, or no such catalog.
            UsageError: nothing to label, an input is of another kind, or titles do not fit.
        """
        texts, item_ids = texts_of("texts", texts), texts_of("item_ids", item_ids)
        titles = texts_of("titles", titles, blank_missing=True)
        if not inputs and not texts and not item_ids:
            raise UsageError("there is nothing to label: give inputs, texts or item_ids.")
        rows: list[dict[str, Any]] = []
        sources: list[str | bytes] = []
        with Fetcher() as fetcher, as_files(inputs) as files, self._opened(set_name) as catalog:
            classifier = Classifier(catalog, question)
            for queries in (queries_of(files.paths, titles=titles), queries_of(texts, text=True)):
                if not queries:
                    continue
                answered = embed_queries(
                    catalog.encoder,
                    queries,
                    titles=question.settings.title_share > 0,
                    decoder=ContentDecoder(),
                    fetcher=fetcher,
                )
                names = [files.named(query.name) for query in queries]
                answers = _answers(classifier, answered, question, len(names))
                rows += _rows(names, answers, answered, files)
                shown = queries[: max(0, SHOWN_ROWS - len(sources))]
                pictures = [files.picture(query.source, fetcher) for query in shown]
                sources += _beside_best(pictures, answers)
            if item_ids:
                answered = stored_items(catalog, item_ids)
                answers = _answers(classifier, answered, question, len(item_ids))
                rows += _rows(item_ids, answers, answered, files)
                sources += _beside_best(sources_of(catalog, item_ids[:SHOWN_ROWS]), answers)
        error_column = ["error"] if any(row.get("error") for row in rows) else []
        return Frame.of_rows(
            rows,
            _PREDICTION_TYPES,
            title=f"Labels by catalog {self.options.catalog}",
            shown=(*_PREDICTIONS_SHOWN, *error_column),
            sources=tuple(sources[:SHOWN_ROWS]) if any(sources) else (),
        )

    def explain(
        self,
        picture: Any = None,
        *,
        text: str | None = None,
        item_id: str | None = None,
        title: str = "",
        question: Question = Question(),
        set_name: str = CATEGORY,
        figures: str = "labels",
    ) -> Frame:
        """Why an input has its label, as ``zeroshelf explain`` does, without a heat map.

        Args:
            picture: as one of the inputs of ``classify``; also a sound or a video.
            title: what is said of it.
            figures: ``labels`` with their scores, ``prompts`` of the two best, ``neighbours``
                (labelled items), ``words`` of a text or title, or ``parts``: windows, shots or
                further pictures, each alone.

        Returns:
            A row a label, a prompt, an item, a word or a part.

        Raises:
            ItemError: the picture can't be read.
            UsageError: not exactly one input, or there is no such item or figure.
        """
        title = "" if is_missing(title) else title
        refuse_other_than_text(text=text or "", item_id=item_id or "", title=title)
        if figures not in _EXPLAINED:
            raise UsageError(f"figures {figures!r}: one of {', '.join(_EXPLAINED)}.")
        if question.settings.coverage is not None:
            raise UsageError("explain tells why one label is decided: leave coverage out.")
        if sum(given is not None for given in (picture, text, item_id)) != 1:
            raise UsageError("explain takes exactly one of picture, text and item_id.")
        given = () if picture is None else (picture,)
        with Fetcher() as fetcher, as_files(given) as files, self._opened(set_name) as catalog:
            if item_id is not None:
                subject = subjects.stored_subject(catalog, item_id)
            elif text is not None:
                subject = subjects.text_subject(catalog, text)
            else:
                subject = subjects.content_subject(
                    catalog, files.paths[0], title=title, decoder=ContentDecoder(), fetcher=fetcher
                )
            explanation = reasons(catalog, subject, question, heat_map="none")
        kind, rows_of = _EXPLAINED[figures]
        rows = rows_of(explanation)
        columns = list(rows[0] if rows else columns_of(kind))
        for row in rows:
            row |= {name: files.named(row[name]) for name in ("part_id", "source") if name in row}
        notes = "".join(f"; {note.rstrip('.')}" for note in explanation.notes)
        return Frame.of_rows(
            rows,
            dict.fromkeys(columns),
            title=f"{figures.capitalize()} of {files.named(explanation.input)}: "
            f"{explanation.winner.label}{notes}",
            shown=tuple(name for name in columns if name != "source"),
            sources=tuple(row["source"] for row in rows[:SHOWN_ROWS])
            if figures == "neighbours"
            else (),
        )

    def search(
        self,
        text: str | None = None,
        *,
        image: Any = None,
        item_id: str | None = None,
        text_weight: float = 0.5,
        hybrid: bool = False,
        columns: Sequence[str] = (),
        **query: Any,
    ) -> Frame:
        """Find items by words, a picture, both, or like a stored item.

        Args:
            image: as one of the inputs of ``classify``; also a sound.
            text_weight: share of the words where both are given, 0 to 1.
            columns: columns of the items' own table, each a column of the result.
            query: fields of ``SearchQuery``: ``limit``, ``filter_expression``, ``categories``,
                ``without``, ``min_similarity``, ``group_by``...

        Returns:
            A row a hit, the best first.

        Raises:
            UsageError: nothing is searched for, or the filter, a column, a number or a list is not
                valid.
            ItemError: the picture can't be read.
        """
        refuse_other_than_text(text=text or "", item_id=item_id or "")
        refuse_beyond(0, 1, text_weight=text_weight)
        columns = texts_of("columns", columns)
        search_query = _query_of(query)
        given = () if image is None else (image,)
        with Fetcher() as fetcher, as_files(given) as files, self._opened() as catalog:
            inputs = SearchInputs(
                text=text,
                content=files.paths[0] if files.paths else None,
                item_id=item_id,
                text_weight=text_weight,
                hybrid=hybrid,
            )
            if columns:
                require_columns(columns, catalog.value_columns, "columns")
            result = find_by_inputs(
                catalog, inputs, search_query, decoder=ContentDecoder(), fetcher=fetcher
            )
        for note in result.notes:
            _log.warning("%s", note)
        hits = result.hits
        return Frame.of_rows(
            [_hit_row(hit, columns) for hit in hits],
            _HIT_TYPES | dict.fromkeys(columns),
            title=" + ".join(filter(None, (text, files.named(inputs.content or ""), item_id))),
            shown=(*_HITS_SHOWN, *(name for name in columns if name not in _HITS_SHOWN)),
            sources=tuple(hit.source for hit in hits[:SHOWN_ROWS]),
        )


def _answers(
    classifier: Classifier, answered: EmbeddedInputs, question: Question, count: int
) -> list[list[Prediction]]:
    """The labels of each input, in order; none of one that can't be used."""

    def label(vectors: FloatArray, titles: FloatArray | None) -> list[list[Prediction]]:
        return classifier.classify(vectors, titles=titles)

    usable = iter(answered.decide(label, question.view_pooling))
    return [[] if place in answered.errors else next(usable) for place in range(count)]


def _rows(
    names: Sequence[str],
    answers: Sequence[Sequence[Prediction]],
    answered: EmbeddedInputs,
    files: GivenFiles,
) -> list[dict[str, Any]]:
    """A row a label; of an input that can't be used one with its error."""
    rows: list[dict[str, Any]] = []
    for place, (name, answer) in enumerate(zip(names, answers, strict=True)):
        if place in answered.errors:
            rows.append({"input": name, "error": files.named(answered.errors[place])})
        rows += [
            {"input": name, "rank": rank, **asdict(prediction)}
            | {"part_id": files.named(prediction.part_id)}
            for rank, prediction in enumerate(answer, 1)
        ]
    return rows


def _beside_best(
    pictures: Sequence[str | bytes], answers: Sequence[Sequence[Prediction]]
) -> list[str | bytes]:
    """The picture of each row: an input's stands beside its best label."""
    return [
        picture if rank == 0 else ""
        for picture, answer in zip(pictures, answers, strict=False)
        for rank in range(max(1, len(answer)))
    ]


def _query_of(given: dict[str, Any]) -> SearchQuery:
    """A query of the fields that ``search`` is given.

    Raises:
        UsageError: ``facets`` are asked for, or a list or a number is none.
    """
    if given.get("facets"):
        raise UsageError("facets: count a column of the result in your own data frame library.")
    lists = {name: tuple(texts_of(name, given[name])) for name in _LISTS & given.keys()}
    query = SearchQuery(vector=None, **(given | lists))
    refuse_beyond(-1, 1, min_similarity=query.min_similarity)
    refuse_other_than_text(filter_expression=query.filter_expression)
    refuse_below(1, limit=query.limit)
    refuse_below(0, offset=query.offset)
    return replace(query, limit=int(query.limit), offset=int(query.offset))


def _hit_row(hit: SearchHit, columns: Sequence[str]) -> dict[str, Any]:
    row = {name: getattr(hit, name, None) for name in _HIT_TYPES}
    own = {name: value_of(hit, name) for name in columns}
    return row | {"metadata_json": json.dumps(hit.metadata, ensure_ascii=False)} | own
