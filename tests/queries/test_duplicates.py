"""Groups of look-alikes: no chains, any size, exact or by lists on disk."""

from __future__ import annotations

import csv
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shell import SCRIPT, Shell, write_rows
from warm import WarmProcess, run

from benchmarks.duplicates import WIDTH, write_archive
from indexer.catalog.options import CatalogOptions
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray, IndexArray
from indexer.core.scratch import ScratchVectors
from indexer.core.vectors import normalise
from indexer.jobs.sample import write_shop
from pocket.drawing import draw, product_type
from queries.duplicates.checking import KINDS, Checked, Members, Words, check_group
from queries.duplicates.contents import MOST_SHARING, same_contents
from queries.duplicates.leaders import ItemViews, lead
from queries.duplicates.leading_lists import lead_in_lists
from queries.duplicates.lists import Lists
from queries.duplicates.signatures import agreement, signature
from queries.duplicates.thresholds import Thresholds

pytestmark = pytest.mark.usefixtures("two_threads")


def planted(groups: int, size: int, width: int = 64, noise: float = 0.02) -> FloatArray:
    """Groups of near-equal vectors, shuffled: float32 (groups * size, width)."""
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((groups, width))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = np.repeat(centres, size, axis=0)
    vectors = vectors + noise * rng.standard_normal(vectors.shape)
    return normalise(rng.permutation(vectors))


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.99))
def test_members_are_near_their_leader_and_leaders_are_not_near_each_other(
    seed: int, threshold: float
) -> None:
    """Whatever the vectors: that is what forbids chains."""
    rng = np.random.default_rng(seed)
    vectors = normalise(rng.standard_normal((60, 4)))
    led = lead(ItemViews.of(vectors), threshold)
    assert (led.leaders[led.leaders] == led.leaders).all()
    assert (led.leaders <= np.arange(len(vectors))).all()
    cosines = (vectors * vectors[led.leaders]).sum(axis=1)
    np.testing.assert_allclose(led.similarities, cosines, atol=1e-5)
    assert (cosines >= threshold - 1e-5).all()
    leading = vectors[led.leads]
    between = leading @ leading.T - 2 * np.eye(len(leading))
    assert between.max(initial=-1) < threshold + 1e-5


def test_a_chain_is_cut() -> None:
    """Each vector is near the next, and the ends are far apart: three groups, not one."""
    angles = np.radians(np.arange(0, 60, 10))
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    led = lead(ItemViews.of(vectors), float(np.cos(np.radians(11))))
    assert led.leaders.tolist() == [0, 0, 2, 2, 4, 4]


def test_ten_thousand_equal_vectors_are_one_group() -> None:
    """No pair is kept, so the size of a group does not matter."""
    vectors = np.repeat(planted(1, 1), 10_000, axis=0)
    led = lead(ItemViews.of(vectors), 0.95)
    assert (led.leaders == 0).all()


def test_products_are_as_near_as_their_nearest_pictures() -> None:
    """Whichever these are; pictures of one product do not join each other."""
    one, other, third = np.split(planted(3, 1), 3)
    views = [third, one, one, other, third, third, one]
    led = lead(ItemViews.of(np.concatenate(views), np.array([0, 0, 0, 1, 2, 2, 3])), 0.95)
    assert led.leaders.tolist() == [0, 1, 0, 0]


