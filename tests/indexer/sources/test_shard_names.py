"""Names in tar shards: whatever writes them, every member is accounted for."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import fsspec
import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st
from webdataset.tariterators import group_by_keys, tar_file_iterator

from indexer.core.protocols import left_out
from indexer.core.records import FURTHER_PICTURES, Failure, Item
from indexer.sources import Fetcher, TableOptions, open_sources
from indexer.sources.shard_index import ShardIndex
from indexer.sources.shard_names import DEFAULT_EXTENSIONS, picture_extensions

JPEG = b"\xff\xd8\xff a picture's bytes: "


def read_content(source: str) -> bytes:
    """The bytes that an item's source names."""
    with Fetcher() as fetcher:
        return fetcher.read(source)


def packed(names: Sequence[str], **options: Any) -> bytes:
    """A tar file whose members hold their own names, behind a picture's first bytes."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", **options) as tar:
        for name in names:
            content = side(name) or JPEG + name.encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


def side(name: str) -> bytes:
    """What a side file of that name says; empty where it is none."""
    ending = name.lower().rpartition(".")[2]
    content = {"json": json.dumps({"of": name}), "txt": f"Title of {name}", "cls": "7"}
    return content.get(ending, "\0" if ending in {"npy", "pkl"} else "").encode()


def shard(path: Path, *names: str, extensions: str = "") -> tuple[dict[str, Item], dict[str, int]]:
    """Items of a shard of such members by their keys, and what was left out."""
    path.write_bytes(packed(names))
    return read(path, extensions)


def read(path: Path | str, extensions: str = "") -> tuple[dict[str, Item], dict[str, int]]:
    """Items of a shard by their keys, and what was left out; failures fail the test."""
    options = TableOptions(picture_extensions=picture_extensions(extensions))
    source = open_sources([str(path)], options)
    items = {}
    for item in source:
        assert isinstance(item, Item), item
        member = item.source.removeprefix("tar://").rpartition("::")[0]
        assert item.content == JPEG + member.encode()  # each has its own picture
        items[item.item_id.partition("/")[2]] = item
    return items, dict(left_out(source))


def pictures(items: Mapping[str, Item]) -> dict[str, list[str]]:
    """Names of each item's pictures, the first one first."""
    return {
        key: [
            one.removeprefix("tar://").rpartition("::")[0]
            for one in (item.source, *item.metadata.get(FURTHER_PICTURES, ()))
        ]
        for key, item in items.items()
    }


