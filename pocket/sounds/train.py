"""Trains `pocket_sounds` from nothing: `python -m pocket.sounds.train`."""

import argparse
import hashlib
import logging
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize
from transformers import ClapModel, CLIPTokenizer

from pocket.learning import Stock, batches, descend, learn_words, mean_vectors, set_rate
from pocket.losses import Recognition, contrastive_loss, cosine_distance
from pocket.model import embed_texts
from pocket.sounds.augment import augment, mix
from pocket.sounds.captions import PACE_WORDS, PITCH_WORDS, PROMPTS, SETTING_WORDS, caption, prompt
from pocket.sounds.catalogue import PARENTS
from pocket.sounds.drawing import PACES, PITCHES, SETTINGS, kind_of
from pocket.sounds.model import WIDTH, new_model, project_sounds, save, set_levels, sound_features
from pocket.sounds.recordings import Recordings, training_recordings
from pocket.sounds.splits import (
    Combination,
    drawn_kinds,
    pairs,
    training_parents,
    training_wordings,
)
from pocket.sounds.texts import text_stock, train_tokenizer
from pocket.teacher import Teacher

MODEL_FOLDER = Path("indexer/models/pocket_sounds")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast to learn.

    Of each batch, `captions` sounds have one, and `mixtures` others are two sounds at once.
    `gather` moves a kind's names towards each other, `towards_...` say what a sound's place
    is made of beside its kind, `recognition`, `alignment` and `telling` weigh the losses.
    """

    seed: int = 7
    processes: int = 2
    threads: int = 1
    sounds_per_kind: int = 160
    english_words: int = 6000
    text_steps: int = 2200
    text_batch: int = 128
    steps: int = 1500
    batch: int = 96
    captions: int = 48
    mixtures: int = 12
    gather: float = 0.5
    towards_parent: float = 0.5
    towards_setting: float = 0.25
    towards_pitch: float = 0.35
    recognition: float = 2.0
    alignment: float = 4.0
    telling: float = 0.3
    bfloat16: bool = True
    only: tuple[str, ...] = ()
    cache: Path = Path("build/pocket_sounds")
    folder: Path = MODEL_FOLDER


def train(plan: Plan) -> None:
    """Learns the words from the teacher, then to put sounds where their words lie, and saves.

    After the words, and every 200 steps of the sounds, the state is kept in `plan.cache`; a
    training that was stopped goes on from there when it is started in the same way.
    """
    torch.set_num_threads(plan.threads)
    start = time.monotonic()
    recordings = training_recordings(
        count=plan.sounds_per_kind,
        seed=plan.seed,
        processes=plan.processes,
        cache=plan.cache,
        only=plan.only,
    )
    _log.info("%d sounds after %.0f s", len(recordings.combinations), time.monotonic() - start)
    tokenizer, stock = _prepare_texts(plan)
    _log.info("%d texts after %.0f s", len(stock.texts), time.monotonic() - start)
    model = _with_words(tokenizer, stock, plan)
    _log.info("words learned after %.0f s", time.monotonic() - start)
    # From its own seed, so that it can be done again without the words.
    torch.manual_seed(plan.seed)
    learn_sounds(model, tokenizer, recordings, plan, random.Random(plan.seed))  # noqa: S311
    save(model, tokenizer, plan.folder)
    _log.info("saved in %s after %.0f s", plan.folder, time.monotonic() - start)


def _prepare_texts(plan: Plan) -> tuple[CLIPTokenizer, Stock]:
    teacher = Teacher()
    english = teacher.english_words(plan.english_words)
    stock = teacher.stock(text_stock(english), width=WIDTH, gather=plan.gather, cache=plan.cache)
    return train_tokenizer(english), stock


def _with_words(tokenizer: CLIPTokenizer, stock: Stock, plan: Plan) -> ClapModel:
    """A model whose text tower has learned the stock; kept in the cache."""
    torch.manual_seed(plan.seed)
    model = new_model(tokenizer)
    digest = hashlib.sha256(
        "\n".join([*stock.texts, *PROMPTS, str(model.config.text_config)]).encode()
    )
    path = plan.cache / f"words-{plan.seed}-{plan.text_steps}-{digest.hexdigest()[:12]}.pt"
    if path.exists():
        model.load_state_dict(torch.load(path), strict=False)
        return model
    learn_words(
        model,
        tokenizer,
        stock,
        steps=plan.text_steps,
        batch=plan.text_batch,
        bfloat16=plan.bfloat16,
        rng=random.Random(plan.seed),  # noqa: S311 (captions, no secrets)
        prompt=prompt,
    )
    state = model.state_dict()
    torch.save({name: state[name] for name in state if name.startswith("text_")}, path)
    return model


def learn_sounds(
    model: ClapModel,
    tokenizer: CLIPTokenizer,
    recordings: Recordings,
    plan: Plan,
    rng: random.Random,
) -> None:
    """Teaches the audio tower to meet the texts, which stay where they are.

    The text tower is locked (Zhai et al., "LiT", 2022), as in `pocket.train`.
    """
    # Always as in use: the levels of the batch norm are those of all sounds, not of a batch.
    model.eval()
    spectrograms = torch.from_numpy(recordings.spectrograms)
    levels = spectrograms[:: max(1, len(spectrograms) // 1500)].float()
    set_levels(model, levels.mean(dim=(0, 1, 2)), levels.var(dim=(0, 1, 2)))
    anchors = anchor_vectors(model, tokenizer)
    classes = [[k.name for k in drawn_kinds()], list(PITCHES), list(PACES), list(SETTINGS)]
    recognition = Recognition(model.config.audio_config.hidden_size, classes)
    learning = [*model.audio_model.parameters(), *model.audio_projection.parameters()]
    groups = [{"params": [*learning, *recognition.parameters(), model.logit_scale_a]}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.05, betas=(0.9, 0.98))
    state = _State(model, recognition, optimizer, _state_path(recordings, plan))
    first = state.restore()
    order = batches(len(spectrograms), steps=plan.steps, size=plan.batch, rng=rng)
    allowed = set(pairs("train"))
    started, shown = time.monotonic(), 0.0
    for step in range(first, plan.steps):
        if step % 200 == 0:
            state.keep(step)
            rng.seed(f"{plan.seed}/{step}")
            torch.manual_seed(plan.seed * 100_003 + step)
        set_rate(optimizer, step, plan.steps, (1.5e-3,))
        shows = [recordings.combinations[row] for row in order[step]]
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bfloat16):
            heard, partners = _heard(spectrograms[order[step]].float(), shows, allowed, plan, rng)
            features = sound_features(model, heard)
            vectors = project_sounds(model, features)
            loss = _sound_loss(model, tokenizer, vectors, shows, partners, anchors, plan, rng)
            single = len(shows) - len(partners)
            loss = loss + plan.recognition * recognition(features[:single], shows[:single])
        descend(model, optimizer, loss)
        shown = loss.item() if step == first else 0.98 * shown + 0.02 * loss.item()
        if step % 50 == 0:
            spent = time.monotonic() - started
            _log.info("sounds: step %d, loss %.3f, %.0f s", step, shown, spent)


@dataclass(frozen=True, slots=True)
class _State:
    """A training's state in a file, from which it goes on."""

    model: ClapModel
    recognition: Recognition
    optimizer: torch.optim.Optimizer
    path: Path

    def keep(self, step: int) -> None:
        parts = {"step": step, "optimizer": self.optimizer.state_dict()}
        parts |= {"model": self.model.state_dict(), "recognition": self.recognition.state_dict()}
        aside = self.path.with_suffix(".part")
        torch.save(parts, aside)
        aside.replace(self.path)

    def restore(self) -> int:
        """The step to go on from."""
        if not self.path.exists():
            return 0
        parts = torch.load(self.path)
        self.model.load_state_dict(parts["model"])
        self.recognition.load_state_dict(parts["recognition"])
        self.optimizer.load_state_dict(parts["optimizer"])
        return int(parts["step"])


