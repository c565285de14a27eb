"""Labels that do not exclude each other: pictures that several labels hold of, or none."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

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


def measure(one: MultiLabelSet) -> Row:
    """Mean average precision over labels, and precision and recall where 0.5 is reached."""
    words = one.words[other_concepts(one.labels, one.words)]
    found, prompted = _scores(one, words), _scores(one, one.neutral)
    accepted = found >= ACCEPTED
    hits = float((accepted & one.truth).sum())
    random, count = np.random.default_rng(0), len(one.truth)
    drawn = [
        mean_average_precision(found[rows], one.truth[rows])
        for rows in (random.integers(0, count, count) for _ in range(RESAMPLES))
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    plain = mean_average_precision(_cosines(one, one.labels), one.truth)
    by_prompts = mean_average_precision(prompted, one.truth)
    precision, recall = hits / max(1, int(accepted.sum())), hits / float(one.truth.sum())
    return Row(
        what=f"{one.name}: mean average precision, each label on its own",
        plain=plain,
        reached=mean_average_precision(found, one.truth),
        goal=plain,
        low=float(low),
        high=float(high),
        how=f"{one.about} Against a background vocabulary; neutral prompts, the default without "
        f"one, give {by_prompts:.4f}. plain: cosine; 95% bootstrap over pictures. At a score of "
        f"{ACCEPTED} precision is {precision:.2f} and recall {recall:.2f}; labels hold "
        f"{one.truth.sum() / count:.2f} times a picture.",
        more={"precision": precision, "recall": recall, "by_prompts": by_prompts},
    )


def _cosines(one: MultiLabelSet, texts: FloatArray) -> Exact:
    return np.asarray(one.items @ texts.T, dtype=np.float64)


def _scores(one: MultiLabelSet, neutral: FloatArray) -> Exact:
    return independent_scores(
        _cosines(one, one.labels), _cosines(one, neutral), logit_scale=one.logit_scale
    )


def mean_average_precision(scores: Exact, truth: Booleans) -> float:
    """Average precision of each label over the pictures, averaged over those that occur.

    Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge",
    doi:10.1007/s11263-009-0275-4, without its interpolation.

    Args:
        scores: float64 (n, k).
        truth: bool (n, k).
    """
    precisions = []
    for column in np.flatnonzero(truth.any(axis=0)):
        hits = truth[np.argsort(-scores[:, column], kind="stable"), column]
        shares = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        precisions.append(float(shares[hits].mean()))
    return float(np.mean(precisions))


def _pairs(
    name: str,
    contents: Sequence[bytes],
    classes: Sequence[str],
    encoder: SentenceTransformerEncoder,
    side: int,
) -> MultiLabelSet:
    """Pictures of two classes, drawn at random, each made ``side`` pixels square."""
    random, names = np.random.default_rng(0), sorted(set(classes))
    numbers = np.array([names.index(one) for one in classes])
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
        labels=encoder.embed_texts([TEMPLATE.format(one) for one in names]),
        neutral=encoder.embed_texts(NEUTRAL_PICTURE_PROMPTS),
        words=_words(encoder),
        truth=truth,
        logit_scale=encoder.logit_scale,
        about=f"{PAIRS} pairs of pictures of two classes.",
    )


def _words(encoder: SentenceTransformerEncoder) -> FloatArray:
    return encoder.embed_texts([TEMPLATE.format(word) for word in packaged_concepts()])


def _side_by_side(first: bytes, second: bytes, side: int) -> bytes:
    both, written = Image.new("RGB", (2 * side, side)), io.BytesIO()
    for place, content in enumerate((first, second)):
        with Image.open(io.BytesIO(content)) as picture:
            both.paste(picture.convert("RGB").resize((side, side)), (place * side, 0))
    both.save(written, "PNG")
    return written.getvalue()


def _groceries(sources: Sources) -> MultiLabelSet:
    """Iconic pictures: the own name and its kind both hold ("royal gala", "apple")."""
    rows, encoder = grocery_rows(sources.data), sources.lit
    held = [[name for name in (row["name"], row["parent"]) if name] for row in rows]
    names = list(dict.fromkeys(name for own in held for name in own))
    folder = sources.data / "grocery" / "images"
    return MultiLabelSet(
        name="grocery, names and their kinds (lit)",
        items=embedded(encoder, [(folder / row["file"]).read_bytes() for row in rows]),
        labels=encoder.embed_texts([TEMPLATE.format(one) for one in names]),
        neutral=encoder.embed_texts(NEUTRAL_PICTURE_PROMPTS),
        words=_words(encoder),
        truth=np.array([[name in own for name in names] for own in held]),
        logit_scale=encoder.logit_scale,
        about="81 pictures; a grocery's name and its kind both hold.",
    )
