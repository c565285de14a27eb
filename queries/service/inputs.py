"""From what a request holds to vectors; one input that can't be used is an error of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from indexer.catalog.item_vectors import ItemVectors, mean_vectors, vectors_of_items
from indexer.catalog.near_ids import hint
from indexer.catalog.opening import OpenCatalog
from indexer.core.credentials import without_credentials
from indexer.core.errors import ItemError
from indexer.core.parts import place_text
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray
from queries.service.engine import Engine
from queries.service.fetching import fetch
from queries.service.problems import Problem, parsed
from queries.service.schemas.wire import Input
from queries.service.settings import ServiceSettings

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A picture or a sound that came with the request."""

    name: str
    content: bytes
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedInput:
    """One input with its vector, float32 (d,), or with why it has none.

    Attributes:
        title: float32 (d,), of its title, or of that which a stored item has.
        views: float32 (n, d), all pictures or windows, whose mean ``vector`` is; None for a text.
        view_ids: of them: the ids of a stored item's rows, or the name with a window's seconds.
    """

    name: str
    vector: FloatArray | None = None
    title: FloatArray | None = None
    error: str = ""
    views: FloatArray | None = None
    view_ids: tuple[str, ...] = ()


def is_form(request: Request) -> bool:
    """Whether a request's body is a form with uploads, and no JSON."""
    return request.headers.get("content-type", "").startswith("multipart/form-data")


async def read_form(
    request: Request, field: str, settings: ServiceSettings, *, part: str, model: type[M]
) -> tuple[list[Upload], M]:
    """The pictures of a form, and what it says of them.

    Args:
        field: the parts with pictures; of a single one where it is ``picture``.
        part: the only other one, with JSON.
        model: of that JSON.

    Raises:
        Problem: 400 no pictures, or what would be ignored: other parts, texts in the place of
            pictures, several pictures where one is meant; 413 too many.
        RequestValidationError: the JSON is not what the model describes.
    """
    try:
        form = await request.form(max_files=settings.max_inputs, max_fields=64)
    except HTTPException as error:
        if "Too many files" not in str(error.detail):
            raise
        detail = f"{settings.max_inputs} pictures may come at a time: send several requests."
        raise Problem(413, "too-many", "Too many inputs", detail) from error
    files = [file for file in form.getlist(field) if isinstance(file, UploadFile)]
    if detail := _misplaced(form, field, part, files):
        await form.close()
        raise Problem(400, "bad-request", "The form is not as described", detail)
    uploads = [
        Upload(name=file.filename or f"picture {place + 1}", content=await file.read())
        for place, file in enumerate(files)
    ]
    await form.close()
    return uploads, parsed(model, str(form.get(part) or "{}"))


def refuse_beside_upload(**others: str | None) -> None:
    """Refuse another input beside an uploaded picture, which would be ignored.

    Args:
        others: fields of the request by their names.

    Raises:
        Problem: 422, one is given.
    """
    for name, value in others.items():
        if value is not None:
            detail = f"{name} {value!r:.200} and an uploaded picture: give one of them."
            raise Problem(422, "validation", "The request is not as described", detail)


def _misplaced(form: FormData, field: str, part: str, files: Sequence[UploadFile]) -> str:
    """What is wrong with the parts of a form; empty where nothing is."""
    if unknown := sorted(form.keys() - {field, part}):
        return f"There is no part {unknown[0]!r}: the form has {field!r} and {part!r}."
    if not files:
        return f"Send at least one picture as the form's part {field!r}."
    if len(files) < len(form.getlist(field)):
        return f"A part {field!r} is a text: send pictures as files, with names."
    if len(files) > 1 and field == "picture":
        return f"{len(files)} pictures, and this route takes one: send several requests."
    if len(form.getlist(part)) > 1:
        return f"The part {part!r} comes several times: send it once."
    return ""