def slow_lead(vectors: FloatArray, owners: IndexArray, threshold: float) -> list[int]:
    """The leader algorithm as it is said, an item at a time."""
    leaders: list[int] = []
    for item in range(owners.max() + 1):
        near = [
            (float((vectors[owners == item] @ vectors[owners == leader].T).max()), -leader)
            for leader in sorted(set(leaders))
        ]
        best = max(near, default=(-2.0, 0))
        leaders.append(-best[1] if best[0] >= threshold else item)
    return leaders


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.95))
def test_products_of_several_pictures_are_led_as_it_is_said(seed: int, threshold: float) -> None:
    """In blocks and one by one."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(40), rng.integers(1, 5, 40))
    vectors = normalise(rng.standard_normal((len(owners), 5)))
    led = lead(ItemViews.of(vectors, owners), threshold)
    assert led.leaders.tolist() == slow_lead(vectors, owners, threshold)


def test_items_with_the_same_pictures_are_the_same() -> None:
    """All of them, or all of the one with fewer; a picture that many share tells nothing."""
    assert same_contents(np.array([3, 5, 3]), np.arange(3)).first.tolist() == [0, 1, 0]
    products = [[1, 2], [2, 1], [3], [3, 4], [4, 5], [1, 6], [2]]
    starts = np.cumsum([0, *map(len, products[:-1])])
    same = same_contents(np.concatenate([np.array(one) for one in products]), starts)
    assert same.first.tolist() == [0, 0, 2, 2, 4, 5, 0]
    assert same.compared.all()
    table_of_sizes = [[9, 10 + item] for item in range(MOST_SHARING)] + [[9], [9]]
    starts = np.cumsum([0, *map(len, table_of_sizes[:-1])])
    same = same_contents(np.concatenate([np.array(one) for one in table_of_sizes]), starts)
    assert same.first.tolist() == [*range(MOST_SHARING + 1), MOST_SHARING]
    assert same.compared.tolist() == [*[False, True] * MOST_SHARING, True, True]
    assert same.shared == 1


def lists_of(vectors: FloatArray, folder: Path, owners: IndexArray | None = None) -> Lists:
    """Lists of vectors that come in blocks."""

    def blocks() -> Iterator[tuple[IndexArray, FloatArray]]:
        for start in range(0, len(vectors), 700):
            rows = np.arange(start, min(start + 700, len(vectors)))
            yield rows, vectors[rows]

    scratch = ScratchVectors(folder, count=len(vectors), width=vectors.shape[1])
    return Lists(scratch, blocks, owners)


def test_lists_find_the_groups_that_exact_comparison_finds(tmp_path: Path) -> None:
    """Planted groups in several lists: the same partition."""
    vectors = planted(1500, 3)
    exact = lead(ItemViews.of(vectors), 0.9)
    lists = lists_of(vectors, tmp_path)
    assert len(lists) > 5
    probing = lists.choose_probes(0.9)
    led = lead_in_lists(lists, 0.9, probing.probes)
    assert probing.recall is not None
    assert probing.recall >= 0.99
    assert probing.sampled > 500
    same = led.leaders == exact.leaders
    assert same.mean() > 0.99
    cosines = (vectors * vectors[led.leaders]).sum(axis=1)
    assert cosines.min() >= 0.9 - 1e-5


def test_lists_find_the_groups_of_products_with_several_pictures(tmp_path: Path) -> None:
    """Products whose pictures lie in several lists, compared with all lists: the same groups."""
    rng = np.random.default_rng(5)
    vectors = normalise(rng.standard_normal((4000, 6)))
    owners = np.repeat(np.arange(1600), rng.integers(1, 5, 1600))[:4000]
    vectors = vectors[: len(owners)]
    lists = lists_of(vectors, tmp_path, owners)
    led = lead_in_lists(lists, 0.9, len(lists))
    views = ItemViews.of(vectors, owners)
    cosines = views.cosines(views)
    items = np.arange(len(views))
    assert (led.leaders[led.leaders] == led.leaders).all()
    assert cosines[items, led.leaders].min() >= 0.9 - 1e-5
    np.fill_diagonal(cosines, 0)
    assert cosines[np.ix_(led.leads, led.leads)].max() < 0.9 + 1e-5
    nearest = np.where(led.leads, cosines, 0)[~led.leads].max(axis=1)
    assert led.similarities[~led.leads] == pytest.approx(nearest, abs=1e-5)


def test_a_large_group_is_one_group_across_lists(tmp_path: Path) -> None:
    """Thousands of near-equal vectors, between others."""
    vectors = np.concatenate([planted(1, 3000), planted(2000, 1)])
    led = lead_in_lists(lists_of(vectors, tmp_path), 0.9, 2)
    assert (led.leaders[:3000] == led.leaders[0]).all()
    assert len(np.unique(led.leaders[3000:])) == 2000


def test_inactive_items_lead_nobody(tmp_path: Path) -> None:
    """They stay alone, and no one joins them."""
    vectors = np.repeat(planted(1, 1), 1000, axis=0)
    active = np.arange(1000) % 2 == 1
    led = lead_in_lists(lists_of(vectors, tmp_path), 0.9, 2, active=active)
    assert (led.leaders[active] == 1).all()
    assert (led.leaders[~active] == np.flatnonzero(~active)).all()


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_leaders_of_lists_are_not_near_each_other(threshold: float, tmp_path: Path) -> None:
    """Where all lists are compared, the result has no chain and no leader too many."""
    rng = np.random.default_rng(3)
    vectors = normalise(rng.standard_normal((2000, 6)))
    lists = lists_of(vectors, tmp_path)
    led = lead_in_lists(lists, threshold, len(lists))
    assert (led.leaders[led.leaders] == led.leaders).all()
    leading = vectors[led.leads]
    assert (leading @ leading.T - 2 * np.eye(len(leading))).max() < threshold + 1e-5


def drawn(seed: int, colour: str = "red", name: str = "mug") -> Pixels:
    """A picture of a drawn product."""
    picture = draw(product_type(name), colour=colour, size=96, rng=random.Random(seed))
    return np.asarray(picture)


def test_a_copy_of_a_picture_agrees_with_it_and_another_picture_does_not() -> None:
    """Scaled, cropped and marked ones agree; another drawing of the same thing does less."""
    picture = drawn(1)
    own = signature(picture)
    smaller = np.asarray(Image.fromarray(picture).resize((70, 70)))
    marked = picture.copy()
    marked[40:46, 10:80] = 255
    copies = [smaller, picture[4:-6, 6:-3], marked]
    agreed = [agreement(own, signature(copy)[np.newaxis])[0] for copy in copies]
    assert min(agreed) > 0.93
    assert agreement(own, signature(drawn(2, "blue"))[np.newaxis])[0] < min(agreed)
    flat = signature(np.full((9, 5, 3), 7, dtype=np.uint8))
    assert not flat.any()


def members(titles: list[str], pictures: dict[str, Pixels | None], vectors: FloatArray) -> Checked:
    """A coarse group of items that each have a picture, checked."""
    limits = Thresholds(near=0.99, product=0.8, signature=0.93)
    described = Members(views=ItemViews.of(vectors), titles=titles, sources=list(pictures))
    return check_group(
        described, limits, Words(pa.chunked_array([titles])), variants=True, read=pictures.get
    )


def test_pictures_tell_copies_and_titles_tell_variants() -> None:
    """Equal embeddings do not make two pictures copies; other words make two products."""
    pictures = {
        "a": drawn(1), "copy": drawn(1)[5:-3, 4:-6], "blue": drawn(2, "blue"),
        "other": drawn(3, "green", "teapot"),
    }  # fmt: skip
    titles = ["Dune red mug", "mug for sale", "Dune blue mug", "Elm steel tankard"]
    checked = members(titles, pictures, np.repeat(planted(1, 1), 4, axis=0))
    assert [KINDS[kind] for kind in checked.kinds] == [
        "centre", "near-duplicate", "variant", "centre",
    ]  # fmt: skip
    assert checked.like.tolist() == [0, 0, 0, 3]
    assert checked.centres.tolist() == [0, 0, 0, 3]


@pytest.mark.parametrize("titles", [["", "", "mug"], ["mug", "", ""]])
def test_a_picture_alone_makes_no_variant(titles: list[str]) -> None:
    """Of equal embeddings, where a title is missing; unless a user gives the cosine."""
    vectors = np.repeat(planted(1, 1), 3, axis=0)
    group = Members(views=ItemViews.of(vectors), titles=titles, sources=[""] * 3)
    words = Words(pa.chunked_array([titles]))
    for untitled, kinds in ((False, ["centre"] * 3), (True, ["centre", "variant", "variant"])):
        limits = Thresholds(near=1.1, product=0.8, untitled=untitled)
        checked = check_group(group, limits, words, variants=True, read=None)
        assert [KINDS[kind] for kind in checked.kinds] == kinds


def test_a_near_duplicate_far_from_the_centre_makes_its_own_group() -> None:
    """A variant is near the centre and its copy is not: both stay out of the centre's group."""
    angles = np.radians([0, 30, 45])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    pictures = {"a": drawn(3, "green", "teapot"), "b": drawn(1), "copy": drawn(1)[1:, 1:]}
    checked = members(["mug"] * 3, pictures, vectors)
    assert checked.centres.tolist() == [0, 1, 1]
    assert [KINDS[kind] for kind in checked.kinds] == ["centre", "centre", "near-duplicate"]


