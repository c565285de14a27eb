"""Whether descriptions in prompts help more than random words in their place.

The control of Roth et al., "Waffling Around for Performance: Visual Classification with
Random Words and Broad Concepts", ICCV 2023, arXiv:2306.07282: a gain by descriptions is
known to be one only where as many random words do not give it too. That the comparison is
paired, item by item, and resampled over items and draws of words, is this project's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.catalog.item_vectors import mean_vectors_of_items
from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.label_sets import set_option
from indexer.core.records import BoolArray, DoubleArray, FloatArray, Label
from indexer.core.watch import Watch
from indexer.jobs.adapt import fit_to
from indexer.labels.examples import packaged_concepts
from indexer.labels.head import adapted_or_plain
from indexer.labels.sets import LabelSet, embed, empty
from queries.deciding.scorer import Scorer
from queries.evaluation.outcomes import Outcomes

DRAWS = 10
"""Draws of random words; each is embedded and adapted as the descriptions are."""

MOST_ITEMS = 10_000
"""Beyond so many items a sample of them is scored."""

_RESAMPLES = 2_000
# Items whose scores of all labels are in memory at once.
_ROWS = 256
_SEED = 0
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Word = Callable[[np.random.Generator], str]
"""Makes a random word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptionControl:
    """Accuracy with descriptions, with random words in their place, and without either.

    By pictures alone, or texts: titles and taught examples are left out.

    Attributes:
        items: that were scored.
        draws: of random words.
        described: active labels that have a description.
        descriptions: share of right labels with the prompts as they are.
        random_words: mean over the draws, of as many words each.
        names: without the prompts that hold a description.
        gain: of the descriptions over random words.
        low: lower end of its 95% bootstrap interval.
        high: its upper end.
        names_gain: of the descriptions over names alone; random words may harm, so that
            beating them is not enough.
        names_low: lower end of its 95% bootstrap interval.
        names_high: its upper end.
    """

    items: int
    draws: int
    described: int
    descriptions: float
    random_words: float
    names: float
    gain: float
    low: float
    high: float
    names_gain: float
    names_low: float
    names_high: float

    @property
    def verdict(self) -> str:
        """In words, whether descriptions help beyond what any words do."""
        if self.names_high < 0:
            return "Descriptions harm: names alone do better. Leave them out."
        if self.high < 0:
            return "What the descriptions say harms: random words do better. Leave them out."
        if self.low <= 0:
            return "What the descriptions say does not help beyond chance: random words do as well."
        if self.names_low <= 0:
            return (
                "Descriptions do not help beyond chance: random words do worse, but names alone do "
                "as well."
            )
        return "Descriptions help, beyond names alone and beyond what random words do."


def control_descriptions(
    catalog: OpenCatalog,
    outcomes: Outcomes,
    labels: LabelSet,
    *,
    adapt: bool = True,
    watch: Watch = Watch(),
) -> DescriptionControl:
    """Score items with descriptions, with random words in their place, and without.

    Args:
        outcomes: items of the catalog with a truth.
        labels: the active labels.
        adapt: adapt each of the label sets to the catalog's items, where they are enough.
        watch: follows the label sets scored.

    Raises:
        UsageError: no prompt holds a description.
        ModelError: no model is at hand to embed the words.
    """
    described = _count_described(catalog, labels)
    predictor = _PromptVariants(catalog, labels, adapt=adapt)
    vectors, truth = _scored_items(catalog, outcomes, labels)
    word, random = words_of(packaged_concepts()), np.random.default_rng(_SEED)
    right: list[BoolArray] = []
    variants = [
        labels.labels,
        [replace(label, description="") for label in labels.labels],
        *(
            [
                replace(label, description=same_length(label.description, word, random))
                for label in labels.labels
            ]
            for _ in range(DRAWS)
        ),
    ]
    watch.begin("Measuring", len(variants))
    for descriptions in variants:
        right.append(predictor.predict(descriptions, vectors) == truth)
        watch.advance(1)
    drawn = np.array(right[2:], dtype=np.float64)
    described_right, named_right = (hits.astype(np.float64) for hits in right[:2])
    low, high = _interval(described_right, drawn)
    names_low, names_high = _interval(described_right, named_right[np.newaxis])
    return DescriptionControl(
        items=len(truth),
        draws=DRAWS,
        described=described,
        descriptions=float(right[0].mean()),
        random_words=float(drawn.mean()),
        names=float(right[1].mean()),
        gain=float(right[0].mean() - drawn.mean()),
        low=low,
        high=high,
        names_gain=float(described_right.mean() - named_right.mean()),
        names_low=names_low,
        names_high=names_high,
    )


