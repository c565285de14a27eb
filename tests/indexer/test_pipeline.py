"""Ingestion: from a source to the archive, each item to exactly one fate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from fakes import WIDTH, FakeEncoder, vector_of
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog.archive import Archive
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.ledger import Ledger
from indexer.core.chunks import in_chunks, map_in_order
from indexer.core.errors import ItemError, ModelError
from indexer.core.protocols import Encoder, Pixels
from indexer.core.reasons import Reason, Stage
from indexer.core.records import EmbeddedItem, Failure, FloatArray, Item, Kind, failure
from indexer.ingestion.embedding import MAX_FAILED_IN_A_ROW
from indexer.ingestion.pipeline import Ingestion
from indexer.ingestion.reports import IngestReport, PipelineSizes, Utilisation
from indexer.ingestion.stages import LocalStages

SMALL = PipelineSizes(workers=2, downloads=2, batch_size=4, shard_rows=8, checkpoint_s=3600.0)
BROKEN = b"broken"


@dataclass
class Given:
    """A source of given items."""

    items: Iterable[Item | Failure]

    def __iter__(self) -> Iterator[Item | Failure]:
        return iter(self.items)

    def count(self) -> int | None:
        """Not known."""
        return None


@dataclass
class Bench:
    """A catalog's folder and all that an ingestion needs, with counters."""

    folder: Path
    sizes: PipelineSizes = SMALL
    encoder: Encoder | None = field(default_factory=FakeEncoder)
    decoded: list[str] = field(default_factory=list)
    fetch: Callable[[str], bytes] = str.encode
    on_shard: Callable[[int], None] = lambda _: None
    on_progress: Callable[[IngestReport], None] = lambda _: None
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.archive = Archive(self.folder / "archive", width=WIDTH)

    def run(self, items: Iterable[Item | Failure]) -> IngestReport:
        """One job in a process of its own, as far as the folder can tell."""
        self.letters = DeadLetters(self.folder / "dead.jsonl")
        ledger = Ledger(self.folder / "ledger.sqlite", self.archive)
        try:
            self.job = Ingestion(
                stages=LocalStages(
                    fetch=self.fetch, decode=self._decode, encoder=self.encoder, sizes=self.sizes
                ),
                archive=self.archive,
                ledger=ledger,
                dead_letters=self.letters,
                sizes=self.sizes,
                on_shard=self.on_shard,
                on_progress=self.on_progress,
                stop=self.stop,
            )
            return self.job.run(Given(items))
        finally:
            ledger.close()

    def rows(self) -> dict[str, EmbeddedItem]:
        """The newest row of each id."""
        found = {}
        for shard in self.archive.shards():
            for row in self.archive.rows(shard):
                assert isinstance(row, EmbeddedItem)
                found[row.item_id] = row
        return found

    def _decode(self, content: bytes, name: str) -> Pixels:
        self.decoded.append(name)
        if content.startswith(BROKEN):
            raise ItemError(Reason.TRUNCATED, f"{name}: ends too early")
        return np.frombuffer(content.ljust(12, b"\0")[:12], np.uint8).reshape(2, 2, 3)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty catalog."""
    return Bench(tmp_path)


def picture(item_id: str, content: str | bytes | None = None, **changes: object) -> Item:
    """A picture whose bytes come with it."""
    content = item_id if content is None else content
    content = content.encode() if isinstance(content, str) else content
    item = Item(item_id=item_id, kind=Kind.PICTURE, source=f"{item_id}.jpg", content=content)
    return replace(item, **changes)  # type: ignore[arg-type]


def pictures(count: int) -> list[Item]:
    """Pictures of different content."""
    return [picture(f"p{number}") for number in range(count)]


def adds_up(report: IngestReport) -> bool:
    """The rule of the summary."""
    fates = report.stored + report.unchanged + report.dead
    return report.read == fates == report.settled


class Recorded:
    """Items that record that their reading has ended, as a tracked source does in its catalog."""

    ended = False

    def __iter__(self) -> Iterator[Item | Failure]:
        try:
            yield from pictures(21)
        finally:
            self.ended = True


def test_an_error_ends_the_reading_of_the_source(bench: Bench) -> None:
    """While the catalog is open: the error holds on to all that was going on."""

    def fail(_: IngestReport) -> None:
        raise RuntimeError("in the middle")

    bench.on_progress = fail
    items = Recorded()
    with pytest.raises(RuntimeError, match="in the middle") as raised:
        bench.run(items)
    assert items.ended, raised


def test_every_item_is_stored_with_its_own_vector(bench: Bench) -> None:
    """Rows hold what the encoder gives for the item's own pixels."""
    report = bench.run(pictures(21))
    rows = bench.rows()
    assert (report.read, report.stored, report.embedded) == (21, 21, 21)
    assert adds_up(report)
    for name, row in rows.items():
        np.testing.assert_array_equal(row.vector, vector_of(name.encode().ljust(12, b"\0")))


