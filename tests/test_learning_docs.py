"""The commands of docs/learning.md run in the page's order, on a shop with labelled products."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest
from shell import Shell

from indexer.jobs.sample import write_shop

PAGE = (Path(__file__).parent.parent / "docs" / "learning.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^zeroshelf (.*)$", PAGE, re.MULTILINE)
NO_LABEL = ("mug", "teapot", "bowl", "jug", "vase")
"""Product types whose labels are taken out: their products are of no label."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A catalog of the sample shop, and the files that the page's commands read.

    A third of the items is taught, a third calibrates, and a third is in no file.
    """
    folder = tmp_path_factory.mktemp("learning")
    write_shop(folder)
    with (folder / "products.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["truth"]]
    unlabelled = [row | {"truth": "none"} for row in rows if row["truth"] in NO_LABEL]
    labelled = [row for row in rows if row["truth"] not in NO_LABEL][::3]
    write(folder / "products.csv", [*labelled, *unlabelled])
    examples = [{"item_id": row["id"], "label_id": row["truth"]} for row in labelled]
    of_no_label = [{"item_id": row["id"], "label_id": row["truth"]} for row in unlabelled]
    write(folder / "taught.csv", examples[::3])
    write(folder / "labelled.csv", examples[1::3])
    write(folder / "with_unknown.csv", [*examples[1::3], *of_no_label[1::3]])
    run = Shell(folder, in_process=True, model="pocket")
    run("ingest", "products.csv")
    run("labels", "add", "taxonomy.yaml")
    run("labels", "remove", *NO_LABEL)
    return run


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_the_commands_of_the_page_run_in_its_order(shop: Shell) -> None:
    """Each succeeds after those above it; all that was given has its part in the evaluation."""
    assert len(STEPS) > 6
    for step in STEPS:
        shop(*shlex.split(step))
    found = shop.json("evaluate", "--truth", "truth", "--unknown", "none", "--coverage", "0.95")
    assert (found["taught"], found["calibrating"], found["unknowns"]) == (69, 82, 27)
    named = ("set_coverage", "mean_set_size", "known_called_unknown", "unknown_called_known")
    assert all(f"`{name}`" in PAGE and name in found["measures"] for name in named)
