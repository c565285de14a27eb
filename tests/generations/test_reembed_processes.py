"""Changing the model with other processes about: kills, and readers on a real server."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from two_models import HOW, NEW, OLD, Faked, draw, environment, found_by, picture
from warm import WarmProcess

from indexer.catalog.opening import open_catalog
from indexer.jobs.copying import copy
from indexer.jobs.ingest import ingest
from indexer.jobs.labels import add_labels
from indexer.jobs.rebuild import compare
from indexer.jobs.reembed import reembed
from indexer.jobs.rollback import rollback

PROGRAM = Path(__file__).parents[1] / "two_models.py"
KILLS = 8


def shop(folder: Path, count: int, **given: Any) -> Faked:
    """A catalog of pictures with labels, by the old model."""
    options = Faked(data_dir=folder / "data", model=OLD, **given)
    ingest(options, [str(draw(folder / "shop", range(count)))], HOW.ingest)
    (folder / "labels.txt").write_text("mug\nboot\njacket\nlamp")
    add_labels(options, str(folder / "labels.txt"))
    return replace(options, model=None)


@pytest.mark.slow
def test_killed_at_any_moment_a_change_is_finished_by_the_same_command(tmp_path: Path) -> None:
    """Nothing in a finished shard is embedded again; nothing is lost; one generation is left."""
    items = 300
    options = shop(tmp_path, items)
    told = tmp_path / "told.txt"
    told.touch()
    archive = options.folder.root / "generations" / "002" / "archive"
    chance = random.Random(3)
    for attempt in range(KILLS + 1):
        finished = {
            one.removeprefix("i")
            for file in archive.glob("items-*.parquet")
            for one in pq.read_table(file)["item_id"].to_pylist()
        }
        lines = len(told.read_text().split())
        steps = chance.choice([0, 1, 2, 4, 6])
        most = "inf" if attempt == KILLS else steps + 1  # it is never done before its end
        process = WarmProcess(
            [PROGRAM, "reembed", tmp_path, 0.12, most],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if attempt < KILLS:
            while process.poll() is None:
                if len(told.read_text().split()) - lines >= steps * 8:
                    break
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.5 if steps else 3))
            assert process.poll() is None, process.communicate()
            process.kill()
        out, errors = process.communicate(timeout=300)
        assert not finished & set(told.read_text().split()[lines:]), "embedded again"
    assert process.returncode == 0, errors
    assert out.split() == [str(items), "0"]
    assert found_by(options, [3])[0] == NEW
    assert options.folder.orphans() == []
    with open_catalog(options) as catalog:
        assert not catalog.database.has_catalog("catalog", 1)
    assert compare(options).equal


@pytest.mark.server
def test_a_reader_in_another_process_sees_no_error_and_never_a_mix(
    tmp_path: Path, server_uri: str
) -> None:
    """Searches without a pause, through a change, a rollback, and the change again."""
    options = shop(tmp_path, 200, db=server_uri)
    before = found_by(options, [3, 5, 8])
    reader = subprocess.Popen(
        [sys.executable, str(PROGRAM), "read", str(tmp_path), server_uri],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = [reader.stdout.readline()] if reader.stdout else []
        reembed(replace(options, model=NEW), replace(HOW, keep_old=True))
        after = found_by(options, [3, 5, 8])
        time.sleep(2)
        rollback(options)
        time.sleep(2)
        rollback(options)
        reembed(replace(options, model="third"), HOW)
        last = found_by(options, [3, 5, 8])
        time.sleep(2)
    finally:
        (tmp_path / "stop").touch()
        out, errors = reader.communicate(timeout=120)
    assert reader.returncode == 0, errors
    answers = [json.loads(line) for line in [*lines, *out.splitlines()]]
    known = [json.loads(json.dumps(one)) for one in (before, after, last)]
    assert all(answer in known for answer in answers)
    seen = [answer[0] for answer in answers]
    turns = [one for one, other in zip(seen, [None, *seen], strict=False) if one != other]
    assert turns == [OLD, NEW, OLD, NEW, "third"]
    assert len(answers) > 20
    with open_catalog(options) as catalog:
        assert [n for n in (1, 2, 3) if catalog.database.has_catalog("catalog", n)] == [3]
        assert catalog.database.fingerprint("catalog").model == "third"  # by the alias
    assert compare(options).equal


@pytest.mark.server
def test_a_reembedded_catalog_is_copied_and_recovered(tmp_path: Path, server_uri: str) -> None:
    """Its generation goes with it: to a server, and into a new folder from the server alone."""
    options = shop(tmp_path, 20)
    reembed(replace(options, model=NEW), HOW)
    there = replace(options, catalog="catalog", db=server_uri)
    with open_catalog(options) as catalog:
        name, number = catalog.folder.name, catalog.folder.number
    assert copy(options, to_db=server_uri).items == 20
    assert found_by(there, [3]) == found_by(options, [3])
    elsewhere = replace(there, data_dir=tmp_path / "elsewhere")
    assert copy(elsewhere, to_db=str(tmp_path / "back.db")).recovered == 20
    assert (name, number) == ("catalog", elsewhere.folder.number)
    with open_catalog(replace(elsewhere, db=str(tmp_path / "back.db"))) as catalog:
        hits = catalog.items.search(catalog.encoder.embed_pictures([picture(3)]), limit=1)
    assert hits[0][0].fields["item_id"] == "i3"
