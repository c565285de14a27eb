"""Changing the model of a catalog: complete, checked, accounted for, and reversible."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogs import make_catalog
from PIL import Image
from shell import write_vectors
from two_models import HOW, NEW, OLD, Faked, Model, draw, found_by, picture

from indexer.catalog.folder import CatalogFolder
from indexer.catalog.opening import open_catalog, open_generation
from indexer.core.errors import CatalogError, UsageError
from indexer.core.layout import Layout, VectorType
from indexer.core.protocols import Hit
from indexer.core.records import Fingerprint, FloatArray
from indexer.core.watch import Watch
from indexer.jobs import reembed as job
from indexer.jobs.acceptance import recall_of_sample
from indexer.jobs.background import save_background
from indexer.jobs.ingest import ingest
from indexer.jobs.labels import add_labels
from indexer.jobs.rebuild import compare, rebuild
from indexer.jobs.reembed import reembed
from indexer.jobs.removal import remove_items
from indexer.jobs.retry import retry
from indexer.jobs.rollback import forget, rollback
from indexer.labels.examples import LabelledFolder, LabelledItems
from indexer.store import Database
from queries.categorizing.categorize import categorize

ITEMS = 40
LABELS = ["mug", "boot", "jacket", "lamp"]


@pytest.fixture
def options(tmp_path: Path) -> Faked:
    """A catalog of pictures with labels, by the old model."""
    return _shop(tmp_path)


def _shop(folder: Path, count: int = ITEMS, **given: Any) -> Faked:
    options = Faked(data_dir=folder / "data", model=OLD, **given)
    ingest(options, [str(draw(folder / "shop", range(count)))], HOW.ingest)
    (folder / "labels.txt").write_text("\n".join(LABELS))
    add_labels(options, str(folder / "labels.txt"))
    return replace(options, model=None)


def _to(options: Faked, model: str = NEW) -> Faked:
    return replace(options, model=model)


def test_everything_is_of_the_new_model(options: Faked) -> None:
    """Items, titles, labels and statistics; the database equals the archive; the old is gone."""
    before = found_by(options, [3])
    report = reembed(_to(options), HOW)
    after = found_by(options, [3])
    assert (before[0], after[0]) == (OLD, NEW)
    assert before[1][0][:2] == after[1][0][:2] == ["i3", 1.0]
    assert (report.items, report.dead_letters, report.recall) == (ITEMS, {}, 1.0)
    assert report.agreement is not None
    assert report.agreement.items == ITEMS
    with open_catalog(options) as catalog:
        assert catalog.fingerprint.model == NEW
        assert catalog.folder.number == 2
        place = catalog.ledger.find(["i3"])["i3"]
        title, vector = catalog.archive.title(place.shard, place.row)
        assert vector is not None
        assert vector @ Model(NEW).embed_texts([title])[0] == pytest.approx(1)
        assert catalog.adaptation is not None
        assert [one.name for one in catalog.label_set.labels] == LABELS
        assert catalog.database.items(catalog.folder.name).count() == ITEMS  # by the alias
        assert not catalog.database.has_catalog("catalog", 1)
    left = {path.name for path in options.folder.root.iterdir()}
    described = {"catalog.json", "catalog.copy.json", "columns.json", "origins.sqlite"}
    locks = {"lock", "readers.lock", "reembed.lock"}
    assert left - {"downloads.sqlite"} == {"generations", *described, *locks}
    assert compare(options).equal
    assert found_by(options, [3]) == after


def test_the_old_generation_is_kept_and_gone_back_to(options: Faked) -> None:
    """Rollback and once more: each time what is found is what was found before."""
    before = found_by(options, [3, 4])
    reembed(_to(options), replace(HOW, keep_old=True))
    after = found_by(options, [3, 4])
    ingest(options, [str(draw(options.data_dir.parent / "more", [90, 91]))], HOW.ingest)
    back = rollback(options)
    assert (back.model, back.items, back.not_there) == (OLD, ITEMS, 2)
    assert found_by(options, [3, 4]) == before
    assert compare(options).equal
    assert rollback(options).items == ITEMS + 2
    assert found_by(options, [3, 4]) == after


def test_killed_between_files_and_database_a_rollback_is_finished_not_undone(
    options: Faked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command again goes on to where the killed one went."""
    before = found_by(options, [3])
    reembed(_to(options), replace(HOW, keep_old=True))

    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Database, "make_current", killed)
        with pytest.raises(SystemExit):
            rollback(options)
    assert rollback(options).model == OLD
    assert found_by(options, [3]) == before
    assert compare(options).equal


