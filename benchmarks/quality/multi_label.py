"""Labels that do not exclude each other: pictures that several labels hold of, or none."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.metrics import average_precision_score

from benchmarks.quality.sets import (
    CLIP_LOGIT_SCALE,
    TEMPLATE,
    LabelledSet,
    Sources,
    cifar10_pictures,
    clothing_pictures,
    embedded,
    grocery_rows,
)
from benchmarks.quality.table import Row
from indexer.core.records import FloatArray
from indexer.encoder import SentenceTransformerEncoder
from indexer.labels.examples import packaged_concepts
from queries.deciding.multi_label import (
    NEUTRAL_PICTURE_PROMPTS,
    independent_scores,
    neutral_fallback,
)
from queries.deciding.unknown import other_concepts

PAIRS = 400
RESAMPLES = 200
ACCEPTED = 0.5

Booleans = npt.NDArray[np.bool_]
Exact = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabelSet:
    """Pictures, and which labels hold of each.

    Attributes:
        items: float32 (n, d).
        labels: float32 (k, d).
        neutral: float32 (p, d), prompts that say nothing.
        words: float32 (w, d), the background.
        truth: bool (n, k).
        logit_scale: of the model.
        about: where the truth is from.
    """

    name: str
    items: FloatArray
    labels: FloatArray
    neutral: FloatArray
    words: FloatArray
    truth: Booleans
    logit_scale: float
    about: str


def multi_label_sets(
    sources: Sources, full: LabelledSet, subset: LabelledSet
) -> Iterator[MultiLabelSet]:
    """Two pictures side by side, groceries with their kind, and products that may have none.

    Args:
        sources: of data and models.
        full: fashion over LVIS' names, the others of which are the background.
        subset: fashion over its 32 labels.
    """
    data, lit, tiny = sources.data, sources.lit, sources.tiny
    yield _pairs("clothing, two photos side by side (lit)", *clothing_pictures(data), lit, 224)
    yield _pairs("cifar10, two pictures side by side (tiny)", *cifar10_pictures(data), tiny, 32)
    yield _groceries(sources)
    truth = subset.truth[:, np.newaxis] == np.arange(len(subset.labels))
    yield MultiLabelSet(
        name="fashion, 32 labels, those with none too",
        items=subset.items,
        labels=subset.labels.vectors,
        neutral=neutral_fallback(subset.labels.vectors),
        words=full.labels.vectors,
        truth=truth,
        logit_scale=CLIP_LOGIT_SCALE,
        about="743 products with one label and 257 with none. Background: LVIS' other names. "
        "In place of neutral prompts the mean label, as no text tower is at hand.",
    )


def measure(labelled: MultiLabelSet) -> Row:
    """Mean average precision over labels, and precision and recall where 0.5 is reached."""
    words = labelled.words[other_concepts(labelled.labels, labelled.words)]
    scores, prompted = _scores(labelled, words), _scores(labelled, labelled.neutral)
    accepted = scores >= ACCEPTED
    hits = float((accepted & labelled.truth).sum())
    random, count = np.random.default_rng(0), len(labelled.truth)
    drawn = [
        mean_average_precision(scores[rows], labelled.truth[rows])
        for rows in (random.integers(0, count, count) for _ in range(RESAMPLES))
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    plain = mean_average_precision(_cosines(labelled, labelled.labels), labelled.truth)
    by_prompts = mean_average_precision(prompted, labelled.truth)
    precision, recall = hits / max(1, int(accepted.sum())), hits / float(labelled.truth.sum())
    return Row(
        what=f"{labelled.name}: mean average precision, each label on its own",
        plain=plain,
        reached=mean_average_precision(scores, labelled.truth),
        goal=plain,
        low=float(low),
        high=float(high),
        how=f"{labelled.about} Against a background vocabulary; neutral prompts, the default "
        f"without one, give {by_prompts:.4f}. plain: cosine; 95% bootstrap over pictures. At a "
        f"score of {ACCEPTED} precision is {precision:.2f} and recall {recall:.2f}; labels hold "
        f"{labelled.truth.sum() / count:.2f} times a picture.",
        more={"precision": precision, "recall": recall, "by_prompts": by_prompts},
    )


def _cosines(labelled: MultiLabelSet, texts: FloatArray) -> Exact:
    return np.asarray(labelled.items @ texts.T, dtype=np.float64)


def _scores(labelled: MultiLabelSet, neutral: FloatArray) -> Exact:
    return independent_scores(
        _cosines(labelled, labelled.labels),
        _cosines(labelled, neutral),
        logit_scale=labelled.logit_scale,
    )


def mean_average_precision(scores: Exact, truth: Booleans) -> float:
    """Average precision of each label over the pictures, averaged over those that occur.

    Args:
        scores: float64 (n, k).
        truth: bool (n, k).
    """
    occurs = truth.any(axis=0)
    return float(average_precision_score(truth[:, occurs], scores[:, occurs]))


def _pairs(
    name: str,
    contents: Sequence[bytes],
    classes: Sequence[str],
    encoder: SentenceTransformerEncoder,
    side: int,
) -> MultiLabelSet:
    """Pictures of two classes, drawn at random, each made ``side`` pixels square."""
    random, names = np.random.default_rng(0), sorted(set(classes))
    numbers = np.array([names.index(name) for name in classes])
    truth = np.zeros((PAIRS, len(names)), dtype=bool)
    made = []
    for row in range(PAIRS):
        first = int(random.integers(len(numbers)))
        second = int(random.choice(np.flatnonzero(numbers != numbers[first])))
        truth[row, numbers[[first, second]]] = True
        made.append(_side_by_side(contents[first], contents[second], side))
    return MultiLabelSet(
        name=name,
        items=embedded(encoder, made),
        labels=encoder.embed_texts([TEMPLATE.format(name) for name in names]),
        neutral=encoder.embed_texts(NEUTRAL_PICTURE_PROMPTS),
        words=_words(encoder),
        truth=truth,
        logit_scale=encoder.logit_scale,
        about=f"{PAIRS} pairs of pictures of two classes.",
    )


def _words(encoder: SentenceTransformerEncoder) -> FloatArray:
    return encoder.embed_texts([TEMPLATE.format(word) for word in packaged_concepts()])


def _side_by_side(first: bytes, second: bytes, side: int) -> bytes:
    pair, written = Image.new("RGB", (2 * side, side)), io.BytesIO()
    for place, content in enumerate((first, second)):
        with Image.open(io.BytesIO(content)) as picture:
            pair.paste(picture.convert("RGB").resize((side, side)), (place * side, 0))
    pair.save(written, "PNG")
    return written.getvalue()


def _groceries(sources: Sources) -> MultiLabelSet:
    """Iconic pictures: the own name and its kind both hold ("royal gala", "apple")."""
    rows, encoder = grocery_rows(sources.data), sources.lit
    held = [[name for name in (row["name"], row["parent"]) if name] for row in rows]
    names = list(dict.fromkeys(name for holding in held for name in holding))
    folder = sources.data / "grocery" / "images"
    return MultiLabelSet(
        name="grocery, names and their kinds (lit)",
        items=embedded(encoder, [(folder / row["file"]).read_bytes() for row in rows]),
        labels=encoder.embed_texts([TEMPLATE.format(name) for name in names]),
        neutral=encoder.embed_texts(NEUTRAL_PICTURE_PROMPTS),
        words=_words(encoder),
        truth=np.array([[name in holding for name in names] for holding in held]),
        logit_scale=encoder.logit_scale,
        about="81 pictures; a grocery's name and its kind both hold.",
    )
