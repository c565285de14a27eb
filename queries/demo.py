"""The main job on a sample catalog, by the real commands, shown as a page."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.commands import console
from indexer.core.errors import CatalogError
from indexer.jobs import sample as shop

DOUBTFUL_BELOW = 0.5
"""Score under which the page marks an item: as likely wrong as right."""

WORDS = "a striped mug"
RunCommand = Callable[[list[str]], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One command that was run.

    Attributes:
        command: as a user would type it.
        seconds: wall time, model loading included.
        result: what it printed as JSON; None where it prints none.
    """

    command: str
    seconds: float
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All steps of the demo, and where their files lie.

    Attributes:
        embedded_before: the shards of the electronics' archive, before the new label.
        embedded_after: the same after it.
    """

    folder: Path
    ingest: Step
    labels: Step
    categorize: Step
    by_words: Step
    by_picture: Step
    picture: str
    shelf_ingest: Step
    shelf_labels: Step
    before: Step
    embedded_before: set[Path]
    new_label: Step
    after: Step
    embedded_after: set[Path]
    seconds: float

    @property
    def dead_letters(self) -> Path:
        """The items that could not be used."""
        return self.folder / "data" / "catalogs" / "shop" / "dead_letters.jsonl"

    def table(self, name: str) -> Path:
        """A file that ``categorize`` wrote."""
        return self.folder / f"{name}.parquet"


def tell(folder: Path, run: RunCommand, *, model: str = "pocket") -> Story:
    """Run every step in a new folder.

    Args:
        folder: must not exist, or be empty.
        run: runs zeroshelf with these words.
    """
    started = time.monotonic()
    steps = _Steps(folder, run, model)
    goods = folder / "shop"
    steps.run("sample", str(goods), plain=True)
    main = ["--catalog", "shop"]
    picture = str(goods / _first_of("sneaker", goods))
    shelf = ["--catalog", "electronics"]
    archive = folder / "data" / "catalogs" / "electronics" / "archive"

    def shards() -> set[Path]:
        return set(archive.iterdir())

    story = Story(
        folder=folder,
        ingest=steps.run("ingest", str(goods / shop.PRODUCTS), *main),
        labels=steps.run("labels", "add", str(goods / shop.TAXONOMY), *main),
        categorize=steps.run(
            "categorize", "--to", str(folder / "categories.parquet"), "--write-back", *main
        ),
        by_words=steps.run("search", WORDS, "--limit", "12", *main),
        by_picture=steps.run("search", "--image", picture, "--limit", "12", *main),
        picture=picture,
        shelf_ingest=steps.run("ingest", str(goods / shop.ELECTRONICS), *shelf),
        shelf_labels=steps.run("labels", "add", str(goods / shop.ELECTRONICS_LABELS), *shelf),
        before=steps.run("categorize", "--to", str(folder / "before.parquet"), *shelf),
        embedded_before=shards(),
        new_label=steps.run("labels", "add", str(goods / shop.NEW_LABEL), *shelf),
        after=steps.run("categorize", "--to", str(folder / "after.parquet"), *shelf),
        embedded_after=shards(),
        seconds=time.monotonic() - started,
    )
    if story.embedded_after != story.embedded_before:
        raise CatalogError("a new label made pictures be embedded again: please report this.")
    return story


def _first_of(name: str, goods: Path) -> str:
    """The picture of the first product of a type."""
    with (goods / shop.PRODUCTS).open(encoding="utf-8", newline="") as stream:
        return next(row["image"] for row in csv.DictReader(stream) if row["truth"] == name)


class _Steps:
    """Runs commands in this process, so that libraries are imported once."""

    def __init__(self, folder: Path, run: RunCommand, model: str) -> None:
        self._run = run
        self._common = ["--data-dir", str(folder / "data"), "--model", model]
        self._number = 0

    def run(self, *words: str, plain: bool = False) -> Step:
        """Run one command and time it; ``plain`` ones have no options in common."""
        self._number += 1
        arguments = list(words) if plain else [*words, *self._common]
        shown = f"zeroshelf {_quoted(arguments)}"
        console.people.print(f"[bold cyan]{self._number:>2}[/] [dim]$[/] ", end="")
        console.say(shown)
        printed = io.StringIO()
        started = time.monotonic()
        with contextlib.redirect_stdout(printed):
            self._run(arguments if plain else [*arguments, "--output", "json"])
        seconds = time.monotonic() - started
        text = printed.getvalue()
        return Step(shown, seconds, json.loads(text) if text.strip() else None)


def _quoted(words: Sequence[str]) -> str:
    return " ".join(f'"{word}"' if " " in word else word for word in words)