@pytest.mark.parametrize(
    ("names", "wanted", "others"),
    [
        (["tea-1.0kg.jpg", "tea-1.25kg.jpg", "mug.jpg"], "tea-1.0kg tea-1.25kg mug", {}),
        (["tea-1.jpg", "tea-1.0kg.jpg", "tea-1.5kg.jpg"], "tea-1 tea-1.0kg tea-1.5kg", {}),
        (["a-1.0kg.jpg", "b-1.0kg.jpg", "a-1.5kg.jpg"], "a-1.0kg b-1.0kg a-1.5kg", {}),
        (["Dr.Oetker.jpg", "Dr.Pepper.jpg"], "Dr.Oetker Dr.Pepper", {}),
        (["0.depth.png", "0.jpg", "1.depth.png", "1.jpg"], "0 1", {".depth.png": 2}),
        (["0.jpg", "0.seg.png", "0.cls"], "0", {".seg.png": 1}),
        (["0.seg.png", "0.cls", "0.JPG"], "0", {".seg.png": 1}),
        (["0.input.jpg", "0.mask.png", "1.input.jpg", "1.mask.png"], "0 1", {".mask.png": 2}),
        (["a/1.jpg", "b/1.jpg", "b/2.jpg"], "a/1 b/1 b/2", {}),
        (["./train/1551.jpg", "./train/1551.json"], "train/1551", {}),
        (["1.JPG", "2.Jpeg", "3.PNG"], "1 2 3", {}),
        (["._1.jpg", "1.jpg", ".DS_Store", "./._2.png"], "1", {"hidden": 3}),
        (["1.jpg", "__meta__/x.jpg"], "1", {"hidden": 1}),
        (["1.jpg", "1.npy", "README", "x.pkl"], "1 README", {".npy": 1, ".pkl": 1}),
        (["1.jpg", "1.meta.json", "1.json"], "1", {".meta.json": 1}),
        (["1.jpg", "2.jpg", "1.jpg"], "2 1", {"the same name again": 1}),
        (["tea-1.5kg.jpg", "tea-1.5kg.depth.png", "tea-1.5kg.txt"], "tea-1.5kg", {".depth.png": 1}),
        (["a.b.jpg", "a.b.json", "c.b.jpg", "c.b.json"], "a.b c.b", {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_which_members_are_items(
    tmp_path: Path, names: list[str], wanted: str, others: dict[str, int]
) -> None:
    """Keys with points, pictures beside depth maps, folders, hidden files, other kinds."""
    items, left = shard(tmp_path / "s.tar", *names)
    assert sorted(items) == sorted(wanted.split())
    assert left == others


def test_further_pictures_of_a_key_are_kept(tmp_path: Path) -> None:
    """In the order of the extensions, then of their numbers."""
    names = ["k.10.jpg", "k.2.jpg", "k.png", "k.jpeg", "k.jpg", "n.json", "n.1.jpg", "n.0.jpg"]
    items, left = shard(tmp_path / "s.tar", *names)
    assert pictures(items) == {
        "k": ["k.jpg", "k.jpeg", "k.png", "k.2.jpg", "k.10.jpg"],
        "n": ["n.0.jpg", "n.1.jpg"],
    }
    assert left == {}
    further = items["k"].metadata[FURTHER_PICTURES][0]
    assert read_content(further) == JPEG + b"k.jpeg"


def test_frames_beside_their_metadata_are_one_item(tmp_path: Path) -> None:
    """A number after a digit belongs to the name, but for frames of a key with side files."""
    items, _ = shard(tmp_path / "s.tar", "00.0.jpg", "00.1.jpg", "00.json", "01.0.jpg", "01.json")
    assert pictures(items) == {"00": ["00.0.jpg", "00.1.jpg"], "01": ["01.0.jpg"]}
    assert items["00"].metadata["of"] == "00.json"


def test_extensions_can_be_chosen(tmp_path: Path) -> None:
    """The first that a key has is its picture; listed ones are further pictures."""
    names = ["0.jpg", "0.rgb.png", "0.depth.png", "1.jpg", "1.depth.png"]
    items, left = shard(tmp_path / "s.tar", *names, extensions="rgb.png; .JPG")
    assert pictures(items) == {"0": ["0.rgb.png", "0.jpg"], "1": ["1.jpg"]}
    assert left == {".depth.png": 2}


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_metadata_may_lie_anywhere(tmp_path: Path, order: slice) -> None:
    """Pictures first and side files later, or the other way."""
    keys = [f"{number:03}" for number in range(50)]
    names = [f"{key}.jpg" for key in keys] + [f"{key}.json" for key in reversed(keys)]
    items, _ = shard(tmp_path / "s.tar", *names[order])
    assert {key: item.metadata["of"] for key, item in items.items()} == {
        key: f"{key}.json" for key in keys
    }


def test_remote_and_packed_shards_are_read_alike(tmp_path: Path) -> None:
    """An unsorted one too, though it is read twice."""
    names = ["a.jpg", "b.jpg", "b.json", "a.json"]
    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as tar:
        for name in names:
            (tmp_path / name).write_bytes(side(name) or JPEG + name.encode())
            tar.add(tmp_path / name, name)
    fsspec.filesystem("memory").pipe("/shard-names/r.tar", packed(names))
    for address in (tmp_path / "p.tar.gz", "memory://shard-names/r.tar"):
        items = [item for item in open_sources([str(address)]) if isinstance(item, Item)]
        assert {item.item_id[-1]: item.metadata["of"][0] for item in items} == {"a": "a", "b": "b"}
        assert all(read_content(item.source) == item.content for item in items)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_links_to_members_are_read(tmp_path: Path, kind: bytes) -> None:
    """As pictures of their own; a link that leads out of the shard is left out."""
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        info = tarfile.TarInfo("d/a.jpg")
        info.size = len(JPEG)
        tar.addfile(info, io.BytesIO(JPEG))
        to = "d/a.jpg" if kind == tarfile.LNKTYPE else "a.jpg"
        for name, target in (("d/b.jpg", to), ("d/c.jpg", "/etc/passwd")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            tar.addfile(link)
    source = open_sources([str(tmp_path / "s.tar")])
    items = [item for item in source if isinstance(item, Item)]
    assert [item.item_id for item in items] == ["s/d/a", "s/d/b"]
    assert [item.content for item in items] == [JPEG, JPEG]
    assert read_content(items[1].source) == JPEG
    assert left_out(source) == {"link": 1}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names(tmp_path: Path, form: int) -> None:
    """Names that need an extended header are names like others."""
    names = [f"{'folder' * 30}/ä-1.5kg.jpg", f"{'folder' * 30}/ä-1.5kg.json"]
    (tmp_path / "s.tar").write_bytes(packed(names, format=form))
    items, left = read(tmp_path / "s.tar")
    assert list(items) == [names[0].removesuffix(".jpg")]
    assert items.popitem()[1].metadata == {"of": names[1]}
    assert left == {}


PART = st.sampled_from(["a", "b", "1", "25kg", "x-1", "00000", "Dr", "é"])
ENDING = st.sampled_from(
    ["jpg", "JPG", "png", "jpeg", "json", "txt", "cls", "npy", "depth.png", "0.jpg", "1.jpg", ""]
)
NAME = st.builds(
    lambda folder, parts, ending: f"{folder}{'.'.join(parts)}.{ending}".rstrip("."),
    st.sampled_from(["", "./", "train/", "a.b/", "__meta__/", "._"]),
    st.lists(PART, min_size=1, max_size=3),
    ENDING,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(NAME, max_size=30))
def test_every_member_is_accounted_for(names: list[str]) -> None:
    """Each is a picture, a further one, a side file, or counted as left out."""
    with (
        closing(ShardIndex(extensions=DEFAULT_EXTENSIONS, max_bytes=1000)) as index,
        tarfile.open(fileobj=io.BytesIO(packed(names))) as tar,
    ):
        for member in tar:
            index.add(tar, member)
        index.finish(damaged=False)
        taken = [name for group in index for name in group.names]
    assert len(set(taken)) == len(taken)
    assert len(taken) + index.left_out.total() == len(names)


KEYS = st.lists(
    st.lists(PART, min_size=1, max_size=3).map(".".join), min_size=1, max_size=8, unique=True
)


@settings(max_examples=100, deadline=None)
@given(keys=KEYS, others=st.lists(st.sampled_from(["cls", "txt", "npy", "depth.png"]), unique=True))
def test_samples_of_webdataset_are_items(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], others: list[str]
) -> None:
    """Whatever points its keys have: a sample is an item with its own metadata."""
    keys = [one for one in keys if not any(one.startswith(f"{other}.") for other in keys)]
    path = tmp_path_factory.mktemp("webdataset") / "s.tar"
    with webdataset.TarWriter(str(path), encoder=False) as writer:
        for key in keys:
            sample = {f"{one}": side(f"{key}.{one}") or b"\x89PNG" for one in others}
            sample |= {"jpg": JPEG + f"{key}.jpg".encode(), "json": side(f"{key}.json")}
            writer.write({"__key__": key, **sample})
    items, left = read(path)
    assert {key: item.metadata["of"] for key, item in items.items()} == {
        key: f"{key}.json" for key in keys
    }
    assert sum(left.values()) == len(keys) * len({"npy", "depth.png"} & set(others))


@settings(max_examples=50, deadline=None)
@given(
    number=st.integers(1, 5),
    endings=st.lists(
        ENDING.filter(lambda ending: ending and not ending[0].isdigit()), unique_by=str.lower
    ),
)
def test_keys_without_points_are_those_of_webdataset(
    tmp_path_factory: pytest.TempPathFactory, number: int, endings: list[str]
) -> None:
    """Read by webdataset itself: the same keys, where one has anything that counts."""
    endings = list(dict.fromkeys([*endings, "json"]))
    path = tmp_path_factory.mktemp("webdataset") / "s.tar"
    path.write_bytes(packed([f"d/k{key}.{ending}" for key in range(number) for ending in endings]))
    with path.open("rb") as file:
        members = ({**one, "__url__": ""} for one in tar_file_iterator(file))
        wanted = [sample["__key__"] for sample in group_by_keys(members)]
    found = [
        one.item_id if isinstance(one, Item) else one.item.item_id
        for one in open_sources([str(path)])
        if isinstance(one, Item | Failure)
    ]
    assert sorted(found) == sorted(f"s/{key}" for key in wanted)


def test_handed_cases(data: Path) -> None:
    """Points in keys, a mask before the photo, metadata at the end."""
    cases = data.parent / "cases" / "shards"
    dots = [item.item_id for item in open_sources([str(cases / "dots.tar")])]  # type: ignore[union-attr]
    assert dots == ["dots/tea-1.0kg", "dots/tea-1.25kg", "dots/tea-1.5kg", "dots/mug"]
    masked = open_sources([str(cases / "wds_maskfirst.tar")])
    assert all(isinstance(one, Item) and ".jpg::" in one.source for one in masked)
    assert left_out(masked) == {".depth.png": 8}
    late = list(open_sources([str(cases / "wds_unsorted.tar")]))
    assert len(late) == 4
    assert all(isinstance(one, Item) and one.metadata for one in late)
