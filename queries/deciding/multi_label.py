"""Labels that do not exclude each other: each is scored on its own; pure numpy.

A softmax over all labels makes them share one probability, so it can't say that two hold,
or none. A model that was trained by a sigmoid (SigLIP) says of each label by itself whether it
holds. With the others a label competes only with words of a general list, where the catalog has a
background vocabulary, else with prompts that say nothing ("a photo.").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, FloatArray, Kind

NEUTRAL_PICTURE_PROMPTS = (
    "a photo.",
    "a picture.",
    "an image.",
    "a product photo.",
    "a photo of something.",
    "a photo of a product.",
)
NEUTRAL_PROMPTS = {
    Kind.PICTURE: NEUTRAL_PICTURE_PROMPTS,
    Kind.SOUND: ("a sound.", "This is a sound.", "a noise.", "some audio.", "something."),
    Kind.TEXT: ("a text.", "a sentence.", "some words.", "a product.", "something."),
}


def independent_scores(
    similarities: npt.NDArray[np.floating],
    neutral: npt.NDArray[np.floating],
    *,
    logit_scale: float,
) -> DoubleArray:
    """The probability of each label against neutral prompts: a softmax over two.

    Of a prompt that names a finding and one that denies it, as CheXzero does it (Tiu et
    al. 2022, "Expert-level detection of pathologies from unannotated chest X-ray images
    via self-supervised learning", doi:10.1038/s41551-022-00936-9). That the other side
    is the mean likelihood of several neutral prompts is this project's own: "no mug"
    embeds close to "mug" in models that know little of negation. The number of neutral
    prompts does not change the scores, only what they say. A general list of words says
    more than a few prompts: mean average precision went from .387 to .416 on pairs of
    clothing photos, where plain cosines have .415 (``benchmarks.quality``).

    Args:
        similarities: (n, k), cosines of inputs and labels.
        neutral: (n, p), cosines of inputs and neutral prompts or words; p at least 1.
        logit_scale: what the model multiplies cosines by.

    Returns:
        float64 (n, k), each 0 to 1; a row need not sum to 1. 0.5: as near as the neutral.
    """
    logits = logit_scale * neutral.astype(np.float64)
    highest = logits.max(axis=1, keepdims=True)
    floor = highest + np.log(np.exp(logits - highest).mean(axis=1, keepdims=True))
    return _sigmoid(logit_scale * similarities.astype(np.float64) - floor)


def sigmoid_scores(
    similarities: npt.NDArray[np.floating], *, logit_scale: float, logit_bias: float
) -> DoubleArray:
    """The probability of each label by a model that was trained to give it.

    Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training", arXiv:2303.15343: SigLIP's
    own scores, each pair of picture and text by itself.

    Args:
        similarities: (n, k), cosines of inputs and labels.
        logit_scale: what the model multiplies cosines by.
        logit_bias: what it adds then.

    Returns:
        float64 (n, k), each 0 to 1; a row need not sum to 1.
    """
    return _sigmoid(logit_scale * similarities.astype(np.float64) + logit_bias)


def _sigmoid(logits: DoubleArray) -> DoubleArray:
    # exp of minus |logit| can't overflow, on whichever side of 0 it is.
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1.0, small) / (1.0 + small))


def neutral_fallback(labels: FloatArray) -> FloatArray:
    """The mean label, where no model can embed neutral prompts: float32 (1, d), length 1.

    Args:
        labels: float32 (k, d), rows of length 1.
    """
    mean = labels.mean(axis=0, dtype=np.float64)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)[np.newaxis]
