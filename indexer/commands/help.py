"""Help as plain lines: of a command ``-h`` shows what is used every day, ``--help`` all.

Panels with five columns leave 17 characters for a sentence at 80 columns; two columns leave 54.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from indexer.commands.panels import COMMON_PANEL, RARE_PANELS

_LEFT = 26
"""Columns of names; a longer one has a line of its own."""

_NARROWEST, _WIDEST = 60, 100
_KINDS = {"int": "N", "float": "X", "path": "FILE"}
_RARE_COMMON = frozenset(
    {
        *("token", "text_model", "precision", "batch_size", "csv_raw", "revision", "prompt"),
        *("trust_remote_code", "truncate_dim", "query_prompt"),
    }
)
_ASKED_ALL = "zeroshelf.help.all"


class PlainCommand(TyperCommand):
    """A command whose help is plain lines."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Notice which help is asked for."""
        ctx.meta[_ASKED_ALL] = "--help" in args
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:
        """The help as text."""
        return "\n".join(_lines(self, ctx, show_all=bool(ctx.meta.get(_ASKED_ALL))))


class PlainGroup(TyperGroup):
    """Commands under one name, whose help is plain lines."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show the help where no command is named: typer prints its own kind only."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(self.get_help(ctx))
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:
        """The help as text."""
        return "\n".join(_group_lines(self, ctx))


def _group_lines(group: TyperGroup, ctx: Any) -> Iterator[str]:
    width = _width(ctx)
    yield f"Usage: {ctx.command_path} [OPTIONS] COMMAND"
    yield from _paragraphs(group, width)
    panels: dict[str, list[tuple[str, str]]] = {}
    for name in group.list_commands(ctx):
        command: Any = group.get_command(ctx, name)
        if command is not None and not command.hidden:
            rows = panels.setdefault(command.rich_help_panel or "Commands", [])
            rows.append((name, command.get_short_help_str(limit=10 * width)))
    left = max((len(name) for rows in panels.values() for name, _ in rows), default=0) + 2
    for panel, rows in panels.items():
        yield from _heading(panel)
        for name, text in rows:
            yield from _row(name, text, width, left)
    options = [
        parameter
        for parameter in group.params
        if isinstance(parameter, TyperOption) and not parameter.hidden
    ]
    if options:
        yield from _heading("Options")
        for option in options:
            yield from _row(_option_name(option, ctx), _said(option, ctx), width)


def _lines(command: TyperCommand, ctx: Any, *, show_all: bool) -> Iterator[str]:
    width = _width(ctx)
    arguments = [parameter for parameter in command.params if isinstance(parameter, TyperArgument)]
    options = [
        parameter
        for parameter in command.params
        if isinstance(parameter, TyperOption) and not parameter.hidden
    ]
    words = " ".join(_argument_name(argument) for argument in arguments)
    yield f"Usage: {ctx.command_path} [OPTIONS] {words}".rstrip()
    yield from _paragraphs(command, width)
    if arguments:
        yield from _heading("Arguments")
        for argument in arguments:
            yield from _row(_argument_name(argument), argument.help or "", width)
    hidden: dict[str, int] = {}
    for panel, rows in _panels(options).items():
        shown = rows if show_all else [option for option in rows if not _is_rare(option, panel)]
        if len(shown) < len(rows):
            hidden[panel] = len(rows) - len(shown)
        if shown:
            yield from _heading(panel)
            for option in shown:
                yield from _row(_option_name(option, ctx), _said(option, ctx), width)
    if hidden:
        named = ", ".join(f"{panel.lower()} ({count})" for panel, count in hidden.items())
        yield ""
        yield from textwrap.wrap(f"More options: {named}. See them with --help.", width)


def _paragraphs(command: TyperCommand | TyperGroup, width: int) -> Iterator[str]:
    """What it does, and an example."""
    for paragraph in (command.help or "").split("\n\n"):
        yield ""
        yield from textwrap.wrap(" ".join(paragraph.split()), width)
    if command.epilog:
        yield ""
        yield from textwrap.wrap(command.epilog, width, break_long_words=False)


def _panels(options: list[TyperOption]) -> dict[str, list[TyperOption]]:
    """Options by panel: a command's own first, rare ones last."""
    panels: dict[str, list[TyperOption]] = {"Options": []}
    for option in options:
        panels.setdefault(option.rich_help_panel or "Options", []).append(option)
    order = [*(name for name in panels if name not in (*RARE_PANELS, COMMON_PANEL)), COMMON_PANEL]
    order += [name for name in panels if name in RARE_PANELS]
    return {name: panels[name] for name in order if panels.get(name)}


def _is_rare(option: TyperOption, panel: str) -> bool:
    return panel in RARE_PANELS or (panel == COMMON_PANEL and option.name in _RARE_COMMON)


def _heading(text: str) -> tuple[str, str]:
    return "", typer.style(text, bold=True)


def _row(name: str, text: str, width: int, left: int = _LEFT) -> Iterator[str]:
    """A name, and a sentence beside it from column ``left`` on."""
    wrapped = textwrap.wrap(text, width - left - 2, break_on_hyphens=False) or [""]
    if len(name) > left - 2:
        yield f"  {name}"
    else:
        yield f"  {name:{left}}{wrapped.pop(0)}".rstrip()
    for line in wrapped:
        yield f"  {'':{left}}{line}"


def _argument_name(argument: TyperArgument) -> str:
    name = (argument.metavar or str(argument.name)).upper().strip("{}")
    return f"{name}..." if argument.nargs == -1 and not name.endswith("...") else name


def _option_name(option: TyperOption, ctx: Any) -> str:
    long_names = [name for name in option.opts if name.startswith("--")] or list(option.opts)
    if option.is_flag:
        has_opposite = any(name == f"--no-{long_names[0][2:]}" for name in option.secondary_opts)
        return f"--[no-]{long_names[0][2:]}" if has_opposite else long_names[0]
    if option.metavar:
        return f"{long_names[0]} {option.metavar}"
    kind = _kind(option, ctx)
    return f"{long_names[0]} {'WORD' if '|' in kind else _KINDS.get(kind, 'TEXT')}"


def _kind(option: TyperOption, ctx: Any) -> str:
    """What an option takes, as typer shows it: ``int``, ``path``, or choices with bars between."""
    if not hasattr(option, "display_type_rich"):  # typers before 0.20 have click's own types
        kind = option.type  # type: ignore[attr-defined]
        return "|".join(map(str, getattr(kind, "choices", ()))) or str(kind.name)
    return re.split(r"[>\[]", str(option.display_type_rich(ctx=ctx)).lstrip("<"))[0].split(" ")[0]


def _said(option: TyperOption, ctx: Any) -> str:
    """What an option does, what it takes, and what it is without."""
    text = option.help or ""
    kind = "" if option.metavar or option.is_flag else _kind(option, ctx)
    if "|" in kind:
        text += f" One of: {kind.replace('|', ', ')}."
    default = option.get_default(ctx, call=False)
    default = getattr(default, "value", default)
    if option.required:
        return f"{text} [required]"
    if option.show_default and not option.is_flag and default not in (None, "", ()):
        return f"{text} [{default}]"
    if option.is_flag and option.secondary_opts and default is not None:
        return f"{text} [{'on' if default else 'off'}]"
    return text


def _width(ctx: Any) -> int:
    from shutil import get_terminal_size

    columns = ctx.terminal_width or get_terminal_size().columns
    return min(max(columns, _NARROWEST), _WIDEST)