def test_a_lost_database_does_not_lose_the_kept_generation(options: Faked) -> None:
    """A rollback makes the collections anew from the archive."""
    before = found_by(options, [3])
    reembed(_to(options), replace(HOW, keep_old=True))
    with open_generation(options, 1) as old:
        old.database.drop_generation("catalog", 1)
    rollback(options)
    assert found_by(options, [3]) == before
    assert compare(options).equal


def test_the_kept_generation_survives_a_rebuild_until_it_is_forgotten(options: Faked) -> None:
    """A rebuild is of the current generation; --forget drops the other with its files."""
    reembed(_to(options), replace(HOW, keep_old=True))
    rebuild(options)
    with open_catalog(options) as catalog:
        assert catalog.database.has_catalog("catalog", 1)
    assert forget(options) == []
    with open_catalog(options) as catalog:
        assert not catalog.database.has_catalog("catalog", 1)
    assert not (options.folder.root / "archive").exists()
    with pytest.raises(CatalogError, match="no generation to go back to"):
        rollback(options)


def test_what_is_gone_or_changed_is_a_dead_letter(options: Faked, tmp_path: Path) -> None:
    """Counted by reason, told with the source, and mended by retry."""
    (tmp_path / "shop" / "7.png").unlink()
    Image.fromarray(picture(200)).save(tmp_path / "shop" / "8.png")
    report = reembed(_to(options), replace(HOW, max_dead=0.1))
    assert report.dead_letters == {"missing": 1, "changed": 1}
    assert report.items == ITEMS - 2
    with open_catalog(options) as catalog:
        letters = {letter.item.item_id: letter for letter in catalog.dead_letters.all()}
    assert letters["i8"].item.metadata == {"price": 8, "shop": "shop 2"}
    assert "not what it was" in letters["i8"].message
    Image.fromarray(picture(7)).save(tmp_path / "shop" / "7.png")
    again, _ = retry(options, HOW.ingest)
    assert (again.stored, again.dead) == (2, 0)
    assert found_by(options, [7, 200])[1][1][0] == "i8"


def test_a_lost_database_is_no_hindrance(options: Faked) -> None:
    """All that is embedded anew comes from the archive and the sources."""
    with open_catalog(options) as catalog:
        catalog.database.drop_generation("catalog", 1)
    assert reembed(_to(options), HOW).items == ITEMS
    assert compare(options).equal


def test_another_database_takes_the_new_generation(options: Faked, tmp_path: Path) -> None:
    """A model and a database may be changed in one step."""
    moved = replace(options, db=str(tmp_path / "other.db"))
    assert reembed(_to(moved), HOW).items == ITEMS
    assert compare(moved).equal


