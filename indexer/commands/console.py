"""What commands show: rich for people on stderr, clean tables for machines on stdout."""

from __future__ import annotations

import contextlib
import csv
import json
import logging
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from types import FrameType
from typing import Any, TextIO

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
)
from rich.table import Table
from rich.text import Text

from indexer.commands.remedies import completed
from indexer.core.cells import inert
from indexer.core.credentials import without_credentials
from indexer.core.watch import Watch

Row = Mapping[str, Any]

people = Console(stderr=True, highlight=False)
"""Where everything for people goes, so that stdout stays clean."""


class RateColumn(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        """The rate in the stage; nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="cyan")


class TimeColumn(ProgressColumn):
    """The time that is left, as far as it is known; at the end the time it took."""

    def render(self, task: Task) -> Text:
        """Such as ``0:00:12 left``, ``0:00:03 so far`` or ``in 0:00:15``."""
        elapsed = timedelta(seconds=int(task.finished_time or task.elapsed or 0))
        if task.finished:
            return Text(f"in {elapsed}")
        if task.total is None or task.time_remaining is None:
            return Text(f"{elapsed} so far")
        return Text(f"{timedelta(seconds=int(task.time_remaining))} left")


class PlainHandler(logging.Handler):
    """Log records as lines that the terminal wraps, so that a command in one can be copied."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        style = "red" if record.levelno >= logging.ERROR else "yellow"
        level = record.levelname.capitalize()
        text = self.format(record)  # with the traceback where there is one
        people.print(f"[{style}]{level}:[/] {escape(text)}", soft_wrap=True)


@contextlib.contextmanager
def watched(stage: str, stop: threading.Event | None = None) -> Iterator[Watch]:
    """A bar with rate and time left, from a job's first step to the end of the block.

    Args:
        stage: its name, until the job names another.
        stop: what ends the job in order, as ``interruptible`` gives it.
    """
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        RateColumn(),
        TimeColumn(),
        console=people,
        transient=False,
        speed_estimate_period=120,  # batches come in bursts: one of them would give no rate
    )
    task = bar.add_task(stage, total=None)

    def begin(name: str, steps: int | None) -> None:
        bar.start()  # a job that fails before its first step shows no empty bar
        if steps is None:  # the bar keeps what the stage before has reached
            bar.update(task, description=name)
        else:
            started = bar.tasks[0].start_time
            bar.reset(task, description=name, total=steps)
            bar.tasks[0].start_time = started  # the time is the whole job's, the rate the stage's
            bar.advance(task, 0)  # the rate counts from here, not from the first batch's end

    def advance(steps: int) -> None:
        bar.start()
        bar.advance(task, steps)

    try:
        yield Watch(begin=begin, advance=advance, stop=stop or threading.Event())
    finally:
        if bar.live.is_started:
            bar.stop()


def show_rows(rows: Sequence[Row], output: str, *, title: str = "") -> None:
    """Print rows to stdout as a table for people, or as json, jsonl or csv for machines."""
    if output == "json":
        print_json(rows)
    elif output == "jsonl":
        for row in rows:
            text = json.dumps(_shareable(row), ensure_ascii=False, default=str)
            sys.stdout.write(text + "\n")
    elif output == "csv":
        write_csv(rows, sys.stdout)
    else:
        show_table(rows, title=title)


def print_json(value: object) -> None:
    """Print a value to stdout as indented JSON."""
    text = json.dumps(_shareable(value), ensure_ascii=False, indent=2, default=str)
    sys.stdout.write(text + "\n")


def _shareable(value: Any) -> Any:
    """A value as it may be shown: no credentials of addresses in its texts."""
    if isinstance(value, str):
        return without_credentials(value)
    if isinstance(value, Mapping):
        return {key: _shareable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_shareable, value))
    return value


_csv_is_raw = False


def write_csv_raw(raw: bool) -> None:
    """Say once, for this process, whether CSV has texts as they are, for machines."""
    global _csv_is_raw
    _csv_is_raw = raw


def csv_is_raw() -> bool:
    """Whether CSV has texts as they are, also those that a spreadsheet would compute."""
    return _csv_is_raw


def write_csv(rows: Sequence[Row], stream: TextIO) -> None:
    """Write rows with a header; nested values as JSON."""
    if not rows:
        return
    cell = str if _csv_is_raw else inert
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
    writer.writeheader()
    for row in map(_shareable, rows):
        writer.writerow(
            {
                name: json.dumps(value, ensure_ascii=False)
                if isinstance(value, list | dict)
                else cell(value)
                if isinstance(value, str)
                else value
                for name, value in row.items()
            }
        )


