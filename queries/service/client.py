"""A client of the service, with the result types of the library."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from indexer.core.errors import StoreUnavailableError, UsageError, ZeroshelfError
from queries.results import (
    Facet,
    FoundBy,
    PictureObject,
    PictureObjects,
    Prediction,
    SearchHit,
    SearchResult,
)

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_LONGEST_WAIT_S = 10.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_ROWS_AT_ONCE = 1_000


class ServiceError(ZeroshelfError):
    """The service refused a request; the message is its problem document's detail.

    Args:
        status: HTTP status.
        kind: last part of the problem's type, such as ``forbidden``.
    """

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


class Client:
    """Asks a running ``zeroshelf serve``.

    Args:
        address: such as ``http://127.0.0.1:8080``.
        key: an API key; none is needed on the service's own machine where it has none.
        timeout_s: of one request.
        retries: further attempts where the service is busy, after the time that it asks for, or
            where the connection breaks off before the answer, after pauses that double: what
            a client asks only reads.
        batch_size: inputs of one request; more are sent in several, over one connection. At
            most the service's ``--max-inputs``.
    """

    def __init__(
        self,
        address: str,
        *,
        key: str = "",
        timeout_s: float = 60.0,
        retries: int = 3,
        batch_size: int = 64,
    ) -> None:
        import httpx

        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout_s)
        self._address = address
        self._retries = retries
        self._batch_size = batch_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def classify(
        self,
        *,
        pictures: Sequence[Path | bytes] = (),
        texts: Sequence[str] = (),
        item_ids: Sequence[str] = (),
        titles: Sequence[str] = (),
        **options: Any,
    ) -> list[list[Prediction]]:
        """Labels of pictures, then of texts, then of stored items; best first.

        Args:
            pictures: paths on this machine, or encoded pictures; they are uploaded.
            titles: what is said of each picture, in their order; none at all, or one for each.
            options: as ``ClassifyOptions`` of the service: ``limit``, ``labels``, ``level``...

        Returns:
            A list for each input; empty for one that could not be used.

        Raises:
            ServiceError: refused, or no input of a request could be used.
            StoreUnavailableError: the service does not answer.
            UsageError: a picture can't be read, or titles do not fit the pictures.
        """
        if titles and len(titles) != len(pictures):
            raise UsageError(
                f"{len(titles)} titles for {len(pictures)} pictures: give one for each."
            )
        predictions: list[list[Prediction]] = []
        for start in range(0, len(pictures), self._batch_size):
            page = slice(start, start + self._batch_size)
            files = [("pictures", _part(one, place)) for place, one in enumerate(pictures[page])]
            title_fields = {"titles": list(titles[page])} if titles else {}
            sent = json.dumps(options | title_fields)
            answer = self._ask("POST", "/v1/classify", files=files, data={"options": sent})
            predictions += [_predictions(one) for one in answer["results"]]
        inputs = [{"text": text} for text in texts] + [{"item_id": one} for one in item_ids]
        for chunk in self._parts(inputs):
            answer = self._ask("POST", "/v1/classify", json={"inputs": chunk, "options": options})
            predictions += [_predictions(one) for one in answer["results"]]
        return predictions

    def search(
        self,
        text: str | None = None,
        *,
        picture: Path | bytes | None = None,
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
        picture: Path | bytes | None = None,
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
        query: dict[str, Any] = {**options, "filter": filter_expression}
        query |= {"text": text} if text else {}
        query |= {"item_id": item_id} if item_id else {}
        if picture is None:
            answer = self._ask("POST", "/v1/search", json=query)
        else:
            files = [("picture", _part(picture, 0))]
            answer = self._ask("POST", "/v1/search", files=files, data={"query": json.dumps(query)})
        return _search_result(answer)

    def objects(self, picture: Path | bytes, **query: Any) -> PictureObjects:
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
        sent = json.dumps({name: value for name, value in query.items() if value is not None})
        files = [("picture", _part(picture, 0))]
        answer = self._ask("POST", "/v1/objects", files=files, data={"query": sent})
        objects = tuple(map(_picture_object, answer.pop("objects")))
        return PictureObjects(**answer, objects=objects)

    def duplicates(self, **options: Any) -> list[dict[str, Any]]:
        """Look-alikes of the catalog: the rows of the table that ``zeroshelf duplicates`` writes.

        It starts a job of the service and waits for it.

        Args:
            options: ``near``, ``product``, ``variants``, ``keep_by``.

        Raises:
            ServiceError: refused, or the job failed or was cancelled.
            StoreUnavailableError: the service does not answer.
        """
        return self._rows_of_job("duplicates", options)

    def audit(self, truth: str, *, min_probability: float = 0.1) -> list[dict[str, Any]]:
        """Labels that are probably wrong: the rows of the table that ``zeroshelf audit`` writes.

        It starts a job of the service and waits for it.

        Args:
            truth: column of the items' metadata with labels.
            min_probability: of being wrong, from which a label is told.

        Raises:
            ServiceError: refused, or the job failed or was cancelled.
            StoreUnavailableError: the service does not answer.
        """
        return self._rows_of_job("audit", {"truth": truth, "min_probability": min_probability})

    def map_labels(self, file: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Counterparts of the catalog's labels: the rows of the table of ``zeroshelf labels map``.

        It starts a job of the service and waits for it.

        Args:
            file: the other taxonomy, a label file of any kind on this machine; it is sent.
            options: as ``MappingJob`` of the service: ``label_set``, ``items``, ``truth``,
                ``same_ids``, ``min_score``.

        Raises:
            TaxonomyError: the file is no valid taxonomy.
            ServiceError: refused, or the job failed or was cancelled.
            StoreUnavailableError: the service does not answer.
        """
        from indexer.jobs.label_files import read_label_file

        labels = [
            {
                "id": label.label_id,
                "name": label.name,
                "parent": label.parent_id or None,
                "description": label.description,
                "synonyms": list(label.synonyms),
            }
            for label in read_label_file(str(file)).labels
        ]
        return self._rows_of_job("map", {"labels": labels, **options})

    def _rows_of_job(self, kind: str, options: dict[str, Any]) -> list[dict[str, Any]]:
        job = self._ask("POST", f"/v1/jobs/{kind}", json=options)
        path, pause_s = f"/v1/jobs/{job['job_id']}", _FIRST_PAUSE_S
        while job["state"] in {"queued", "running"}:
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            job = self._ask("GET", path)
        if job["state"] != "done":
            raise ServiceError(409, "no-result", job["error"] or f"the job was {job['state']}")
        rows: list[dict[str, Any]] = []
        while True:
            query = {"limit": _ROWS_AT_ONCE, "offset": len(rows)}
            answer = self._ask("GET", f"{path}/rows", params=query)
            rows += answer["rows"]
            if len(rows) >= answer["total"]:
                return rows

    def _parts(self, inputs: Sequence[T]) -> Iterator[Sequence[T]]:
        for start in range(0, len(inputs), self._batch_size):
            yield inputs[start : start + self._batch_size]

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        import httpx

        for attempt in range(self._retries + 1):
            try:
                answer = self._http.request(method, path, **content)
            except (httpx.ReadError, httpx.RemoteProtocolError) as error:
                # No WriteError: a service may answer and close before all was sent, so httpcore
                # reads the answer where it can't go on writing.
                if attempt == self._retries:
                    raise self._broken_off(error, attempt + 1) from error
                time.sleep(min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_WAIT_S))
                continue
            except httpx.TransportError as error:
                raise self._away(error) from error
            if answer.status_code != 503 or attempt == self._retries:
                return content_of(answer)
            wait_s = float(answer.headers.get("Retry-After", "1"))
            time.sleep(min(wait_s, _LONGEST_WAIT_S))
        raise AssertionError("the loop returns or raises")

    def _broken_off(self, error: Exception, times: int) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"the service at {self._address} breaks off the connection before its answer "
            f"({error or type(error).__name__}; asked {times} times). See what it has logged; a "
            "proxy before it may take less at a time: give fewer or smaller inputs."
        )

    def _away(self, error: Exception) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"the service at {self._address} does not answer ({error or type(error).__name__}). Is "
            "it running? Start it with: zeroshelf serve"
        )


