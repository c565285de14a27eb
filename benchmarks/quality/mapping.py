"""Mapping one taxonomy to another, against a published mapping.

    python -m benchmarks.quality.mapping --source shopify.yml --target google.txt --rules rules.yml

The weights of the evidence (``queries/mapping/evidence.py``) are fitted by ``--fit``: to every
second branch of the source (the roots in alphabetical order), and measured on the others. A shop's
own taxonomy is flatter, so the source counts as it is, as leaves in departments of other names, and
as leaves without any parents. And branches of the target are left out, so that "none of them" is
learnt: a label whose counterpart is left out has none. The sample shop's types, whose counterparts
in Google's taxonomy were judged by hand (``shop_to_google.csv``), are measured alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from indexer.core.records import FloatArray, IndexArray, Label
from indexer.jobs.label_files import read_label_file
from indexer.jobs.sample import TAXONOMY, write_shop
from indexer.labels import taxonomy
from indexer.labels.mapping_files import read_mappings, resolve
from queries.mapping.evidence import NAMES, WEIGHTS
from queries.mapping.mapper import mappings, rank_counterparts
from queries.mapping.mapping import TaxonomyMapping
from queries.mapping.measures import MappingMeasures, measure
from queries.mapping.trees import LabelTree

ROUNDS = 4
"""Fits, each with the parents' scores by the weights of the one before."""

PENALTY = 1e-3
"""Of the squares of the weights, for each label."""

LEFT_OUT = 5
"""Every so many branches of the target are left out in the second part of the fit."""

_NAMES = ("letters", "same_name", "words")
_PATHS = (*_NAMES, "own_words", "other_words", "path_words", "parent_letters")
EVIDENCE = {
    "letters of names": ("letters", "same_name"),
    "and words of names": _NAMES,
    "and paths": (*_PATHS, "extra_depth", "missing_depth"),
    "and parents": tuple(name for name in NAMES if name != "items"),
}
"""Kinds of evidence, each with those before."""

SHOP = Path(__file__).parent / "shop_to_google.csv"

ALWAYS = ("nothing",)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two taxonomies with the true counterparts.

    Attributes:
        truth: places of the target by place of the source; none where no label fits.
    """

    source: LabelTree
    target: LabelTree
    truth: Mapping[int, frozenset[int]]


def pair_of(
    source: Sequence[Label], target: Sequence[Label], targets: Mapping[str, Sequence[str]]
) -> Pair:
    """A pair from rules by id; counterparts that the target lacks are none."""
    places = {label.label_id: place for place, label in enumerate(target)}
    truth = {
        place: frozenset(places[name] for name in targets[label.label_id] if name in places)
        for place, label in enumerate(source)
        if label.label_id in targets
    }
    return Pair(LabelTree.of(source), LabelTree.of(target), truth)


def without_branches(target: Sequence[Label], every: int) -> list[Label]:
    """The labels without those of every so many roots."""
    roots = sorted({label.path[0] for label in target})
    left_out = set(roots[::every])
    return [label for label in target if label.path[0] not in left_out]


def without_parents(source: Sequence[Label]) -> list[Label]:
    """The leaves of a taxonomy as roots."""
    return [replace(label, path=(label.name,), parent_id="") for label in taxonomy.leaves(source)]


def in_departments(source: Sequence[Label]) -> list[Label]:
    """The leaves of a taxonomy below roots whose names say nothing, as a shop's may."""
    roots = sorted({label.path[0] for label in source})
    names = {root: f"Department {number}" for number, root in enumerate(roots)}
    departments = [Label(label_id=name, name=name, path=(name,)) for name in names.values()]
    leaves = [
        replace(label, path=(names[label.path[0]], label.name), parent_id=names[label.path[0]])
        for label in taxonomy.leaves(source)
    ]
    return [*departments, *leaves]


def halves(source: LabelTree) -> tuple[list[int], list[int]]:
    """Places of the labels to fit to, and of those to measure on, by roots: the ends of ids."""
    branches = [label.label_id.rpartition("/")[2].partition("-")[0] for label in source.labels]
    fitted = set(sorted(set(branches))[::2])
    sides: tuple[list[int], list[int]] = ([], [])
    for place, branch in enumerate(branches):
        sides[branch not in fitted].append(place)
    return sides


def fit(pairs: Sequence[Pair], names: Sequence[str]) -> dict[str, float]:
    """The weights of evidence that make the true counterparts of the fitted half likeliest."""
    weights = dict.fromkeys(NAMES, 0.0) | {name: WEIGHTS[name] for name in names}
    used = [place for place, name in enumerate(NAMES) if name in names]
    for _ in range(ROUNDS):
        parts = [_observed(pair, weights) for pair in pairs]
        evidence = [block for blocks, _ in parts for block in blocks]
        is_true = [block for _, blocks in parts for block in blocks]

        def loss(values: Any, evidence: Any = evidence, is_true: Any = is_true) -> Any:
            return _loss(values, evidence, is_true, used)

        start = np.array([weights[NAMES[place]] for place in used])
        minimum = minimize(loss, start, jac=True, method="L-BFGS-B")
        fitted = zip(used, minimum.x, strict=True)
        weights |= {NAMES[place]: float(value) for place, value in fitted}
    return weights