def show_table(rows: Sequence[Row], *, title: str = "") -> None:
    """Print rows as a table to stdout; where there are none, the title alone, or nothing."""
    if not rows:
        sys.stdout.write(f"{title}\n" if title else "")
        return
    table = Table(title=title or None, title_justify="left", header_style="bold")
    columns = list(rows[0])
    for name in columns:
        numeric = all(isinstance(row[name], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    Console(highlight=False).print(table)


def show_facts(facts: Mapping[str, Any], *, title: str = "") -> None:
    """Print names and values, one a line, to stdout."""
    table = Table(title=title or None, title_justify="left", show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, _cell(completed(value) if isinstance(value, str) else value))
    Console(highlight=False).print(table)


_MARKS = {"good": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[bold red]✗[/]"}


def in_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts whose names are those of fields, as people read them; what is unknown is left out."""
    return {name.replace("_", " "): value for name, value in facts.items() if value is not None}


def show_findings(findings: Sequence[Row], *, title: str) -> None:
    """Print what checks found to stdout: a mark, the check, what there is, what to do."""
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column()
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in findings:
        remedy = f"\n[yellow]-> {_told(row['remedy'])}[/]" if row["remedy"] else ""
        table.add_row(_MARKS[row["state"]], escape(row["check"]), _told(row["found"]) + remedy)
    Console(highlight=False).print(table)


def _told(message: str) -> str:
    """A message of ours as the terminal takes it: its commands are completed."""
    return _shown(completed(message))


def _shown(text: str) -> str:
    """A text as the terminal takes it: no markup, no credentials of addresses."""
    return escape(without_credentials(text))


def say_all(sentences: Iterable[str]) -> None:
    """Print sentences to stdout, one a line; the text is not markup."""
    for sentence in sentences:
        Console(highlight=False).print(_told(sentence), soft_wrap=True)


def say(message: str) -> None:
    """Tell people something; the text is not markup."""
    people.print(_told(message), soft_wrap=True)


def fail(message: str) -> None:
    """Tell people what went wrong."""
    people.print(f"[bold red]Error:[/] {_told(message)}", soft_wrap=True)


def warn(message: str) -> None:
    """Tell people what may not be as they mean it."""
    people.print(f"[yellow]Warning:[/] {_told(message)}", soft_wrap=True)


def start_logging(*, verbose: bool) -> None:
    """Warnings of ours, and with ``verbose`` all that is logged here, through rich to stderr.

    Libraries log what we handle, with tracebacks (Milvus Lite tells each call it lacks): they
    are never heard.
    """
    handler = RichHandler(console=people, show_path=False) if verbose else PlainHandler()
    handler.addFilter(_shareable_record)
    logging.getLogger().handlers = [logging.NullHandler()]
    for package in ("indexer", "queries"):
        logger = logging.getLogger(package)
        logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
        logger.handlers = [handler]
    # What the model computes in by itself is told in any case.
    logging.getLogger("indexer.encoder.precision").setLevel(logging.INFO)
    # That changed labels wait for the next categorization is for everyone, and is no warning.
    logging.getLogger("indexer.jobs.labels").setLevel(logging.INFO)


_FORMATTER = logging.Formatter()


def _shareable_record(record: logging.LogRecord) -> bool:
    """Complete a record's commands; take credentials of addresses out of it and its traceback."""
    record.msg, record.args = without_credentials(completed(record.getMessage())), None
    if record.exc_info:
        record.exc_text = without_credentials(_FORMATTER.formatException(record.exc_info))
    return True


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into a request to end in order; the second ends at once."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        say("Stopping: what is under way is being finished. Ctrl-C again ends at once.")

    previous_handlers = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interruptible_watch(stage: str) -> Iterator[Watch]:
    """A bar as of ``watched``, for a job that Ctrl-C asks to end in order."""
    with (
        contextlib.redirect_stdout(sys.stderr),  # Ray tells there of workers that died
        interruptible() as stop,
        watched(stage, stop) as watch,
    ):
        yield watch


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return _shown(" > ".join(map(str, value)))
    if isinstance(value, dict) and all(isinstance(count, int) for count in value.values()):
        return _shown(", ".join(f"{count:,} {name}" for name, count in value.items()))
    if isinstance(value, dict):
        return _shown(json.dumps(_shareable(value), ensure_ascii=False, default=str))
    return _shown(str(value))
