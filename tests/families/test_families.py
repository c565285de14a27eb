"""Each family's vectors are sentence-transformers', its scores the zero-shot pipeline's.

Weights are random and small: what is compared runs on the same ones. A family is equal or
refused, with the cause and the remedy; there is nothing in between.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from family_peers import CLOSE, FAMILIES, TEXTS, drawn, encoded, least_cosine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer.core.errors import ModelError
from indexer.core.protocols import Pixels
from indexer.core.vectors import normalise
from indexer.encoder import SentenceTransformerEncoder
from indexer.encoder.clip import ClipTowers
from queries.classify import classify_among
from queries.deciding.question import Question
from queries.deciding.settings import Settings

EncoderOf = Callable[[str], SentenceTransformerEncoder]
PeerOf = Callable[[str], Any]

REFUSED = {"blip-itm": "lacks .* weights that its vectors come from: .*of another architecture"}
EQUAL = sorted(set(FAMILIES) - set(REFUSED))
TEXTS_ONLY = {"clap", "router-query-document"}
PICTURES = [name for name in EQUAL if name not in TEXTS_ONLY and not name.startswith("text")]
UNKNOWN_TO_THE_PIPELINE = ("dual-encoder", "flava", "groupvit", "owlv2", "router")
PADDED_WRONGLY = {"clip-left-padded"}
"""Labels of another length get another vector from the pipeline, which pads them together."""
PIPELINE = [
    name
    for name in PICTURES
    if not name.startswith(UNKNOWN_TO_THE_PIPELINE) and name not in PADDED_WRONGLY
]
LABELS = ("mug", "running shoes", "blue chair", "a box of candles", "fox")
TEMPLATE = "this is a photo of {}."
PROMPTED: dict[str, dict[str, Any]] = {
    "text-e5": {"prompt_name": "passage"},
    "text-gemma": {"prompt_name": "document"},
    "text-classification-prompt": {"prompt_name": "classification"},
    "router-query-document": {"task": "document"},
}
"""How items and labels are encoded where a model has a way for them."""
INPUT_SIDES = {"align": 40}
"""Sides of a picture that a family's processor leaves as it is, where they are not 32."""


def pictures() -> list[Any]:
    """High, wide and square ones, larger than any family's input."""
    return drawn((90, 130), (120, 70), (64, 64))


@pytest.mark.parametrize("family", EQUAL)
def test_texts_are_those_of_sentence_transformers(
    family: str, encoder_of: EncoderOf, peer_of: PeerOf
) -> None:
    """In a batch of mixed lengths and one by one, with the prompt that it wants."""
    encoder, peer = encoder_of(family), peer_of(family)
    theirs = encoded(peer, as_inputs(family), **PROMPTED.get(family, {}))
    together = encoder.embed_texts(TEXTS)
    alone = np.concatenate([encoder.embed_texts([text]) for text in TEXTS])
    assert together.shape == (len(TEXTS), encoder.width) == theirs.shape
    assert least_cosine(together, theirs) >= CLOSE
    assert least_cosine(alone, theirs) >= CLOSE


def as_inputs(family: str) -> list[Any]:
    """The texts as sentence-transformers takes them without looking for addresses."""
    return list(TEXTS) if family == "text-static" else [{"text": text} for text in TEXTS]


@pytest.mark.parametrize("family", [name for name in EQUAL if name.startswith(("text", "router"))])
def test_searches_are_those_of_sentence_transformers(
    family: str, encoder_of: EncoderOf, peer_of: PeerOf
) -> None:
    """By the prompt and the way that a model has for queries (``encode_query``)."""
    peer = peer_of(family)
    found = encoder_of(family).embed_queries(TEXTS)
    if family == "router-text-image":  # it knows no task, and says so
        theirs = encoded(peer, as_inputs(family))
    else:
        rows = [peer.encode_query([one], show_progress_bar=False)[0] for one in as_inputs(family)]
        theirs = normalise(np.stack(rows))
    if family == "text-default-prompt":  # encode_query puts nothing there, encode does
        theirs = encoded(peer, as_inputs(family))
    assert least_cosine(found, theirs) >= CLOSE


@pytest.mark.parametrize("family", PICTURES)
def test_pictures_are_those_of_sentence_transformers(
    family: str, encoder_of: EncoderOf, peer_of: PeerOf
) -> None:
    """Of any shape, by the quick way of resizing."""
    encoder = encoder_of(family)
    theirs = encoded(peer_of(family), [Image.fromarray(one) for one in pictures()])
    prepared = [encoder.prepare(one) for one in pictures()]
    assert least_cosine(encoder.embed_pictures(prepared), theirs) >= CLOSE
    alone = np.concatenate([encoder.embed_pictures([one]) for one in prepared])
    assert least_cosine(alone, theirs) >= CLOSE


