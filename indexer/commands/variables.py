"""``ZEROSHELF_*`` variables: their names, and errors and warnings about wrong ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import typer

from indexer.commands import console
from indexer.commands.help import PlainGroup
from indexer.commands.panels import ORDER
from indexer.core.suggestions import did_you_mean

PREFIX = "ZEROSHELF"
_OF_TESTS = f"{PREFIX}_TEST_"


class Commands(PlainGroup):
    """All commands; an error names its variable, and a warning names unknown variables."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, in the order of the help's panels."""
        return sorted(super().list_commands(ctx), key=lambda name: ORDER.get(name, len(ORDER)))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for.

        Raises:
            typer.BadParameter: a value can't be taken; from a variable, it is named.
        """
        _warn_of_unknown(set(_variables(self, PREFIX)))
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            variable = _variable_of(error)
            if variable is not None:
                error.param_hint = f"the variable {variable}"
            raise


def _variables(command: Any, prefix: str) -> Iterator[str]:
    """The variables of a command and of all below it."""
    for parameter in command.params:
        declared = getattr(parameter, "envvar", None)
        yield from [declared] if isinstance(declared, str) else declared or ()
        yield _variable_name(prefix, parameter.name)
    for name, subcommand in getattr(command, "commands", {}).items():
        yield from _variables(subcommand, _variable_name(prefix, name))


def _variable_of(error: typer.BadParameter) -> str | None:
    """The variable that a bad value stands in; None where it stands on the command line."""
    context, parameter = error.ctx, error.param
    if context is None or parameter is None or parameter.name is None:
        return None
    source = context.get_parameter_source(parameter.name)
    if source is None or source.name != "ENVIRONMENT":
        return None
    declared = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or []
    names = [*declared, _variable_name(context.auto_envvar_prefix or "", parameter.name)]
    return next((name for name in names if name in os.environ), None)


def _warn_of_unknown(variables: set[str]) -> None:
    for name in sorted(os.environ):
        ours = name.startswith(f"{PREFIX}_") and not name.startswith(_OF_TESTS)
        if ours and name not in variables:
            console.warn(
                f"the variable {name} is no option of any command: it is ignored."
                f"{did_you_mean(name, sorted(variables), most=1)}"
            )


def _variable_name(prefix: str, name: str) -> str:
    return f"{prefix}_{name.replace('-', '_').upper()}"
