"""A process that ingests generated pictures with the fake model, to be killed.

Everything but the model is real: sources, decoding, archive, ledger, Milvus Lite. Each
picture that is embedded is told in a file at once, so that a test can count.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fakes import FakeEncoder

from indexer.catalog.opening import CatalogOptions
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray
from indexer.ingestion.pipeline import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions

BATCH = 8


class Telling(FakeEncoder):
    """Tells what it embeds: a picture's number is its first pixel, in two bytes.

    Args:
        told: the file that it tells it in.
        pause_s: what a batch takes.
        most: batches after which it stands still, until the process is killed.
    """

    def __init__(self, told: Path, pause_s: float, most: float) -> None:
        super().__init__()
        self._told = os.open(told, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self._pause_s = pause_s
        self._left = most

    def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """Embed, tell, and take the time of a small model."""
        if pictures:
            while self._left < 1:
                time.sleep(1)
            self._left -= 1
            numbers = [int(one[0, 0, 0]) * 256 + int(one[0, 0, 1]) for one in pictures]
            os.write(self._told, "".join(f"{number}\n" for number in numbers).encode())
            time.sleep(self._pause_s)
        return super().embed_pictures(pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faked(CatalogOptions):
    """Options whose model is a fake one."""

    encoder: Any = None

    def load_encoder(self, model: str) -> Any:
        """The fake one, whatever was asked for."""
        assert model
        return self.encoder


def picture(number: int) -> np.ndarray:
    """uint8 (2, 2, 3) that holds its number."""
    pixels = np.full((2, 2, 3), number % 251, dtype=np.uint8)
    pixels[0, 0, :2] = divmod(number, 256)
    return pixels


def main(folder: Path, pause_s: float, most: float) -> None:
    """Ingest the folder's pictures; print the report's counts."""
    told = Telling(folder / "told.txt", pause_s, most)
    options = Faked(data_dir=folder / "data", model="fake", encoder=told)
    sizes = PipelineSizes(workers=2, downloads=4, batch_size=BATCH, shard_rows=3 * BATCH)
    report = ingest(options, [str(folder / "pictures")], IngestOptions(sizes=sizes))
    print(report.read, report.stored, report.unchanged, report.dead)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
