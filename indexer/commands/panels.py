"""In which panel of the help each command stands, and an example of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.models import CommandInfo

COMMON_PANEL = "Common options"
"""The part of a command's help that holds the options which all commands share."""

DETAILS = "Tables in detail"
READING = "Downloads and decoding"
COMPUTING = "Many machines"
OBJECTS = "Several things in one picture"
DATABASE = "The database"
RARE_PANELS = (DETAILS, READING, OBJECTS, DATABASE, COMPUTING)
"""Parts of a command's help that ``-h`` leaves to ``--help``, in their order."""

PANELS = {
    "Start": ("demo", "sample", "ingest", "retry", "status"),
    "Label": ("labels", "classify", "categorize", "duplicates"),
    "Ask": ("search", "explain", "map"),
    "Measure": ("evaluate", "audit", "tune", "estimate"),
    "Operate": (
        *("serve", "keys", "mcp", "export", "backup", "restore", "remove"),
        *("rebuild", "doctor"),
        *("db", "copy", "reembed", "rollback", "models"),
    ),
}
"""Commands by panel, in the order of the help."""

EXAMPLES = {
    "demo": "demo",
    "sample": "sample shop",
    "ingest": "ingest shop/products.csv --catalog shop",
    "retry": "retry --catalog shop",
    "status": "status --catalog shop",
    "labels add": "labels add shop/taxonomy.yaml --catalog shop",
    "labels list": "labels list boot --tree --catalog shop",
    "labels remove": "labels remove mug --catalog shop",
    "labels sets": "labels sets --catalog shop",
    "labels attributes": "labels attributes attributes.yml --catalog shop",
    "labels gate": "labels gate Clothing --set sleeve --catalog shop",
    "labels pixels": "labels pixels --set colour --catalog shop",
    "labels remove-set": "labels remove-set --set sleeve --catalog shop",
    "labels adapt": "labels adapt --catalog shop",
    "labels map": "labels map --from shop --to google.txt --out mapping.csv",
    "labels migrate": "labels migrate google.txt --mapping mapping.csv --catalog shop",
    "labels teach": "labels teach reviewed.csv --catalog shop",
    "labels calibrate": "labels calibrate --truth category --catalog shop",
    "labels background": "labels background --catalog shop",
    "classify": "classify new.jpg --catalog shop",
    "categorize": "categorize --to categories.parquet --catalog shop",
    "search": "search 'a red mug' --catalog shop",
    "explain": "explain new.jpg --catalog shop",
    "map": "map --to map.html --catalog shop",
    "evaluate": "evaluate --truth category --catalog shop",
    "duplicates": "duplicates --to groups.parquet --catalog shop",
    "audit": "audit --truth category --to errors.parquet --catalog shop",
    "tune": "tune --catalog shop",
    "estimate": "estimate --items 1000000",
    "serve": "serve --catalog shop",
    "mcp": "mcp --catalog shop",
    "keys add": "keys add shop-frontend --scope read",
    "keys list": "keys list",
    "keys revoke": "keys revoke shop-frontend",
    "export": "export --to exported --catalog shop",
    "backup": "backup --to s3://bucket/backups/shop --catalog shop",
    "restore": "restore --from s3://bucket/backups/shop --catalog shop",
    "remove": "remove p0001 --catalog shop",
    "rebuild": "rebuild --catalog shop",
    "doctor": "doctor --catalog shop",
    "db start": "db start",
    "db stop": "db stop",
    "db status": "db status",
    "copy": "copy --to-db http://milvus:19530 --catalog shop",
    "reembed": "reembed --model pocket --catalog shop",
    "rollback": "rollback --catalog shop",
    "models check": "models check pocket",
}
"""A command line of each command, without the program's name."""

ORDER = {
    name: place for place, name in enumerate(name for names in PANELS.values() for name in names)
}
"""The place of each command in the help."""


def arrange(app: typer.Typer) -> None:
    """Give each command of an app its panel and its example."""
    from indexer.commands.help import PlainCommand, PlainGroup

    panel_of = {name: panel for panel, names in PANELS.items() for name in names}
    for words, info in _commands(app):
        if len(words) == 1 and words[0] in panel_of:
            info.rich_help_panel = panel_of[words[0]]
        if example := EXAMPLES.get(" ".join(words)):
            info.epilog = f"Example: zeroshelf {example}"
        info.cls = PlainCommand if isinstance(info, CommandInfo) else PlainGroup


def _commands(app: typer.Typer, prefix: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """What describes each command and each group, with its words."""
    for command in app.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")  # type: ignore[union-attr]
        yield (*prefix, name), command
    for group in app.registered_groups:
        assert group.typer_instance is not None
        if isinstance(group.name, str) and group.name:
            yield (*prefix, group.name), group
            yield from _commands(group.typer_instance, (*prefix, group.name))
        else:
            yield from _commands(group.typer_instance, prefix)
