"""Two models that differ in nothing but their vectors, and processes that use them.

Run as a program it is a reader or a writer of a catalog in a process of its own.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from fakes import FakeEncoder
from PIL import Image

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.reembed import ReembedOptions, reembed

OLD, NEW = "old", "new"
SIZES = PipelineSizes(workers=2, downloads=4, batch_size=8, shard_rows=24)
HOW = ReembedOptions(ingest=IngestOptions(sizes=SIZES))


class Model(FakeEncoder):
    """A fake model whose vectors follow from its name, too: same width, other directions.

    Args:
        told: each picture that is embedded adds a line to this file.
        pause_s: what a batch takes.
        most: batches after which it stands still, until the process is killed.
    """

    sees_pictures = True

    def __init__(
        self,
        name: str,
        *,
        fails: Callable[[bytes], bool] = lambda _: False,
        told: Path | None = None,
        pause_s: float = 0.0,
        most: float = math.inf,
    ) -> None:
        super().__init__(fails)
        self.fingerprint = replace(FakeEncoder.fingerprint, model=name, revision=name)
        self._told = told
        self._pause_s = pause_s
        self._left = most

    def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """float32 (n, d) of the pixels."""
        while pictures and self._left < 1:
            time.sleep(1)
        self._left -= bool(pictures)
        if pictures and self._told is not None:
            with self._told.open("a") as stream:
                stream.writelines(f"{number_of(one)}\n" for one in pictures)
        if pictures:
            time.sleep(self._pause_s)
        return super().embed_pictures(pictures)

    def _embed(self, contents: Sequence[bytes]) -> FloatArray:
        name = self.fingerprint.model.encode()
        return super()._embed([name + content for content in contents])


@dataclass(frozen=True, slots=True, kw_only=True)
class Faked(CatalogOptions):
    """Options whose models are fake ones."""

    models: Any = Model

    def load_encoder(self, model: str) -> Any:
        """The model of this name."""
        return self.models(model)


def picture(number: int) -> Pixels:
    """uint8 (2, 2, 3) that holds its number."""
    pixels = np.full((2, 2, 3), number % 251, dtype=np.uint8)
    pixels[0, 0, :2] = divmod(number, 256)
    return pixels


def number_of(pixels: Pixels) -> int:
    """The number that a picture holds."""
    return int(pixels[0, 0, 0]) * 256 + int(pixels[0, 0, 1])


def draw(folder: Path, numbers: Sequence[int], *, prices: dict[int, int] | None = None) -> Path:
    """Pictures with a table that gives each a title, a shop and a price."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in numbers:
        Image.fromarray(picture(number)).save(folder / f"{number}.png")
        price = (prices or {}).get(number, number)
        row = {"id": f"i{number}", "image": f"{number}.png", "title": f"thing {number}"}
        rows.append(row | {"price": price, "shop": f"shop {number % 3}"})
    table = folder / "table.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)))
    return table


def found_by(options: CatalogOptions, numbers: Sequence[int]) -> tuple[str, list[Any]]:
    """What a reader sees: the model it used, and the nearest items of some pictures."""
    with open_catalog(options) as catalog:
        queries = catalog.encoder.embed_pictures([picture(number) for number in numbers])
        hits = catalog.items.search(queries, limit=1)
        labels = catalog.labels.search(np.pad(queries, ((0, 0), (0, 1))), limit=1)
        seen = [
            [item[0].fields["item_id"], round(item[0].similarity, 3), label[0].fields["label_id"]]
            for item, label in zip(hits, labels, strict=True)
        ]
        return catalog.encoder.fingerprint.model, seen


def read_on(folder: Path, uri: str) -> None:
    """Search again and again, telling each answer, until a file says to stop."""
    options = Faked(data_dir=folder / "data", db=uri)
    while not (folder / "stop").exists():
        print(json.dumps(found_by(options, [3, 5, 8])), flush=True)  # noqa: T201


def reembed_slowly(folder: Path, pause_s: float, most: float) -> None:
    """Change the model, telling what is embedded."""

    def slow(name: str) -> Model:
        return Model(name, told=folder / "told.txt", pause_s=pause_s, most=most)

    options = Faked(data_dir=folder / "data", model=NEW, models=slow)
    report = reembed(options, HOW)
    print(report.items, sum(report.dead_letters.values()))  # noqa: T201


def environment() -> dict[str, str]:
    """For processes that run this module."""
    tests = Path(__file__).resolve().parent
    paths = os.pathsep.join(map(str, (tests.parent, tests)))
    return os.environ | {"PYTHONPATH": paths}


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read_on(Path(sys.argv[2]), sys.argv[3])
    else:
        reembed_slowly(Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
