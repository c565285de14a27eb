"""How much titles add to pictures, by their weight: where it was chosen, and where not.

    python -m benchmarks.titles [--shared ../shared] [--json titles.json]

The weight was chosen on the sample shop by two models; fashion is what it is reported on.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.sets import Rows
from indexer import taxonomy
from indexer.decode import Decoder
from indexer.encoder import SentenceTransformerEncoder
from indexer.errors import ItemError
from indexer.labels.adaptation import fit
from indexer.labels.head import adapted, plain
from indexer.labels.sets import LabelSet, embed, empty
from indexer.prompts import DEFAULT_TEMPLATES
from indexer.records import FloatArray, Label
from indexer.sample.shop import write_shop
from queries.judgement.fusion import TEXT_WEIGHT, shares
from queries.judgement.scorer import Scorer

WEIGHTS = tuple(step / 10 for step in range(11))


def measure(
    pictures: FloatArray, titles: FloatArray, labels: LabelSet, truth: Rows, scale: float
) -> dict[str, list[float]]:
    """Top-1 for each of ``WEIGHTS``, adapted to the items and plain.

    Args:
        pictures: float32 (n, d), rows of length 1.
        titles: float32 (n, d), rows of length 1.
        truth: rows of ``labels``; -1 where it is not known.
        scale: the model's logit scale.
    """
    heads = {
        "adapted": [
            adapted(labels, fit(lambda side=side: [side], labels.vectors))
            for side in (pictures, titles)
        ],
        "plain": [plain(labels, scale)] * 2,
    }
    found = {}
    for name, pair in heads.items():
        own, said = (
            Scorer(head=head, unit=1.0, temperature=1.0).scores(side)
            for head, side in zip(pair, (pictures, titles), strict=True)
        )
        found[name] = []
        for weight in WEIGHTS:
            one, other = shares(own, said, weight)
            best = (one * own + other * said).argmax(axis=1)
            found[name].append(float((best == truth)[truth >= 0].mean()))
    return found


def shop(encoder: SentenceTransformerEncoder, folder: Path) -> dict[str, list[float]]:
    """The sample shop: 82 types; half of the titles name them."""
    rows = _table(folder / "products.csv")
    labels = taxonomy.read_labels(str(folder / "taxonomy.yaml"))
    return _of_table(encoder, rows, folder, labels)


def fashion(
    encoder: SentenceTransformerEncoder, data: Path, *, few: bool
) -> dict[str, list[float]]:
    """Photos and titles of real products, over LVIS' labels or the 32 that occur."""
    subset = set((data / "lvis" / "fashion_subset.txt").read_text().split())
    labels = [
        Label(label_id=row["id"], name=row["name"], path=(row["name"],))
        for row in _table(data / "lvis" / "labels.csv")
        if not few or row["id"] in subset
    ]
    return _of_table(encoder, _table(data / "fashion" / "products.csv"), data / "fashion", labels)


def _of_table(
    encoder: SentenceTransformerEncoder,
    rows: Sequence[dict[str, str]],
    folder: Path,
    labels: Sequence[Label],
) -> dict[str, list[float]]:
    found, _, _ = embed(
        empty(encoder.width), labels, templates=DEFAULT_TEMPLATES, embed_texts=encoder.embed_texts
    )
    leaves, decoder = found.leaves, Decoder()
    pictures, kept = [], []
    for row in rows:
        try:
            pixels = decoder.decode((folder / row["image"]).read_bytes(), row["image"])
        except (ItemError, OSError):
            continue  # the shop has four broken pictures
        pictures.append(encoder.prepare(pixels))
        kept.append(row)
    vectors = [
        encoder.embed_pictures(pictures[start : start + 32])
        for start in range(0, len(pictures), 32)
    ]
    truth = np.array([leaves.places.get(row["truth"], -1) for row in kept], dtype=np.int64)
    titles = encoder.embed_texts([row["title"] for row in kept])
    return measure(np.concatenate(vectors), titles, leaves, truth, encoder.logit_scale)


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(title=f"Top-1 by the weight of titles (default {TEXT_WEIGHT})")
    for name in ("set", "labels as", *map(str, WEIGHTS)):
        table.add_column(name)
    for row in rows:
        for kind in ("adapted", "plain"):
            table.add_row(row["set"], kind, *(f"{one:.3f}" for one in row[kind]))
    Console(width=150, highlight=False).print(table)


def main() -> None:
    """Measure where the weight was chosen, and where not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--json", type=Path, default=Path("titles.json"))
    chosen = parser.parse_args()
    lit = SentenceTransformerEncoder(
        str(chosen.shared / "models" / "lit-mobilenetv2-tinybert"), device="cpu"
    )
    pocket = SentenceTransformerEncoder("pocket", device="cpu")
    data, rows = chosen.shared / "data", []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "shop"
        write_shop(folder)
        for name, encoder in (("pocket", pocket), ("lit", lit)):
            rows.append({"set": f"shop ({name}), chosen on", **shop(encoder, folder)})
    for few in (True, False):
        name = f"fashion, {32 if few else 1203} labels (lit)"
        rows.append({"set": name, **fashion(lit, data, few=few)})
    result = {"weights": WEIGHTS, "default": TEXT_WEIGHT, "rows": rows}
    chosen.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(rows)


if __name__ == "__main__":
    main()
