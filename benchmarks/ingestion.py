"""Pictures in files to rows in Milvus, against the loop that one would write; peak memory.

    python -m benchmarks.ingestion [--json FILE] [--precision float32 --precision int8] [--profile]

Loop, forward pass and ours take turns, each in a process of its own that lives through all
rounds: a first round that is not counted, then the counted ones. Rates are medians of rounds;
loading models is no part of them. The model has CLIP ViT-B/32's sizes and random weights. The
pictures are photos of 500x375, each with other bytes at its end, so that none is a copy.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.ingestion_memory import memory_rows
from benchmarks.report import Row, command_line, compared, show
from benchmarks.turns import in_turns
from benchmarks.vit_b_32 import SHARED, vit_b_32

if TYPE_CHECKING:
    from indexer.catalog.options import CatalogOptions
    from indexer.encoder import SentenceTransformerEncoder

Run = Callable[[], float]

LOOP, FORWARD, OURS = "loop", "forward", "ours"
GOALS = {"float32": 1.25, "int8": 3.0}
BATCH = 32
FORWARD_PASSES = 5
"""Over the same 128 pictures: a run of a second and a half tells the mood of the machine."""

LOOP_PICTURES = 192
"""The loop is slow, and as fast from its first picture on."""


def lacks_profile(photo: Path) -> bool:
    """Whether a picture's file has no colour profile."""
    from PIL import Image

    with Image.open(photo) as picture:
        return "icc_profile" not in picture.info


def photo_files(scratch: Path) -> list[Path]:
    """Photos of 500x375; where there are none, those of the sample shop, written to a folder."""
    photos = list((SHARED / "data" / "photos").glob("*.JPEG"))
    if not photos:
        from indexer.jobs.sample import write_shop

        write_shop(scratch)
        photos = [file for file in scratch.rglob("*.jpg") if is_whole(file)]
    return photos


def is_whole(file: Path) -> bool:
    """Whether a picture can be decoded: the sample shop has broken ones."""
    from indexer.core.errors import ItemError
    from indexer.sources.decoding import Decoder

    try:
        Decoder().decode(file.read_bytes(), file.name)
    except ItemError:
        return False
    return True


def copies_of_photos(folder: Path, count: int) -> list[Path]:
    """So many JPEG files of different bytes; what follows a JPEG's end is not decoded.

    Photos with a colour profile are left out: a plain loop does not convert their colours, and
    its vectors are another picture's. ``benchmarks.decoding`` measures profiles.
    """
    folder.mkdir(parents=True)
    photos = sorted(filter(lacks_profile, photo_files(folder.with_name("shop"))))
    files = []
    for number in range(count):
        photo = photos[number % len(photos)]
        files.append(folder / f"{number:06d}.jpg")
        files[-1].write_bytes(photo.read_bytes() + number.to_bytes(4, "big"))
    return files


def loop(model_folder: Path, pictures: Path, scratch: Path) -> Run:
    """What one would write: Pillow, ``SentenceTransformer.encode``, ``MilvusClient.insert``."""
    from PIL import Image
    from pymilvus import MilvusClient
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(model_folder))
    client = MilvusClient(str(scratch / "loop.db"))
    files = sorted(pictures.iterdir())[:LOOP_PICTURES]

    def run() -> float:
        client.drop_collection("items")
        client.create_collection("items", dimension=512, id_type="string", max_length=200)
        started = time.perf_counter()
        vectors = []
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            vectors.append(model.encode([Image.open(file) for file in batch]))
            rows = zip(batch, vectors[-1], strict=True)
            client.insert("items", [{"id": file.name, "vector": row} for file, row in rows])
        seconds = time.perf_counter() - started
        np.save(scratch / f"{LOOP}.npy", np.concatenate(vectors))
        return len(files) / seconds

    return run


def forward(model_folder: Path, pictures: Path, precision: str) -> Run:
    """The model alone, on pictures that are decoded and resized already."""
    from indexer.encoder import SentenceTransformerEncoder

    return forward_by(SentenceTransformerEncoder(str(model_folder), precision=precision), pictures)


def forward_by(encoder: SentenceTransformerEncoder, pictures: Path) -> Run:
    """As ``forward``, by a model that is loaded."""
    from indexer.sources.decoding import Decoder

    decode = Decoder().decode
    files = sorted(pictures.iterdir())[: 4 * BATCH]
    ready = [encoder.prepare(decode(file.read_bytes(), file.name)) for file in files]

    def run() -> float:
        started = time.perf_counter()
        for _ in range(FORWARD_PASSES):
            for start in range(0, len(ready), BATCH):
                encoder.embed_pictures(ready[start : start + BATCH])
        return FORWARD_PASSES * len(ready) / (time.perf_counter() - started)

    return run


def ours(model_folder: Path, pictures: Path, scratch: Path, precision: str) -> Run:
    """The job of ``zeroshelf ingest FOLDER``, from its first file to the last flush."""
    from indexer.encoder import SentenceTransformerEncoder

    encoder = SentenceTransformerEncoder(str(model_folder), precision=precision)
    return ours_by(encoder, pictures, scratch, f"{OURS}-{precision}.npy")


def ours_by(encoder: SentenceTransformerEncoder, pictures: Path, scratch: Path, name: str) -> Run:
    """As ``ours``, by a model that is loaded; the vectors go to a file of this name."""
    from indexer.core.watch import Watch
    from indexer.jobs import ingest as job
    from indexer.jobs.ingest_options import IngestOptions

    def run() -> float:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            options = loaded_options(encoder, Path(folder))
            started = [0.0]

            def begin(stage: str, _: int | None) -> None:
                if stage == "Ingesting":
                    started[0] = time.perf_counter()

            watch = Watch(begin=begin)
            report = job.ingest(options, [str(pictures)], IngestOptions(), watch)
            seconds = time.perf_counter() - started[0]
            _save_vectors(options.folder.archive, scratch / name, encoder.width)
        return report.stored / seconds

    return run


