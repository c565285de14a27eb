"""Whether descriptions help, or any words would: descriptions against random words and letters.

The control of Roth et al., "Waffling Around for Performance: Visual Classification with
Random Words and Broad Concepts", ICCV 2023, arXiv:2306.07282: a gain by descriptions is
known to be one only where as many prompts of as many random words, or of random letters,
do not give it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.sets import (
    TEMPLATE,
    LabelledSet,
    Sources,
    embedded_files,
    grocery_rows,
    lvis_rows,
    named_labels,
    read_table,
)
from benchmarks.quality.table import Row
from indexer.core.records import FloatArray, IndexArray
from indexer.core.vectors import normalise
from indexer.encoder import SentenceTransformerEncoder
from indexer.labels.adaptation import fit
from indexer.labels.examples import packaged_concepts
from indexer.labels.head import adapted, best_prompt, plain
from indexer.labels.prompt_sets import PromptSet, assemble
from indexer.labels.sets import LabelSet
from queries.evaluation.controls import DRAWS, Word, letters, same_length, words_of
from queries.scoring.ranking import rank

Prompts = Sequence[Sequence[str]]


def described(names: Sequence[str], descriptions: Sequence[str]) -> list[list[str]]:
    """The name's prompt, and one more for each clause of the description."""
    return [
        [TEMPLATE.format(name), *(f"a photo of a {name}, {clause}." for clause in clauses(text))]
        for name, text in zip(names, descriptions, strict=True)
    ]


def randomised(prompts: Prompts, names: Sequence[str], word: Word, seed: int) -> list[list[str]]:
    """The same number of prompts a label, of as many words each, with random ones.

    Args:
        prompts: as ``described`` gives them.
        word: makes a word.
    """
    random = np.random.default_rng(seed)
    drawn = []
    for name, own in zip(names, prompts, strict=True):
        head = f"a photo of a {name},"
        texts = [prompt.removeprefix(head) for prompt in own[1:]]
        more = [f"{head} {same_length(text, word, random)}." for text in texts]
        drawn.append([own[0], *more])
    return drawn


def clauses(text: str) -> list[str]:
    """Sentences of a description, and parts between semicolons, without their stops."""
    return [part for raw in re.split(r"[.;]\s+|[.;]$", text) if (part := raw.strip(" .;"))]


def measure(
    labelled: LabelledSet, names: Sequence[str], descriptions: Sequence[str], encode: Any
) -> dict[str, Any]:
    """Top-1 by name, by descriptions, and by both controls (means over draws).

    Args:
        labelled: whose labels are those of ``names``, in order.
        encode: texts to float32 (n, d), rows of length 1.
    """
    vector_of: dict[str, FloatArray] = {}

    def top1(prompts: Prompts) -> dict[str, float]:
        every = dict.fromkeys(chain.from_iterable(prompts))
        new = [prompt for prompt in every if prompt not in vector_of]
        vector_of.update(zip(new, encode(new) if new else [], strict=True))
        return _top1(labelled, prompts, vector_of)

    own = described(names, descriptions)
    controls = {"random words": words_of(packaged_concepts()), "random letters": letters}
    figures: dict[str, Any] = {
        "name": top1([[TEMPLATE.format(name)] for name in names]),
        "descriptions": top1(own),
    }
    for control, word in controls.items():
        drawn = [top1(randomised(own, names, word, seed)) for seed in range(DRAWS)]
        figures[control] = {
            key: float(np.mean([draw[key] for draw in drawn])) for key in drawn[0]
        } | {f"{key}, deviation": float(np.std([draw[key] for draw in drawn])) for key in drawn[0]}
    return {
        "set": labelled.name,
        "model": labelled.model,
        "items": len(labelled.known),
        "labels": len(names),
        "prompts a label": float(np.mean([len(prompts) for prompts in own])),
        "top1": figures,
    }


def _top1(
    labelled: LabelledSet, prompts: Prompts, vector_of: Mapping[str, FloatArray]
) -> dict[str, float]:
    ids = [label.label_id for label in labelled.labels.labels]
    means = normalise(np.stack([sum(vector_of[text] for text in own) for own in prompts]))
    labels = LabelSet(labels=labelled.labels.labels, definitions=tuple(ids), vectors=means)
    by_label = {
        label_id: (own, np.stack([vector_of[text] for text in own]).astype(np.float16))
        for label_id, own in zip(ids, prompts, strict=True)
    }
    own_set: PromptSet = assemble(by_label, ids, means.shape[1])
    items = labelled.items
    heads = {
        "mean": plain(labels, labelled.logit_scale),
        "max": best_prompt(labels, own_set, labelled.logit_scale),
        "mean, adapted": adapted(labels, fit(items, means)),
    }
    known: IndexArray = labelled.known
    return {
        name: float(
            (rank(items[known], head, limit=1).labels[:, 0] == labelled.truth[known]).mean()
        )
        for name, head in heads.items()
    }


def rows(sources: Sources) -> Iterator[Row]:
    """Descriptions against random words, on groceries and on fashion by LVIS' descriptions."""
    for labelled, table in _sets(sources):
        names = [row["name"].replace("_", " ") for row in table]
        descriptions = [row["description"] for row in table]
        measured = measure(labelled, names, descriptions, sources.lit.embed_texts)
        figures = measured["top1"]
        control = figures["random words"]["mean, adapted"]
        margin = 1.96 * figures["random words"]["mean, adapted, deviation"]
        yield Row(
            what=f"{labelled.name}: top-1 by descriptions as prompts (lit)",
            plain=control,
            reached=figures["descriptions"]["mean, adapted"],
            goal=None,
            low=control - margin,
            high=control + margin,
            how=f"plain here is as many prompts of random words, mean of {DRAWS} draws, and the "
            "interval 1.96 of their deviations: a gain by descriptions is one only outside of it "
            "(Roth et al. 2023). Adapted labels. Nothing was chosen by it: this model hardly heeds "
            "prompts.",
            more=measured,
        )


def _sets(sources: Sources) -> Iterator[tuple[LabelledSet, list[dict[str, str]]]]:
    """Grocery, and fashion's pictures over LVIS' labels, with the labels' rows."""
    data, encoder = sources.data, sources.lit
    table = grocery_rows(data)
    _, icons = embedded_files(encoder, [data / "grocery" / "images" / row["file"] for row in table])
    yield _set("grocery, 81 labels", encoder, table, icons, range(len(table))), table
    products = [row for row in read_table(data / "fashion" / "products.csv") if row["truth"]]
    _, photos = embedded_files(encoder, [data / "fashion" / row["image"] for row in products])
    for own in reversed(lvis_rows(data)):
        places = {row["id"]: place for place, row in enumerate(own)}
        truth = [places[row["truth"]] for row in products]
        yield _set(f"fashion, {len(own):,} labels", encoder, own, photos, truth), own


def _set(
    name: str,
    encoder: SentenceTransformerEncoder,
    rows: Sequence[Mapping[str, str]],
    items: FloatArray,
    truth: Sequence[int],
) -> LabelledSet:
    labels = tuple(named_labels(rows))
    none = np.zeros((len(labels), items.shape[1]), dtype=np.float32)
    return LabelledSet(
        name=name,
        items=items,
        labels=LabelSet(labels=labels, definitions=("",) * len(labels), vectors=none),
        truth=np.array(truth, dtype=np.int64),
        logit_scale=encoder.logit_scale,
        model=Path(encoder.name).name,
    )
