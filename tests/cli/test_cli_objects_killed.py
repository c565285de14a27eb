"""``ingest --objects`` that is killed when some shards with boxes are stored and others are not."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from shell import Shell

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.parts import BOX, OF
from indexer.core.records import EmbeddedItem
from indexer.jobs.rebuild import compare
from pocket.scenes import draw_scene

SCENES = 10
SMALL_SHARDS_COARSE_GRID = """
import runpy, sys
from indexer.core.boxes import RegionGrid
from indexer.ingestion.reports import PipelineSizes
from indexer.labels.regions import GridFinder
GridFinder.__init__.__kwdefaults__["grid"] = RegionGrid(step=0.5)
PipelineSizes.__init__.__kwdefaults__["shard_rows"] = 4
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def rows_of(folder: Path) -> list[tuple[str, str, list[float]]]:
    """Ids, contents and vectors of all rows: the ledger, archive and database agree on them."""
    options = CatalogOptions(data_dir=folder / ".zeroshelf")
    rows: list[tuple[str, str, list[float]]] = []
    boxes: defaultdict[str, list[int]] = defaultdict(list)
    with open_catalog(options) as catalog:
        for shard in catalog.archive.shards():
            items = list(catalog.archive.rows(shard))
            for row in catalog.ledger.live_rows(shard).tolist():
                item = items[row]
                assert isinstance(item, EmbeddedItem)
                rows.append((item.item_id, item.content_hash, item.vector.tolist()))
                part = json.loads(item.part_json or "{}")
                if BOX in part:
                    boxes[item.parent_id].append(part[OF])
        assert len({row[0] for row in rows}) == len(rows) == catalog.items.count()
        assert {row[0] for row in rows} == set(catalog.items.item_ids())
        assert catalog.ledger.stored.missing() == []
    assert boxes
    assert all(told == [len(told)] * len(told) for told in boxes.values())
    assert compare(options).equal
    return sorted(rows)


def stored_counts(folder: Path) -> tuple[int, int]:
    """How many boxes the database has after a kill, and how many rows."""
    options = CatalogOptions(data_dir=folder / ".zeroshelf")
    with open_catalog(options) as catalog:
        ids = set(catalog.items.item_ids())
    return sum("#box=" in one for one in ids), len(ids)


@pytest.mark.slow
@pytest.mark.usefixtures("coarse_grid")
def test_killed_between_shards_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """The rows are those of an ingestion that nobody killed."""
    whole = Shell(tmp_path / "whole", in_process=True, model="pocket")
    (whole.folder / "scenes").mkdir(parents=True)
    rng = random.Random(5)
    for number in range(SCENES):
        draw_scene(rng, size=(320, 240)).picture.save(whole.folder / "scenes" / f"{number}.png")
    draw_scene(rng, size=(96, 96)).picture.save(whole.folder / "first.png")
    (whole.folder / "labels.txt").write_text("mug\nguitar\nclock\nsneaker\nteapot\nchair\n")
    whole("ingest", "first.png")
    whole("labels", "add", "labels.txt")
    shutil.copytree(whole.folder, tmp_path / "killed")
    whole("ingest", "scenes", "--objects")
    expected = rows_of(whole.folder)
    killed = Shell(tmp_path / "killed", model="pocket")
    held = killed.folder / "held"
    for steps in (1, 1):
        held.unlink(missing_ok=True)
        holder = Path(__file__).parents[1] / "held_storing.py"
        code = "-c", SMALL_SHARDS_COARSE_GRID, holder, held, steps
        process = killed.start("ingest", "scenes", "--objects", program=code)
        while not held.exists() and process.poll() is None:
            time.sleep(0.01)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
        boxes, rows = stored_counts(killed.folder)
        assert 0 < boxes < rows < len(expected)
    killed.in_process = True
    killed("ingest", "scenes", "--objects")
    finished = rows_of(killed.folder)
    assert [row[:2] for row in finished] == [row[:2] for row in expected]
    vectors = [np.array([row[2] for row in rows]) for rows in (finished, expected)]
    assert np.allclose(*vectors, atol=1e-5)
