"""Prompts with their vectors: kept beside the labels, and scored by the best one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import WIDTH, FakeEncoder, vector_of

from indexer.core.errors import CatalogError, UsageError
from indexer.core.records import FloatArray, Label
from indexer.labels.files import LabelFolder
from indexer.labels.head import best_prompt, plain
from indexer.labels.prompt_sets import PromptSet, no_prompts
from indexer.labels.sets import LabelSet, embed, empty
from queries.deciding.scorer import Scorer
from queries.scoring.ranking import rank, rank_candidates

MUG = Label(label_id="m", name="mug", path=("mug",), synonyms=("cup", "beaker"))
HAT = Label(label_id="h", name="hat", path=("hat",))
TEMPLATES = ("a {}", "the {}")


def embedded(
    labels: Sequence[Label], prompts: PromptSet | None = None, *, synonyms: bool = False
) -> tuple[LabelSet, PromptSet]:
    """A label set by the fake model, with its prompts."""
    found, own, _ = embed(
        empty(WIDTH),
        labels,
        templates=TEMPLATES,
        embed_texts=FakeEncoder().embed_texts,
        prompts=prompts,
        synonyms=synonyms,
    )
    return found, own


def by_hand() -> tuple[LabelSet, PromptSet]:
    """Two labels in the plane: one with prompts at 0 and 90 degrees, one with a given vector."""
    diagonal = np.float32(np.sqrt(0.5))
    labels = LabelSet(
        labels=(MUG, HAT),
        definitions=("1", "2"),
        vectors=np.array([[diagonal, diagonal], [0.8, 0.6]], dtype=np.float32),
    )
    prompts = PromptSet(("m", "m"), ("a mug", "the mug"), np.eye(2, dtype=np.float16))
    return labels, prompts


def test_each_label_keeps_its_prompts_in_the_order_of_the_templates() -> None:
    """Their vectors are what the model gives, in half precision."""
    _, own = embedded([MUG, HAT])
    assert own.texts_of("m") == ("a mug", "the mug")
    assert own.label_ids == ("m", "m", "h", "h")
    np.testing.assert_allclose(own.vectors_of("h")[1], vector_of(b"the hat"), atol=1e-3)


def test_synonyms_are_more_prompts_where_they_are_asked_for() -> None:
    """Two synonyms by two templates are four more; the default has none."""
    assert len(embedded([MUG])[1]) == 2
    _, own = embedded([MUG], synonyms=True)
    assert own.texts_of("m")[2:] == ("a cup", "the cup", "a beaker", "the beaker")


def test_a_label_set_knows_whether_synonyms_are_among_its_prompts() -> None:
    """So that labels that come later are described alike."""
    assert embedded([HAT, MUG], synonyms=True)[0].with_synonyms
    assert not embedded([HAT, MUG])[0].with_synonyms
    assert not embedded([HAT], synonyms=True)[0].with_synonyms


def test_prompts_that_are_kept_are_not_embedded_again() -> None:
    """Only the new label's texts go to the model, and all prompts are in the new set."""
    before, own = embedded([MUG])
    encoder = FakeEncoder()
    _, after, changes = embed(
        before, [HAT, MUG], templates=TEMPLATES, embed_texts=encoder.embed_texts, prompts=own
    )
    assert (changes.embedded_texts, encoder.embedded) == (2, 2)
    assert after.label_ids == ("h", "h", "m", "m")
    np.testing.assert_array_equal(after.vectors_of("m"), own.vectors_of("m"))


def test_lost_prompts_are_embedded_and_the_label_keeps_its_vector() -> None:
    """A label file without its prompts is made whole; figures stay as they were."""
    before, own = embedded([MUG])
    after, again, changes = embed(
        before, [MUG], templates=TEMPLATES, embed_texts=FakeEncoder().embed_texts
    )
    assert (changes.embedded_texts, changes.unchanged) == (2, 1)
    assert after.version == before.version
    assert again.version == own.version