def with_titles(uploads: Sequence[Upload], titles: Sequence[str] | None) -> list[Upload]:
    """Uploaded pictures with what is said of them.

    Raises:
        Problem: 422, there are more or less titles than pictures.
    """
    if titles is None:
        return list(uploads)
    if len(titles) != len(uploads):
        detail = (
            f"{len(titles)} titles for {len(uploads)} pictures: give one for each, '' for none."
        )
        raise Problem(422, "validation", "Titles do not fit the pictures", detail)
    return [replace(upload, title=title) for upload, title in zip(uploads, titles, strict=True)]


async def embed_inputs(
    engine: Engine, inputs: Sequence[Upload | Input], *, titles: bool = False
) -> list[EmbeddedInput]:
    """Vectors of inputs of all kinds, in order.

    Args:
        titles: embed the titles of pictures too.

    Raises:
        Problem: 413, more inputs than a request may have.
        QueueFullError: too many inputs wait.
    """
    limit = engine.settings.max_inputs
    if len(inputs) > limit:
        detail = f"{len(inputs)} inputs, and {limit} may come at a time: send several requests."
        raise Problem(413, "too-many", "Too many inputs", detail)
    tasks = [asyncio.create_task(_embed(engine, value, titles=titles)) for value in inputs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:  # where one is refused, the others are not worth doing
            task.cancel()


async def _embed(engine: Engine, value: Upload | Input, *, titles: bool) -> EmbeddedInput:
    name = value.name
    try:
        if isinstance(value, Input) and value.item_id is not None:
            item_id = value.item_id
            stored = await engine.run(lambda catalog: stored_item(catalog, item_id))
            return EmbeddedInput(
                name=name,
                vector=stored.mean,
                title=stored.title,
                views=stored.views,
                view_ids=tuple(row.row_id for row in stored.rows),
            )
        embedded = await _embedded(engine, value)
        title_vector = (
            await _of_text(engine, value.title) if titles and value.title.strip() else None
        )
        return replace(embedded, title=title_vector)
    except ItemError as error:
        return EmbeddedInput(name=name, error=str(error))


async def _embedded(engine: Engine, value: Upload | Input) -> EmbeddedInput:
    if isinstance(value, Upload):
        return await embed_content(engine, value.content, value.name)
    if value.url is not None:
        async with engine.downloads:
            content = await fetch(value.url, engine.settings)
            embedded = await embed_content(engine, content, value.url)
            return replace(embedded, name=value.name)
    return EmbeddedInput(name=value.name, vector=await _of_text(engine, value.text or ""))


async def embed_content(engine: Engine, content: bytes, name: str) -> EmbeddedInput:
    """A picture or a sound; of a sound with its windows.

    Raises:
        ItemError: it can't be used.
    """
    vectors, parts = await engine.embed_content(content, name)
    shown = without_credentials(name)
    return EmbeddedInput(
        name=name,
        vector=mean_vectors(vectors, np.zeros(1, dtype=np.int64))[0],
        views=vectors,
        view_ids=tuple(" ".join(filter(None, (shown, place_text(part)))) for part in parts),
    )


async def _of_text(engine: Engine, text: str) -> FloatArray:
    return np.asarray((await engine.embed_texts([checked_text(text, engine.settings)]))[0])


def checked_text(text: str, settings: ServiceSettings) -> str:
    """The text, if it is one that may be embedded.

    Raises:
        Problem: 413, it is too long.
        ItemError: it is empty.
    """
    limit = settings.max_text
    if len(text) > limit:
        detail = f"A text has {len(text):,} characters, the limit is {limit:,}: shorten it."
        raise Problem(413, "too-large", "A text is too long", detail)
    if not text.strip():
        raise ItemError(Reason.EMPTY_TEXT, "the text is empty: give one with a word in it")
    return text


def stored_item(catalog: OpenCatalog, item_id: str) -> ItemVectors:
    """The vectors of a stored item's pictures and of its title.

    Raises:
        ItemError: there is no such item.
    """
    stored = vectors_of_items(catalog.archive, catalog.ledger.parts, [item_id]).get(item_id)
    if stored is None:
        near = hint(catalog.ledger, item_id)
        raise ItemError(Reason.MISSING, f"there is no item {item_id!r}{near}")
    return stored