def _part(picture: Path | bytes, place: int) -> tuple[str, bytes]:
    if isinstance(picture, bytes):
        return f"picture {place + 1}", picture
    try:
        return picture.name, picture.read_bytes()
    except OSError as error:
        raise UsageError(f"{str(picture)!r} can't be read: {error.strerror}.") from error


def _predictions(result: dict[str, Any]) -> list[Prediction]:
    of_input = {"unknown_score": result["unknown_score"], "part_id": result.get("part_id") or ""}
    return [
        Prediction(**row | {"path": tuple(row["path"])} | of_input) for row in result["predictions"]
    ]


def _picture_object(thing: dict[str, Any]) -> PictureObject:
    return PictureObject(
        box=tuple(thing["box"]),
        score=thing["score"],
        word=thing["word"],
        predictions=tuple(_predictions(thing)),
        hits=tuple(map(_search_hit, thing["hits"])),
    )


def _search_hit(hit: dict[str, Any]) -> SearchHit:
    found_by, parts = FoundBy(hit.get("found_by", "vector")), tuple(hit.get("parts", ()))
    return SearchHit(source="", **hit | {"found_by": found_by, "parts": parts})


def _search_result(answer: dict[str, Any]) -> SearchResult:
    return SearchResult(
        hits=list(map(_search_hit, answer["hits"])),
        facets=tuple(Facet(**facet) for facet in answer.get("facets", ())),
        counted=answer.get("counted", 0),
        all_counted=answer.get("all_counted", True),
    )


def content_of(answer: httpx.Response) -> Any:
    """What a service answered, from JSON.

    Raises:
        ServiceError: it refused; the message is the problem document's detail.
    """
    if answer.is_success:
        return answer.json()
    try:
        problem = answer.json()
        kind, detail = problem["type"].rpartition(":")[2], problem["detail"]
    except (ValueError, KeyError):
        kind, detail = "http", f"the service answered {answer.status_code}"
    raise ServiceError(answer.status_code, kind, detail)
