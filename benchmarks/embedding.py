"""The model's own speed by precision, what it costs in vectors and labels, and label look-ups.

    python -m benchmarks.embedding [--json FILE] [--rounds 5]

Speed is measured on CLIP ViT-B/32's sizes with random weights, vectors on photos, labels on
small models that were trained. What is compared takes turns; figures are medians of rounds.
"""

from __future__ import annotations

import csv
import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Row, command_line, compared, show
from benchmarks.turns import median_seconds
from benchmarks.vit_b_32 import SHARED, vit_b_32
from indexer.core.errors import ModelError
from indexer.encoder import SentenceTransformerEncoder
from indexer.encoder.onnx import is_installed
from indexer.encoder.precision import SAME_COSINE, Backend, Precision, centred_cosine
from indexer.encoder.runtime import Forward
from indexer.sources.decoding import Decoder

BATCH = 16
PRECISIONS = ("float32", "bfloat16", "int8")
ONNX_GOALS = {f"float32 by {Backend.ONNX}": 1.15, f"int8 by {Backend.ONNX}": 1.7}
LABELS = 1_000
PROMPT = "This is a photo of {}."
"""The pipeline's own template."""

TRAINED = {
    "the packaged model": "pocket",
    "MobileNetV2 with TinyBERT": str(SHARED / "models" / "lit-mobilenetv2-tinybert"),
    "a CLIP of CIFAR-10": str(SHARED / "models" / "clip-tiny-cifar10"),
}


def rows(*, rounds: int = 5) -> list[Row]:
    """All comparisons.

    Args:
        rounds: of each, after one that is not counted.
    """
    folder = vit_b_32()
    measured = forward_rows(folder, rounds)
    for name, model in TRAINED.items():
        measured += agreement_rows(name, model)
    measured += text_rows(folder, rounds)
    return measured + lookup_rows(folder, rounds)


def forward_rows(folder: Path, rounds: int) -> list[Row]:
    """Pictures a second through the image tower, and the least cosine to float32 on photos."""
    import torch

    encoders = _accepted(folder)
    plain = _plain(folder)
    photos = _photos(SHARED / "data" / "photos", "*.JPEG", 4 * BATCH)
    pictures = [encoders["float32"].prepare(photo) for photo in photos]
    normalise = encoders["float32"]._inference.preparation.normalisation
    assert normalise is not None
    pixels = normalise(torch.from_numpy(np.stack(pictures[:BATCH]))).contiguous()

    def theirs() -> None:
        with torch.inference_mode():
            plain({"pixel_values": pixels, "modality": "image"})

    runs: dict[str, Callable[[], object]] = {"plain": theirs}
    for precision, encoder in encoders.items():
        runs[precision] = lambda encoder=encoder: encoder.embed_pictures(pictures[:BATCH])
    sessions = _sessions(folder)
    for work, session in sessions.items():
        runs[work] = lambda run=session: run(pictures[:BATCH])
    seconds = median_seconds(runs, rounds)
    exact = encoders["float32"].embed_pictures(pictures)
    measured = []
    for work, session in sessions.items():
        rate, plain_rate = BATCH / seconds[work], BATCH / seconds["plain"]
        against = "the model in torch, float32"
        measured.append(
            compared(
                f"pictures through ViT-B/32, {work}",
                against,
                rate,
                plain_rate,
                "pictures/s",
                f">= {ONNX_GOALS[work]:g}",
            )
        )
        least = centred_cosine(session(pictures), exact)
        work = f"least centred cosine of {len(pictures)} photos' vectors, ViT-B/32, {work}"
        measured.append(compared(work, "float32", least, None, "", f">= {SAME_COSINE:g}"))
    for precision, encoder in encoders.items():
        measured.append(
            compared(
                f"pictures through ViT-B/32, {precision}",
                "the model in torch, float32",
                BATCH / seconds[precision],
                BATCH / seconds["plain"],
                "pictures/s",
            )
        )
        if precision != "float32":
            cosine = centred_cosine(encoder.embed_pictures(pictures), exact)
            work = f"least centred cosine of {len(pictures)} photos' vectors, ViT-B/32, {precision}"
            measured.append(compared(work, "float32", cosine, None, "", ">= 0.99"))
    return measured


def _accepted(folder: Path) -> dict[str, SentenceTransformerEncoder]:
    """An encoder of each precision that this processor has; the others are named."""
    picture = _photos(SHARED / "data" / "photos", "*.JPEG", 1)[0]
    encoders = {}
    for precision in PRECISIONS:
        encoder = _encoder(str(folder), precision)
        try:
            encoder.embed_pictures([encoder.prepare(picture)])
        except ModelError as error:
            logging.getLogger(__name__).warning("no row for %s: %s", precision, error)
        else:
            encoders[precision] = encoder
    return encoders


