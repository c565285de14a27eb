"""The catalogs that commands are tried on, made once and copied for each try."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from campaigns.processes import Outcome, run
from indexer.catalog.generations import Generations

PRODUCTS = 48
_GIFTS = "- name: gifts\n  children:\n  - name: gift card\n  - name: ribbon\n"
TAUGHT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """A command on a state.

    Attributes:
        state: the name of the state it starts from.
        words: of the command line.
    """

    state: str
    words: tuple[str, ...]


COMMANDS: Mapping[str, Try] = {
    "ingest": Try(state="new", words=("ingest", "products.csv", "--model", "pocket")),
    "ingest more": Try(state="whole", words=("ingest", "more.csv")),
    "labels add": Try(state="whole", words=("labels", "add", "more.yaml")),
    "labels replace": Try(state="whole", words=("labels", "add", "more.yaml", "--replace")),
    "labels remove": Try(state="whole", words=("labels", "remove", "mug")),
    "labels adapt": Try(state="whole", words=("labels", "adapt")),
    "labels teach": Try(state="whole", words=("labels", "teach", "taught.csv")),
    "labels calibrate": Try(state="whole", words=("labels", "calibrate", "--truth", "truth")),
    "labels background": Try(state="whole", words=("labels", "background", "words.txt")),
    "categorize": Try(
        state="whole", words=("categorize", "--to", "categories.parquet", "--write-back")
    ),
    "remove": Try(state="whole", words=("remove", "p0001", "p0014", "p0027")),
    "retry": Try(state="mended", words=("retry",)),
    "rebuild": Try(state="whole", words=("rebuild",)),
    "copy": Try(state="whole", words=("copy", "--to-db", "other.db")),
    "reembed": Try(
        state="whole",
        words=("reembed", "--model", "./second", "--keep-old", "--max-dead", "0.5"),
    ),
    "rollback": Try(state="reembedded", words=("rollback",)),
    "rollback --forget": Try(state="reembedded", words=("rollback", "--forget")),
}
"""The commands that change a catalog."""


class Shops:
    """States of one small shop, each a folder.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: set[str] = set()

    def copy(self, state: str, target: Path) -> Path:
        """A copy of a state, made first where it is not there yet."""
        if state not in self._made:
            getattr(self, f"_make_{state}")(self.folder / state)
            self._made.add(state)
        shutil.copytree(self.folder / state, target, symlinks=True)
        return target

    def _make_new(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        _done(run(("sample", "shop"), folder))
        rows = (folder / "shop" / "products.csv").read_text().splitlines()
        header, products = rows[0], rows[1:]
        few = products[:: max(1, len(products) // PRODUCTS)]
        for name, part in (("products", few[: PRODUCTS - 8]), ("more", few[PRODUCTS - 12 :])):
            (folder / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
        (folder / "pictures").symlink_to("shop/pictures")
        shutil.copy(folder / "shop" / "taxonomy.yaml", folder / "labels.yaml")
        text = (folder / "labels.yaml").read_text()
        (folder / "more.yaml").write_text(text + _GIFTS)
        (folder / "words.txt").write_text("a dog\na mountain\na person\na car\n")
        _write_second_model(folder / "second")

    def _make_whole(self, folder: Path) -> None:
        self.copy("new", folder)
        _done(run(("ingest", "products.csv", "--model", "pocket"), folder))
        _done(run(("labels", "add", "labels.yaml"), folder))
        _done(run(("categorize", "--to", "first.parquet", "--write-back"), folder))
        _write_truth(folder)

    def _make_mended(self, folder: Path) -> None:
        """Some pictures were broken when they came, and are not any more."""
        self.copy("new", folder)
        rows = (folder / "products.csv").read_text().splitlines()
        missing = [folder / "shop" / "pictures" / f"{row.split(',')[0]}.jpg" for row in rows[1:6]]
        for path in missing:
            path.rename(path.with_suffix(".away"))
        _done(run(("ingest", "products.csv", "--model", "pocket"), folder))
        _done(run(("labels", "add", "labels.yaml"), folder))
        for path in missing:
            path.with_suffix(".away").rename(path)

    def _make_reembedded(self, folder: Path) -> None:
        self.copy("whole", folder)
        _done(run(COMMANDS["reembed"].words, folder))


def _done(outcome: Outcome) -> None:
    if outcome.code:
        raise RuntimeError(f"a state can't be made:\n{outcome.told}")


def _write_truth(folder: Path) -> None:
    import pyarrow.parquet as pq

    decided = pq.read_table(folder / "first.parquet").slice(0, TAUGHT).to_pylist()
    lines = ["item_id,label_id", *(f"{row['item_id']},{row['label_id']}" for row in decided)]
    (folder / "taught.csv").write_text("\n".join(lines) + "\n")


def _write_second_model(folder: Path) -> None:
    """Another model of the same kind: the packaged one with its weights shaken."""
    import torch
    from safetensors.torch import load_file, save_file

    import indexer

    shutil.copytree(Path(indexer.__file__).parent / "models" / "pocket", folder)
    weights = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(1)
    for name, value in sorted(weights.items()):
        if value.is_floating_point() and value.ndim > 1:
            noise = torch.randn(value.shape, generator=generator) * value.float().std() * 0.05
            weights[name] = (value.float() + noise).to(value.dtype)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def summary(folder: Path, database: str = "") -> str:
    """All that a catalog says of itself, as text: equal catalogs have equal summaries.

    It is taken in this process, so call it in a forked one.

    Args:
        database: another than the default one.

    Raises:
        AssertionError: archive, ledger and database are not one.
    """
    from indexer.catalog.decisions import DecisionFiles
    from indexer.catalog.opening import CatalogOptions, open_catalog
    from indexer.jobs.rebuild import compare
    from indexer.jobs.status import catalog_status
    from indexer.labels.examples import LabelledFolder

    options = CatalogOptions(data_dir=folder / ".zeroshelf", db=database or None)
    difference = compare(options)
    assert difference.equal, difference
    (facts,) = catalog_status(options)
    assert facts["state"] == "complete", facts["state"]
    with open_catalog(options) as catalog:
        ids = list(catalog.ledger.item_ids())
        assert ids == sorted(set(catalog.items.item_ids())), "the database has other items"
        files = DecisionFiles(catalog.folder.decisions)
        decided = {
            decision.item_id: [decision.label_id, decision.status]
            for shard in catalog.archive.shards()
            for row, decision in enumerate(files.read(shard) or [])
            if decision is not None and row in catalog.ledger.live_rows(shard)
        }
        labelled = LabelledFolder(catalog.folder.labels)
        taught, calibrating = labelled.items("taught"), labelled.items("calibrating")
        words = labelled.background()
        return json.dumps(
            {
                "items": ids,
                "labels": [label.label_id for label in catalog.label_set.labels],
                "prompts": len(catalog.prompts),
                "model": Path(catalog.fingerprint.model).name,
                "adapted": catalog.adaptation is not None,
                "decided": decided,
                "taught": sorted(taught.item_ids) if taught else [],
                "calibrating": sorted(calibrating.item_ids) if calibrating else [],
                "background": list(words.words) if words else [],
                "dead": sorted(letter.item.item_id for letter in catalog.dead_letters.all()),
                "others": _other_generations(catalog.folder.generations()),
            },
            sort_keys=True,
            indent=1,
        )


def _other_generations(generations: Generations) -> Sequence[bool]:
    return [generations.previous is not None, generations.filling is not None]
