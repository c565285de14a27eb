"""The file of items that could not be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog.dead_letters import DeadLetters
from indexer.core.errors import CatalogError
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, Kind, failure

HOSTILE = "it's \"quoted\" \\ \n \N{GRINNING FACE} \u2028 \x85 id in ['a']"


def letter(item_id: str, source: str = "a.jpg", reason: Reason = Reason.MISSING) -> Failure:
    """A failure of now."""
    item = Item(
        item_id=item_id,
        kind=Kind.PICTURE,
        source=source,
        title="t",
        metadata={"price": 1.5, "tags": ["a"]},
        content=b"bytes",
    )
    return Failure(
        item=item, stage=Stage.READ, reason=reason, message="m", time="2026-01-01T00:00:00+00:00"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "dead_letters.jsonl"


def test_a_failure_is_on_disk_at_once(path: Path) -> None:
    """A job that is killed later has told it, without the content."""
    DeadLetters(path).add(letter("a"))
    record = json.loads(path.read_text())
    assert record["item_id"] == "a"
    assert record.keys() == {
        "item_id", "kind", "source", "stage", "reason", "message", "time", "attempts", "title",
        "metadata",
    }  # fmt: skip


def test_attempts_are_counted_over_jobs(path: Path) -> None:
    """The newest line of an item counts, and knows of those before."""
    for _ in range(3):
        DeadLetters(path).add(letter("a"))
    (kept,) = DeadLetters(path).all()
    assert kept.attempts == 3


def test_an_item_that_works_leaves_when_the_file_is_tidied(path: Path) -> None:
    """The others stay, one line each; an empty file is no file."""
    letters = DeadLetters(path)
    for name in ("a", "b", "b"):
        letters.add(letter(name))
    letters.resolve(letter("a").item)
    letters.tidy()
    assert [json.loads(line)["item_id"] for line in path.read_text().splitlines()] == ["b"]
    letters.resolve(letter("b").item)
    letters.tidy()
    assert not path.exists()


def test_an_id_may_fail_at_two_sources(path: Path) -> None:
    """A duplicate's letter does not leave when the first of its name works."""
    letters = DeadLetters(path)
    letters.add(letter("a", "second.jpg", Reason.DUPLICATE_ID))
    letters.resolve(letter("a", "first.jpg").item)
    assert len(letters) == 1


def test_rows_that_repeat_an_id_are_counted_each(path: Path) -> None:
    """With the picture of the first row, which works, or with one picture for all of them."""
    letters = DeadLetters(path)
    for _ in range(2):
        letters.add(letter("a", reason=Reason.DUPLICATE_ID))
    letters.add(letter("a", "b.jpg", Reason.DUPLICATE_ID))
    letters.resolve(letter("a").item)
    letters.tidy()
    read = DeadLetters(path)
    assert [one.item.source for one in read.all()] == ["a.jpg", "a.jpg", "b.jpg"]
    read.add(letter("a", reason=Reason.DUPLICATE_ID))
    read.forget_earlier(lambda _: {"a"})
    (kept,) = read.all()
    assert (kept.item.source, kept.attempts) == ("a.jpg", 2)
    read.forget(kept.item)
    assert not read.all()


def test_failures_of_items_that_a_job_met_again_are_forgotten(path: Path) -> None:
    """Whether they work now or fail with another picture; those of other items stay."""
    earlier = DeadLetters(path)
    for item_id in ("works", "fails", "other"):
        earlier.add(letter(item_id, "old.jpg"))
    letters = DeadLetters(path)
    letters.add(letter("fails", "new.jpg"))
    letters.forget_earlier(lambda ids: {"works"}.intersection(ids))
    letters.tidy()
    kept = {(one.item.item_id, one.item.source) for one in DeadLetters(path).all()}
    assert kept == {("fails", "new.jpg"), ("other", "old.jpg")}


def test_reasons_are_counted_the_most_frequent_first(path: Path) -> None:
    """What the status shows."""
    letters = DeadLetters(path)
    for name in "ab":
        letters.add(letter(name))
    letters.add(letter("c", reason=Reason.TRUNCATED))
    assert list(letters.by_reason().items()) == [("missing", 2), ("truncated", 1)]


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_left_out_and_swallows_nothing(path: Path, cut: int) -> None:
    """A kill in the middle of an append costs that line only, now and later."""
    letters = DeadLetters(path)
    for name in "ab":
        letters.add(letter(name))
    path.write_bytes(path.read_bytes()[:-cut])
    again = DeadLetters(path)
    again.add(letter("c"))
    names = [one.item.item_id for one in DeadLetters(path).all()]
    assert names in (["a", "c"], ["a", "b", "c"])


def test_a_damaged_line_in_the_middle_is_named(path: Path) -> None:
    """A hand that edited the file is told where."""
    letters = DeadLetters(path)
    for name in "ab":
        letters.add(letter(name))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{", lines[1]]) + "\n")
    with pytest.raises(CatalogError, match="line 2"):
        DeadLetters(path)


def test_an_unknown_reason_is_named(path: Path) -> None:
    """A whole last line that is not ours is an error, not a torn one."""
    DeadLetters(path).add(letter("a"))
    path.write_text(path.read_text().replace('"missing"', '"bad luck"'))
    with pytest.raises(CatalogError, match="bad luck"):
        DeadLetters(path)


@settings(max_examples=50, deadline=None)
@given(text=st.text() | st.just(HOSTILE))
def test_any_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Quotes, line ends of every kind and astral characters keep their letter whole."""
    path = tmp_path_factory.mktemp("letters") / "dead.jsonl"
    letters = DeadLetters(path)
    letters.add(letter(text, source=text))
    letters.add(letter("b"))
    assert {one.item.item_id for one in DeadLetters(path).all()} == {text, "b"}


def test_rows_that_can_be_read_now_are_forgotten(tmp_path: Path) -> None:
    """By the place that they are called by; those that failed again, and other tables', stay."""

    def row(table: str, line: int) -> Failure:
        place = f"{table}#{line}"
        item = Item(item_id=place, kind=Kind.PICTURE, source=place)
        return failure(item, Stage.READ, Reason.UNREADABLE, "a line that can't be read")

    before = DeadLetters(tmp_path / "dead.jsonl")
    for table, line in (("/a/t.csv", 3), ("/a/t.csv", 9), ("/b/t.csv", 3), ("/c/u.csv", 1)):
        before.add(row(table, line))
    other = Item(item_id="i", kind=Kind.PICTURE, source="/a/t.csv#3")
    before.add(failure(other, Stage.READ, Reason.MISSING, "its picture is gone"))
    now = DeadLetters(tmp_path / "dead.jsonl")
    now.add(row("/a/t.csv", 9))
    now.forget_unread_rows(["/a/t.csv", "/c"])
    now.tidy()
    left = {one.item.item_id for one in DeadLetters(tmp_path / "dead.jsonl").all()}
    assert left == {"/a/t.csv#9", "/b/t.csv#3", "i"}
