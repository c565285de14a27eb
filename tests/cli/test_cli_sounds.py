"""Sounds by the commands: from files to labels, searches and tables."""

from __future__ import annotations

import csv
import json
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from shell import Shell
from sounds import RATE, tone, write, write_clap

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.jobs.rebuild import compare


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLAP's folder."""
    return write_clap(tmp_path_factory.mktemp("clap"))


@pytest.fixture
def shell(tmp_path: Path, clap: Path) -> Shell:
    """A folder of sounds: of one window, of three, one that breaks, one that is none."""
    sounds = tmp_path / "sounds"
    write(sounds / "bells" / "low.wav", tone(220, 4))
    write(sounds / "bells" / "high.flac", np.stack([tone(880, 23), tone(660, 23)], axis=1))
    write(sounds / "noise.ogg", np.random.default_rng(0).normal(size=12 * RATE) * 0.1)
    broken = write(sounds / "broken.flac", np.random.default_rng(1).normal(size=30 * RATE) * 0.1)
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size * 6 // 10])
    (sounds / "bad.wav").write_bytes(b"RIFF0000WAVEjunk")
    (tmp_path / "labels.txt").write_text("low bell\nhigh bell\nrain on a roof\nsiren\n")
    return Shell(tmp_path, in_process=True, model=clap)


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_sounds_are_ingested_labelled_and_found(shell: Shell) -> None:
    """Counts add up by items and by parts; answers say where; what breaks is told."""
    told = json.loads(shell("ingest", "sounds", "--output", "json").stdout)[0]
    assert told["items"] == 5
    # low 1, high 3, noise 2, broken 1 and its rest, bad
    assert (told["read"], told["stored"], told["dead_letters"]) == (9, 7, 2)
    assert told["dead_by_reason"] == {"truncated": 1, "not_a_sound": 1}
    again = json.loads(shell("ingest", "sounds", "--output", "json").stdout)[0]
    assert (again["unchanged"], again["embedded"], again["dead_letters"]) == (7, 0, 2)

    status = json.loads(shell("status", "--output", "json").stdout)[0]
    assert (status["items"], status["parts"], status["dead_letters"]) == (4, 7, 2)

    shell("labels", "add", "labels.txt")
    prompts = shell("labels", "list", "--output", "json").stdout
    assert "low bell" in prompts
    shell("categorize", "--to", "items.csv")
    shell("categorize", "--parts", "--to", "parts.csv")
    items = {row["item_id"]: row for row in rows_of(shell.folder / "items.csv")}
    parts = rows_of(shell.folder / "parts.csv")
    assert {name: int(row["parts"]) for name, row in items.items()} == {
        "bells/low.wav": 1,
        "bells/high.flac": 3,
        "noise.ogg": 2,
        "broken.flac": 1,
    }
    assert [(row["item_id"], row["place"]) for row in parts if "high" in row["item_id"]] == [
        ("bells/high.flac", "0:00-0:10"),
        ("bells/high.flac", "0:10-0:20"),
        ("bells/high.flac", "0:13-0:23"),
    ]
    assert len(parts) == 7
    single = next(row for row in parts if row["item_id"] == "bells/low.wav")
    assert single["label"] == items["bells/low.wav"]["label"]
    shell("categorize", "--parts", "--write-back", "--to", "x.csv", code=2)

    answers = json.loads(
        shell("classify", "sounds/bells/low.wav", "--output", "json", "--limit", "4").stdout
    )
    assert answers[0][0]["label"] == items["bells/low.wav"]["label"]
    assert answers[0][0]["score"] == pytest.approx(float(items["bells/low.wav"]["score"]), abs=1e-4)
    best = json.loads(
        shell(
            "classify", "sounds/bells/high.flac", "--view-pooling", "best", "--output", "json"
        ).stdout
    )
    assert best[0][0]["part_id"].rpartition(" ")[2] in {"0:00-0:10", "0:10-0:20", "0:13-0:23"}
    table = shell(
        "classify", "sounds/bells/low.wav", "sounds/bells/high.flac", "--view-pooling", "best"
    ).stdout
    assert "part_id" in table
    assert "part_id" not in shell("classify", "sounds/bells/high.flac").stdout
    failed = shell("classify", "sounds/bad.wav", code=1)
    assert "not a sound" in failed.stderr

    like = json.loads(shell("search", "--sound", "sounds/noise.ogg", "--output", "json").stdout)
    assert like[0]["item_id"] == "noise.ogg"
    assert like[0]["place"] in {"0:00-0:10", "0:02-0:12"}
    words = json.loads(shell("search", "rain on a roof", "--output", "json").stdout)
    assert len(words) == 4

    explained = json.loads(shell("explain", "--item", "bells/high.flac", "--output", "json").stdout)
    assert [view["place"] for view in explained["views"]] == ["0:00-0:10", "0:10-0:20", "0:13-0:23"]
    new = json.loads(shell("explain", "sounds/noise.ogg", "--output", "json").stdout)
    assert [view["place"] for view in new["views"]] == ["0:00-0:10", "0:02-0:12"]


