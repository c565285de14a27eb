"""Week after week: what a source has no more is counted, and taken out where that is safe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shell import Shell

from indexer.catalog.origins import Origins
from indexer.core.errors import UsageError
from indexer.jobs.sync_options import SyncOptions

VECTORS = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder of its own."""
    return Shell(tmp_path, in_process=True)


def write(shell: Shell, name: str, numbers: Sequence[int], *, broken: Sequence[int] = ()) -> None:
    """A table of items of these numbers with their vectors; some vectors are not finite."""
    rows = [json.dumps({"id": f"i{n}", "title": "", "even": n % 2 == 0}) for n in numbers]
    (shell.folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    block = VECTORS[list(numbers)].copy()
    block[[place for place, n in enumerate(numbers) if n in broken]] = np.nan
    np.save(shell.folder / f"{name}.npy", block)


def ingest(shell: Shell, *names: str, options: Sequence[str] = (), code: int = 0) -> dict[str, Any]:
    """Ingest tables; what became of the items."""
    files = [f"{name}.jsonl" for name in names]
    block = f"{names[0]}.npy" if len(names) == 1 else "{" + ",".join(names) + "}.npy"
    return dict(shell.json("ingest", *files, "--vectors", block, *options, code=code)[0])


def ids(shell: Shell) -> set[int]:
    """Numbers of the items that a search can find."""
    rows = shell.json("remove", "--filter", 'item_id != ""', "--dry-run")
    return {int(row["item_id"][1:]) for row in rows}


def test_absent_items_are_counted_and_taken_out_on_demand(shell: Shell) -> None:
    """Counted in each run; gone from the database, too, with --sync."""
    write(shell, "a", range(20))
    assert ingest(shell, "a")["absent"] == 0
    write(shell, "a", range(18))
    assert (ingest(shell, "a")["absent"], ids(shell)) == (2, set(range(20)))
    told = shell("ingest", "a.jsonl", "--vectors", "a.npy").stdout
    assert "in the catalog, not in this source  2" in " ".join(told.split("\n"))
    report = ingest(shell, "a", options=["--sync"])
    assert (report["absent"], report["removed"]) == (2, 2)
    assert ids(shell) == set(range(18))
    assert ingest(shell, "a", options=["--sync"])["absent"] == 0


def test_too_large_a_share_takes_nothing_out(shell: Shell) -> None:
    """The share is one of what was there before: new rows do not hide a file of another shop."""
    write(shell, "a", range(10))
    ingest(shell, "a")
    write(shell, "a", [*range(7), *range(100, 150)])
    report = ingest(shell, "a", options=["--sync"], code=1)
    assert (report["absent"], report["removed"]) == (3, 0)
    told = shell("ingest", "a.jsonl", "--vectors", "a.npy", "--sync", code=1).stderr
    assert "--max-removed" in told
    assert ids(shell) == {*range(10), *range(100, 150)}


def test_the_share_that_is_named_is_enough(shell: Shell) -> None:
    """The remedy of the message works."""
    write(shell, "a", range(10))
    ingest(shell, "a")
    write(shell, "a", range(7))
    told = shell("ingest", "a.jsonl", "--vectors", "a.npy", "--sync", code=1).stderr
    share = told.split("allow it with --max-removed ")[1].split()[0].rstrip(".")
    assert ingest(shell, "a", options=["--sync", "--max-removed", share])["removed"] == 3


def test_dead_letters_are_not_absent(shell: Shell) -> None:
    """What is in the source and can't be used now keeps its old row."""
    write(shell, "a", range(10))
    ingest(shell, "a")
    write(shell, "a", range(10), broken=[3, 4])
    report = ingest(shell, "a", options=["--sync", "--max-removed", "1"])
    assert (report["dead_letters"], report["absent"]) == (2, 0)
    assert ids(shell) == set(range(10))


def test_what_could_not_be_read_may_be_any_item(shell: Shell) -> None:
    """A line that is no row: nothing is taken out, until it is corrected."""
    write(shell, "a", range(10))
    ingest(shell, "a")
    write(shell, "a", range(9))
    table = shell.folder / "a.jsonl"
    rows = table.read_text().splitlines()
    table.write_text("\n".join([*rows[:4], rows[4][:-3], *rows[5:]]) + "\n")
    report = ingest(shell, "a", options=["--sync"], code=1)
    assert (report["absent"], report["removed"], report["dead_letters"]) == (2, 0, 1)
    write(shell, "a", range(9))
    assert ingest(shell, "a", options=["--sync"])["removed"] == 1


def test_an_item_belongs_to_the_source_that_named_it_last(shell: Shell) -> None:
    """Another file's items are not absent, and an item that moved to another file is not."""
    write(shell, "a", range(10))
    write(shell, "b", range(10, 20))
    ingest(shell, "a", "b")
    write(shell, "a", range(9))
    write(shell, "b", [9, *range(10, 19)])
    assert ingest(shell, "b")["absent"] == 1
    report = ingest(shell, "a", options=["--sync"])
    assert (report["absent"], report["removed"]) == (0, 0)
    assert ids(shell) == set(range(20))


def test_a_name_joins_files_of_other_weeks(shell: Shell) -> None:
    """--source-name: each week's file has a name of its own."""
    write(shell, "week1", range(10))
    write(shell, "week2", range(1, 10))
    ingest(shell, "week1", options=["--source-name", "shop"])
    assert ingest(shell, "week2", options=["--source-name", "shop", "--sync"])["removed"] == 1
    assert ids(shell) == set(range(1, 10))


def test_a_source_that_was_moved_is_the_same(shell: Shell) -> None:
    """Its old place is gone, and its items are met in the new one."""
    write(shell, "old", range(10))
    ingest(shell, "old")
    (shell.folder / "old.jsonl").unlink()
    write(shell, "new", range(9))
    assert ingest(shell, "new", options=["--sync"])["removed"] == 1
    write(shell, "copy", range(5))  # the other file stays: another source
    assert ingest(shell, "copy", options=["--sync"])["absent"] == 0


def test_dead_letters_of_absent_items_go_too(shell: Shell) -> None:
    """A retry would try what is in no source any more."""
    write(shell, "a", range(10), broken=[9])
    ingest(shell, "a")
    assert len((shell.catalog / "dead_letters.jsonl").read_text().splitlines()) == 1
    write(shell, "a", range(9))
    ingest(shell, "a", options=["--sync"])
    assert not (shell.catalog / "dead_letters.jsonl").exists()


def test_all_dead_is_not_success(shell: Shell) -> None:
    """Of any of the sources; a source with one good item is one that works."""
    write(shell, "a", range(3))
    write(shell, "b", range(10, 13), broken=range(10, 13))
    report = ingest(shell, "a", "b", code=1)
    assert (report["stored"], report["dead_letters"]) == (3, 3)
    told = shell("ingest", "b.jsonl", "--vectors", "b.npy", code=1).stderr
    assert "no item of" in told
    assert "b.jsonl could be stored" in told
    write(shell, "c", range(20, 23), broken=[20, 21])
    assert ingest(shell, "c")["dead_letters"] == 2


def test_a_lost_file_of_origins_removes_nothing(shell: Shell) -> None:
    """What no run has met since is of no known source."""
    write(shell, "a", range(10))
    ingest(shell, "a")
    for file in shell.catalog.glob("origins.sqlite*"):
        file.unlink()
    write(shell, "a", range(5))
    assert ingest(shell, "a", options=["--sync"])["absent"] == 0
    assert ids(shell) == set(range(10))


def test_a_damaged_file_of_origins_is_begun_anew(shell: Shell) -> None:
    """And that is told."""
    write(shell, "a", range(10))
    ingest(shell, "a")
    for file in shell.catalog.glob("origins.sqlite*"):
        file.unlink()
    (shell.catalog / "origins.sqlite").write_bytes(b"no database" * 1000)
    told = shell("ingest", "a.jsonl", "--vectors", "a.npy", "--sync").stderr
    assert "is damaged" in told
    write(shell, "a", range(9))
    assert ingest(shell, "a", options=["--sync"])["removed"] == 1


def test_secrets_of_addresses_are_not_kept(tmp_path: Path) -> None:
    """Only a hash of a source's address is in the file."""
    path = tmp_path / "origins.sqlite"
    origins = Origins(path)
    source = origins.source("https://me:secret@host/feed.csv?key=hidden", shown="https://host/feed")
    origins.record(["i1"], source.number, origins.new_run())
    origins.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"secret" not in content
    assert b"hidden" not in content


def test_remove_from_a_file(shell: Shell) -> None:
    """Lines of ids, a table's column, standard input; ids that are not there are told."""
    write(shell, "a", range(10))
    ingest(shell, "a")
    (shell.folder / "gone.txt").write_text("i1\n\ni2\nnobody\n")
    told = shell("remove", "--from", "gone.txt")
    assert "Removed 2 items" in told.stderr
    assert "'nobody'" in told.stderr
    (shell.folder / "gone.csv").write_text("sku,why\ni3,old\n")
    assert "--id-column" in shell("remove", "--from", "gone.csv", code=2).stderr
    shell("remove", "--from", "gone.csv", "--id-column", "sku")
    shell("remove", "--from", "-", stdin="i4\n")
    assert ids(shell) == {0, 5, 6, 7, 8, 9}


def test_remove_by_a_filter_asks_first(shell: Shell) -> None:
    """Counted, then only with --yes where nobody can be asked."""
    write(shell, "a", range(10))
    ingest(shell, "a")
    even = ["--filter", 'metadata["even"] == true']
    assert "5 items would be removed" in shell("remove", *even, "--dry-run").stderr
    assert "--yes" in shell("remove", *even, code=2).stderr
    assert ids(shell) == set(range(10))
    shell("remove", *even, "--yes")
    assert ids(shell) == {1, 3, 5, 7, 9}
    shell("remove", code=2)
    told = shell("remove", "i1", "--from", "gone.txt", code=2).stderr
    assert "ids and --from name items each by itself: give one of them" in " ".join(told.split())


def test_an_interrupted_run_takes_nothing_out(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not read is not absent."""
    from indexer.jobs import sync

    write(shell, "a", range(10))
    ingest(shell, "a")
    write(shell, "a", range(9))
    record = sync.TrackedSources._record

    def stops(self: Any, source: Any, ids: list[str]) -> None:
        record(self, source, ids)
        raise KeyboardInterrupt

    monkeypatch.setattr(sync.TrackedSources, "_record", stops)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - whichever way it ends
        ingest(shell, "a", options=["--sync"])
    monkeypatch.undo()
    assert ids(shell) == set(range(10))


def test_a_folder_that_can_not_be_listed_hides_its_pictures(tmp_path: Path) -> None:
    """A folder below that links back to one above: none of its pictures is absent."""
    from PIL import Image

    shell = Shell(tmp_path, in_process=True, model="pocket", device="cpu")
    below = tmp_path / "pics" / "below"
    below.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "pics" / f"{number}.png")
        Image.new("RGB", (8, 8), (number, 9, 0)).save(below / f"{number}.png")
    everything = ["--sync", "--max-removed", "1"]
    assert shell.json("ingest", "pics/", *everything)[0]["absent"] == 0
    (tmp_path / "pics" / "0.png").unlink()
    below.rename(tmp_path / "away")
    below.symlink_to(tmp_path / "pics", target_is_directory=True)
    report = shell.json("ingest", "pics", *everything, code=1)[0]
    assert (report["absent"], report["removed"]) == (4, 0)
    below.unlink()
    (tmp_path / "away").rename(below)
    assert shell.json("ingest", "./pics", *everything)[0]["removed"] == 1


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_the_largest_share_is_a_share(share: float) -> None:
    """From Python too, where no option checks it."""
    with pytest.raises(UsageError, match=r"--max-removed .*from 0 to 1"):
        SyncOptions(max_removed=share)


def write_numbered(folder: Path, numbers: Sequence[int]) -> None:
    """A table without ids, whose rows are called by the file's name and their numbers."""
    folder.mkdir(exist_ok=True)
    rows = [json.dumps({"title": f"thing {n}"}) for n in numbers]
    (folder / "t.jsonl").write_text("\n".join(rows) + "\n")
    np.save(folder / "t.npy", VECTORS[list(numbers)])


def ingest_numbered(shell: Shell, name: str) -> dict[str, Any]:
    """Ingest such a table; what became of the rows."""
    files = (f"{name}/t.jsonl", "--vectors", f"{name}/t.npy", "--id-column", "none")
    return dict(shell.json("ingest", *files)[0])


def titles(shell: Shell) -> list[str]:
    """Titles of the items, in the order of their ids."""
    found = shell.json("search", "--filter", 'item_id != ""', "--limit", 50)
    return [hit["title"] for hit in found]


def test_rows_do_not_replace_those_of_a_file_with_the_same_name(shell: Shell) -> None:
    """Ids are made of its name and the rows' numbers: the rows of the second are dead letters."""
    write_numbered(shell.folder / "a", range(3))
    write_numbered(shell.folder / "b", range(10, 14))
    assert ingest_numbered(shell, "a")["stored"] == 3
    report = ingest_numbered(shell, "b")
    assert (report["stored"], report["replaced"]) == (1, 0)
    assert report["dead_by_reason"] == {"duplicate_id": 3}
    assert titles(shell) == ["thing 0", "thing 1", "thing 2", "thing 13"]
    letters = (shell.catalog / "dead_letters.jsonl").read_text()
    assert f"a row of {shell.folder}/a/t.jsonl has it" in letters
    assert "--id-column" in letters
    again = ingest_numbered(shell, "a")
    assert (again["unchanged"], again["dead_letters"], again["moved"]) == (3, 0, {})


def test_a_table_that_was_moved_keeps_its_rows(shell: Shell) -> None:
    """The first place is gone, so the rows are the same ones; that is told."""
    write_numbered(shell.folder / "a", range(3))
    ingest_numbered(shell, "a")
    (shell.folder / "a").rename(shell.folder / "b")
    report = ingest_numbered(shell, "b")
    assert (report["dead_letters"], report["moved"]) == (0, {f"{shell.folder}/a/t.jsonl": 3})


def test_items_of_another_source_are_told(shell: Shell) -> None:
    """Their ids are the user's: they are replaced, and the summary says where they were from."""
    write(shell, "a", range(4))
    ingest(shell, "a")
    write(shell, "b", range(2, 6))
    assert ingest(shell, "b")["moved"] == {f"{shell.folder}/a.jsonl": 2}
    write(shell, "a", range(3))
    told = shell("ingest", "a.jsonl", "--vectors", "a.npy").stderr
    assert f"1 item came from {shell.folder}/b.jsonl before" in " ".join(told.split())
