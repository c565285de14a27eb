"""``--server``: a running service answers in the place of this process, which loads no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from indexer.commands.options import option, with_options
from indexer.commands.variables import PREFIX
from indexer.core.errors import UsageError

if TYPE_CHECKING:
    from indexer.core.object_options import ObjectOptions
    from queries.deciding.question import Question
    from queries.inputs.query import Query
    from queries.results import PictureObjects, Prediction, SearchResult
    from queries.search.query import SearchQuery
    from queries.search_inputs import SearchInputs
    from queries.service.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A service that is asked.

    Attributes:
        address: such as ``http://127.0.0.1:8080``.
        key: an API key; empty for none.
    """

    address: str
    key: str

    def client(self) -> Client:
        """A connection to the service; to be closed."""
        from queries.service.client import Client

        return Client(self.address, key=self.key)


def _remote(
    *,
    server: Annotated[
        str | None,
        option(
            "--server",
            envvar=f"{PREFIX}_SERVER",
            metavar="ADDRESS",
            help="Let a running zeroshelf serve answer, such as http://127.0.0.1:8080: no model is "
            "loaded here.",
            show_default=False,
        ),
    ] = None,
    server_key: Annotated[
        str,
        option(
            "--server-key",
            envvar=f"{PREFIX}_SERVER_KEY",
            metavar="KEY",
            help="API key for --server.",
            show_default=False,
        ),
    ] = "",
) -> Remote | None:
    return None if server is None else Remote(address=server, key=server_key)


