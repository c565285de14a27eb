"""The configuration file: YAML, validated, every option of the command a key.

Common options stand at the top, those of one command under its name::

    catalog: shop
    model: ../models/clip
    ingest:
      id_column: sku
    labels:
      add:
        template: ["a photo of a {label}."]

Only what a file sets is kept: defaults live with the commands. Precedence is the
command line, ``ZEROSHELF_*`` variables, the file, the default.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, PositiveInt, ValidationError

from indexer.commands.config_keys import (
    Categorize,
    Classify,
    Copy,
    Doctor,
    Estimate,
    Evaluate,
    Explain,
    Export,
    Ingest,
    Keys,
    Labels,
    Models,
    Rebuild,
    Reembed,
    Remove,
    Retry,
    Rollback,
    Search,
    Section,
    Serve,
    Status,
    Tune,
)
from indexer.core.errors import ConfigError


class Configuration(Section):
    """A whole configuration file."""

    catalog: str | None = None
    db: str | None = None
    token: str | None = None
    data_dir: Path | None = None
    model: str | None = None
    device: str | None = None
    precision: Literal["auto", "float32", "float16", "bfloat16", "int8"] | None = None
    batch_size: PositiveInt | None = None
    csv_raw: bool | None = None
    revision: str | None = None
    trust_remote_code: bool | None = None
    truncate_dim: PositiveInt | None = None
    prompt: str | None = None
    query_prompt: str | None = None
    text_model: str | None = None
    verbose: bool | None = None
    ingest: Ingest = Ingest()
    retry: Retry = Retry()
    labels: Labels = Labels()
    classify: Classify = Classify()
    categorize: Categorize = Categorize()
    evaluate: Evaluate = Evaluate()
    search: Search = Search()
    tune: Tune = Tune()
    explain: Explain = Explain()
    status: Status = Status()
    rebuild: Rebuild = Rebuild()
    copy_: Copy = Field(default=Copy(), alias="copy")  # pydantic's models have a method "copy"
    doctor: Doctor = Doctor()
    estimate: Estimate = Estimate()
    reembed: Reembed = Reembed()
    rollback: Rollback = Rollback()
    models: Models = Models()
    remove: Remove = Remove()
    export: Export = Export()
    serve: Serve = Serve()
    keys: Keys = Keys()

    def for_command(self, path: tuple[str, ...]) -> dict[str, Any]:
        """What the file sets for one command, common options included.

        Args:
            path: the command's words, such as ``("labels", "add")``.
        """
        values: dict[str, Any] = {
            name: getattr(self, name)
            for name in self.model_fields_set
            if not isinstance(getattr(self, name), Section)
        }
        section: Section = self
        for word in path:
            section = getattr(section, _field_of(word), Section())
        return values | section.model_dump(exclude_unset=True)


def load(path: Path) -> Configuration:
    """Read and check a configuration file.

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
    try:
        return Configuration.model_validate(content or {})
    except ValidationError as error:
        told = "; ".join(_explain(problem) for problem in error.errors())
        raise ConfigError(f"configuration file {str(path)!r}: {told}.") from error


def _explain(problem: Any) -> str:
    where = tuple(str(part) for part in problem["loc"])
    key = ".".join(where)
    if problem["type"] != "extra_forbidden":
        return f"{key}: {problem['msg']} (it is {problem['input']!r})"
    fields = _section_at(where[:-1]).model_fields
    known = sorted(field.alias or name for name, field in fields.items())
    near = difflib.get_close_matches(where[-1], known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}" if near else f"known here: {', '.join(known)}"
    return f"unknown key {key!r}, {hint}"


def _section_at(path: tuple[str, ...]) -> type[Section]:
    section: type[Section] = Configuration
    for word in path:
        annotation = section.model_fields[_field_of(word)].annotation
        options = (annotation, *get_args(annotation))
        section = next(one for one in options if isinstance(one, type) and issubclass(one, Section))
    return section


def _field_of(key: str) -> str:
    return "copy_" if key == "copy" else key