def _state_path(recordings: Recordings, plan: Plan) -> Path:
    level = recordings.spectrograms[::500].astype(float).sum()
    said = f"{plan} {len(recordings.combinations)} {level}"
    return plan.cache / f"state-{hashlib.sha256(said.encode()).hexdigest()[:12]}.pt"


def _heard(
    spectrograms: Tensor,
    shows: list[Combination],
    allowed: set[tuple[str, str]],
    plan: Plan,
    rng: random.Random,
) -> tuple[Tensor, list[int]]:
    """The batch as the model hears it; the last ones are mixed with the partners' rows."""
    partners: list[int] = []
    for row in range(len(shows) - plan.mixtures, len(shows)):
        fitting = [
            other
            for other in range(len(shows))
            if {(shows[row][0], shows[other][0]), (shows[other][0], shows[row][0])} & allowed
        ]
        partners.append(rng.choice(fitting or [row]))
    single = len(shows) - len(partners)
    both = mix(spectrograms[single:], spectrograms[partners])
    return augment(torch.cat([spectrograms[:single], both])), partners


def anchor_vectors(model: ClapModel, tokenizer: CLIPTokenizer) -> dict[str, Tensor]:
    """The mean vector of all wordings in all prompts, of each kind, category and attribute.

    Returns:
        Unit vectors (WIDTH,) by name.
    """
    wordings: dict[str, tuple[str, ...]] = {k.name: training_wordings(k) for k in drawn_kinds()}
    wordings |= {parent: training_parents(parent) for parent in PARENTS}
    wordings |= PITCH_WORDS | PACE_WORDS | SETTING_WORDS
    return mean_vectors(model, tokenizer, wordings, PROMPTS)


