"""Folders: what is read, in which order, under which ids."""

from __future__ import annotations

import io
import logging
import os
import tarfile
import zipfile
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.core.errors import SourceError
from indexer.core.protocols import left_out
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item, Kind
from indexer.sources import Fetcher, open_sources


def fill(folder: Path, *names: str) -> None:
    """Make empty files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def ids(*sources: str | Path) -> list[str]:
    """Ids of all items; a failure fails the test."""
    items = list(open_sources([str(source) for source in sources]))
    assert all(isinstance(item, Item) for item in items), items
    return [item.item_id for item in items if isinstance(item, Item)]


def test_ids_are_relative_and_sorted(tmp_path: Path) -> None:
    """Ids are relative posix paths, in the order of those paths."""
    fill(tmp_path, "b.jpg", "a/z.PNG", "a/b/c.webp", "a.jpg", "a-b/x.gif")
    assert ids(tmp_path) == ["a-b/x.gif", "a.jpg", "a/b/c.webp", "a/z.PNG", "b.jpg"]


@settings(max_examples=50, deadline=None)
@given(st.sets(st.text("ab-./ 0", min_size=1, max_size=6), max_size=12))
def test_order_is_that_of_the_paths(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    """Whatever the names: the same order as sorting all relative paths at once."""
    folder = tmp_path_factory.mktemp("order")
    fill(folder, "x.png")
    for name in names:
        parts = [part.strip(".") + "d" for part in name.split("/")]
        fill(folder, "/".join(parts) + ".png")
    found = ids(folder)
    assert found == sorted(found)
    assert len(found) == len(set(found)) == sum(path.is_file() for path in folder.rglob("*"))


def test_items_are_loadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source named relatively gives absolute addresses, so another folder can retry."""
    fill(tmp_path, "pics/a.jpg")
    monkeypatch.chdir(tmp_path)
    (item,) = open_sources(["pics"])
    assert item == Item(item_id="a.jpg", kind=Kind.PICTURE, source=f"{tmp_path}/pics/a.jpg")


def test_folder_is_metadata(tmp_path: Path) -> None:
    """An item knows the folder below the source that it lies in; at the top there is none."""
    fill(tmp_path, "a.jpg", "shoes/b.jpg", "shoes/boots/c.jpg")
    items = [item for item in open_sources([str(tmp_path)]) if isinstance(item, Item)]
    assert [dict(item.metadata) for item in items] == [
        {},
        {"folder": "shoes"},
        {"folder": "shoes/boots"},
    ]


def test_other_files_are_counted(tmp_path: Path) -> None:
    """What is not a picture is left out and counted by its extension."""
    fill(tmp_path, "a.jpg", "notes.txt", "b/more.TXT", "b.pdf", "LICENSE", ".hidden.jpg", ".git/x")
    source = open_sources([str(tmp_path)])
    for _ in range(2):  # counted anew each time
        assert [item.item_id for item in source if isinstance(item, Item)] == ["a.jpg"]
        assert left_out(source) == {".txt": 2, ".pdf": 1, "no extension": 1, "hidden": 2}


@pytest.mark.parametrize("name", ["photo", "photo.jpg_large", "photo.php", "photo.txt", "a.b.tmp"])
def test_pictures_under_other_names_are_read(tmp_path: Path, name: str, picture: bytes) -> None:
    """The first bytes tell them; what begins like one by chance is left out."""
    (tmp_path / name).write_bytes(picture)
    (tmp_path / "letter.txt").write_bytes(b"BMW is a maker of cars")
    source = open_sources([str(tmp_path)])
    assert [item.item_id for item in source if isinstance(item, Item)] == [name]
    assert left_out(source) == {".txt": 1}
    if not name.endswith(".txt"):  # a list
        assert ids(tmp_path / name) == [name]


def test_count(tmp_path: Path) -> None:
    """The count is that of the pictures."""
    fill(tmp_path, "a.jpg", "b/c.jpg", "d.txt")
    assert open_sources([str(tmp_path)]).count() == 2


def test_empty_folder(tmp_path: Path) -> None:
    """A folder without pictures is an error that names it."""
    with pytest.raises(SourceError, match=f"nothing to read in {tmp_path}"):
        open_sources([str(tmp_path)])


def test_name_that_is_not_unicode(tmp_path: Path) -> None:
    """A file name of invalid UTF-8 is a dead letter that can be written as JSON."""
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).touch()
    (failure,) = open_sources([str(tmp_path)])
    assert isinstance(failure, Failure)
    assert failure.reason == Reason.BAD_ID
    assert failure.item.item_id.encode() == rb"caf\udce9.jpg"


def test_link_in_a_circle(tmp_path: Path) -> None:
    """A link to a folder above is one dead letter, not an endless walk."""
    fill(tmp_path, "sub/a.jpg")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    item, failure = open_sources([str(tmp_path)])
    assert isinstance(item, Item)
    assert isinstance(failure, Failure)
    assert "links back" in failure.message


