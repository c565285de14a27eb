"""Videos through the ingestion: shots as rows, breaks, changes; by the packaged model."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from warm import WarmProcess, run

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.records import Kind
from indexer.encoder import SentenceTransformerEncoder
from indexer.ingestion.reports import IngestReport
from indexer.ingestion.videos import VideoEmbedder
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.retry import retry
from indexer.sources.video import VideoDecoder
from pocket.clips import THREE_SCENES, Scene, write_clip
from queries.search.finding import find
from queries.search.query import SearchQuery

CLIPS = 14
KILLABLE = (
    "from indexer.ingestion.reports import PipelineSizes as Sizes\n"
    "Sizes.__init__.__kwdefaults__['checkpoint_s'] = 0.0\n"  # a shard as soon as a video is done
    "from queries.cli import main\nmain()"
)
ENCODER = SentenceTransformerEncoder("pocket")


class Loaded(CatalogOptions):
    """Options whose model is loaded once for all tests."""

    def load_encoder(self, _model: str) -> SentenceTransformerEncoder:
        """The one that is there."""
        return ENCODER


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of three scenes, and one of a single scene in a folder below."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "three.mp4", rate=10, size=128)
    (folder / "sofas").mkdir()
    sofa = (Scene(product="sofa", colour="green", background="room", seconds=3),)
    write_clip(folder / "sofas" / "one.webm", sofa, rate=10, size=128, seed=1)
    return folder


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A catalog that is not there yet."""
    return Loaded(data_dir=tmp_path / "data", model="pocket")


def stored_rows(options: CatalogOptions) -> dict[str, tuple[str, str]]:
    """Parent and part of each row, by its id."""
    with open_catalog(options) as catalog:
        rows = [row for shard in catalog.archive.shards() for row in catalog.archive.rows(shard)]
        assert {row.kind for row in rows} == {Kind.VIDEO}
        assert catalog.items.count() == len(rows)
        return {row.item_id: (row.parent_id, row.part_json) for row in rows}


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    """Stored, unchanged and dead rows, and frames; the counts add up."""
    assert report.read == report.stored + report.unchanged + report.dead
    return report.stored, report.unchanged, report.dead, report.frames


def test_each_shot_is_a_row_and_a_search_finds_it(clips: Path, options: CatalogOptions) -> None:
    """The first one is the row of the item itself; the cuts are at 4 and 8 seconds."""
    report = ingest(options, [str(clips)], IngestOptions())
    assert counts(report) == (4, 0, 0, 15)
    assert report.items == 2
    rows = stored_rows(options)
    recipe = '"of":3,"recipe":"2: 1 fps, cuts 0.12, 2, 2 s","start":'
    assert rows["three.mp4"] == ("", f'{{"end":4.0,{recipe}0.0}}')
    assert rows["three.mp4#start=4"] == ("three.mp4", f'{{"end":8.0,{recipe}4.0}}')
    assert rows["three.mp4#start=8"] == ("three.mp4", f'{{"end":12.0,{recipe}8.0}}')
    assert len(rows) == 4
    with open_catalog(options) as catalog:
        vectors = ENCODER.embed_queries(["a red mug", "a blue backpack", "a guitar", "a sofa"])
        hits = [find(catalog, SearchQuery(vector=vector)).hits for vector in vectors]
        assert catalog.ledger.item_count() == 2
    assert [best[0].part_id for best in hits] == [
        "three.mp4",
        "three.mp4#start=4",
        "three.mp4#start=8",
        "sofas/one.webm",
    ]
    assert all(len(best) == 2 for best in hits)  # an item is found once, by its best shot


def test_an_unchanged_video_is_not_embedded_again(clips: Path, options: CatalogOptions) -> None:
    """Nor decoded; other frames a second make other rows, and those before are gone."""
    ingest(options, [str(clips)], IngestOptions())
    assert counts(ingest(options, [str(clips)], IngestOptions())) == (0, 4, 0, 0)
    report = ingest(options, [str(clips)], IngestOptions(videos=VideoDecoder(fps=2)))
    assert counts(report) == (4, 0, 0, 30)
    with open_catalog(options) as catalog:
        assert (catalog.ledger.count(), catalog.ledger.item_count()) == (4, 2)