with_remote = with_options("remote", _remote)
"""Puts them in the place of a command's parameter ``remote``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteInputs:
    """The inputs that a service took, what went wrong with others, by place, and what scores are.

    Attributes:
        calibrated: whether the service's scores are calibrated on labelled items.
    """

    names: tuple[str, ...]
    errors: dict[int, str]
    calibrated: bool = True


def classify_remotely(
    remote: Remote, queries: Sequence[Query], items: Sequence[str], question: Question
) -> tuple[RemoteInputs, list[list[Prediction]]]:
    """Labels by a service, for the inputs that it could use.

    Args:
        queries: pictures on this machine, or texts; not both.
        items: ids of stored items instead.

    Raises:
        UsageError: an input is of a kind that is not sent.
        ServiceError, StoreUnavailableError: the service refuses, or does not answer.
    """
    from queries.service.client import ServiceError
    from queries.service.client.results import Classification

    for query in queries:
        if query.problem or query.further or "://" in query.source:
            raise UsageError(
                f"{query.name}: --server takes files of this machine, texts and stored items. "
                "Leave it out for URLs, and for rows that have several pictures or none."
            )
    missing = {
        place: "there is no such file"
        for place, query in enumerate(queries)
        if query.source and not Path(query.source).is_file()
    }
    sent = [query for place, query in enumerate(queries) if place not in missing]
    pictures = [Path(query.source) for query in sent if query.source]
    titles = [query.title for query in sent if query.source]
    answers = Classification(results=(), errors={}, calibrated=True)
    if sent or items:
        with remote.client() as client:
            try:
                answers = client.classify(
                    pictures=pictures,
                    texts=[query.title for query in sent if not query.source],
                    item_ids=items,
                    titles=titles if any(titles) else (),
                    **_options_of(question),
                )
            except ServiceError as error:
                if error.kind != "unusable-input":
                    raise
                refused = range(len(sent) or len(items))
                answers = Classification(
                    results=[[] for _ in refused],
                    errors=dict.fromkeys(refused, str(error)),
                    calibrated=True,
                )
    names = [*items] or [query.name for query in queries]
    places = [place for place in range(len(names)) if place not in missing]
    errors = missing | {places[place]: error for place, error in answers.errors.items()}
    used = tuple(name for place, name in enumerate(names) if place not in errors)
    inputs = RemoteInputs(names=used, errors=errors, calibrated=answers.calibrated)
    return inputs, [answer for place, answer in enumerate(answers) if place not in answers.errors]


def classify_objects_remotely(
    remote: Remote, pictures: Sequence[Query], objects: ObjectOptions, question: Question
) -> tuple[list[PictureObjects | None], dict[int, str]]:
    """Labels of the things in some pictures by a service.

    Returns:
        An answer a picture, and what went wrong with others, by place.

    Raises:
        UsageError: a picture is not a file of this machine.
        ServiceError, StoreUnavailableError: the service refuses all, or does not answer.
    """
    from queries.service.client import ServiceError

    answers: list[PictureObjects | None] = []
    errors: dict[int, str] = {}
    with remote.client() as client:
        for place, picture in enumerate(pictures):
            try:
                path = _own_file(picture.source, "a picture")
                answers.append(
                    client.objects(
                        path,
                        items=0,
                        **_finder_options(objects),
                        options=_options_of(question),
                    )
                )
            except (ServiceError, UsageError) as error:
                if len(pictures) == 1:
                    raise
                errors[place] = str(error)
                answers.append(None)
    return answers, errors


def search_objects_remotely(
    remote: Remote, image: str | None, query: SearchQuery, objects: ObjectOptions
) -> PictureObjects:
    """The items like each thing in a picture by a service.

    Raises:
        UsageError: the picture is not a file of this machine.
        ServiceError, StoreUnavailableError: the service refuses, or does not answer.
    """
    path = _own_file(image or "", "--image")
    with remote.client() as client:
        return client.objects(
            path,
            items=query.limit,
            filter=query.filter_expression,
            partition=query.partition,
            min_similarity=query.min_similarity,
            group_by=query.group_by,
            **_finder_options(objects),
        )


def _own_file(source: str, name: str) -> Path:
    if "://" in source:
        raise UsageError(f"{name} {source}: --server takes files of this machine: leave it out.")
    return Path(source)


def _finder_options(objects: ObjectOptions) -> dict[str, Any]:
    """How things are found, as the service takes it.

    Raises:
        UsageError: a detector is named: which one the service has, is said where it is started.
    """
    if objects.detector or objects.words:
        raise UsageError(
            "--detector and --object-words are of the service: start it with them, or leave "
            "--server out."
        )
    return {"max_objects": objects.most, "min_score": objects.threshold}


def _options_of(question: Question) -> dict[str, Any]:
    """A question as the service's ``ClassifyOptions``, without what is as its default."""
    settings = question.settings
    options = {
        "labels": None if question.labels is None else list(question.labels),
        "level": settings.level,
        "back_off": settings.back_off,
        "min_score": settings.min_score,
        "target_precision": settings.target_precision,
        "coverage": settings.coverage,
        "text_weight": settings.text_weight,
        "label_set": question.set_name,
    }
    return {name: value for name, value in options.items() if value is not None} | {
        "limit": question.limit,
        "adapt": question.adapt,
        "multi_label": settings.multi_label,
        "prompt_pooling": str(question.pooling),
        "view_pooling": str(question.view_pooling),
    }


def search_remotely(remote: Remote, query: SearchQuery, inputs: SearchInputs) -> SearchResult:
    """What a service finds.

    Raises:
        UsageError: the picture or sound is not a file of this machine.
        ServiceError, StoreUnavailableError: the service refuses, or does not answer.
    """
    content = inputs.content
    if content is not None and "://" in content:
        raise UsageError(f"{content}: --server takes files of this machine: leave it out.")
    with remote.client() as client:
        return client.find(
            inputs.text,
            picture=None if content is None else Path(content),
            item_id=inputs.item_id,
            text_weight=inputs.text_weight,
            hybrid=inputs.hybrid,
            without=list(query.without),
            filter_expression=query.filter_expression,
            category=list(query.categories),
            partition=query.partition,
            min_similarity=query.min_similarity,
            group_by=query.group_by,
            facets=list(query.facets),
            limit=query.limit,
            offset=query.offset,
            after=query.after,
        )