def test_prompts_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    """With the label set of the same version; two versions are kept."""
    folder = LabelFolder(tmp_path)
    for labels in ([MUG], [HAT], [MUG, HAT]):
        found, own = embedded(labels)
        folder.save(found, own)
    assert folder.prompts(WIDTH).version == own.version
    assert len(list(tmp_path.glob("prompts-*.parquet"))) == 2
    assert LabelFolder(tmp_path / "new").prompts(WIDTH).version == no_prompts(WIDTH).version


def test_a_label_set_without_prompts_has_none(tmp_path: Path) -> None:
    """Those of the version before are not taken for its own."""
    folder = LabelFolder(tmp_path)
    folder.save(*embedded([MUG]))
    folder.save(embedded([HAT])[0])
    assert len(folder.prompts(WIDTH)) == 0


def test_a_damaged_prompt_file_is_told(tmp_path: Path) -> None:
    """By its name, with the remedy."""
    folder = LabelFolder(tmp_path)
    folder.save(*embedded([MUG]))
    (file,) = tmp_path.glob("prompts-*.parquet")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(CatalogError, match=r"prompts-00000001.*--replace"):
        folder.prompts(WIDTH)


def test_the_best_prompt_decides() -> None:
    """At 0 degrees the mean of the mug's prompts loses to the hat (.707, .8); its best is 1."""
    labels, prompts = by_hand()
    query = np.array([[1, 0]], dtype=np.float32)
    assert rank(query, plain(labels, 1.0), limit=2).labels.tolist() == [[1, 0]]
    found = rank(query, best_prompt(labels, prompts, 1.0), limit=2)
    assert found.labels.tolist() == [[0, 1]]
    np.testing.assert_allclose(found.products, [[1.0, 0.8]], atol=1e-7)
    odds = np.exp([1.0, 0.8])
    np.testing.assert_allclose(found.scores, [odds / odds.sum()], rtol=1e-6)


def test_one_prompt_a_label_gives_what_the_mean_gives() -> None:
    """The best of one is that one."""
    labels, prompts = by_hand()
    single = PromptSet(("m",), ("mug",), labels.vectors[:1].astype(np.float16))
    queries = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    mean = rank(queries, plain(labels, 5.0), limit=2)
    best = rank(queries, best_prompt(labels, single, 5.0), limit=2)
    np.testing.assert_array_equal(best.labels, mean.labels)
    np.testing.assert_allclose(best.scores, mean.scores, atol=1e-3)
    assert best_prompt(labels, single, 5.0).version != best_prompt(labels, prompts, 5.0).version


def test_bulk_candidates_and_scorer_agree_on_the_best_prompt() -> None:
    """Every way to the scores takes the maximum over a label's prompts."""
    found, own = embedded([MUG, HAT], synonyms=True)
    head = best_prompt(found, own, 7.0)
    queries: FloatArray = np.stack([vector_of(bytes([one])) for one in range(20)])
    expected = np.column_stack(
        [(queries @ own.vectors_of(one).T).max(axis=1) for one in ("m", "h")]
    )
    bulk = rank(queries, head, limit=2)
    some = rank_candidates(queries, head, np.tile([0, 1], (20, 1)), limit=2)
    np.testing.assert_allclose(np.sort(expected)[:, ::-1], bulk.products, atol=1e-6)
    np.testing.assert_array_equal(some.labels, bulk.labels)
    scores = Scorer(head=head, unit=1.0, temperature=1.0).scores(queries)
    np.testing.assert_allclose(scores, 7.0 * expected, atol=1e-5)


def test_labels_without_any_prompt_can_not_be_scored_by_the_best() -> None:
    """The message says why and what to do."""
    with pytest.raises(UsageError, match="--prompt-pooling max needs the prompts"):
        best_prompt(by_hand()[0], no_prompts(2), 1.0)