def test_a_copy_has_copies_of_all_pictures() -> None:
    """A product that shares one picture and has another beside is kept as a variant."""
    pictures = {
        "a": drawn(1), "a2": drawn(3, "green", "teapot"),
        "b": drawn(1)[5:-3, 4:-6], "b2": drawn(3, "green", "teapot")[4:-2, 3:-5],
        "c": drawn(1)[3:-3, 4:-4], "c2": drawn(2, "blue"),
        "d": drawn(3, "green", "teapot")[2:-2, 3:-3],
    }  # fmt: skip
    views = ItemViews(np.repeat(planted(1, 1), 7, axis=0), np.array([0, 2, 4, 6]))
    limits = Thresholds(near=0.99, product=0.8, signature=0.93)
    titles = ["mug", "mug", "mug", "mug"]
    checked = check_group(
        Members(views=views, titles=titles, sources=list(pictures)),
        limits,
        Words(pa.chunked_array([titles])),
        variants=True,
        read=pictures.get,
    )
    assert [KINDS[kind] for kind in checked.kinds] == [
        "centre", "near-duplicate", "variant", "near-duplicate",
    ]  # fmt: skip
    assert checked.like.tolist() == [0, 0, 0, 0]


def test_unread_pictures_are_counted_and_embeddings_decide() -> None:
    """A picture that is gone does not stop the group."""
    vectors = np.repeat(planted(1, 1), 2, axis=0)
    checked = members(["", ""], {"a": drawn(1), "b": None}, vectors)
    assert checked.unread == 1
    assert KINDS[checked.kinds[1]] == "near-duplicate"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The copied products of the sample shop, their originals, others, and one file twice."""
    folder = tmp_path_factory.mktemp("duplicates")
    write_shop(folder / "shop")
    with (folder / "shop" / "products.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (folder / "shop" / "copies.csv").open(encoding="utf-8", newline="") as stream:
        copies = {row["id"]: row["original"] for row in csv.DictReader(stream)}
    chosen = [row for row in rows if row["id"] in {*copies, *copies.values()}]
    twice = chosen[0] | {"id": "twice", "price": "9999"}
    with (folder / "shop" / "few.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        others = [row for row in rows[:60] if row not in chosen]
        writer.writerows([*chosen, *others, twice])
    shell = Shell(folder, in_process=True, model="pocket")
    shell("ingest", "shop/few.csv")
    return shell


def test_items_without_titles_are_told(tmp_path: Path) -> None:
    """Their number, and what groups them all the same; a cosine that is given does so."""
    shell = Shell(tmp_path, in_process=True)
    np.save(tmp_path / "v.npy", planted(1, 3))
    write_rows(tmp_path / "t.jsonl", [{"id": "a"}, {"id": "b"}, {"id": "c", "title": "mug"}])
    shell("ingest", "t.jsonl", "--vectors", "v.npy")
    by_pictures = "duplicates", "--to", "groups.csv", "--near", 1
    told = " ".join(shell(*by_pictures).stdout.split())
    assert "2 items have no title" in told
    assert "--product COSINE" in told
    assert shell.json(*by_pictures)[0]["variants"] == 0
    report = shell.json(*by_pictures, "--product", 0.5)[0]
    assert (report["variants"], report["untitled"]) == (2, 0)


def documented(heading: str) -> list[str]:
    """The columns that docs/columns.md tells of a command."""
    page = Path(__file__).parents[2] / "docs" / "columns.md"
    section = page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.slow
def test_copies_are_found_in_the_sample_shop(shop: Shell) -> None:
    """Most planted copies and few other items are near-duplicates; a file that is twice is told."""
    report = shop.json("duplicates", "--to", "groups.parquet", "--page", "groups.html")[0]
    with (shop.folder / "shop" / "copies.csv").open(encoding="utf-8", newline="") as stream:
        originals = {row["id"]: row["original"] for row in csv.DictReader(stream)}
    rows = pq.read_table(shop.folder / "groups.parquet").to_pylist()
    assert list(rows[0]) == documented("duplicates")
    near = [row for row in rows if row["kind"] == "near-duplicate"]
    right = [
        row
        for row in near
        if originals.get(row["item_id"], row["item_id"])
        == originals.get(row["like_id"], row["like_id"])
    ]
    assert len(right) >= 0.7 * len(originals)
    assert len(right) >= 0.8 * len(near)
    same = [row for row in rows if row["kind"] == "same content"]
    assert [row["item_id"] for row in same] == ["twice"]
    assert report["same_content"] == 1
    assert report["grouped"] == len(rows)
    assert report["kept"] == sum(row["kept"] for row in rows)
    assert report["calibrated_on"] > 20
    assert (shop.folder / "groups.html").read_text(encoding="utf-8").count("<img") == len(rows)


@pytest.mark.slow
def test_the_item_with_the_highest_number_is_kept(shop: Shell) -> None:
    """Of two items with one file the dearer one; a column without numbers is refused."""
    shop("duplicates", "--to", "kept.csv", "--keep-by", "price", "--no-check-pictures")
    text = (shop.folder / "kept.csv").read_text(encoding="utf-8")
    row = next(row for row in csv.DictReader(text.splitlines()) if row["item_id"] == "twice")
    assert row["kept"] == "true"
    told = shop("duplicates", "--to", "kept.csv", "--keep-by", "brand", code=2).stderr
    assert "no item has a number" in " ".join(told.split())


def test_a_killed_search_for_look_alikes_leaves_nothing(tmp_path: Path) -> None:
    """Killed again and again while vectors lie in its scratch file; then it is right."""
    vectors = planted(600, 3, WIDTH, noise=0.005)
    write_archive(CatalogOptions(catalog="many", data_dir=tmp_path / "data"), vectors)
    command = [
        SCRIPT, "duplicates", "--catalog", "many", "--data-dir", tmp_path / "data",
        "--near", "0.95", "--product", "0.9", "--compare-near", "--to", tmp_path / "groups.csv",
    ]  # fmt: skip
    (folder,) = (tmp_path / "data" / "catalogs").iterdir()
    assert run([*command, "--to", tmp_path / "first.csv"]).returncode == 0
    stored = files_of(folder)
    for _ in range(2):
        process = WarmProcess(command)
        while process.poll() is None and not has_unnamed_file(process.pid, folder):
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert files_of(folder) == stored
        assert not (tmp_path / "groups.csv").exists()
    assert run(command).returncode == 0
    assert (tmp_path / "groups.csv").read_bytes() == (tmp_path / "first.csv").read_bytes()
    assert files_of(folder) == stored


def files_of(folder: Path) -> set[str]:
    """Files below a folder, without the journals of databases."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not name.endswith(("-wal", "-shm"))}


def has_unnamed_file(process_id: int, folder: Path) -> bool:
    """Whether a process has a file without a name mapped that lies in a folder."""
    try:
        maps = Path(f"/proc/{process_id}/maps").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(str(folder) in line and "(deleted)" in line for line in maps.splitlines())
