"""How much titles add to pictures, by their weight, on a set that did not choose it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.sets import Sources, embedded_files, embedded_labels, read_table
from benchmarks.quality.table import Row
from indexer.core.records import FloatArray, IndexArray, Label
from indexer.encoder import SentenceTransformerEncoder
from indexer.labels import taxonomy
from indexer.labels.adaptation import fit, fit_centring
from indexer.labels.head import adapted, plain
from indexer.labels.sets import LabelSet
from pocket.shop import draw
from queries.deciding.fusion import blend_shares, title_scorer
from queries.deciding.scorer import Scorer
from queries.deciding.settings import TEXT_WEIGHT

WEIGHTS = tuple(step / 10 for step in range(11))


def measure(
    pictures: FloatArray, titles: FloatArray, labels: LabelSet, truth: IndexArray, scale: float
) -> dict[str, list[float]]:
    """Top-1 for each of ``WEIGHTS``, adapted to the items and plain.

    Args:
        pictures: float32 (n, d), rows of length 1.
        titles: float32 (n, d), rows of length 1.
        truth: rows of ``labels``; -1 where it is not known.
        scale: the model's logit scale.
    """
    heads = {
        "adapted": (
            adapted(labels, fit(pictures, labels.vectors)),
            fit_centring(titles, labels.vectors),
        ),
        "plain": (plain(labels, scale), None),
    }
    found: dict[str, list[float]] = {}
    for name, (head, centring) in heads.items():
        scorer = Scorer(head=head, unit=1.0, temperature=1.0)
        own, said = scorer.scores(pictures), title_scorer(scorer, centring).scores(titles)
        found[name] = []
        for weight in WEIGHTS:
            one, other = blend_shares(own, said, weight)
            best = (one * own + other * said).argmax(axis=1)
            found[name].append(float((best == truth)[truth >= 0].mean()))
    return found


def rows(sources: Sources) -> Iterator[Row]:
    """The sample shop and fashion, each at the weight that the other chooses."""
    shop, fashion = _shop(sources), _fashion(sources)
    for own, other in ((shop, fashion), (fashion, shop)):
        weight = chosen(other.values())
        for name, found in own.items():
            yield _row(name, found, weight)


def chosen(curves: Iterable[Mapping[str, Sequence[float]]]) -> float:
    """The weight of the best mean top-1 over several models or label sets, adapted and plain."""
    every = [curve for one in curves for curve in one.values()]
    return WEIGHTS[int(np.mean(every, axis=0).argmax())]


def _shop(sources: Sources) -> dict[str, dict[str, list[float]]]:
    found = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        draw(folder)
        named = taxonomy.read_label_file(str(folder / "taxonomy.yaml")).labels
        for name, encoder in (("pocket", sources.pocket), ("lit", sources.lit)):
            found[f"sample shop, 82 labels ({name})"] = _of_table(encoder, folder, named)
    return found


def _fashion(sources: Sources) -> dict[str, dict[str, list[float]]]:
    lvis, fashion = read_table(sources.data / "lvis" / "labels.csv"), sources.data / "fashion"
    subset = set((sources.data / "lvis" / "fashion_subset.txt").read_text().split())
    labels = [Label(label_id=row["id"], name=row["name"], path=(row["name"],)) for row in lvis]
    few = [label for label in labels if label.label_id in subset]
    return {
        f"fashion, {len(own):,} labels (lit)": _of_table(sources.lit, fashion, own)
        for own in (few, labels)
    }


def _of_table(
    encoder: SentenceTransformerEncoder, folder: Path, labels: Sequence[Label]
) -> dict[str, list[float]]:
    leaves, table = embedded_labels(encoder, labels), read_table(folder / "products.csv")
    kept, pictures = embedded_files(encoder, [folder / row["image"] for row in table])
    truth = np.array([leaves.places.get(table[row]["truth"], -1) for row in kept], dtype=np.int64)
    titles = encoder.embed_texts([table[row]["title"] for row in kept])
    return measure(pictures, titles, leaves, truth, encoder.logit_scale)


def _row(name: str, found: dict[str, list[float]], weight: float) -> Row:
    by_weight = found["adapted"]
    return Row(
        what=f"{name}: top-1 by pictures and titles",
        plain=by_weight[0],
        reached=by_weight[WEIGHTS.index(weight)],
        goal=by_weight[0],
        how=f"Titles with a weight of {weight}, which is the best on the other of shop and "
        f"fashion; the default is {TEXT_WEIGHT}. plain here is the adapted labels by pictures "
        "alone.",
        more={"weights": WEIGHTS, "by_default": by_weight[WEIGHTS.index(TEXT_WEIGHT)]} | found,
    )