@pytest.mark.parametrize("family", PIPELINE)
def test_labels_are_those_of_the_pipeline(
    family: str, encoder_of: EncoderOf, peer_of: PeerOf
) -> None:
    """One template: the same order, and scores within 1e-3.

    The pictures have the size of the model's input already: the pipeline resizes by Pillow, and
    the quick way is off by a value or two of 255. A SigLIP's scores are of single labels there.
    """
    encoder = encoder_of(family)
    side = INPUT_SIDES.get(family, 32)
    seen = drawn(*[(side, side)] * 3)
    sigmoid = "siglip" in family
    found = classify_among(
        encoder,
        encoder.embed_pictures([encoder.prepare(one) for one in seen]),
        LABELS,
        templates=[TEMPLATE],
        question=Question(settings=Settings(multi_label=sigmoid)),
    )
    ask = pipeline_of(peer_of(family))
    for picture, predictions in zip(seen, found, strict=True):
        answer = ask(
            Image.fromarray(picture), candidate_labels=list(LABELS), hypothesis_template=TEMPLATE
        )
        assert [one.label for one in predictions] == [one["label"] for one in answer]
        ours, theirs = ([one.score for one in predictions], [one["score"] for one in answer])
        np.testing.assert_allclose(ours, theirs, atol=1e-5 if sigmoid else 1e-3)


def pipeline_of(peer: Any) -> Any:
    """Transformers' pipeline on the model that sentence-transformers has loaded."""
    from transformers import pipeline

    module = peer[0]
    return pipeline(
        "zero-shot-image-classification",
        model=module.auto_model,
        tokenizer=module.processor.tokenizer,
        image_processor=module.processor.image_processor,
        device="cpu",
    )


@pytest.mark.parametrize("family", REFUSED)
def test_others_are_refused_before_anything_is_embedded(
    family: str, checkpoint: Callable[[str], Path]
) -> None:
    """By name, cause and remedy."""
    folder = checkpoint(family)
    with pytest.raises(ModelError, match=REFUSED[family]) as caught:
        SentenceTransformerEncoder(str(folder), device="cpu")
    assert str(folder) in str(caught.value)
    assert "Give --model a folder" in str(caught.value)


@pytest.mark.parametrize("family", EQUAL)
def test_a_vector_does_not_depend_on_its_batch(family: str, encoder_of: EncoderOf) -> None:
    """Whatever stands beside a text or a picture, in whatever order, by whatever batch size."""
    encoder = encoder_of(family)
    inference = encoder._inference
    words = st.sampled_from(["mug", "red", "a", "ceramic", "photo", "chairs", "x"])
    # A table of words has no vector for none, and says so.
    least = 1 if family == "text-static" else 0
    text = st.lists(words, min_size=least, max_size=12).map(" ".join)
    texts = st.lists(text, min_size=1, max_size=9)
    seen = st.lists(st.integers(0, 255), max_size=3) if encoder.sees_pictures else st.just([])

    @settings(max_examples=4, suppress_health_check=list(HealthCheck))
    @given(texts, seen, st.integers(1, 4))
    def check(batch: list[str], neighbours: list[int], size: int) -> None:
        usual, inference.batch_size = inference.batch_size, size
        try:
            together = encoder.embed_texts(batch)
            assert least_cosine(together[-1:], encoder.embed_texts(batch[-1:])) >= 1 - 1e-5
            if encoder.sees_pictures:
                among = encoder.embed_pictures([*(plain(one) for one in neighbours), picture])
                assert least_cosine(among[-1:], encoder.embed_pictures([picture])) >= 1 - 1e-5
        finally:
            inference.batch_size = usual

    def plain(colour: int) -> Pixels:
        return np.full_like(picture, colour)

    picture = encoder.prepare(pictures()[0]) if encoder.sees_pictures else np.empty(0, np.uint8)

    check()


@pytest.mark.parametrize("family", [name for name in EQUAL if name.startswith("clip")])
def test_a_plain_clip_is_read_a_tower_at_a_time(family: str, encoder_of: EncoderOf) -> None:
    """Also in sentence-transformers' own layout, in parts, and as files of before safetensors."""
    assert isinstance(encoder_of(family)._model, ClipTowers) == (family != "clipseg")


@pytest.mark.parametrize(
    ("family", "scale"), [("align", 1 / 0.07), ("siglip", np.exp(2.7)), ("text", 20.0)]
)
def test_the_scale_is_the_models_own(family: str, scale: float, encoder_of: EncoderOf) -> None:
    """By whatever name, and inverse where it is called a temperature."""
    encoder = encoder_of(family)
    assert encoder.logit_scale == pytest.approx(scale, rel=1e-5)
    assert encoder.logits.learned == (family != "text")