def _sessions(folder: Path) -> dict[str, Forward]:
    """The image tower by ONNX Runtime, where it is installed."""
    if not is_installed():
        return {}
    return {
        f"{precision} by {Backend.ONNX}": _encoder(str(folder), "float32")._inference.by_onnx(
            precision
        )
        for precision in (Precision.FLOAT32, Precision.INT8)
    }


def agreement_rows(name: str, model: str) -> list[Row]:
    """How many clothing photos keep their label among ten, by trained models."""
    folder = SHARED / "data" / "clothing"
    exact = _encoder(model, "float32")
    names = sorted(entry.name for entry in folder.iterdir())
    labels = exact.embed_texts([f"a photo of a {name}" for name in names])
    pictures = [exact.prepare(photo) for photo in _photos(folder, "*/*.jpg", None)]
    before = exact.embed_pictures(pictures)
    measured = []
    for precision in PRECISIONS[1:]:
        try:
            after = _encoder(model, precision).embed_pictures(pictures)
        except ModelError as error:
            logging.getLogger(__name__).warning("no row for %s, %s: %s", name, precision, error)
            continue
        same = (before @ labels.T).argmax(axis=1) == (after @ labels.T).argmax(axis=1)
        work = f"labels kept of {len(pictures)} clothing photos, {name}, {precision}"
        measured.append(compared(work, "float32", float(same.mean()), None, "", ">= 0.99"))
    return measured


def text_rows(folder: Path, rounds: int) -> list[Row]:
    """Prompts of labels in one pass, against a call a label."""
    from indexer.labels.prompts import DEFAULT_TEMPLATES

    names = _names(40)
    encoder, plain = _encoder(str(folder), "float32"), _plain(folder)
    prompts = [[text.replace("{label}", name) for text in DEFAULT_TEMPLATES] for name in names]
    count = sum(map(len, prompts))
    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: encoder.embed_texts([text for own in prompts for text in own]),
        "theirs": lambda: [plain.encode(own, show_progress_bar=False) for own in prompts],
    }
    seconds = median_seconds(runs, rounds)
    return [
        compared(
            f"{count} prompts of {len(names)} labels, ViT-B/32's text tower, float32",
            "SentenceTransformer.encode, a call a label",
            count / seconds["ours"],
            count / seconds["theirs"],
            "texts/s",
        )
    ]


def lookup_rows(folder: Path, rounds: int) -> list[Row]:
    """One picture against labels that are stored, file to labels."""
    from transformers import pipeline

    from indexer.catalog.opening import open_catalog
    from indexer.catalog.options import CatalogOptions
    from indexer.jobs.labels import add_labels
    from queries.classify import Classifier

    names = _names(LABELS)
    photo = min((SHARED / "data" / "photos").glob("*.JPEG"))
    theirs = pipeline(
        "zero-shot-image-classification", model=str(folder), device="cpu", use_fast=False
    )
    with tempfile.TemporaryDirectory() as scratch:
        labels = Path(scratch) / "labels.txt"
        labels.write_text("\n".join(names), encoding="utf-8")
        options = CatalogOptions(data_dir=Path(scratch) / "data", model=str(folder), device="cpu")
        add_labels(options, str(labels), templates=[PROMPT])
        with open_catalog(options) as catalog:
            classifier, encoder = Classifier(catalog), catalog.encoder

            def ours() -> None:
                picture = Decoder().decode(photo.read_bytes(), photo.name)
                vectors = encoder.embed_pictures([encoder.prepare(picture)])
                classifier.classify(vectors, limit=5)

            runs: dict[str, Callable[[], object]] = {
                "ours": ours,
                "theirs": lambda: theirs(str(photo), candidate_labels=names),
            }
            seconds = median_seconds(runs, rounds)
    return [
        compared(
            f"one picture against {len(names):,} labels, labels stored",
            "transformers' zero-shot-image-classification pipeline",
            1 / seconds["ours"],
            1 / seconds["theirs"],
            "pictures/s",
            ">= 20",
        )
    ]


def _encoder(model: str, precision: str) -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(model, device="cpu", precision=precision)


def _plain(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": "float32"})


def _photos(folder: Path, pattern: str, count: int | None) -> Sequence[Any]:
    files = sorted(folder.glob(pattern))[:count]
    return [Decoder().decode(file.read_bytes(), file.name) for file in files]


def _names(count: int) -> list[str]:
    with (SHARED / "data" / "lvis" / "labels.csv").open(encoding="utf-8") as stream:
        return list(dict.fromkeys(row["name"] for row in csv.DictReader(stream)))[:count]


def main() -> None:
    """Reads the command line, measures and shows."""
    options = command_line("embedding", __doc__, rounds=5).parse_args()
    show(rows(rounds=options.rounds), options.json)


if __name__ == "__main__":
    main()