def place_of(combination: Combination, anchors: dict[str, Tensor], plan: Plan) -> Tensor:
    """Where a sound of this combination belongs: at its kind, near its category, pitch..."""
    name, pitch, pace, setting = combination
    place = anchors[name] + plan.towards_parent * anchors[kind_of(name).parent]
    place = place + plan.towards_setting * anchors[setting]
    for word in (pitch, pace):
        if word in anchors:
            place = place + plan.towards_pitch * anchors[word]
    return normalize(place, dim=0)


def _sound_loss(
    model: ClapModel,
    tokenizer: CLIPTokenizer,
    vectors: Tensor,
    shows: list[Combination],
    partners: list[int],
    anchors: dict[str, Tensor],
    plan: Plan,
    rng: random.Random,
) -> Tensor:
    told = shows[: plan.captions]
    captions = [caption(c, rng) for c in told]
    kinds = drawn_kinds()
    texts = [c.text for c in captions]
    texts += [prompt(rng.choice(training_wordings(kind)), rng) for kind in kinds]
    with torch.no_grad():
        said, named = embed_texts(model, tokenizer, texts).split([len(captions), len(kinds)])
    scale = model.logit_scale_a.exp().clamp(max=100)
    # Two sounds at once lie between the places of each, and either name is half true.
    mixed = [*[None] * (len(shows) - len(partners)), *partners]
    names = [kind.name for kind in kinds]
    truth, places = torch.zeros(len(shows), len(kinds)), []
    for row, partner in enumerate(mixed):
        heard = [shows[row]] if partner is None else [shows[row], shows[partner]]
        places.append(normalize(sum(place_of(c, anchors, plan) for c in heard), dim=0))
        for combination in heard:
            truth[row, names.index(combination[0])] += 1 / len(heard)
    match = torch.tensor([[c.holds_for(shown) for shown in told] for c in captions])
    return plan.alignment * cosine_distance(vectors, torch.stack(places)) + plan.telling * (
        cross_entropy(scale * vectors @ named.T, truth)
        + contrastive_loss(said, vectors[: len(told)], match, scale)
    )


def main() -> None:
    """Reads the command line and trains."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m pocket.sounds.train", description=__doc__)
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--processes", type=int, default=plan.processes, help="that draw")
    parser.add_argument("--threads", type=int, default=plan.threads, help="that compute")
    parser.add_argument("--sounds-per-kind", type=int, default=plan.sounds_per_kind)
    parser.add_argument("--text-steps", type=int, default=plan.text_steps)
    parser.add_argument("--steps", type=int, default=plan.steps)
    parser.add_argument(
        "--only", nargs="*", default=plan.only, help="kinds to hear; all others not"
    )
    parser.add_argument("--cache", type=Path, default=plan.cache, help="kept sounds and states")
    parser.add_argument("--folder", type=Path, default=plan.folder, help="where the model goes")
    parser.add_argument(
        "--float32", action="store_true", help="for processors without bfloat16: slower"
    )
    arguments = vars(parser.parse_args())
    bfloat16 = not arguments.pop("float32")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    only = tuple(arguments.pop("only"))
    train(Plan(bfloat16=bfloat16, only=only, **arguments))


if __name__ == "__main__":
    main()