def _count_described(catalog: OpenCatalog, labels: LabelSet) -> int:
    """Labels with a description; it raises a UsageError where no prompt holds one."""
    templates, set_name = catalog.label_set.templates, catalog.folder.set_name
    with_text = any("{description}" in template for template in templates)
    described = sum(bool(label.description.strip()) for label in labels.labels)
    if with_text and described:
        return described
    missing = "no label has a description" if with_text else "no prompt template has {description}"
    raise UsageError(
        f"--control-descriptions replaces descriptions in prompts by random words, and {missing}. "
        "Add labels that have one with: zeroshelf labels add FILE --template 'a photo of a "
        f"{{label}}.' --template 'a photo of a {{label}}, {{description}}.'{set_option(set_name)}"
    )


def words_of(vocabulary: Sequence[str]) -> Word:
    """Makes random words of a vocabulary."""
    return lambda random: str(vocabulary[int(random.integers(len(vocabulary)))])


def letters(random: np.random.Generator) -> str:
    """Random letters, as many as words have."""
    return "".join(random.choice(list(_LETTERS), int(random.integers(3, 9))))


def same_length(text: str, word: Word, random: np.random.Generator) -> str:
    """As many random words as a text has words."""
    return " ".join(word(random) for _ in text.split())


class _PromptVariants:
    """Predicts by label sets of other descriptions; embeds each text once."""

    def __init__(self, catalog: OpenCatalog, labels: LabelSet, *, adapt: bool) -> None:
        self._catalog = catalog
        self._labels = labels
        self._adapt = adapt
        self._embedded: dict[str, FloatArray] = {}

    def predict(self, labels: Sequence[Label], vectors: FloatArray) -> DoubleArray:
        """int64 (n,): the row of the best of some labels for each vector."""
        catalog = self._catalog
        made, _, _ = embed(
            empty(vectors.shape[1]),
            labels,
            templates=catalog.label_set.templates,
            embed_texts=self._embed,
            synonyms=catalog.label_set.with_synonyms,
        )
        adaptation = fit_to(catalog, made) if self._adapt else None
        head = adapted_or_plain(made, adaptation, catalog.fingerprint.logit_scale)
        scorer = Scorer(head=head, unit=1.0, temperature=1.0)
        blocks = (vectors[start : start + _ROWS] for start in range(0, len(vectors), _ROWS))
        return np.concatenate([scorer.scores(block).argmax(axis=1) for block in blocks])

    def _embed(self, texts: Sequence[str]) -> FloatArray:
        missing = [text for text in texts if text not in self._embedded]
        if missing:
            self._embedded.update(
                zip(missing, self._catalog.encoder.embed_texts(missing), strict=True)
            )
        return np.stack([self._embedded[text] for text in texts])


def _scored_items(
    catalog: OpenCatalog, outcomes: Outcomes, labels: LabelSet
) -> tuple[FloatArray, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Vectors of the items whose truth is an active label, and the rows of these labels."""
    rows = [row for row, truth in enumerate(outcomes.truths) if truth in labels.places]
    if len(rows) > MOST_ITEMS:
        rows = np.random.default_rng(_SEED).choice(rows, MOST_ITEMS, replace=False).tolist()
    ids = [outcomes.item_ids[row] for row in rows]
    stored = mean_vectors_of_items(catalog.archive, catalog.ledger.parts, ids)
    rows = [row for row in rows if outcomes.item_ids[row] in stored.places]
    vectors = stored.vectors[[stored.places[outcomes.item_ids[row]] for row in rows]]
    return vectors, np.array([labels.places[outcomes.truths[row]] for row in rows], dtype=np.int64)


def _interval(described_right: DoubleArray, others_right: DoubleArray) -> tuple[float, float]:
    """95% of the gain over other prompts, items and draws resampled together.

    Args:
        described_right: float64 (n,), 1 where the descriptions are right.
        others_right: float64 (r, n), the same of each draw of what they are compared with.
    """
    random = np.random.default_rng(_SEED)
    count, gains = len(described_right), []
    for _ in range(_RESAMPLES):
        weights = np.bincount(random.integers(count, size=count), minlength=count) / count
        draws = random.integers(len(others_right), size=len(others_right))
        gains.append(described_right @ weights - (others_right @ weights)[draws].mean())
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)