def test_pictures_are_embedded_in_batches(bench: Bench) -> None:
    """The model sees batches of the size that was asked for, and the rest."""
    bench.run(pictures(10))
    assert isinstance(bench.encoder, FakeEncoder)
    assert bench.encoder.batches == [4, 4, 2]


def test_a_source_that_was_read_is_unchanged(bench: Bench) -> None:
    """The second run decodes and embeds nothing."""
    bench.run(pictures(9))
    bench.decoded.clear()
    report = bench.run(pictures(9))
    assert (report.unchanged, report.stored, report.embedded) == (9, 0, 0)
    assert bench.decoded == []
    assert adds_up(report)


def test_equal_content_is_embedded_once(bench: Bench) -> None:
    """Each id has its row, and all have the one vector."""
    report = bench.run([picture(f"p{number}", "same") for number in range(30)])
    rows = bench.rows()
    assert (report.stored, report.embedded, report.shared) == (30, 1, 29)
    assert {row.vector.tobytes() for row in rows.values()} == {
        next(iter(rows.values())).vector.tobytes()
    }
    assert adds_up(report)


def test_content_that_was_archived_while_a_copy_waited_is_not_embedded_again(
    tmp_path: Path,
) -> None:
    """Copies far apart and across shards share one forward pass."""
    bench = Bench(tmp_path, sizes=replace(SMALL, shard_rows=2, batch_size=1))
    items = [picture(f"p{number}", f"content {number % 3}") for number in range(40)]
    report = bench.run(items)
    assert (report.embedded, report.shared) == (3, 37)


def test_content_of_an_earlier_job_is_not_embedded_again(bench: Bench) -> None:
    """A new id of known content takes its vector from the archive, undecoded."""
    bench.run([picture("a", "same")])
    bench.decoded.clear()
    report = bench.run([picture("b", "same")])
    assert (report.stored, report.shared, report.embedded) == (1, 1, 0)
    assert bench.decoded == []
    assert set(bench.rows()) == {"a", "b"}


def test_changed_metadata_rewrites_the_row_without_embedding(bench: Bench) -> None:
    """The row is new, the vector is the old one, and it is no copy."""
    bench.run([picture("a", metadata={"price": 1})])
    report = bench.run([picture("a", metadata={"price": 2})])
    assert (report.stored, report.replaced, report.embedded, report.shared) == (1, 1, 0, 0)
    assert bench.rows()["a"].metadata_json == '{"price":2}'


def test_changed_content_replaces_the_row(bench: Bench) -> None:
    """The same id with other bytes is embedded anew."""
    bench.run([picture("a", "old")])
    report = bench.run([picture("a", "new")])
    assert (report.stored, report.replaced, report.embedded) == (1, 1, 1)
    np.testing.assert_array_equal(bench.rows()["a"].vector, vector_of(b"new".ljust(12, b"\0")))


def test_a_replacement_that_fails_replaced_nothing(bench: Bench) -> None:
    """The old row stays, and the summary does not count it as replaced."""
    bench.run([picture("a", "good")])
    report = bench.run([picture("a", BROKEN)])
    assert (report.replaced, report.dead, report.stored) == (0, 1, 0)
    assert set(bench.rows()) == {"a"}


def test_the_second_of_two_equal_ids_is_a_dead_letter(bench: Bench) -> None:
    """The first one is kept, wherever the second comes."""
    report = bench.run([picture("a", "one"), *pictures(12), picture("a", "two")])
    assert report.dead_by_reason == {Reason.DUPLICATE_ID: 1}
    np.testing.assert_array_equal(bench.rows()["a"].vector, vector_of(b"one".ljust(12, b"\0")))
    assert adds_up(report)


def test_a_bad_picture_is_one_dead_letter(bench: Bench) -> None:
    """Stage, reason and message are told; the others are stored."""
    report = bench.run([*pictures(5), picture("bad", BROKEN)])
    (letter,) = bench.letters.all()
    assert (report.stored, report.dead) == (5, 1)
    assert (letter.stage, letter.reason) == (Stage.DECODE, Reason.TRUNCATED)
    assert adds_up(report)


