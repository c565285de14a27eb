"""The configuration file: YAML, validated, every option of the command a key.

Common options stand at the top, those of one command under its name::

    catalog: shop
    model: ../models/clip
    ingest:
      id_column: sku
    labels:
      add:
        template: ["a photo of a {label}."]

Keys, types and ranges are those of the commands' own options; so are the defaults, which no file
repeats. Precedence is the command line, ``ZEROSHELF_*`` variables, the file, the default.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from typer.models import OptionInfo

from indexer.commands.panels import COMMON_PANEL
from indexer.core.errors import ConfigError

_NO_KEYS = {"config", "from_"}  # a file names no other file, and no list for one removal


class Section(BaseModel):
    """The keys of one command, or of a group of commands; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


def load(path: Path, program: Any) -> dict[str, Any]:
    """Read and check a configuration file.

    Args:
        program: the whole command line, a click group.

    Returns:
        What the file sets, as it is nested there.

    Raises:
        ConfigError: unreadable, not YAML, an unknown key or a wrong value; names the key.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"configuration file {str(path)!r}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file {str(path)!r} is not YAML: {error}") from error
    if not isinstance(content, dict | None):
        raise ConfigError(f"configuration file {str(path)!r} must be a mapping of keys to values.")
    keys = keys_of(program, content)
    try:
        checked = keys.model_validate(content or {})
    except ValidationError as error:
        problems = "; ".join(_explain(problem, keys) for problem in error.errors())
        raise ConfigError(f"configuration file {str(path)!r}: {problems}.") from error
    return checked.model_dump(mode="json", by_alias=True, exclude_unset=True)


def options_for(content: Mapping[str, Any], command: tuple[str, ...]) -> dict[str, Any]:
    """What a file sets for one command, common options included.

    Args:
        content: as ``load`` gives it.
        command: its words, such as ``("labels", "add")``.
    """
    values = dict(content)
    for word in command:
        section = content.get(word)
        # "db" may be the option of all commands instead of the group's section.
        content = section if isinstance(section, dict) else {}
        values |= content
    return {key: value for key, value in values.items() if not isinstance(value, dict)}


def keys_of(program: Any, content: Mapping[str, Any] | None = None) -> type[Section]:
    """All keys that a file may have, as a model.

    Args:
        program: a click group.
        content: of the file. ``db`` is an option of all commands and a group of commands too: it
            is the group where the file has a mapping there.
    """
    common: dict[str, Any] = {}
    values = content or {}
    sections = {
        key: field
        for key, field in _sections(program, common).items()
        if key not in common or isinstance(values.get(key.removeprefix("key_")), dict)
    }
    return create_model("Configuration", __base__=Section, **(common | sections))


def _sections(group: Any, common: dict[str, Any]) -> dict[str, Any]:
    """A field for each command that takes a file; the options of all go to ``common``."""
    sections = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            fields = _sections(command, common)
        else:
            parameters = inspect.signature(command.callback, eval_str=True).parameters
            if "config" not in parameters:
                continue
            fields = {}
            for key, parameter in parameters.items():
                option = _option(parameter.annotation)
                if option is not None and key not in _NO_KEYS:
                    shared = option.rich_help_panel == COMMON_PANEL
                    (common if shared else fields)[f"key_{key}"] = _field(key, parameter, option)
        section = create_model(name, __base__=Section, **fields)
        sections[f"key_{name}"] = (section, Field(default=None, alias=name))
    return sections


def _option(annotation: Any) -> OptionInfo | None:
    notes = getattr(annotation, "__metadata__", ())
    return next((note for note in notes if isinstance(note, OptionInfo)), None)


def _field(key: str, parameter: inspect.Parameter, option: OptionInfo) -> Any:
    """An option as a field; its own name could be one of pydantic's, such as "copy"."""
    kind = get_args(parameter.annotation)[0]
    return kind | None, Field(default=None, alias=key, ge=option.min, le=option.max)


def _explain(problem: Any, keys: type[BaseModel]) -> str:
    where = tuple(map(str, problem["loc"]))
    key = ".".join(where)
    if problem["type"] != "extra_forbidden":
        return f"{key}: {problem['msg']} (it is {problem['input']!r})"
    for word in where[:-1]:
        keys = keys.model_fields[f"key_{word}"].annotation  # type: ignore[assignment]
    names = sorted(str(field.alias) for field in keys.model_fields.values())
    near = difflib.get_close_matches(where[-1], names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}" if near else f"known here: {', '.join(names)}"
    return f"unknown key {key!r}, {hint}"