def test_linked_folder_is_followed(tmp_path: Path) -> None:
    """A link to a folder elsewhere is read."""
    fill(tmp_path, "elsewhere/a.jpg", "pics/b.jpg")
    (tmp_path / "pics" / "link").symlink_to(tmp_path / "elsewhere")
    assert ids(tmp_path / "pics") == ["b.jpg", "link/a.jpg"]


def test_single_pictures(tmp_path: Path) -> None:
    """Pictures given one by one are called by their file names."""
    fill(tmp_path, "x/b.jpg", "a.jpg")
    assert ids(tmp_path / "x/b.jpg", tmp_path / "a.jpg") == ["b.jpg", "a.jpg"]


def test_fsspec_address() -> None:
    """A folder behind a protocol reads the same."""
    files = fsspec.filesystem("memory")
    for name in ("b/2.jpg", "1.jpg", "c.txt"):
        files.pipe(f"/folder-source/{name}", b"x")
    items = list(open_sources(["memory://folder-source"]))
    assert [item.item_id for item in items if isinstance(item, Item)] == ["1.jpg", "b/2.jpg"]
    assert isinstance(items[1], Item)
    assert items[1].source == "memory://folder-source/b/2.jpg"


@pytest.mark.parametrize("name", ["model.safetensors", "labels.yaml"])
def test_unknown_kind(tmp_path: Path, name: str) -> None:
    """Anything else is refused with the list of what is supported."""
    fill(tmp_path, name)
    with pytest.raises(SourceError, match="not a source; supported are a folder"):
        open_sources([str(tmp_path / name)])


def test_missing() -> None:
    """A path that is not there is refused before anything is read."""
    with pytest.raises(SourceError, match="no such file or folder"):
        open_sources(["no/such/place"])


def test_nothing_given() -> None:
    """No source at all is an error too."""
    with pytest.raises(SourceError, match="no source"):
        open_sources([])


def test_a_table_among_pictures_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who names the folder may mean its rows; files of other kinds are only counted."""
    fill(tmp_path, "a.jpg", "notes.md", "sub/b.jpg")
    for name in ("products.csv", "sub/more.jsonl"):
        (tmp_path / name).write_text("id,image\n1,a.jpg\n")
    assert ids(tmp_path) == ["a.jpg", "sub/b.jpg"]
    (told,) = caplog.messages
    assert "the rows of products.csv, sub/more.jsonl are not read" in told
    assert f"zeroshelf ingest {tmp_path}/products.csv" in told
    caplog.clear()
    (tmp_path / "products.csv").unlink()
    (tmp_path / "sub" / "more.jsonl").unlink()
    assert len(ids(tmp_path)) == 2
    assert not caplog.messages


def _packed(archive: Path, names: list[str]) -> str:
    """An archive whose members hold their number; the address of its top."""
    contents = [(name, str(number).encode()) for number, name in enumerate(names)]
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for name, content in contents:
                packed.writestr(name, content)
        return f"zip://::{archive}"
    with tarfile.open(archive, "w") as tar:
        for name, content in contents:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return f"tar://::{archive}"


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_members_of_one_name_are_counted_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    """The last member of a name is read, the others are left out; a warning names them once."""
    archive = tmp_path / f"all{suffix}"
    top = _packed(archive, ["in/a.jpg", "b.jpg", "./in/a.jpg", "in/a.jpg", "b.jpg", "c.jpg"])
    with caplog.at_level(logging.WARNING):
        source = open_sources([top])
        items = [item for item in source if isinstance(item, Item)]
        with Fetcher() as fetcher:
            contents = {item.item_id: fetcher.read(item.source) for item in items}
        of_folder = open_sources([top.replace("://", "://in")])
        assert [item.item_id for item in of_folder if isinstance(item, Item)] == ["a.jpg"]
    assert contents == {"b.jpg": b"4", "c.jpg": b"5", "in/a.jpg": b"3"}
    assert left_out(source) == {"the same name again": 3}
    assert left_out(of_folder) == {"the same name again": 2}
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == (
        f"{archive}: 2 names occur more than once (in/a.jpg, b.jpg); the last member of a name is "
        "read, as when unpacking."
    )


def test_a_later_file_replaces_a_link_of_its_name(tmp_path: Path) -> None:
    """As when unpacking a tar file that a file was appended to."""
    archive = tmp_path / "all.tar"
    _packed(archive, ["a.jpg"])
    with tarfile.open(archive, "a") as tar:
        link = tarfile.TarInfo("b.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "a.jpg"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("b.jpg"), io.BytesIO())
    with Fetcher() as fetcher:
        assert fetcher.read(f"tar://b.jpg::{archive}") == b""