def test_a_video_that_changed_replaces_its_shots(tmp_path: Path, options: CatalogOptions) -> None:
    """The rows that it has no more are removed."""
    clip = tmp_path / "clips" / "clip.mp4"
    clip.parent.mkdir()
    write_clip(clip, rate=10, size=96)
    ingest(options, [str(clip.parent)], IngestOptions())
    write_clip(clip, THREE_SCENES[1:], rate=10, size=96)
    report = ingest(options, [str(clip.parent)], IngestOptions())
    assert counts(report) == (2, 0, 0, 8)
    assert report.removed_parts == 1
    with open_catalog(options) as catalog:
        rows = catalog.ledger.parts.rows_of(["clip.mp4"])["clip.mp4"]
        assert [row.row_id for row in rows] == ["clip.mp4", "clip.mp4#start=4"]


def test_a_broken_video_keeps_what_comes_before_and_says_so(
    tmp_path: Path, options: CatalogOptions
) -> None:
    """It says so each time, embeds nothing again, and a whole file makes it good."""
    broken = tmp_path / "clips" / "clip.mkv"
    broken.parent.mkdir()
    write_clip(broken, rate=10, size=96)
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) * 7 // 10])
    report = ingest(options, [str(broken.parent)], IngestOptions())
    assert report.stored >= 2
    assert report.dead_by_reason == Counter({"truncated": 1})
    again = ingest(options, [str(broken.parent)], IngestOptions())
    assert counts(again) == (0, report.stored, 1, 0)
    with open_catalog(options) as catalog:
        (letter,) = catalog.dead_letters.all()
    assert letter.item.parent_id == "clip.mkv"
    assert letter.item.part["start"] > 4
    assert "cut short or damaged after" in letter.message
    broken.write_bytes(whole)
    report, _ = retry(options, IngestOptions())
    assert counts(report) == (3, 0, 0, 12)
    with open_catalog(options) as catalog:
        assert catalog.dead_letters.all() == []
        assert catalog.ledger.count() == 3


def test_a_video_of_which_rows_are_missing_is_embedded_again(
    clips: Path, options: CatalogOptions
) -> None:
    """As after a kill between two of its rows."""
    ingest(options, [str(clips)], IngestOptions())
    with open_catalog(options, write=True) as catalog:
        from indexer.catalog.archive import Removal

        lost = Removal(item_id="three.mp4#start=4", parent_id="three.mp4")
        catalog.ledger.add(catalog.archive.write([lost]))
    assert counts(ingest(options, [str(clips)], IngestOptions())) == (1, 3, 0, 12)


def test_a_shot_that_is_embedded_by_itself_has_the_same_vector(clips: Path) -> None:
    """As ``reembed`` does it, which takes the shots as they are."""
    embedder = VideoEmbedder(encoder=ENCODER)
    with (clips / "three.mp4").open("rb") as file:
        shot = embedder.shots(file, "three.mp4")[0][1]
        alone = embedder.mean(file, "three.mp4", start_s=shot.start_s, end_s=shot.end_s)
    assert alone == pytest.approx(shot.vector, abs=1e-5)


@pytest.mark.slow
def test_killed_again_and_again_each_video_is_whole(tmp_path: Path) -> None:
    """What is in a finished shard as a whole is not embedded again; none is cut differently."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(CLIPS):
        write_clip(folder / f"{number:02}.mp4", rate=4, size=64, seed=number)
    command = [
        *("-c", KILLABLE, "ingest", folder, "--model", "pocket"),
        *("--data-dir", tmp_path / "data"),
    ]
    rng = np.random.default_rng(0)
    archive = tmp_path / "data" / "catalogs" / "catalog" / "archive"
    kept = 0
    for _ in range(3):
        process = WarmProcess(command)
        shards = len(list(archive.glob("items-*.parquet")))
        wanted = shards + int(rng.integers(0, 2))
        while process.poll() is None and len(list(archive.glob("items-*.parquet"))) < wanted + 1:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        shards_now = len(list(archive.glob("items-*.parquet")))
        assert shards_now >= kept
        kept = shards_now
    assert 1 <= kept < CLIPS  # it was killed in the middle
    assert run(command).returncode == 0
    options = Loaded(data_dir=tmp_path / "data", model="pocket")
    assert counts(ingest(options, [str(folder)], IngestOptions()))[3] == 0
    with open_catalog(options) as catalog:
        by_item = catalog.ledger.parts.rows_of([f"{number:02}.mp4" for number in range(CLIPS)])
        assert catalog.items.count() == catalog.ledger.count() == sum(map(len, by_item.values()))
        assert len(by_item) == CLIPS
        assert catalog.dead_letters.all() == []