def test_equal_bad_content_is_a_dead_letter_each(bench: Bench) -> None:
    """Copies of a broken picture are told one by one."""
    report = bench.run([picture(f"bad{number}", BROKEN) for number in range(10)])
    assert (report.dead, report.stored, len(bench.letters)) == (10, 0, 10)
    assert adds_up(report)


def test_a_failed_fetch_is_a_dead_letter(bench: Bench) -> None:
    """What can't be read is told with the stage of reading."""

    def fetch(source: str) -> bytes:
        raise ItemError(Reason.MISSING, f"{source}: no such file")

    bench.fetch = fetch
    report = bench.run([replace(picture("a"), content=None)])
    (letter,) = bench.letters.all()
    assert (report.dead, letter.stage, letter.reason) == (1, Stage.READ, Reason.MISSING)


def test_a_failure_of_the_source_is_counted(bench: Bench) -> None:
    """A bad row passes through as the dead letter that the source made."""
    bad = failure(picture("row 3"), Stage.READ, Reason.BAD_ID, "no id")
    report = bench.run([*pictures(3), bad])
    assert (report.read, report.stored, report.dead) == (4, 3, 1)
    assert adds_up(report)


def test_an_item_that_the_model_fails_on_spares_its_batch(tmp_path: Path) -> None:
    """One dead letter; the others of the batch are stored."""
    bench = Bench(tmp_path, encoder=FakeEncoder(lambda content: content.startswith(b"p2\0")))
    report = bench.run(pictures(8))
    (letter,) = bench.letters.all()
    assert (report.stored, report.embedded, report.dead) == (7, 7, 1)
    assert (letter.item.item_id, letter.reason) == ("p2", Reason.NOT_EMBEDDED)
    assert adds_up(report)


def test_an_item_that_the_model_fails_on_does_not_end_the_job_when_it_is_alone(
    tmp_path: Path,
) -> None:
    """The same command again meets only the bad item: still a dead letter, with its attempts."""
    bench = Bench(tmp_path, encoder=FakeEncoder(lambda content: content.startswith(b"p2\0")))
    bench.run(pictures(8))
    report = bench.run(pictures(8))
    assert (report.unchanged, report.dead) == (7, 1)
    assert bench.letters.all()[0].attempts == 2


def test_copies_of_an_item_that_the_model_fails_on_are_dead_letters(tmp_path: Path) -> None:
    """A copy that waited for the vector is told too."""
    bench = Bench(tmp_path, encoder=FakeEncoder(lambda content: content.startswith(b"bad")))
    items = [picture("x", "bad"), *pictures(2), picture("y", "bad")]
    report = bench.run(items)
    assert (report.stored, report.dead) == (2, 2)
    assert adds_up(report)


def test_a_model_that_fails_on_everything_ends_the_job(tmp_path: Path) -> None:
    """After some items in a row the model is to blame, not the catalog."""
    bench = Bench(tmp_path, encoder=FakeEncoder(lambda _: True))
    with pytest.raises(ModelError, match="fake model"):
        bench.run(pictures(MAX_FAILED_IN_A_ROW + 20))
    # Items of the batch in which it gives up are not to blame: the next run takes them again.
    assert len(bench.letters) < MAX_FAILED_IN_A_ROW


def test_texts_and_pictures_may_stand_in_one_batch(bench: Bench) -> None:
    """Each gets the vector of its own kind."""
    texts = [
        Item(item_id=f"t{number}", kind=Kind.TEXT, source=f"t#{number}", title=f"text {number}")
        for number in range(3)
    ]
    mixed = [one for pair in zip(texts, pictures(3), strict=True) for one in pair]
    bench.run(mixed)
    rows = bench.rows()
    np.testing.assert_array_equal(rows["t1"].vector, vector_of(b"text 1"))
    np.testing.assert_array_equal(rows["p1"].vector, vector_of(b"p1".ljust(12, b"\0")))


def test_given_vectors_need_no_model(tmp_path: Path) -> None:
    """They are stored at length 1, and equal ones are told as shared."""
    bench = Bench(tmp_path, encoder=None)
    vector = np.arange(1, WIDTH + 1, dtype=np.float32)
    items = [
        Item(item_id=name, kind=Kind.VECTOR, source=f"v.npy#{name}", vector=vector) for name in "ab"
    ]
    report = bench.run(items)
    assert (report.stored, report.embedded, report.shared) == (2, 0, 1)
    np.testing.assert_allclose(bench.rows()["b"].vector, vector / np.linalg.norm(vector), rtol=1e-6)