def _observed(
    pair: Pair, weights: Mapping[str, float]
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Evidence of the candidates of each label of the fitted half, and which of them are true."""
    fitted = set(halves(pair.source)[0])
    evidence: list[FloatArray] = []
    truths: list[FloatArray] = []

    def observe(labels: IndexArray, candidates: IndexArray, block: FloatArray) -> None:
        for row, place in enumerate(labels.tolist()):
            if place not in fitted or place not in pair.truth:
                continue
            places = candidates[row].tolist()
            wanted = pair.truth[place] or frozenset({-1})
            is_last = [False] * (len(places) - 1) + [True]
            true = [
                (candidate in wanted) if candidate >= 0 else (last and -1 in wanted)
                for candidate, last in zip(places, is_last, strict=True)
            ]
            valid = [at >= 0 or last for at, last in zip(places, is_last, strict=True)]
            if any(true):
                evidence.append(block[row][valid])
                truths.append(np.array(true)[valid])

    rank_counterparts(pair.source, pair.target, weights=weights, observe=observe)
    return evidence, truths


def _loss(
    values: Any, evidence: Sequence[FloatArray], is_true: Sequence[Any], used: Sequence[int]
) -> tuple[float, Any]:
    """Negative log likelihood of the true counterparts, and its gradient."""
    sizes = np.array([len(block) for block in evidence])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rows = np.concatenate(evidence)[:, used].astype(np.float64)
    true = np.concatenate(is_true)
    sums = rows @ values
    highest = np.repeat(np.maximum.reduceat(sums, starts), sizes)
    powers = np.exp(sums - highest)
    shares = powers / np.repeat(np.add.reduceat(powers, starts), sizes)
    true_share = np.add.reduceat(shares * true, starts)
    given_true = shares * true / np.repeat(np.maximum(true_share, 1e-300), sizes)
    count = len(evidence)
    loss = -np.log(np.maximum(true_share, 1e-300)).sum() / count + PENALTY * (values**2).sum() / 2
    gradient = (shares - given_true) @ rows / count + PENALTY * values
    return float(loss), gradient


def mapped(pair: Pair, weights: Mapping[str, float]) -> TaxonomyMapping:
    """The mapping of a pair by some weights."""
    ranked = rank_counterparts(pair.source, pair.target, weights=weights)
    return TaxonomyMapping(
        source=pair.source,
        target=pair.target,
        rows=tuple(mappings(ranked)),
        published=None,
        shared_ids=0,
    )


def main() -> None:
    """Fit, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("source", "target", "rules"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--fit", choices=("all", "last"), help="fit weights, and print them")
    arguments = parser.parse_args()
    source = read_label_file(str(arguments.source)).labels
    target = read_label_file(str(arguments.target)).labels
    rules = resolve(read_mappings(arguments.rules), source, target)
    shapes = {
        "as it is": source,
        "in departments": in_departments(source),
        "no parents": without_parents(source),
    }
    pairs = {name: pair_of(labels, target, rules.targets) for name, labels in shapes.items()}
    to_fit = [*pairs.values(), pair_of(source, without_branches(target, LEFT_OUT), rules.targets)]
    weights_of = {"package": dict(WEIGHTS)}
    for kind, names in EVIDENCE.items() if arguments.fit else ():
        if arguments.fit == "all" or kind == "and parents":
            weights_of[kind] = fit(to_fit, (*names, *ALWAYS))
            _write({kind: {name: round(value, 2) for name, value in weights_of[kind].items()}})
    for kind, weights in weights_of.items():
        for name, pair in pairs.items():
            fitted, others = halves(pair.source)
            mapping = mapped(pair, weights)
            if kind != "package":
                _print(f"{kind}, {name}, fitted", measure(mapping, rules, fitted))
            _print(f"{kind}, {name}, others", measure(mapping, rules, others))
        _measure_shop(kind, target, weights)


def _measure_shop(kind: str, target: Sequence[Label], weights: Mapping[str, float]) -> None:
    """The sample shop's types against counterparts that were judged by hand."""
    with tempfile.TemporaryDirectory() as folder:
        write_shop(Path(folder) / "shop")
        shop = read_label_file(str(Path(folder) / "shop" / TAXONOMY)).labels
    rules = resolve(read_mappings(SHOP), shop, target)
    mapping = mapped(pair_of(shop, target, rules.targets), weights)
    _print(f"{kind}, sample shop", measure(mapping, rules))


def _print(name: str, measures: MappingMeasures) -> None:
    _write({"on": name} | asdict(measures))


def _write(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
