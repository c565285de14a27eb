"""Pages of the site that are made when it is built.

The reference of commands is read from the commands themselves. ``ARCHITECTURE.md``,
``CONTRIBUTING.md`` and ``CHANGELOG.md`` lie at the top of the repository and are shown in
the site as well. Nothing of this is written into ``docs/``.

MkDocs, "Hooks" (https://www.mkdocs.org/user-guide/configuration/#hooks).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from queries.cli import app

ROOT = Path(__file__).parent.parent
TOP_PAGES = {
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
COMMON_PANEL = "Common options"
INDEX = "commands/index.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the commands' pages into the navigation, where it says ``commands/``."""
    assert config.nav is not None
    config.nav = _with_commands(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    pages = {shown: _top_page(name) for name, shown in TOP_PAGES.items()} | command_pages()
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def command_pages() -> dict[str, str]:
    """Markdown of the commands' reference, by path inside ``docs/``: an index, a page a command."""
    commands = dict(_commands(typer.main.get_command(app)))
    common = [one for one in _options(commands["ingest"]) if _panel(one) == COMMON_PANEL]
    index = [
        "# Commands",
        "",
        "This reference is read from the commands when the site is built. "
        "`zeroshelf COMMAND --help` prints the same.",
        "",
        "| command | does |",
        "|---|---|",
        *(
            f"| [`zeroshelf {name}`]({_file(name)}) | {_summary(command)} |"
            for name, command in commands.items()
        ),
        "",
        f"## {COMMON_PANEL}",
        "",
        "Every command that opens a catalog takes them.",
        "",
        *_table(common),
    ]
    pages = {f"commands/{_file(name)}": _page(name, command) for name, command in commands.items()}
    return {INDEX: "\n".join(index) + "\n"} | pages


def _with_commands(nav: list[Any]) -> list[Any]:
    """The navigation with a list of pages in place of the folder of commands."""
    result: list[Any] = []
    for entry in nav:
        ((title, value),) = entry.items()
        if value == "commands/":
            value = list(command_pages())
        elif isinstance(value, list):
            value = _with_commands(value)
        result.append({title: value})
    return result


def _top_page(name: str) -> str:
    """A page of the repository's top, its links as they are inside ``docs/``."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
    for top, shown in TOP_PAGES.items():
        text = text.replace(f"]({top}", f"]({shown}")
    return text


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, TyperCommand]]:
    """Every command with its full name, those of groups too."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{prefix}{name} ")
        elif not command.hidden:
            yield f"{prefix}{name}", command


def _file(name: str) -> str:
    return name.replace(" ", "-") + ".md"


def _summary(command: TyperCommand) -> str:
    return _cell((command.help or "").split("\n\n")[0])


def _page(name: str, command: TyperCommand) -> str:
    """The page of one command."""
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    words = [(one.metavar or str(one.name)).upper() for one in arguments]
    usage = " ".join([f"zeroshelf {name}", *words, "[OPTIONS]"])
    lines = [f"# {name}", "", _prose(command.help or ""), "", "```sh", usage, "```", ""]
    if arguments:
        lines += ["| argument | is |", "|---|---|"]
        lines += [
            f"| `{word}` | {_cell(one.help or '')} |"
            for word, one in zip(words, arguments, strict=True)
        ]
        lines.append("")
    panels: dict[str, list[TyperOption]] = {}
    for option in _options(command):
        panels.setdefault(_panel(option), []).append(option)
    takes_common = panels.pop(COMMON_PANEL, None) is not None
    for panel, options in panels.items():
        lines += [f"## {panel}", "", *_table(options), ""]
    if takes_common:
        lines += ["It takes the [common options](index.md#common-options) too.", ""]
    return "\n".join(lines)


def _options(command: TyperCommand) -> list[TyperOption]:
    return [one for one in command.params if isinstance(one, TyperOption) and not one.hidden]


def _panel(option: TyperOption) -> str:
    return option.rich_help_panel or "Options"


def _table(options: list[TyperOption]) -> list[str]:
    """A row an option."""
    lines = ["| option | default | does |", "|---|---|---|"]
    for option in options:
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        shown = names if option.is_flag else f"{names} {_value(option)}"
        lines.append(f"| {shown} | {_default(option)} | {_cell(option.help or '')} |")
    return lines


def _value(option: TyperOption) -> str:
    """What an option takes, as the help shows it."""
    shown = option.display_type_rich(typer.Context(TyperCommand("any"))) or ""
    return " ".join(f"`{word}`" for word in shown.strip("<>").split("|"))


def _default(option: TyperOption) -> str:
    """The default as the help shows it."""
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return _cell(option.show_default)
    value = option.default
    if not option.show_default or value in (None, "", ()) or callable(value):
        return ""
    if isinstance(value, bool):
        on, off = "yes", "no" if option.secondary_opts else ""
        return on if value else off
    return f"`{getattr(value, 'value', value)}`"


def _cell(text: str) -> str:
    """Text that is safe in a cell of a table."""
    return _prose(" ".join(text.split())).replace("|", "\\|")


def _prose(text: str) -> str:
    """Help text as Markdown; options are shown as they are typed."""
    text = re.sub(r"([<*_\[\]])", r"\\\1", text)
    return re.sub(r"(?<![\w`-])(--[a-z][a-z0-9-]*)", r"`\1`", text)
