"""Titles of pictures: embedded beside the picture, once, and only when they change."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes import WIDTH, FakeEncoder, vector_of

from indexer.catalog.archive import Archive
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.ledger import Ledger
from indexer.core.protocols import Pixels
from indexer.core.records import EmbeddedItem, FloatArray, Item, Kind
from indexer.ingestion.pipeline import Ingestion
from indexer.ingestion.reports import IngestReport, PipelineSizes
from indexer.ingestion.stages import LocalStages

SMALL = PipelineSizes(workers=2, downloads=2, batch_size=4, shard_rows=8, checkpoint_s=3600.0)


class Reader(FakeEncoder):
    """A fake model that remembers which texts it read."""

    def __init__(self, fails: str = "\0") -> None:
        super().__init__(lambda content: content == fails.encode())
        self.texts: list[str] = []

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, WIDTH) of the words."""
        found = super().embed_texts(texts)
        self.texts += texts
        return found


@dataclass
class Bench:
    """A catalog's folder, ingested into with titles or without."""

    folder: Path
    encoder: Reader = field(default_factory=Reader)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.archive = Archive(self.folder / "archive", width=WIDTH)

    def run(self, *items: Item, titles: bool = True) -> IngestReport:
        """One job; the encoder's memory begins anew."""
        self.encoder.texts, self.encoder.embedded = [], 0
        ledger = Ledger(self.folder / "ledger.sqlite", self.archive)
        try:
            return Ingestion(
                stages=LocalStages(
                    fetch=str.encode, decode=self._decode, encoder=self.encoder, sizes=SMALL
                ),
                archive=self.archive,
                ledger=ledger,
                dead_letters=DeadLetters(self.folder / "dead.jsonl"),
                sizes=SMALL,
                title_encoder=self.encoder if titles else None,
                stop=self.stop,
            ).run(_Given(items))
        finally:
            ledger.close()

    def title_of(self, item_id: str) -> FloatArray | None:
        """The title vector of the newest row of an id."""
        for shard in reversed(self.archive.shards()):
            ids = self.archive.table(shard, ["item_id"]).column("item_id").to_pylist()
            if item_id in ids:
                return self.archive.title(shard, ids.index(item_id))[1]
        raise AssertionError(item_id)

    @staticmethod
    def _decode(content: bytes, _name: str) -> Pixels:
        return np.frombuffer(content.ljust(12, b"\0")[:12], np.uint8).reshape(2, 2, 3)


class _Given(list[Item]):
    """A source of given items."""

    def count(self) -> int:
        """How many."""
        return len(self)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty catalog."""
    return Bench(tmp_path)


def picture(item_id: str, title: str = "", **metadata: object) -> Item:
    """A picture whose bytes come with it."""
    return Item(
        item_id=item_id,
        kind=Kind.PICTURE,
        source=f"{item_id}.jpg",
        content=item_id.encode(),
        title=title,
        metadata=metadata,
    )


def adds_up(report: IngestReport) -> bool:
    """The rule of the summary."""
    return report.read == report.stored + report.unchanged + report.dead == report.settled


def test_a_picture_keeps_its_own_vector_and_that_of_its_title(bench: Bench) -> None:
    """Both from the model, each of its own side; forward passes are told apart."""
    report = bench.run(picture("a", "red mug"))
    (row,) = bench.archive.rows(1)
    assert isinstance(row, EmbeddedItem)
    np.testing.assert_array_equal(row.vector, vector_of(b"a".ljust(12, b"\0")))
    np.testing.assert_array_equal(bench.title_of("a"), vector_of(b"red mug"))
    assert (report.embedded, report.embedded_titles) == (1, 1)


def test_pictures_without_a_title_have_none(bench: Bench) -> None:
    """Beside one that has: an empty title, and blanks, are no title."""
    bench.run(picture("a", "red mug"), picture("b"), picture("c", "  "))
    assert bench.title_of("b") is None
    assert bench.title_of("c") is None
    assert bench.encoder.texts == ["red mug"]


def test_a_shard_without_titles_has_no_column_for_them(bench: Bench) -> None:
    """Shards of before, and catalogs without titles, look alike and are read alike."""
    bench.run(picture("a"))
    (file,) = bench.archive.folder.glob("*.parquet")
    assert "title_vector" not in pq.read_schema(file).names
    assert bench.archive.title_vectors(1) is None


def test_vectors_are_read_without_those_of_titles(bench: Bench) -> None:
    """A table of all columns leaves them out too; who wants them asks."""
    bench.run(picture("a", "red mug"))
    assert "title_vector" not in bench.archive.table(1).column_names
    titles = bench.archive.title_vectors(1)
    assert titles is not None
    assert titles.shape == (1, WIDTH)


def test_equal_titles_are_embedded_once_a_shard(bench: Bench) -> None:
    """Twenty pictures in three shards, all called alike: three texts."""
    report = bench.run(*(picture(f"p{number}", "mug") for number in range(20)))
    assert bench.archive.shards() == [1, 2, 3]
    assert bench.encoder.texts == ["mug"] * 3
    assert report.embedded_titles == 3
    assert adds_up(report)


def test_a_changed_title_embeds_the_text_only(bench: Bench) -> None:
    """The picture's vector is taken over."""
    bench.run(picture("a", "mug"))
    report = bench.run(picture("a", "cup"))
    assert (report.stored, report.embedded, report.embedded_titles) == (1, 0, 1)
    np.testing.assert_array_equal(bench.title_of("a"), vector_of(b"cup"))


