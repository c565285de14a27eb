"""What commands print: clean for machines, unspoilt by what items are called."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from indexer.commands import console

HOSTILE = "[bold]x[/] 'a\" \n \N{GRINNING FACE} ,;"
ROWS = [
    {"id": HOSTILE, "score": 0.123456, "path": ["a", "b"], "metadata": {"price": 1.5}},
    {"id": "b", "score": 1.0, "path": [], "metadata": {}},
]


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_json_gives_back_what_was_printed(capsys: pytest.CaptureFixture[str], output: str) -> None:
    """Whole, and nothing else on stdout."""
    console.show_rows(ROWS, output)
    text = capsys.readouterr().out
    found = json.loads(text) if output == "json" else list(map(json.loads, text.splitlines()))
    assert found == ROWS


def test_csv_gives_back_what_was_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """One line of names, then the rows."""
    console.show_rows(ROWS, "csv")
    first, second = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert (first["id"], second["id"]) == (HOSTILE, "b")
    assert float(first["score"]) == 0.123456


@pytest.mark.parametrize("output", ["json", "jsonl", "csv", "table"])
def test_no_rows_are_no_error(capsys: pytest.CaptureFixture[str], output: str) -> None:
    """An empty result is printed as one."""
    console.show_rows([], output, title="nothing")
    text = capsys.readouterr().out
    assert json.loads(text) == [] if output == "json" else True


def test_a_table_shows_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like markup is shown, not obeyed."""
    console.show_rows(ROWS, "table", title="rows")
    assert "[bold]x[/]" in capsys.readouterr().out


def test_a_message_shows_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, in one piece."""
    console.fail(f"item {HOSTILE!r}: broken")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "[bold]x[/]" in captured.err


def test_a_bar_that_was_never_moved_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that fails before its work prints its error only."""
    with console.watched("Working"):
        pass
    assert capsys.readouterr().err == ""


def test_a_bar_tells_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr; without a terminal once, at its end."""
    with console.watched("Waiting") as watch:
        watch.begin("Working", 4)
        for _ in range(4):
            watch.advance(1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Working" in captured.err
    assert "4/4" in captured.err


def test_a_rate_counts_from_the_begin_of_its_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that arrives at once gives no rate of its own; the time is the whole job's."""
    now = [100.0]
    bars: list[console.Progress] = []

    class Timed(console.Progress):
        def __init__(self, *columns: Any, **options: Any) -> None:
            super().__init__(*columns, **options, get_time=lambda: now[0])
            bars.append(self)

    monkeypatch.setattr(console, "Progress", Timed)
    with console.watched("Ingesting") as watch:
        watch.begin("Ingesting", 64)
        now[0] += 16
        for _ in range(32):
            watch.advance(1)
        (task,) = bars[0].tasks
        assert console.RateColumn().render(task).plain == "2/s"
        assert console.TimeColumn().render(task).plain == "0:00:16 left"
        watch.advance(32)
        watch.begin("Storing", 64)
        assert console.TimeColumn().render(task).plain == "0:00:16 so far"
        now[0] += 1
        watch.advance(64)
        assert console.RateColumn().render(task).plain == "64/s"
        assert console.TimeColumn().render(task).plain == "in 0:00:17"
