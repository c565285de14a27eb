"""Whether descriptions help, or any words would: descriptions against random words and letters.

    python -m benchmarks.prompt_controls [--shared ../shared] [--json prompt_controls.json]

The control of Roth et al., "Waffling Around for Performance: Visual Classification with
Random Words and Broad Concepts", ICCV 2023, arXiv:2306.07282: a gain by descriptions is
known to be one only where as many prompts of as many random words, or of random letters,
do not give it too.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.sets import TEMPLATE, LabelledSet, Rows
from indexer.decode import Decoder
from indexer.encoder import SentenceTransformerEncoder
from indexer.labels.adaptation import fit
from indexer.labels.concepts import packaged_concepts
from indexer.labels.head import adapted, best_prompt, plain
from indexer.labels.prompt_sets import PromptSet, assembled
from indexer.labels.sets import LabelSet
from indexer.records import FloatArray, Label
from indexer.vectors import normalise
from queries.decide import rank
from queries.evaluation.controls import DRAWS, Word, letters, same_length, words_of

Prompts = Sequence[Sequence[str]]


def described(names: Sequence[str], descriptions: Sequence[str]) -> list[list[str]]:
    """The name's prompt, and one more for each clause of the description."""
    return [
        [TEMPLATE.format(name), *(f"a photo of a {name}, {clause}." for clause in clauses(text))]
        for name, text in zip(names, descriptions, strict=True)
    ]


def randomised(prompts: Prompts, names: Sequence[str], word: Word, seed: int) -> list[list[str]]:
    """The same number of prompts a label, of as many words each, with random ones.

    Args:
        prompts: as ``described`` gives them.
        word: makes a word.
    """
    random = np.random.default_rng(seed)
    found = []
    for name, own in zip(names, prompts, strict=True):
        head = f"a photo of a {name},"
        texts = [one.removeprefix(head) for one in own[1:]]
        more = [f"{head} {same_length(text, word, random)}." for text in texts]
        found.append([own[0], *more])
    return found


def clauses(text: str) -> list[str]:
    """Sentences of a description, and parts between semicolons, without their stops."""
    return [part for raw in re.split(r"[.;]\s+|[.;]$", text) if (part := raw.strip(" .;"))]


def measure(
    one: LabelledSet, names: Sequence[str], descriptions: Sequence[str], encode: Any
) -> dict[str, Any]:
    """Top-1 by name, by descriptions, and by both controls (means over draws).

    Args:
        one: whose labels are those of ``names``, in order.
        encode: texts to float32 (n, d), rows of length 1.
    """
    known: dict[str, FloatArray] = {}

    def top1(prompts: Prompts) -> dict[str, float]:
        new = [one for one in dict.fromkeys(chain.from_iterable(prompts)) if one not in known]
        known.update(zip(new, encode(new) if new else [], strict=True))
        return _top1(one, prompts, known)

    own = described(names, descriptions)
    controls = {"random words": words_of(packaged_concepts()), "random letters": letters}
    rows: dict[str, Any] = {
        "name": top1([[TEMPLATE.format(name)] for name in names]),
        "descriptions": top1(own),
    }
    for control, word in controls.items():
        drawn = [top1(randomised(own, names, word, seed)) for seed in range(DRAWS)]
        rows[control] = {key: float(np.mean([draw[key] for draw in drawn])) for key in drawn[0]} | {
            f"{key}, deviation": float(np.std([draw[key] for draw in drawn])) for key in drawn[0]
        }
    return {
        "set": one.name,
        "model": one.model,
        "items": len(one.known),
        "labels": len(names),
        "prompts a label": float(np.mean([len(prompts) for prompts in own])),
        "top1": rows,
    }


