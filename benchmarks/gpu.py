"""A GPU against its limits: vectors as on the CPU, files to rows, `encode`, decoding, the model.

    make bench-gpu, or python -m benchmarks.gpu [--model FOLDER] [--json FILE]

The contestants take turns in one process, on pictures whose bytes differ, so that none is a
copy. No round begins after five minutes, so it ends within eight. Without a GPU the exit code
is 3; ``--device cpu`` runs the same on the CPU, which tests this module and measures no GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import ingestion
from benchmarks.ingestion import BATCH, Run, copies_of_photos
from benchmarks.machine import machine
from benchmarks.report import Row, compared
from benchmarks.speed import markdown
from benchmarks.turns import in_turns
from benchmarks.vit_b_32 import vit_b_32

if TYPE_CHECKING:
    from indexer.encoder import SentenceTransformerEncoder

NO_GPU = 3
"""Exit code where torch finds no GPU."""

WITHIN_S = 300.0
ENCODED = 256
"""Pictures of one run of `encode`; they are in memory as Pillow's images."""

COMPARED = 64
"""Pictures whose vectors are compared with the CPU's: its float32 is slow."""


def rows(
    *, device: str, model: Path, count: int, rounds: int, within_s: float = WITHIN_S
) -> list[Row]:
    """Vectors against the CPU's, and rates against each limit.

    Args:
        device: as torch names it.
        count: pictures of one run from files to rows.
        rounds: of each rate, after one that is not counted.
        within_s: seconds after which no round begins.
    """
    from indexer.encoder import SentenceTransformerEncoder

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        pictures = scratch / "pictures"
        files = copies_of_photos(pictures, count)
        encoder = SentenceTransformerEncoder(str(model), device=device)
        measured = vector_rows(encoder, model, files[:COMPARED])
        limits = {
            "SentenceTransformer.encode alone, decoded pictures": encode_alone(encoder, files),
            f"decoding and resizing alone, {_threads()} threads": decoding_alone(encoder, files),
            "the model alone, prepared pictures": ingestion.forward_by(encoder, pictures),
        }
        ours = ingestion.ours_by(encoder, pictures, scratch, "ours.npy")
        rates = in_turns({ingestion.OURS: ours, **limits}, rounds, within_s=within_s)
        work = f"{count:,} files to rows in Milvus Lite, {encoder.device}, {encoder.precision}"
        for against in limits:
            # Files to rows can't be quicker than decoding, nor than the model: these have no goal.
            goal = 1.0 if against.startswith("SentenceTransformer") else None
            mine, theirs = rates[ingestion.OURS], rates[against]
            measured.append(ingestion.median_row(work, against, mine, theirs, "pictures/s", goal))
        return [*measured, _limit_row(work, rates, list(limits)[1:])]


def vector_rows(
    encoder: SentenceTransformerEncoder, model: Path, files: Sequence[Path]
) -> list[Row]:
    """The least cosine of centred vectors to those of float32 on the CPU."""
    from indexer.encoder import SentenceTransformerEncoder
    from indexer.encoder.precision import EXACT_COSINE, SAME_COSINE, Precision, centred_cosine
    from indexer.sources.decoding import Decoder

    exact_encoder = SentenceTransformerEncoder(str(model), device="cpu", precision="float32")
    decode = Decoder(least_side=encoder.least_side).decode
    ready = [encoder.prepare(decode(file.read_bytes(), file.name)) for file in files]
    exact = exact_encoder.embed_pictures(ready)
    vectors = {encoder.precision: encoder.embed_pictures(ready)}
    if encoder.precision is not Precision.FLOAT32:  # only after the first pictures it is chosen
        exact_there = SentenceTransformerEncoder(
            str(model), device=encoder.device, precision="float32"
        )
        vectors[Precision.FLOAT32] = exact_there.embed_pictures(ready)
    measured = []
    for precision, own in vectors.items():
        goal = EXACT_COSINE if precision is Precision.FLOAT32 else SAME_COSINE
        work = f"least centred cosine of {len(ready)} pictures' vectors, {encoder.device}"
        least = centred_cosine(own, exact)
        measured.append(
            compared(f"{work}, {precision}", "float32 on the CPU", least, None, "", f">= {goal:g}")
        )
    return measured


def encode_alone(encoder: SentenceTransformerEncoder, files: Sequence[Path]) -> Run:
    """`encode` of sentence-transformers in the same number format, on decoded pictures."""
    from PIL import Image
    from sentence_transformers import SentenceTransformer

    from indexer.encoder.precision import Precision, weights_dtype

    dtype = weights_dtype(Precision.AUTO, encoder.device)
    model = SentenceTransformer(encoder.name, device=encoder.device, model_kwargs={"dtype": dtype})
    images = []
    for file in files[:ENCODED]:
        with Image.open(file) as image:
            images.append(image.convert("RGB"))

    def run() -> float:
        started = time.perf_counter()
        model.encode(images, batch_size=BATCH, show_progress_bar=False)
        return len(images) / (time.perf_counter() - started)

    return run


def decoding_alone(encoder: SentenceTransformerEncoder, files: Sequence[Path]) -> Run:
    """Files to what the model takes, in as many threads as an ingestion has."""
    from indexer.sources.decoding import Decoder

    decode = Decoder(least_side=encoder.least_side).decode

    def prepared(file: Path) -> None:
        encoder.prepare(decode(file.read_bytes(), file.name))

    def run() -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(_threads()) as threads:
            deque(threads.map(prepared, files), maxlen=0)
        return len(files) / (time.perf_counter() - started)

    return run


def _limit_row(work: str, rates: dict[str, list[float]], limits: Sequence[str]) -> Row:
    """Against the lower of the limits in each round."""
    lowest = [min(of_round) for of_round in zip(*(rates[name] for name in limits), strict=True)]
    against = "the lower of decoding alone and the model alone"
    return ingestion.median_row(work, against, rates[ingestion.OURS], lowest, "pictures/s", 0.9)


def _threads() -> int:
    from indexer.ingestion.reports import PipelineSizes

    return PipelineSizes().workers


def gpu_name(device: str) -> str:
    """The GPU's name, and what drives it.

    Raises:
        SystemExit: ``NO_GPU``, where torch finds none.
    """
    import torch

    if device == "cpu":
        return "no GPU: --device cpu was given"
    if not torch.cuda.is_available():
        sys.stderr.write(
            f"bench-gpu: torch {torch.__version__} finds no GPU on this machine, so nothing was "
            "measured. See what nvidia-smi says, and install a build of torch with CUDA. "
            "--device cpu runs the same on the CPU.\n"
        )
        raise SystemExit(NO_GPU)
    return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"


def main() -> None:
    """Reads the command line, measures and shows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu for a trial")
    parser.add_argument("--model", type=Path, help="a folder; without: ViT-B/32, random weights")
    parser.add_argument("--pictures", type=int, default=6144)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("build/gpu.json"))
    options = parser.parse_args()
    name = gpu_name(options.device)
    about = machine()
    about["machine"] += f"; {name}"
    model = options.model or vit_b_32()
    measured = rows(
        device=options.device, model=model, count=options.pictures, rounds=options.rounds
    )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    report = json.dumps({"about": about, "rows": measured}, indent=2) + "\n"
    options.json.write_text(report, encoding="utf-8")
    sys.stdout.write(markdown(about, measured))


if __name__ == "__main__":
    main()
