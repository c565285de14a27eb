"""What reads only: labels, searches, things in a picture, explanations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from indexer.core.errors import UsageError
from indexer.core.given_values import entries_of, refuse_single, texts_of
from indexer.core.label_sets import CATEGORY
from queries.results import PictureObject, PictureObjects, SearchHit, SearchResult
from queries.service.client.answers import (
    explanation_of,
    hit_of,
    predictions_of,
    search_result_of,
    value_of,
)
from queries.service.client.connection import Connection, ServiceError, file_part, json_of
from queries.service.client.results import Classification, Explanation

_LISTED_AT_ONCE = 500
_LISTS = {"without", "facets", "category", "item_ids"}


class Asking(Connection):
    """Routes that answer a question and change nothing."""

    def classify(
        self,
        *,
        pictures: Sequence[str | Path | bytes] = (),
        texts: Sequence[str] = (),
        item_ids: Sequence[str] = (),
        urls: Sequence[str] = (),
        titles: Sequence[str] = (),
        **options: Any,
    ) -> Classification:
        """Labels of pictures, then of texts, of stored items, and of URLs; best first.

        Args:
            pictures: paths on this machine, or encoded pictures; they are uploaded.
            urls: addresses that the service fetches, where it was started with --fetch-urls.
            titles: what is said of each picture, in their order; none at all, or one for each,
                where an empty text, None or NaN is no title.
            options: as ``ClassifyOptions`` of the service: ``limit``, ``labels``, ``level``...

        Returns:
            A list for each input, empty for one that could not be used, whose error stands in
            ``errors``; and whether scores are ``calibrated``.

        Raises:
            ServiceError: refused, or no input could be used.
            StoreUnavailableError: the service does not answer.
            UsageError: nothing to label, a text in the place of a list, a picture can't be read,
                or titles do not fit the pictures.
        """
        refuse_single("pictures", pictures)
        pictures, titles = entries_of(pictures), texts_of("titles", titles, blank_missing=True)
        inputs = [
            *({"text": text} for text in texts_of("texts", texts)),
            *({"item_id": item_id} for item_id in texts_of("item_ids", item_ids)),
            *({"url": url} for url in texts_of("urls", urls)),
        ]
        if not (pictures or inputs):
            raise UsageError("there is nothing to label: give pictures, texts, item_ids or urls.")
        if titles and len(titles) != len(pictures):
            raise UsageError(
                f"{len(titles)} titles for {len(pictures)} pictures: give one for each."
            )
        answers: list[dict[str, Any]] = []
        for start in range(0, len(pictures), self._batch_size):
            page = slice(start, start + self._batch_size)
            files = [
                ("pictures", file_part(picture, place))
                for place, picture in enumerate(pictures[page], start)
            ]
            title_fields = {"titles": titles[page]} if titles else {}
            sent = json_of(options | title_fields)
            answers.append(self._labelled(len(files), files=files, data={"options": sent}))
        for chunk in self._parts(inputs):
            content = {"inputs": chunk, "options": options}
            answers.append(self._labelled(len(chunk), json=content))
        refused = [answer["refused"] for answer in answers if "refused" in answer]
        if len(refused) == len(answers):
            raise refused[0]
        results = [result for answer in answers for result in answer["results"]]
        return Classification(
            results=list(map(predictions_of, results)),
            errors={place: row["error"] for place, row in enumerate(results) if row.get("error")},
            calibrated=all(answer.get("calibrated", True) for answer in answers),
        )

    def _labelled(self, inputs: int, **request: Any) -> dict[str, Any]:
        """The answer to one request; of one without any usable input the error of each."""
        try:
            return dict(self._ask("POST", "/v1/classify", **request))
        except ServiceError as error:
            if error.kind != "unusable-input":
                raise
            return {
                "refused": error,
                "results": [{"predictions": [], "error": str(error)}] * inputs,
            }

    def search(
        self,
        text: str | None = None,
        *,
        picture: str | Path | bytes | None = None,
        item_id: str | None = None,
        filter_expression: str = "",
        **options: Any,
    ) -> list[SearchHit]:
        """The best items for words, a picture, or an item that they are like.

        Args:
            options: as ``find`` takes them.

        Raises:
            ServiceError: refused.
            StoreUnavailableError: the service does not answer.
        """
        return self.find(
            text, picture=picture, item_id=item_id, filter_expression=filter_expression, **options
        ).hits

    def find(
        self,
        text: str | None = None,
        *,
        picture: str | Path | bytes | None = None,
        item_id: str | None = None,
        filter_expression: str = "",
        **options: Any,
    ) -> SearchResult:
        """As ``search``, with the counts of ``facets``.

        Where the items' pictures lie is the service's affair: ``source`` is empty.

        Args:
            options: as ``SearchRequest`` of the service: ``limit``, ``text_weight``, ``hybrid``,
                ``without``, ``min_similarity``, ``group_by``, ``facets``...

        Raises:
            ServiceError: refused.
            StoreUnavailableError: the service does not answer.
        """
        lists = {name: texts_of(name, options[name]) for name in _LISTS & options.keys()}
        query: dict[str, Any] = {**options, **lists, "filter": filter_expression}
        query |= {"text": text} if text else {}
        query |= {"item_id": item_id} if item_id else {}
        if picture is None:
            answer = self._ask("POST", "/v1/search", json=query)
        else:
            answer = self._ask_of_picture("/v1/search", picture, query, "query")
        return search_result_of(answer)

    def list_items(
        self,
        filter_expression: str = "",
        *,
        category: Sequence[str] = (),
        partition: str | None = None,
        item_ids: Sequence[str] = (),
    ) -> Iterator[SearchHit]:
        """All items that a filter, labels or ids choose, by id; asks for pages as it goes.

        An item that comes or goes meanwhile makes no other be skipped or given twice.

        Args:
            category: labels by id, name or path, a branch with all below it.
            item_ids: at most 10,000.

        Raises:
            ServiceError: refused; nothing is chosen, or there is no such label or partition.
            StoreUnavailableError: the service does not answer.
            UsageError: a text in the place of a list.
        """
        chosen: dict[str, Any] = {
            "category": texts_of("category", category),
            "item_ids": texts_of("item_ids", item_ids),
        }
        chosen |= {} if partition is None else {"partition": partition}
        after: str | None = ""
        while after is not None:
            page = self.find(
                filter_expression=filter_expression, limit=_LISTED_AT_ONCE, after=after, **chosen
            )
            yield from page.hits
            after = page.next_after

    def objects(self, picture: str | Path | bytes, **query: Any) -> PictureObjects:
        """The things in a picture, with their labels and the items like each ("shop the look").

        Args:
            picture: path on this machine, or an encoded picture; it is uploaded.
            query: as ``ObjectsRequest`` of the service: ``items``, ``max_objects``, ``filter``,
                ``options``...

        Raises:
            ServiceError: refused.
            StoreUnavailableError: the service does not answer.
            UsageError: the picture can't be read.
        """
        sent = {name: value for name, value in query.items() if value is not None}
        answer = self._ask_of_picture("/v1/objects", picture, sent, "query")
        objects = tuple(
            value_of(
                PictureObject,
                thing,
                predictions=tuple(predictions_of(thing)),
                hits=tuple(map(hit_of, thing["hits"])),
            )
            for thing in answer["objects"]
        )
        return value_of(PictureObjects, answer, objects=objects)

    def explain(
        self,
        picture: str | Path | bytes | None = None,
        *,
        text: str | None = None,
        item_id: str | None = None,
        heat_map: Literal["none", "occlusion"] = "none",
        set_name: str = CATEGORY,
    ) -> Explanation:
        """Why an input has its label: prompts, nearest labelled items, words, parts.

        Args:
            picture: path on this machine, or an encoded picture or sound; it is uploaded.
            heat_map: where in the picture it shows; slow beside the rest.

        Raises:
            ServiceError: refused.
            StoreUnavailableError: the service does not answer.
            UsageError: not exactly one of picture, text and item_id; or the picture can't be
                read.
        """
        if sum(given is not None for given in (picture, text, item_id)) != 1:
            raise UsageError("explain takes exactly one of picture, text and item_id.")
        options: dict[str, Any] = {"heat_map": heat_map, "label_set": set_name}
        if picture is not None:
            answer = self._ask_of_picture("/v1/explain", picture, options, "options")
        else:
            given = {"text": text} if item_id is None else {"item_id": item_id}
            answer = self._ask("POST", "/v1/explain", json=options | given)
        return explanation_of(answer)

    def _ask_of_picture(
        self, path: str, picture: str | Path | bytes, sent: dict[str, Any], part: str
    ) -> Any:
        """The answer to a form of a picture and a part of JSON."""
        files = [("picture", file_part(picture, 0))]
        return self._ask("POST", path, files=files, data={part: json_of(sent)})