def test_a_changed_price_embeds_nothing(bench: Bench) -> None:
    """The new row has both vectors of the old one."""
    bench.run(picture("a", "mug", price=1))
    report = bench.run(picture("a", "mug", price=2))
    assert (report.stored, bench.encoder.embedded) == (1, 0)
    np.testing.assert_array_equal(bench.title_of("a"), vector_of(b"mug"))


def test_a_catalog_with_titles_is_unchanged_the_second_time(bench: Bench) -> None:
    """With titles asked for, and without."""
    bench.run(picture("a", "mug"), picture("b"))
    for titles in (True, False):
        report = bench.run(picture("a", "mug"), picture("b"), titles=titles)
        assert (report.unchanged, report.stored, bench.encoder.embedded) == (2, 0, 0)


def test_titles_come_later_without_embedding_pictures_again(bench: Bench) -> None:
    """A catalog of before gets them by the same command again."""
    bench.run(picture("a", "mug"), picture("b"), titles=False)
    assert bench.title_of("a") is None
    report = bench.run(picture("a", "mug"), picture("b"))
    assert (report.unchanged, report.stored, report.embedded) == (1, 1, 0)
    np.testing.assert_array_equal(bench.title_of("a"), vector_of(b"mug"))


def test_a_title_is_kept_where_titles_are_not_asked_for(bench: Bench) -> None:
    """As long as it says the same; another one is not embedded."""
    bench.run(picture("a", "mug", price=1), picture("b", "hat"))
    bench.run(picture("a", "mug", price=2), picture("b", "cap"), titles=False)
    np.testing.assert_array_equal(bench.title_of("a"), vector_of(b"mug"))
    assert bench.title_of("b") is None
    assert bench.encoder.texts == []


def test_a_title_that_the_model_fails_on_leaves_a_picture(tmp_path: Path) -> None:
    """The item is stored, the others of the batch have titles, and the next run tries again."""
    bench = Bench(tmp_path, encoder=Reader(fails="bad"))
    items = [picture("a", "mug"), picture("b", "bad"), picture("c", "hat")]
    report = bench.run(*items)
    assert (report.stored, report.dead, report.embedded_titles) == (3, 0, 2)
    assert bench.title_of("b") is None
    bench.encoder = Reader()
    report = bench.run(*items)
    assert (report.unchanged, report.stored, report.embedded) == (2, 1, 0)
    np.testing.assert_array_equal(bench.title_of("b"), vector_of(b"bad"))


def test_a_job_killed_between_shards_goes_on(bench: Bench) -> None:
    """A model that dies leaves whole shards with titles; the same job again adds the rest."""
    items = [picture(f"p{number}", f"title {number}") for number in range(30)]

    write = bench.archive.write
    written: list[int] = []

    def dies_at_the_third(rows: Sequence[EmbeddedItem]) -> int:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(write(rows))
        return written[-1]

    bench.archive.write = dies_at_the_third  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        bench.run(*items)
    bench.archive.write = write  # type: ignore[method-assign]
    report = bench.run(*items)
    assert (report.unchanged, report.stored) == (16, 14)
    assert adds_up(report)
    for number in range(30):
        np.testing.assert_array_equal(
            bench.title_of(f"p{number}"), vector_of(f"title {number}".encode())
        )


def test_texts_and_vectors_have_no_title_vector(bench: Bench) -> None:
    """A text is embedded as what it is, once."""
    text = replace(picture("t", "a question"), kind=Kind.TEXT, content=None)
    bench.run(text)
    assert bench.encoder.texts == ["a question"]
    assert bench.title_of("t") is None