def _top1(one: LabelledSet, prompts: Prompts, known: Mapping[str, FloatArray]) -> dict[str, float]:
    ids = [label.label_id for label in one.labels.labels]
    means = normalise(np.stack([sum(known[text] for text in own) for own in prompts]))
    labels = LabelSet(labels=one.labels.labels, definitions=tuple(ids), vectors=means)
    by_label = {
        label_id: (own, np.stack([known[text] for text in own]).astype(np.float16))
        for label_id, own in zip(ids, prompts, strict=True)
    }
    own_set: PromptSet = assembled(by_label, ids, means.shape[1])
    items = one.items
    heads = {
        "mean": plain(labels, one.logit_scale),
        "max": best_prompt(labels, own_set, one.logit_scale),
        "mean, adapted": adapted(labels, fit(lambda: [items], means)),
    }
    rows: Rows = one.known
    return {
        name: float((rank(items[rows], head, limit=1).labels[:, 0] == one.truth[rows]).mean())
        for name, head in heads.items()
    }


def sets(shared: Path, model: Path) -> list[tuple[LabelledSet, list[str], list[str], Any]]:
    """Grocery by its descriptions, and fashion's pictures by those of LVIS."""
    encoder = SentenceTransformerEncoder(str(model), device="cpu")
    data = shared / "data"
    grocery = _table(data / "grocery" / "labels.csv")
    files = {file.stem: file for file in (data / "grocery" / "images").iterdir()}
    grocery = [row for row in grocery if row["id"] in files]
    paths = [files[row["id"]] for row in grocery]
    products = [row for row in _table(data / "fashion" / "products.csv") if row["truth"]]
    lvis = _table(data / "lvis" / "labels.csv")
    subset = set((data / "lvis" / "fashion_subset.txt").read_text().split())
    photos = _embed(encoder, [data / "fashion" / row["image"] for row in products])
    wanted = [row["truth"] for row in products]
    icons = _embed(encoder, paths)
    found = [(_set("grocery", encoder, grocery, icons, range(len(paths))), grocery)]
    for name, rows in (
        ("fashion, 32 labels", [row for row in lvis if row["id"] in subset]),
        ("fashion, 1,203 labels", lvis),
    ):
        places = {row["id"]: place for place, row in enumerate(rows)}
        found.append((_set(name, encoder, rows, photos, [places[one] for one in wanted]), rows))
    return [
        (
            one,
            [row["name"].replace("_", " ") for row in rows],
            [row["description"] for row in rows],
            encoder.embed_texts,
        )
        for one, rows in found
    ]


def _set(
    name: str,
    encoder: SentenceTransformerEncoder,
    rows: Sequence[Mapping[str, str]],
    items: FloatArray,
    truth: Sequence[int],
) -> LabelledSet:
    labels = tuple(Label(label_id=row["id"], name=row["name"], path=(row["name"],)) for row in rows)
    none = np.zeros((len(labels), items.shape[1]), dtype=np.float32)
    return LabelledSet(
        name=name,
        items=items,
        labels=LabelSet(labels=labels, definitions=("",) * len(labels), vectors=none),
        truth=np.array(truth, dtype=np.int64),
        logit_scale=encoder.logit_scale,
        model=Path(encoder.name).name,
    )


def _embed(encoder: SentenceTransformerEncoder, paths: Sequence[Path]) -> FloatArray:
    decoder = Decoder()
    return np.concatenate(
        [
            encoder.embed_pictures(
                [
                    encoder.prepare(decoder.decode(path.read_bytes(), path.name))
                    for path in paths[start : start + 32]
                ]
            )
            for start in range(0, len(paths), 32)
        ]
    )


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(title="Top-1 by prompts: mean / max / mean, adapted", title_justify="left")
    kinds = list(rows[0]["top1"])
    for name in ("set", "prompts a label", *kinds):
        table.add_column(name, justify="left" if name == "set" else "right")
    for row in rows:
        cells = [
            " / ".join(f"{row['top1'][kind][key]:.3f}" for key in ("mean", "max", "mean, adapted"))
            for kind in kinds
        ]
        table.add_row(row["set"], f"{row['prompts a label']:.1f}", *cells)
    Console(width=150, highlight=False).print(table)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--json", type=Path, default=Path("prompt_controls.json"))
    chosen = parser.parse_args()
    model = chosen.shared / "models" / "lit-mobilenetv2-tinybert"
    rows = [measure(*one) for one in sets(chosen.shared, model)]
    chosen.json.write_text(json.dumps({"rows": rows, "draws": DRAWS}, indent=1) + "\n", "utf-8")
    show(rows)


if __name__ == "__main__":
    main()
