"""The file of what people said, also after a crash in the middle of a line."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from indexer.catalog.corrections import Correction, CorrectionFile, ReplacedDecision, Verdict
from indexer.core.errors import CatalogError


def said(item_id: str) -> Correction:
    """That an item is a mug."""
    return Correction(
        item_id=item_id,
        verdict=Verdict.CORRECTED,
        label_id="mug",
        before="",
        who="Zoë",
        time="2026-01-02T03:04:05+00:00",
    )


@pytest.mark.parametrize(
    "torn", ['{"item_id": "b", "verd', '{"item_id": "Zo\u00eb'.encode()[:-1], b'{"item_id": "b"}']
)
def test_half_a_line_is_left_out_and_nothing_is_appended_to_it(
    tmp_path: Path, torn: str | bytes
) -> None:
    """Cut anywhere, also within a character; it was never acknowledged."""
    CorrectionFile(tmp_path).add(said("a"))
    with (tmp_path / "corrections.jsonl").open("ab") as stream:
        stream.write(torn if isinstance(torn, bytes) else torn.encode())
    assert set(CorrectionFile(tmp_path).all()) == {"a"}
    CorrectionFile(tmp_path).add(said("c"))
    assert CorrectionFile(tmp_path).all() == {"a": said("a"), "c": said("c")}


def test_a_last_line_without_its_end_counts(tmp_path: Path) -> None:
    """An editor may have left it so."""
    path = tmp_path / "corrections.jsonl"
    path.write_text(json.dumps(asdict(said("a"))))
    assert set(CorrectionFile(tmp_path).all()) == {"a"}
    CorrectionFile(tmp_path).add(said("\udcff"))
    assert set(CorrectionFile(tmp_path).all()) == {"a", "\udcff"}


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    """With what to do about it."""
    path = tmp_path / "corrections.jsonl"
    path.write_text("nonsense\n")
    CorrectionFile(tmp_path).add(said("a"))
    with pytest.raises(CatalogError, match="line 1 of"):
        CorrectionFile(tmp_path).all()


def test_what_is_taken_back_counts_no_more_and_what_was_before_is_told(tmp_path: Path) -> None:
    """Of two judgements the first counts again; after the last one the item counts no more."""
    file = CorrectionFile(tmp_path)
    predicted = ReplacedDecision(label_id="pan", label="Pan", score=0.25, status="review")
    first = replace(said("a"), replaced=predicted)
    second = replace(said("a"), label_id="pot", time="later", replaced=predicted)
    back = replace(said("a"), verdict=Verdict.WITHDRAWN)
    for line in (said("b"), first, second):
        file.add(line)
    file.add(back)
    assert file.all() == {"a": first, "b": said("b")}
    assert file.withdrawn() == {}
    file.add(back)
    assert file.all() == {"b": said("b")}
    assert CorrectionFile(tmp_path).withdrawn() == {"a": predicted}
    assert file.history("a") == [first, second, back, back]
    file.add(back)  # nothing is left to take back
    file.add(second)
    assert (file.all()["a"], file.withdrawn()) == (second, {})
