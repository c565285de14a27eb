"""Trains `pocket` from nothing: `python -m pocket.train`."""

import argparse
import logging
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import CLIPModel, CLIPTokenizer

from pocket.augment import augment
from pocket.captions import COLOUR_WORDS, PATTERN_WORDS, PROMPTS, caption, prompt
from pocket.drawing import COLOURS, PARENTS, product_type
from pocket.learning import Stock, batches, descend, learn_words, mean_vectors, set_rate
from pocket.losses import Recognition, contrastive_loss, cosine_distance, label_loss, matches
from pocket.model import (
    IMAGE_SIZE,
    WIDTH,
    embed_texts,
    new_model,
    picture_features,
    project_pictures,
    save,
)
from pocket.pictures import Pictures, training_pictures
from pocket.splits import Combination, drawn_types, training_parents, training_wordings
from pocket.teacher import Teacher
from pocket.texts import product_names, text_stock, train_tokenizer

MODEL_FOLDER = Path("indexer/models/pocket")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast to learn.

    Of each batch, `captions` pictures have one; all are told from each other by type.
    `gather` moves a type's names towards each other, `towards_...` say what a picture's
    place is made of beside its type, `recognition`, `alignment` and `telling` weigh the
    losses.
    """

    seed: int = 7
    threads: int = 2
    pictures_per_type: int = 420
    picture_size: int = 80
    english_words: int = 8000
    text_steps: int = 4000
    steps: int = 4000
    masked_share: float = 0.8
    batch: int = 128
    captions: int = 64
    gather: float = 0.5
    towards_parent: float = 0.7
    towards_colour: float = 0.45
    towards_pattern: float = 0.25
    recognition: float = 2.0
    alignment: float = 4.0
    telling: float = 0.3
    bfloat16: bool = True
    taxonomy: Path = Path("../shared/data/taxonomies/shopify_categories.txt")
    cache: Path = Path("build/pocket")
    folder: Path = MODEL_FOLDER


def train(plan: Plan) -> None:
    """Learns the words from the teacher, then words and pictures together, and saves."""
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    rng = random.Random(plan.seed)  # noqa: S311 (captions, no secrets)
    start = time.monotonic()
    pictures = training_pictures(
        count=plan.pictures_per_type,
        size=plan.picture_size,
        seed=plan.seed,
        processes=plan.threads,
        cache=plan.cache,
    )
    _log.info("%d pictures after %.0f s", len(pictures.combinations), time.monotonic() - start)
    tokenizer, stock = _prepare_texts(plan)
    _log.info("%d texts after %.0f s", len(stock.texts), time.monotonic() - start)
    model = new_model(tokenizer)
    learn_words(
        model,
        tokenizer,
        stock,
        steps=plan.text_steps,
        bfloat16=plan.bfloat16,
        rng=rng,
        prompt=prompt,
    )
    _log.info("words learned after %.0f s", time.monotonic() - start)
    # From its own seed, so that it can be done again without the words.
    torch.manual_seed(plan.seed)
    learn_pictures(model, tokenizer, pictures, plan, random.Random(plan.seed))  # noqa: S311
    save(model, tokenizer, plan.folder)
    _log.info("saved in %s after %.0f s", plan.folder, time.monotonic() - start)


def _prepare_texts(plan: Plan) -> tuple[CLIPTokenizer, Stock]:
    teacher = Teacher()
    english = teacher.english_words(plan.english_words)
    names = product_names(plan.taxonomy)
    stock = teacher.stock(
        text_stock(english, names), width=WIDTH, gather=plan.gather, cache=plan.cache
    )
    return train_tokenizer(english, names), stock


def learn_pictures(
    model: CLIPModel,
    tokenizer: CLIPTokenizer,
    pictures: Pictures,
    plan: Plan,
    rng: random.Random,
) -> None:
    """Teaches the image tower to meet the texts, which stay where they are.

    The text tower is locked (Zhai et al., "LiT", 2022): were it to move with the few
    wordings that have pictures, all others would be left behind.
    """
    anchors = anchor_vectors(model, tokenizer)
    classes = [[t.name for t in drawn_types()], list(COLOURS), list(PATTERN_WORDS)]
    recognition = Recognition(model.config.vision_config.hidden_size, classes)
    learning = [*model.vision_model.parameters(), *model.visual_projection.parameters()]
    groups = [{"params": [*learning, *recognition.parameters(), model.logit_scale]}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.05, betas=(0.9, 0.98))
    rows_of_batches = batches(
        len(pictures.combinations), steps=plan.steps, size=plan.batch, rng=rng
    )
    started, shown = time.monotonic(), 0.0
    for step, rows in enumerate(rows_of_batches):
        set_rate(optimizer, step, plan.steps, (1.2e-3,))
        keep = 0.45 if step < plan.masked_share * plan.steps else 1.0
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bfloat16):
            seen = augment(torch.from_numpy(pictures.pixels[rows]), IMAGE_SIZE)
            features = picture_features(model, seen, keep=keep)
            truth = [pictures.combinations[row] for row in rows]
            vectors = project_pictures(model, features)
            loss = _picture_loss(model, tokenizer, vectors, truth, anchors, plan, rng)
            loss = loss + plan.recognition * recognition(features, truth)
        descend(model, optimizer, loss)
        shown = loss.item() if step == 0 else 0.98 * shown + 0.02 * loss.item()
        if step % 50 == 0:
            spent = time.monotonic() - started
            _log.info("pictures: step %d, loss %.3f, %.0f s", step, shown, spent)


def anchor_vectors(model: CLIPModel, tokenizer: CLIPTokenizer) -> dict[str, Tensor]:
    """The mean vector of all wordings in all prompts, of each type, category and attribute.

    Returns:
        Unit vectors (WIDTH,) by name; no name is that of a type and a category both.
    """
    wordings = {t.name: training_wordings(t) for t in drawn_types()}
    wordings |= {parent: training_parents(parent) for parent in PARENTS}
    wordings |= {colour: COLOUR_WORDS.get(colour, (colour,)) for colour in COLOURS}
    wordings |= PATTERN_WORDS
    return mean_vectors(model, tokenizer, wordings, PROMPTS)


def place_of(combination: Combination, anchors: dict[str, Tensor], plan: Plan) -> Tensor:
    """Where a picture of this combination belongs: at its type, near its category, colour..."""
    name, colour, pattern = combination
    place = anchors[name] + plan.towards_parent * anchors[product_type(name).parent]
    place = place + plan.towards_colour * anchors[colour]
    return normalize(place + plan.towards_pattern * anchors[pattern], dim=0)


def _picture_loss(
    model: CLIPModel,
    tokenizer: CLIPTokenizer,
    vectors: Tensor,
    shown: list[Combination],
    anchors: dict[str, Tensor],
    plan: Plan,
    rng: random.Random,
) -> Tensor:
    told = shown[: plan.captions]
    captions = [caption(product_type(c[0]), c, rng) for c in told]
    names = [t.name for t in drawn_types()]
    texts = [c.text for c in captions]
    texts += [prompt(rng.choice(training_wordings(t)), rng) for t in drawn_types()]
    with torch.no_grad():
        said, named = embed_texts(model, tokenizer, texts).split([len(captions), len(names)])
    scale = model.logit_scale.exp().clamp(max=100)
    truth = torch.tensor([names.index(c[0]) for c in shown])
    places = torch.stack([place_of(c, anchors, plan) for c in shown])
    return plan.alignment * cosine_distance(vectors, places) + plan.telling * (
        label_loss(vectors, named, truth, scale)
        + contrastive_loss(said, vectors[: len(told)], matches(captions, told), scale)
    )


def main() -> None:
    """Reads the command line and trains."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m pocket.train", description=__doc__)
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--threads", type=int, default=plan.threads)
    parser.add_argument("--pictures-per-type", type=int, default=plan.pictures_per_type)
    parser.add_argument("--text-steps", type=int, default=plan.text_steps)
    parser.add_argument("--steps", type=int, default=plan.steps)
    parser.add_argument(
        "--taxonomy", type=Path, default=plan.taxonomy, help="Shopify's categories.txt: names"
    )
    parser.add_argument("--cache", type=Path, default=plan.cache, help="kept pictures")
    parser.add_argument("--folder", type=Path, default=plan.folder, help="where the model goes")
    parser.add_argument(
        "--float32", action="store_true", help="for processors without bfloat16: slower"
    )
    arguments = vars(parser.parse_args())
    bfloat16 = not arguments.pop("float32")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(Plan(bfloat16=bfloat16, **arguments))


if __name__ == "__main__":
    main()