def test_a_dead_letter_that_works_leaves_the_file(bench: Bench) -> None:
    """The corrected picture is stored, and its letter is gone from the disk."""
    bench.run([picture("a", BROKEN), picture("b", BROKEN + b"2")])
    bench.run([picture("a", "good"), picture("b", BROKEN + b"2")])
    kept = DeadLetters(bench.folder / "dead.jsonl").all()
    assert [(letter.item.item_id, letter.attempts) for letter in kept] == [("b", 2)]


def test_a_stopped_job_ends_in_order(bench: Bench) -> None:
    """What was read is stored, the sums are right, and the same job again finishes."""

    def stop_soon(report: IngestReport) -> None:
        if report.settled == 10:
            bench.stop.set()

    bench.on_progress = stop_soon
    report = bench.run(pictures(200))
    assert report.interrupted
    assert 10 <= report.read < 200
    assert adds_up(report)
    first = report.stored
    bench.stop, bench.on_progress = threading.Event(), lambda _: None
    report = bench.run(pictures(200))
    assert (report.unchanged, report.stored) == (first, 200 - first)


def test_shards_have_the_size_that_was_asked_for(bench: Bench) -> None:
    """Shards are told as they are finished, in order."""
    told: list[int] = []
    bench.on_shard = told.append
    bench.run(pictures(20))
    assert told == bench.archive.shards() == [1, 2, 3]


def test_a_shard_is_finished_after_its_time(tmp_path: Path) -> None:
    """A slow model loses seconds of work to a kill, not hours."""
    bench = Bench(tmp_path, sizes=replace(SMALL, shard_rows=10_000, checkpoint_s=0.0))
    bench.run(pictures(12))
    assert len(bench.archive.shards()) > 1
    assert set(bench.rows()) == {f"p{number}" for number in range(12)}


def test_the_items_under_way_are_bounded(bench: Bench) -> None:
    """However fast the source is, it is read only as far as the windows go."""
    read = settled = furthest = 0

    def source() -> Iterator[Item]:
        nonlocal read, furthest
        for item in pictures(500):
            read += 1
            furthest = max(furthest, read - settled)
            yield item

    def progress(report: IngestReport) -> None:
        nonlocal settled
        settled = report.settled

    bench.on_progress = progress
    bench.run(source())
    windows = 2 * (2 * SMALL.batch_size)
    assert furthest <= windows + SMALL.batch_size


def test_a_waiting_copy_holds_no_pixels(tmp_path: Path) -> None:
    """A catalog of copies does not fill the memory with pictures that nobody embeds."""
    bench = Bench(tmp_path, sizes=replace(SMALL, batch_size=64, shard_rows=1000))
    held: list[bool] = []
    bench.on_progress = lambda _: held.extend(one.decoded is not None for one in bench.job._copies)
    bench.run([picture(f"p{number}", "same") for number in range(40)])
    assert held
    assert not any(held)


def test_a_source_that_breaks_keeps_what_came_before(bench: Bench) -> None:
    """The error is passed on after the finished rows are on disk."""

    def source() -> Iterator[Item]:
        yield from pictures(60)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        bench.run(source())
    assert len(bench.rows()) >= SMALL.batch_size


def test_map_in_order_keeps_the_order() -> None:
    """Results come in the order of the inputs, whichever is ready first."""
    with ThreadPoolExecutor(4) as pool:
        assert list(map_in_order(pool, lambda n: n * n, range(50), window=7)) == [
            n * n for n in range(50)
        ]


def test_what_came_is_not_kept_waiting_for_what_takes_long() -> None:
    """A video takes minutes, and a kill should not cost the videos before it."""
    taken: list[int] = []

    def slow() -> Iterator[int]:
        for number in range(4):
            taken.append(number)
            yield number

    assert next(in_chunks(slow(), 4, within_s=0.0)) == [0]
    assert taken == [0]
    taken.clear()
    with ThreadPoolExecutor(1) as pool:
        results = map_in_order(pool, lambda n: n, slow(), window=4, within_s=0.0)
        assert next(results) == 0
        assert taken == [0]
        assert list(results) == [1, 2, 3]


