"""Where the time of an ingestion goes: seconds of processor time per 1,000 pictures."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.ingestion import BATCH, loaded_options
from indexer.core.records import EmbeddedItem, Fingerprint, Kind
from indexer.core.vectors import normalise
from indexer.core.watch import Watch
from indexer.encoder import SentenceTransformerEncoder
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.sources.decoding import Decoder
from indexer.store import Database

STORED_ROWS = 4_000

Seconds = dict[str, float]
"""Processor time per 1,000 pictures, by stage."""


def profile(model: Path, pictures: Path, precision: str) -> None:
    """Print what each stage takes alone, and what the job takes in all.

    Processor time adds up over threads, so what stages do side by side is counted in full.
    """
    encoder = SentenceTransformerEncoder(str(model), precision=precision)
    files = sorted(pictures.iterdir())
    seconds: Seconds = {}
    decode = Decoder(least_side=encoder.least_side).decode
    with _processor_time(seconds, "decode", len(files)):
        decoded = [decode(file.read_bytes(), file.name) for file in files]
    with _processor_time(seconds, "resize", len(files)):
        ready = [encoder.prepare(pixels) for pixels in decoded]
    encoder.embed_pictures(ready[:BATCH])  # packs the weights
    with _processor_time(seconds, "forward", len(ready)):
        for start in range(0, len(ready), BATCH):
            encoder.embed_pictures(ready[start : start + BATCH])
    _store(seconds, encoder.fingerprint)
    total = _job(encoder, pictures, len(files))
    seconds["rest"] = total - sum(seconds.values())
    table = Table(title=f"Seconds of processor time per 1,000 pictures, {encoder.precision}")
    table.add_column("stage")
    table.add_column("s", justify="right")
    table.add_column("share", justify="right")
    for stage, taken in (*seconds.items(), ("all", total)):
        table.add_row(stage, f"{taken:.2f}", f"{taken / total:.1%}")
    Console().print(table)


def _store(seconds: Seconds, fingerprint: Fingerprint) -> None:
    vectors = np.random.default_rng(0).standard_normal((STORED_ROWS, fingerprint.width))
    rows = [
        EmbeddedItem(
            item_id=f"{number:06d}.jpg",
            kind=Kind.PICTURE,
            source=f"/pictures/{number:06d}.jpg",
            title="",
            metadata_json="{}",
            content_hash=f"{number:064x}",
            row_hash=f"{number:032x}",
            vector=vector,
        )
        for number, vector in enumerate(normalise(vectors))
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        Database.connect(str(Path(folder) / "milvus.db")) as database,
    ):
        database.create_catalog("pictures", fingerprint)
        items = database.items("pictures")
        with _processor_time(seconds, "store", STORED_ROWS):
            items.upsert(rows, [None] * STORED_ROWS)
            items.flush()


def _job(encoder: SentenceTransformerEncoder, pictures: Path, count: int) -> float:
    """Processor time of the whole job, per 1,000 pictures."""
    started = [0.0]

    def begin(stage: str, _: int | None) -> None:
        if stage == "Ingesting":
            started[0] = time.process_time()

    watch = Watch(begin=begin)
    with tempfile.TemporaryDirectory() as folder:
        ingest(loaded_options(encoder, Path(folder)), [str(pictures)], IngestOptions(), watch)
        return (time.process_time() - started[0]) / count * 1000


@contextlib.contextmanager
def _processor_time(seconds: Seconds, stage: str, count: int) -> Iterator[None]:
    started = time.process_time()
    yield
    seconds[stage] = (time.process_time() - started) / count * 1000