def loaded_options(encoder: SentenceTransformerEncoder, data_dir: Path) -> CatalogOptions:
    """Options whose model is there already: loading it is no part of what is measured."""
    from indexer.catalog.options import CatalogOptions

    class Loaded(CatalogOptions):
        def load_encoder(self, _model: str) -> SentenceTransformerEncoder:
            return encoder

    return Loaded(data_dir=data_dir, model=encoder.name, precision=str(encoder.precision))


def _save_vectors(archive_folder: Path, target: Path, width: int) -> None:
    from indexer.catalog.archive import Archive

    archive = Archive(archive_folder, width=width)
    shards = [archive.table(shard, ["item_id", "vector"]) for shard in archive.shards()]
    ids = [name for shard in shards for name in shard.column("item_id").to_pylist()]
    vectors = np.concatenate([archive.vectors(0, shard) for shard in shards])
    np.save(target, vectors[np.argsort(ids)])


def _serve(connection: Connection, make: Callable[..., Run], arguments: Sequence[Any]) -> None:
    """A process: makes what it measures once, then measures as often as it is asked."""
    run = make(*arguments)
    while connection.recv():
        connection.send(run())


def rates_of(
    contestants: dict[str, tuple[Callable[..., Run], Sequence[Any]]], rounds: int
) -> dict[str, list[float]]:
    """Items a second of each contestant, a value a round; they take turns."""
    context = multiprocessing.get_context("spawn")
    lines = {}
    processes = []
    for name, (make, arguments) in contestants.items():
        lines[name], theirs = context.Pipe()
        processes.append(context.Process(target=_serve, args=(theirs, make, arguments)))
        processes[-1].start()
        theirs.close()
    rates = in_turns({name: partial(_measured, line) for name, line in lines.items()}, rounds)
    for line in lines.values():
        line.send(False)
    for process in processes:
        process.join()
    return rates


def _measured(line: Connection) -> float:
    line.send(True)
    rate: float = line.recv()
    return rate


def rows(
    precisions: Sequence[str] = ("float32", "int8"), *, count: int = 1536, rounds: int = 5
) -> list[Row]:
    """What was measured: rates against the loop and against the model alone, vectors."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        pictures = scratch / "pictures"
        copies_of_photos(pictures, count)
        model = vit_b_32()
        contestants: dict[str, tuple[Callable[..., Run], Sequence[Any]]] = {
            LOOP: (loop, (model, pictures, scratch))
        }
        for precision in precisions:
            contestants[f"{FORWARD} {precision}"] = (forward, (model, pictures, precision))
            contestants[f"{OURS} {precision}"] = (ours, (model, pictures, scratch, precision))
        rates = rates_of(contestants, rounds)
        measured = []
        for precision in precisions:
            measured += _rate_rows(rates, precision)
        if "float32" in precisions:
            measured.append(_vector_row(scratch))
    return measured


def _rate_rows(rates: dict[str, list[float]], precision: str) -> list[Row]:
    work = f"files to rows in Milvus, {precision}"
    unit = "pictures/s"
    mine, alone = rates[f"{OURS} {precision}"], rates[f"{FORWARD} {precision}"]
    goal = GOALS.get(precision, 1.0)
    return [
        median_row(work, "Pillow, encode, insert in a loop", mine, rates[LOOP], unit, goal),
        median_row(work, f"the model's forward pass alone, {precision}", mine, alone, unit, 0.9),
    ]


def median_row(
    work: str,
    against: str,
    mine: Sequence[float],
    theirs: Sequence[float],
    unit: str,
    goal: float | None = None,
) -> Row:
    """A row whose ratio is the median of the rounds' own ratios: what slows a round slows both."""
    ratio = statistics.median(own / other for own, other in zip(mine, theirs, strict=True))
    medians = statistics.median(mine), statistics.median(theirs)
    return compared(work, against, *medians, unit, f">= {goal:g}" if goal else "", ratio=ratio)


def _vector_row(scratch: Path) -> Row:
    mine, theirs = np.load(scratch / f"{OURS}-float32.npy"), np.load(scratch / f"{LOOP}.npy")
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    largest = float(np.abs(mine[: len(theirs)] - theirs).max())
    work = "the same vectors, float32: largest difference"
    return compared(work, "the loop's", largest, None, "", "<= 1e-4")


def main() -> None:
    """Reads the command line, measures and shows."""
    parser = command_line("ingestion", __doc__, pictures=1536, rounds=5)
    parser.add_argument("--precision", action="append", help="float32 and int8 without")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="0 leaves memory out")
    parser.add_argument("--profile", action="store_true", help="only where the time goes")
    options = parser.parse_args()
    precisions = options.precision or ["float32", "int8"]
    if options.profile:
        from benchmarks.ingestion_profile import profile

        with tempfile.TemporaryDirectory() as folder:
            pictures = Path(folder) / "pictures"
            copies_of_photos(pictures, options.pictures)
            for precision in precisions:
                profile(vit_b_32(), pictures, precision)
        return
    measured = rows(precisions, count=options.pictures, rounds=options.rounds)
    if options.vectors:
        measured += memory_rows(options.vectors)
    show(measured, options.json)


if __name__ == "__main__":
    main()