def test_what_is_read_does_not_wait_for_each_of_the_slow_inputs() -> None:
    """One slow input passes on all that came before it, not one value only."""
    asked: list[int] = []

    def some_slow() -> Iterator[int]:
        yield from range(3)
        for number in (3, 4, 5):
            asked.append(number)
            time.sleep(0.3)
            yield number

    with ThreadPoolExecutor(2) as pool:
        results = map_in_order(pool, lambda n: n, some_slow(), window=6, within_s=0.2)
        assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
        assert asked == [3]
        assert list(results) == [4, 5]


def test_map_in_order_hands_over_some_at_once() -> None:
    """The last part is smaller; no more are under way than the window, nor asked for."""
    asked: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        given = (asked.append(n) or n for n in range(50))
        found = map_in_order(pool, lambda n: -n, given, window=12, at_once=4)
        assert next(found) == 0
        assert len(asked) == 16
        assert [0, *found] == [-n for n in range(50)]
        large = map_in_order(pool, lambda n: -n, range(50), window=4, at_once=12)
        assert list(large) == [-n for n in range(50)], "none is left out"


@pytest.mark.parametrize("takes_all_cores", [True, False])
def test_a_model_that_takes_all_cores_and_the_decoders_take_turns(
    tmp_path: Path, takes_all_cores: bool
) -> None:
    """No picture is decoded while such a model computes; beside another model, some are.

    Also after dead letters and copies: since them, batches of the model begin elsewhere.
    """
    computing, begun = threading.Event(), threading.Event()
    beside: list[bool] = []

    class Watched(FakeEncoder):
        def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
            begun.clear()
            computing.set()
            is_sure = not takes_all_cores and not beside
            beside.append(begun.wait(timeout=60 if is_sure else 0.05))
            return super().embed_pictures(pictures)

    class Watching(Bench):
        def _decode(self, content: bytes, name: str) -> Pixels:
            if name == "p8.jpg":  # of the batch after those that fill the model's first
                assert computing.wait(60)
            time.sleep(0.005)
            begun.set()
            return super()._decode(content, name)

    encoder = Watched()
    encoder.takes_all_cores = takes_all_cores
    items = pictures(40)
    items[3] = picture("broken", BROKEN)
    items[9] = picture("copy", "p0")
    report = Watching(tmp_path, encoder=encoder).run(items)
    assert (report.stored, report.dead) == (39, 1)
    assert any(beside) is not takes_all_cores


@settings(max_examples=30, deadline=None)
@given(
    jobs=st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b", "c", "d'", 'e"', "f\n"]),
                st.sampled_from(["x", "y", "z", BROKEN.decode(), "model fails"]),
                st.integers(0, 1),
            ),
            max_size=12,
        ),
        max_size=4,
    ),
    takes_all_cores=st.booleans(),
)
def test_any_jobs_leave_what_the_last_good_rows_say(
    tmp_path_factory: pytest.TempPathFactory,
    jobs: list[list[tuple[str, str, int]]],
    takes_all_cores: bool,
) -> None:
    """Whatever comes, the sums add up and each id has its newest good row."""
    fails = FakeEncoder(lambda content: content.startswith(b"model fails"))
    fails.takes_all_cores = takes_all_cores
    bench = Bench(
        tmp_path_factory.mktemp("jobs"), sizes=replace(SMALL, shard_rows=3), encoder=fails
    )
    expected: dict[str, tuple[str, int]] = {}
    for job in jobs:
        report = bench.run(
            picture(name, content, metadata={"price": price}) for name, content, price in job
        )
        assert adds_up(report)
        met: set[str] = set()
        for name, content, price in job:
            if name not in met and content in "xyz":
                expected[name] = (content, price)
            met.add(name)
    stored = bench.rows()
    assert set(stored) == set(expected)
    for name, (content, price) in expected.items():
        assert stored[name].metadata_json == f'{{"price":{price}}}'
        np.testing.assert_array_equal(
            stored[name].vector, vector_of(content.encode().ljust(12, b"\0"))
        )


def test_the_report_tells_how_busy_model_and_decoders_were(bench: Bench) -> None:
    """Shares of the run: what waits for what shows there."""
    bench.sizes = replace(SMALL, workers=2)
    utilisation = bench.run(pictures(40)).utilisation
    assert utilisation.decoders == 2
    assert 0 < utilisation.embedding_s + utilisation.waiting_s <= utilisation.elapsed_s
    assert 0 < utilisation.of_model < 1
    assert 0 < utilisation.of_decoders < 1


def test_a_run_without_items_was_not_busy() -> None:
    """No time passed: no share, and no division by zero."""
    assert (Utilisation().of_model, Utilisation().of_decoders) == (0.0, 0.0)
