"""``/v1/labels``: the taxonomy that is served."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import TaxonomyError
from indexer.core.label_sets import CATEGORY
from indexer.jobs.labels import add_labels, remove_labels
from queries.service.dependencies import MayAdminister, MayRead, SharedEngine, SharedWriter
from queries.service.parameters import LABEL_ID
from queries.service.problems import RESPONSES
from queries.service.schemas.labels import (
    LabelIn,
    LabelOut,
    LabelsChanged,
    LabelsRequest,
    LabelsResponse,
)
from queries.service.schemas.wire import SetName

router = APIRouter(prefix="/v1/labels", tags=["labels"], responses=RESPONSES)


@router.get("", dependencies=[MayRead])
async def list_labels(
    engine: SharedEngine,
    contains: Annotated[str, Query(max_length=200, description="In a name of the path.")] = "",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    set: SetName = CATEGORY,  # noqa: A002 - the parameter's name in the address
) -> LabelsResponse:
    """A page of the labels, in their order; with ``contains``, names that begin so come first."""

    def look(catalog: OpenCatalog) -> LabelsResponse:
        label_set = catalog.of_set(set).label_set
        leaves = label_set.leaves.places
        sought = contains.casefold()
        matches = [
            label for label in label_set.labels if sought in " > ".join(label.path).casefold()
        ]
        if sought:
            matches.sort(key=lambda label: _rank(label.name.casefold(), sought))
        return LabelsResponse(
            total=len(matches),
            version=label_set.version,
            labels=[
                LabelOut(
                    label_id=label.label_id,
                    name=label.name,
                    path=list(label.path),
                    parent_id=label.parent_id or None,
                    description=label.description,
                    synonyms=list(label.synonyms),
                    is_leaf=label.label_id in leaves,
                )
                for label in matches[offset : offset + limit]
            ],
        )

    return await engine.run(look)


def _rank(name: str, sought: str) -> int:
    """0 where a name begins so, 1 where a word of it does, 2 where it is in it, 3 in its path."""
    if name.startswith(sought):
        return 0
    if f" {sought}" in name:
        return 1
    return 2 if sought in name else 3


@contextmanager
def label_file(labels: Sequence[LabelIn]) -> Iterator[str]:
    """A label file of a request's labels; errors name the request, not the file."""
    rows = [label.model_dump(exclude_defaults=True) for label in labels]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        try:
            yield str(path)
        except TaxonomyError as error:
            told = str(error).replace(str(path), "the labels of the request")
            raise TaxonomyError(told) from error


@router.put("", dependencies=[MayAdminister])
async def put_labels(
    body: LabelsRequest,
    engine: SharedEngine,
    writer: SharedWriter,
    set: SetName = CATEGORY,  # noqa: A002 - the parameter's name in the address
) -> LabelsChanged:
    """Add or change labels; only those that are new or changed are embedded."""

    def change() -> LabelsChanged:
        with label_file(body.labels) as file:
            changes = add_labels(
                writer.options.of_set(set),
                file,
                replace=body.replace,
                applies_to=body.applies_to,
            )
        return LabelsChanged(**asdict(changes))

    await engine.load()
    return await writer.run(change)


@router.delete(LABEL_ID, dependencies=[MayAdminister])
async def delete_label(
    writer: SharedWriter,
    label_id: str,
    set: SetName = CATEGORY,  # noqa: A002 - the parameter's name in the address
) -> LabelsChanged:
    """Take a label out; one that has children stays."""
    options = writer.options.of_set(set)
    changes = await writer.run(lambda: remove_labels(options, [label_id]))
    return LabelsChanged(**asdict(changes))