def test_labels_of_sounds_get_the_prompt_for_sounds(shell: Shell) -> None:
    """That which CLAP is evaluated with."""
    shell("ingest", "sounds/bells")
    shell("labels", "add", "labels.txt")
    with open_catalog(CatalogOptions(data_dir=shell.folder / ".zeroshelf")) as catalog:
        assert catalog.label_set.templates == ("This is a sound of {}.",)


def test_a_mended_sound_and_another_window_change_what_they_must(shell: Shell) -> None:
    """Retry takes the missing windows; --window replaces windows and takes out those that went."""
    whole = write(
        shell.folder / "whole.flac", np.random.default_rng(1).normal(size=30 * RATE) * 0.1
    )
    shell("ingest", "sounds")
    (shell.folder / "sounds" / "broken.flac").write_bytes(whole.read_bytes())
    retried = json.loads(shell("retry", "--output", "json").stdout)[0]
    assert (retried["stored"], retried["dead_letters"]) == (2, 1)
    (shell.folder / "sounds" / "bad.wav").unlink()
    shorter = json.loads(shell("ingest", "sounds", "--window", "5", "--output", "json").stdout)[0]
    # low stays; high 5, noise 3, broken 6
    assert (shorter["read"], shorter["unchanged"], shorter["dead_letters"]) == (15, 1, 0)
    longer = json.loads(shell("ingest", "sounds", "--window", "10", "--output", "json").stdout)[0]
    assert longer["read"] == 9
    assert longer["removed_pictures"] == 8  # high 5, 15, 18; noise 5, 7; broken 5, 15, 25
    status = json.loads(shell("status", "--output", "json").stdout)[0]
    assert (status["items"], status["parts"]) == (4, 9)
    assert compare(CatalogOptions(data_dir=shell.folder / ".zeroshelf")).equal


def test_tables_and_archives_hold_sounds(shell: Shell) -> None:
    """As they hold pictures: by a column, in a tar file, in a zip file."""
    (shell.folder / "t.csv").write_text(
        "id,audio,title,pitch\na,sounds/bells/low.wav,a low bell,220\nb,sounds/noise.ogg,,0\n"
    )
    told = json.loads(
        shell("ingest", "t.csv", "--image-column", "audio", "--output", "json").stdout
    )[0]
    assert (told["items"], told["stored"], told["dead_letters"]) == (2, 3, 0)
    with tarfile.open(shell.folder / "s.tar", "w") as tar:
        tar.add(shell.folder / "sounds" / "bells" / "low.wav", "one.wav")
        tar.add(shell.folder / "sounds" / "noise.ogg", "two.ogg")
    shards = json.loads(shell("ingest", "s.tar", "--catalog", "tar", "--output", "json").stdout)[0]
    assert (shards["items"], shards["stored"], shards["shared"]) == (2, 3, 0)
    found = json.loads(
        shell("search", "--item", "s/one", "--catalog", "tar", "--output", "json").stdout
    )
    assert [hit["item_id"] for hit in found] == ["s/two"]


