"""Tar shards in WebDataset's layout, whole and damaged."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import fsspec
import pytest

from indexer.core.errors import ItemError, SourceError
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item, Kind
from indexer.sources import Fetcher, TableOptions, open_sources


def read_content(source: str) -> bytes:
    """The bytes that an item's source names."""
    with Fetcher() as fetcher:
        return fetcher.read(source)


def shard(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    """A tar file of members."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def read(*paths: Path | str, options: TableOptions | None = None) -> list[Item | Failure]:
    """Everything in some shards."""
    return list(open_sources([str(path) for path in paths], options))


def one(path: Path, options: TableOptions | None = None) -> Item:
    """The only item of a shard."""
    (item,) = read(path, options=options)
    assert isinstance(item, Item), item
    return item


def bad(path: Path, options: TableOptions | None = None) -> Failure:
    """The only entry of a shard, a failure."""
    (failure,) = read(path, options=options)
    assert isinstance(failure, Failure), failure
    return failure


@pytest.mark.parametrize(
    ("name", "mode"), [("s.tar", "w"), ("s.tar.gz", "w:gz"), ("s.tgz", "w:gz")]
)
def test_members_of_one_key(tmp_path: Path, name: str, mode: str, picture: bytes) -> None:
    """Picture, metadata, title and class of a key are one item, which can be read again."""
    members = {
        "d/k.png": picture,
        "d/k.json": b'{"price": 5, "caption": "c"}',
        "d/k.txt": b"Red shoe\n",
        "d/k.cls": b"7",
        "d/k.npy": b"ignored",
    }
    item = one(shard(tmp_path / name, members, mode))
    assert item == Item(
        item_id="s/d/k",
        kind=Kind.PICTURE,
        source=f"tar://d/k.png::{tmp_path}/{name}",
        title="Red shoe",
        metadata={"price": 5, "caption": "c", "cls": 7},
        content=picture,
    )
    assert read_content(item.source) == picture


def test_title_from_json(tmp_path: Path, picture: bytes) -> None:
    """Without a .txt member the text column of the JSON is the title."""
    members = {"k.jpg": picture, "k.json": b'{"caption": "Shoe", "n": 1}'}
    item = one(shard(tmp_path / "s.tar", members), TableOptions(text_column="caption"))
    assert (item.title, item.metadata) == ("Shoe", {"n": 1})


def test_keys_repeat_between_shards(tmp_path: Path, picture: bytes) -> None:
    """The same key in two shards is two ids; braces expand in order."""
    for number in ("00", "01"):
        shard(tmp_path / f"{number}.tar", {"k.jpg": picture})
    found = read(tmp_path / "{00..01}.tar")
    assert [item.item_id for item in found if isinstance(item, Item)] == ["00/k", "01/k"]


def test_texts(tmp_path: Path) -> None:
    """Shards of texts need no picture."""
    path = shard(tmp_path / "s.tar", {"k.txt": b"Shoe"})
    assert one(path, TableOptions(image_column="none")).kind == Kind.TEXT


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.7])
def test_truncated_shard(tmp_path: Path, kept: float) -> None:
    """A shard cut anywhere gives what is whole, one failure for the rest, and the next shard."""
    path = shard(tmp_path / "0.tar", {f"{n}.jpg": bytes([n]) * 3000 for n in range(9)})
    shard(tmp_path / "1.tar", {"k.jpg": b"x"})
    whole = {item.item_id: item for item in read(path) if isinstance(item, Item)}
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    *items, failure, after = read(path, tmp_path / "1.tar")
    assert 0 < len(items) < 9
    assert all(isinstance(item, Item) and whole[item.item_id] == item for item in items)
    assert isinstance(failure, Failure)
    assert "fetch it again" in failure.message
    assert isinstance(after, Item)


def test_cut_between_members(tmp_path: Path) -> None:
    """A shard that ends after a whole member, without the end mark, is cut short too."""
    path = shard(tmp_path / "0.tar", {"a.jpg": b"x" * 512, "b.jpg": b"y"})
    path.write_bytes(path.read_bytes()[:1024])
    (failure,) = (found for found in read(path) if isinstance(found, Failure))
    assert "cut short at byte 1,024" in failure.message


def test_damaged_header(tmp_path: Path) -> None:
    """Rubbish in the place of a header does not end the shard in silence."""
    path = shard(tmp_path / "0.tar", {f"{n}.jpg": b"x" for n in range(4)})
    content = bytearray(path.read_bytes())
    content[2048:2560] = b"\xff" * 512
    path.write_bytes(content)
    assert any(isinstance(found, Failure) and "damaged" in found.message for found in read(path))


@pytest.mark.parametrize(("name", "mode"), [("0.tar", "w"), ("0.tar.gz", "w:gz")])
def test_joined_archives(tmp_path: Path, name: str, mode: str) -> None:
    """What ``cat`` put behind the end of an archive is a dead letter; padding is none."""
    path = shard(tmp_path / name, {"a.jpg": b"x"}, mode)
    whole = path.read_bytes()
    more = shard(tmp_path / f"more-{name}", {"b.jpg": b"y", "c.jpg": b"z"}, mode).read_bytes()
    path.write_bytes(whole + more)
    item, failure = read(path)
    assert isinstance(item, Item)
    assert item.item_id == "0/a"
    assert isinstance(failure, Failure)
    assert "another tar file begins at byte 10,240" in failure.message
    path.write_bytes(whole + bytes(2048) + (b"" if mode == "w:gz" else b"left by the writer"))
    assert one(path).item_id == "0/a"


@pytest.mark.parametrize(
    ("name", "mode", "told"),
    [
        ("0.tar", "w", "another tar file begins at byte 10,240"),
        ("0.tar.gz", "w:gz", "begins behind the end of the archive at byte 10,240"),
    ],
)
def test_a_joined_archive_that_is_damaged(tmp_path: Path, name: str, mode: str, told: str) -> None:
    """It is told as well, and the first one keeps its last item."""
    path = shard(tmp_path / name, {"a.jpg": b"x"}, mode)
    more = bytearray(shard(tmp_path / f"more-{name}", {"b.jpg": b"y"}, mode).read_bytes())
    more[1] ^= 0xFF
    path.write_bytes(path.read_bytes() + more)
    item, failure = read(path)
    assert isinstance(item, Item)
    assert item.item_id == "0/a"
    assert isinstance(failure, Failure)
    assert told in failure.message


def test_missing_picture(tmp_path: Path) -> None:
    """A key without a picture names the members that it has."""
    failure = bad(shard(tmp_path / "s.tar", {"k.json": b"{}"}))
    assert failure.reason == Reason.MISSING
    assert "k.json" in failure.message


def test_large_member_stays_out_of_memory(tmp_path: Path) -> None:
    """A member over the limit is not read."""
    path = shard(tmp_path / "s.tar", {"k.jpg": b"x" * 101})
    assert bad(path, TableOptions(max_bytes=100)).reason == Reason.TOO_MANY_BYTES


@pytest.mark.parametrize("side", [b"{", b"[]", b"\xff", json.dumps({"k": "x" * 70_000}).encode()])
def test_bad_metadata(tmp_path: Path, side: bytes) -> None:
    """JSON that is broken, no object, not UTF-8 or too long is BAD_METADATA."""
    path = shard(tmp_path / "s.tar", {"k.jpg": b"x", "k.json": side})
    failure = bad(path)
    assert failure.reason == Reason.BAD_METADATA
    with pytest.raises(ItemError):  # trying again must not store the picture alone
        read_content(failure.item.source)


def test_folders_and_links_are_left_out(tmp_path: Path) -> None:
    """Only files are items."""
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (("d.jpg", tarfile.DIRTYPE), ("l.jpg", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        tar.addfile(tarfile.TarInfo("k.jpg"))
    assert one(path).item_id == "s/k"


@pytest.mark.parametrize("content", [b"", b"not a tar file" * 100, b"\x1f\x8b broken"])
def test_not_a_tar_file(tmp_path: Path, content: bytes) -> None:
    """Another kind of file is an error before anything is read."""
    (tmp_path / "s.tar").write_bytes(content)
    with pytest.raises(SourceError, match="not a readable tar file"):
        read(tmp_path / "s.tar")


def test_empty_shard(tmp_path: Path) -> None:
    """A shard without members is an error."""
    with pytest.raises(SourceError, match="nothing to read"):
        read(shard(tmp_path / "s.tar", {}))


def test_missing_shard(tmp_path: Path) -> None:
    """A shard of the range that is not there is named."""
    shard(tmp_path / "0.tar", {"k.jpg": b"x"})
    with pytest.raises(SourceError, match=r"1\.tar: no such file"):
        read(tmp_path / "{0..1}.tar")


def test_fsspec_address(tmp_path: Path, picture: bytes) -> None:
    """A shard behind a protocol reads the same, and its members again."""
    content = shard(tmp_path / "s.tar", {"k.png": picture}).read_bytes()
    fsspec.filesystem("memory").pipe("/shards-source/s.tar", content)
    (item,) = read("memory://shards-source/s.tar")
    assert isinstance(item, Item)
    assert item.source == "tar://k.png::memory://shards-source/s.tar"
    assert read_content(item.source) == picture


def test_fsspec_opens_the_source(tmp_path: Path, picture: bytes) -> None:
    """The address is one that fsspec itself understands."""
    item = one(shard(tmp_path / "s.tar", {"d/k.png": picture}))
    with fsspec.open(item.source, "rb") as file:
        assert file.read() == picture


def test_real_shards(data: Path) -> None:
    """The CIFAR-10 shards: 1,000 items with their labels."""
    items = read(data / "cifar10" / "{00000..00003}.tar")
    assert len({item.item_id for item in items if isinstance(item, Item)}) == 1000
    assert all(isinstance(item, Item) and "label" in item.metadata for item in items)