def test_what_was_begun_follows_the_layout_there_is(
    options: Faked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebuild in between changes how items lie; the same command goes on, and so do they."""

    def failing(*_: Any) -> Any:
        raise CatalogError("not now")

    with monkeypatch.context() as patch:
        patch.setattr(job, "_carry_labels", failing)
        with pytest.raises(CatalogError, match="not now"):
            reembed(_to(options), HOW)
    rebuild(options, layout=Layout.of_options(None, ["price:number"]))
    with open_generation(options, 2) as catalog:
        begun = catalog.database.collection_id("catalog", 2)
    real = Database.layout

    def halved(database: Database, name: str, generation: int | None = None) -> Layout:
        """As if what was begun held float16, which Milvus Lite has not."""
        found, one = real(database, name, generation), database.collection_id(name, generation)
        return replace(found, vector_type=VectorType.FLOAT16) if one == begun else found

    monkeypatch.setattr(Database, "layout", halved)
    assert reembed(_to(options), HOW).items == ITEMS
    with open_catalog(options) as catalog:
        found = catalog.database.layout("catalog", 2)
    assert list(map(str, found.indexed)) == ["price (number)"]
    assert compare(options).equal


def test_rounded_vectors_are_no_missing_items(
    options: Faked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """float16 moves similarities, of copies all alike; a whole index passes, another does not."""
    with open_catalog(options) as catalog:
        copies = np.repeat(catalog.archive.vectors(1)[:3], 20, axis=0)
    given = make_catalog(options.data_dir.parent / "given", copies, copies[:3])
    with open_catalog(given) as catalog:
        name, number = catalog.folder.name, catalog.folder.number
        found = replace(catalog.database.layout(name, number), vector_type=VectorType.FLOAT16)
        monkeypatch.setattr(catalog.database, "layout", lambda *_: found)
        monkeypatch.setattr(catalog.items, "search", partial(rounded_search, copies))
        assert recall_of_sample(catalog) == 1.0
        monkeypatch.setattr(catalog.items, "search", partial(rounded_search, copies[:25]))
        with pytest.raises(CatalogError, match="its index is not whole"):
            recall_of_sample(catalog)


def rounded_search(stored: FloatArray, queries: FloatArray, *, limit: int) -> list[list[Hit]]:
    """Searches as a server does it that stores float16: (n, limit), best first."""
    similarities = queries.astype(np.float16).astype(np.float32) @ stored.astype(np.float16).T
    best = -np.sort(-similarities, axis=1)[:, :limit]
    return [[Hit(similarity=float(one), fields={}) for one in row] for row in best]


def test_too_many_dead_letters_change_nothing(options: Faked, tmp_path: Path) -> None:
    """A disk that is not mounted must not empty the catalog; the same call goes on after."""
    before = found_by(options, [3])
    (tmp_path / "shop").rename(tmp_path / "away")
    with pytest.raises(CatalogError, match=r"40 of 40 rows.*Nothing was swapped.*--max-dead"):
        reembed(_to(options), HOW)
    assert found_by(options, [3]) == before
    (tmp_path / "away").rename(tmp_path / "shop")
    assert reembed(_to(options), HOW).dead_letters == {}
    with open_catalog(options) as catalog:
        assert len(catalog.dead_letters) == 0


def test_earlier_dead_letters_stay(options: Faked, tmp_path: Path) -> None:
    """They were no items; retry can still mend them by the new model."""
    (tmp_path / "shop" / "bad.png").write_text("no picture")
    ingest(options, [str(tmp_path / "shop" / "bad.png")], HOW.ingest)
    report = reembed(_to(options), HOW)
    assert report.dead_letters == {}
    with open_catalog(options) as catalog:
        (letter,) = catalog.dead_letters.all()
        assert letter.item.item_id == "bad.png"
        assert letter.attempts == 1


def test_items_of_given_vectors_are_refused_before_anything(tmp_path: Path) -> None:
    """There is nothing to embed them from."""
    items = write_vectors(tmp_path / "v.npy", 12)
    given = make_catalog(tmp_path / "data", items, items[:3])
    options = Faked(data_dir=given.data_dir, model=NEW)
    with pytest.raises(UsageError, match=r"12 of the 12 items.*Nothing was begun"):
        reembed(options, HOW)
    assert options.folder.generations().filling is None


def test_a_model_of_texts_is_refused_for_pictures(options: Faked) -> None:
    """Before anything is begun."""

    class Texts(Model):
        sees_pictures = False

    with pytest.raises(UsageError, match="embeds texts only"):
        reembed(replace(_to(options), models=Texts), HOW)


def test_a_model_must_be_named_and_the_same_changes_nothing(options: Faked) -> None:
    """No default: it would be a model that nobody asked for."""
    with pytest.raises(UsageError, match="--model"):
        reembed(options, HOW)
    assert reembed(_to(options, OLD), HOW).unchanged
    assert options.folder.generations().current == 1


def test_an_interrupted_change_goes_on(tmp_path: Path) -> None:
    """What was embedded is kept; another model in between is refused."""
    items = 120
    options = _shop(tmp_path, items)
    stop = threading.Event()
    settled: list[int] = []

    def stop_soon(count: int) -> None:
        settled.append(count)
        if sum(settled) >= 16:
            stop.set()

    watch = Watch(advance=stop_soon, stop=stop)
    first = reembed(_to(options), HOW, watch)
    assert first.interrupted
    assert 0 < first.items < items
    assert found_by(options, [3])[0] == OLD
    with pytest.raises(CatalogError, match=r"to model 'new' was begun.*rollback --forget"):
        reembed(_to(options, "third"), HOW)
    told = tmp_path / "told.txt"

    def telling(name: str) -> Model:
        return Model(name, told=told)

    assert reembed(replace(_to(options), models=telling), HOW).items == items
    assert len(told.read_text().split()) == items - first.items
    assert compare(options).equal


def test_what_comes_meanwhile_is_caught_up_with(options: Faked, tmp_path: Path) -> None:
    """Items that came, changed and went; labels; what a categorization decided."""
    done = threading.Event()

    def meanwhile(_: object) -> None:
        if done.is_set():
            return
        done.set()
        prices = {3: 999}
        ingest(options, [str(draw(tmp_path / "shop", range(45), prices=prices))], HOW.ingest)
        remove_items(options, ["i5"])
        (tmp_path / "labels.txt").write_text("\n".join([*LABELS, "carpet"]))
        add_labels(options, str(tmp_path / "labels.txt"), replace=True)
        with open_catalog(options, write=True) as catalog:
            categorize(catalog, tmp_path / "out.csv", write_back=True)

    report = reembed(_to(options), HOW, Watch(advance=meanwhile))
    assert done.is_set()
    assert (report.items, report.dead_letters) == (44, {})
    with open_catalog(options) as catalog:
        stored = catalog.items.fetch(["i3", "i5", "i44"])
        assert stored["i3"]["metadata"]["price"] == 999
        assert set(stored) == {"i3", "i44"}
        assert stored["i3"]["label_id"]
        assert [one.name for one in catalog.label_set.labels] == [*LABELS, "carpet"]
    assert compare(options).equal


def test_filters_by_label_and_what_was_taught_go_on(options: Faked, tmp_path: Path) -> None:
    """Decisions, examples and the background vocabulary come along, by the new model."""
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, tmp_path / "out.csv", write_back=True)
        label = catalog.items.fetch(["i3"])["i3"]["label_id"]
        taught = LabelledItems(("i3", "i999"), ("mug", "mug"), catalog.archive.vectors(1)[:2])
        LabelledFolder(catalog.folder.labels).save_items("taught", taught)
    save_background(options)
    reembed(_to(options), HOW)
    with open_catalog(options) as catalog:
        assert catalog.items.fetch(["i3"])["i3"]["label_id"] == label
        folder = LabelledFolder(catalog.folder.labels)
        kept, background = folder.items("taught"), folder.background()
    assert kept is not None
    assert background is not None
    assert kept.item_ids == ("i3",)
    assert kept.vectors[0] @ Model(NEW).embed_pictures([picture(3)])[0] == pytest.approx(1)
    assert len(background) > 100


def test_a_reader_of_the_old_generation_is_not_robbed(
    options: Faked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being read is dropped by the next command that may; the reader notices nothing."""
    monkeypatch.setattr(job, "READERS_PATIENCE_S", 0.2)
    with open_catalog(options) as reader:
        query = reader.encoder.embed_pictures([picture(3)])
        assert reader.items.search(query, limit=1)[0][0].fields["item_id"] == "i3"
        assert reembed(_to(options), HOW).left == (1,)
        hit = reader.items.search(query, limit=1)[0][0]
        assert (hit.fields["item_id"], round(hit.similarity, 3)) == ("i3", 1.0)
        assert reader.folder.number != options.folder.number
    assert forget(options) == []
    with open_catalog(options) as catalog:
        assert catalog.folder.number == options.folder.number
        assert not catalog.database.has_catalog("catalog", 1)


@pytest.mark.parametrize("step", ["write_description", "make_current", "drop_generation"])
def test_a_crash_between_the_steps_of_the_swap_is_mended(
    options: Faked, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Readers see one generation whole, before and after; the same command finishes."""
    from indexer.catalog.folder import CatalogFolder
    from indexer.store import Database

    class Killed(BaseException):
        """Nothing in the code can catch it."""

    holder = CatalogFolder if step == "write_description" else Database
    real = getattr(holder, step)

    def killed(*arguments: Any) -> Any:
        if step == "write_description" and arguments[1].current == 1:
            return real(*arguments)
        raise Killed

    before = found_by(options, [3, 4])
    with monkeypatch.context() as patch:
        patch.setattr(holder, step, killed)
        with pytest.raises(Killed):
            reembed(_to(options), HOW)
    seen = found_by(options, [3, 4])
    if step == "write_description":
        assert seen == before
    else:
        assert seen[0] == NEW
    report = reembed(_to(options), HOW)
    assert report.unchanged == (step != "write_description")
    assert found_by(options, [3, 4])[0] == NEW
    with open_catalog(options) as catalog:
        assert not catalog.database.has_catalog("catalog", 1)
        assert catalog.database.fingerprint("catalog").model == NEW  # by the alias
    assert compare(options).equal


def test_a_catalog_of_the_first_layout_is_read(options: Faked) -> None:
    """catalog.json as it was before there were generations."""
    file = options.folder.root / "catalog.json"
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({"schema": 1, "fingerprint": stored["fingerprints"]["1"]}))
    assert found_by(options, [3])[0] == OLD
    assert reembed(_to(options), HOW).items == ITEMS
    assert found_by(options, [3])[0] == NEW


def test_searches_go_on_in_the_same_process(tmp_path: Path) -> None:
    """Milvus Lite, all in one process: no error, and each answer whole, old or new."""
    options = _shop(tmp_path, 60)
    answers: list[Any] = []
    stop = threading.Event()

    def search() -> None:
        try:
            while not stop.is_set():
                answers.append(found_by(options, [3, 5]))
        except BaseException as error:  # noqa: BLE001 - told by the test below
            answers.append(error)

    def wait_for_answers(count: int) -> None:
        while len(answers) < count and reader.is_alive():
            time.sleep(0.01)

    before = found_by(options, [3, 5])
    reader = threading.Thread(target=search)
    reader.start()
    wait_for_answers(1)
    reembed(_to(options), HOW)
    wait_for_answers(len(answers) + 3)
    stop.set()
    reader.join()
    after = found_by(options, [3, 5])
    models = [one if isinstance(one, BaseException) else one[0] for one in answers]
    assert set(models) == {OLD, NEW}
    assert models == sorted(models, reverse=True)
    # Statistics of the labels come last in a new generation: labels may still be plain before.
    assert all([hit[:2] for hit in one[1]] == [hit[:2] for hit in after[1]] for one in answers)
    assert all(one == before for one in answers if one[0] == OLD)
    assert all(one == after for one in answers if one[0] == NEW)


def test_a_change_that_ends_while_a_catalog_is_opened_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old generation is leased, and the description names it no more: the new one opens."""
    options = _shop(tmp_path, 60)
    read, changes = CatalogFolder.fingerprint, [partial(reembed, _to(options), HOW)]

    def after_the_change(folder: CatalogFolder) -> Fingerprint:
        if changes and folder.generation:
            changes.pop()()
        return read(folder)

    monkeypatch.setattr(job, "READERS_PATIENCE_S", 0.1)  # this reader waits for the change itself
    monkeypatch.setattr(CatalogFolder, "fingerprint", after_the_change)
    with open_catalog(options) as catalog:
        assert (catalog.fingerprint.model, changes) == (NEW, [])