def test_what_a_model_has_no_tower_for_is_refused(shell: Shell, tmp_path: Path) -> None:
    """Sounds with a model of pictures, and pictures with one of sounds: the rest is ingested."""
    from PIL import Image

    Image.new("RGB", (32, 32), (200, 0, 0)).save(tmp_path / "sounds" / "red.png")
    heard = json.loads(shell("ingest", "sounds", "--output", "json").stdout)[0]
    assert heard["dead_by_reason"]["unsupported"] == 1
    assert heard["stored"] == 7
    seen = json.loads(
        shell(
            "ingest", "sounds", "--catalog", "seen", "--model", "pocket", "--output", "json"
        ).stdout
    )[0]
    assert (seen["stored"], seen["dead_by_reason"]) == (1, {"unsupported": 5})
    letters = (tmp_path / ".zeroshelf/catalogs/seen/dead_letters.jsonl").read_text()
    assert "hears no sounds" in letters
    assert (
        "hears no sounds"
        in shell(
            "classify", "sounds/noise.ogg", "--candidate-labels", "a,b", "--model", "pocket", code=1
        ).stderr
    )


def test_reembed_and_copy_keep_windows(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each by the new model, from one reading of each file."""
    shell("ingest", "sounds/bells")
    other = write_clap(tmp_path_factory.mktemp("other"), truncation="fusion")
    told = json.loads(shell("reembed", "--model", other, "--output", "json").stdout)
    report = told[0] if isinstance(told, list) else told
    assert report["items"] == 2
    status = json.loads(shell("status", "--output", "json").stdout)[0]
    assert (status["items"], status["parts"]) == (2, 4)
    again = json.loads(
        shell("ingest", "sounds/bells", "--model", other, "--output", "json").stdout
    )[0]
    assert (again["unchanged"], again["stored"]) == (4, 0)


@pytest.mark.slow
def test_a_killed_ingestion_of_sounds_is_finished_by_the_same_command(
    tmp_path: Path, clap: Path
) -> None:
    """SIGKILL in the middle of one long sound: finished windows are not embedded again."""
    samples = np.random.default_rng(0).normal(size=600 * RATE) * 0.1
    write(tmp_path / "sounds" / "long.wav", samples)
    shell = Shell(tmp_path, model=clap)
    archive = tmp_path / ".zeroshelf" / "catalogs" / "catalog" / "archive"
    process = shell.start("ingest", "sounds", "--batch-size", "4", "--output", "json")
    while not list(archive.glob("items-*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    shell.in_process = True
    finished = shell("status", "--output", "json")
    before = json.loads(finished.stdout)[0]["parts"] or 1
    told = json.loads(shell("ingest", "sounds", "--output", "json").stdout)[0]
    assert told["unchanged"] >= before > 0
    assert told["unchanged"] + told["stored"] == told["read"] == 60
    assert told["embedded"] == told["stored"]
    assert compare(CatalogOptions(data_dir=tmp_path / ".zeroshelf")).equal


def test_titles_of_sounds_are_told_and_columns_are_not_hidden(shell: Shell) -> None:
    """Words find a title that is not embedded; a column may be called as a field of the item is."""
    (shell.folder / "s.csv").write_text(
        "id,audio,title,kind\nlow,sounds/bells/low.wav,a deep gong,bell\n"
        "high,sounds/bells/high.flac,a small chime,bell\nnoise,sounds/noise.ogg,,noise\n"
    )
    told = shell("ingest", "s.csv", "--image-column", "audio")
    assert "2 titles of sounds and videos are not embedded" in told.stderr
    hits = json.loads(shell("search", "gong", "--hybrid", "--output", "json").stdout)
    assert hits[0]["item_id"] == "low"
    grouped = shell("search", "a bell", "--group-by", "kind", "--output", "json")
    assert len(json.loads(grouped.stdout)) == 1
    assert "the column of your table is metadata.kind" in grouped.stderr
    grouped = shell("search", "a bell", "--group-by", "metadata.kind", "--output", "json")
    assert {hit["metadata"]["kind"] for hit in json.loads(grouped.stdout)} == {"bell", "noise"}
    assert len(json.loads(grouped.stdout)) == 2
    counted = shell("search", "a bell", "--facet", "metadata.kind", "--output", "json").stdout
    assert json.loads(counted)["facets"]["metadata.kind"]["values"] == {"bell": 2, "noise": 1}
    removed = shell("remove", "high").stderr
    assert "Removed 1 item, with 2 further windows." in removed
