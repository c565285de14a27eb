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
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from indexer.errors import ConfigError

OutputFormat = Literal["table", "json", "jsonl", "csv"]
Fraction = Field(default=None, ge=0.0, le=1.0)
Precision = Field(default=None, ge=0.5, le=0.999)


class Section(BaseModel):
    """Keys that a file may set; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DecisionKeys(Section):
    """How labels are decided, shared by the commands that decide."""

    level: PositiveInt | None = None
    back_off: float | None = Fraction
    min_score: float | None = Fraction
    target_precision: float | None = Precision
    multi_label: bool | None = None
    prompt_pooling: Literal["mean", "max"] | None = None


class FetchKeys(Section):
    """How pictures are read, shared by the commands that read them."""

    max_pixels: PositiveInt | None = None
    max_bytes: PositiveInt | None = None
    timeout: PositiveFloat | None = None
    retries: int | None = Field(default=None, ge=0)


class ClusterKeys(Section):
    """Where the work is done, shared by the commands that can do it on many machines."""

    engine: Literal["local", "ray"] | None = None
    address: str | None = None
    ray_workers: PositiveInt | None = None


class LayoutKeys(Section):
    """How items lie in a database, shared by the commands that make collections."""

    vector_type: Literal["float32", "float16"] | None = None
    index_metadata: list[str] | None = None


class Ingest(FetchKeys, ClusterKeys, LayoutKeys):
    """Keys of ``zeroshelf ingest``."""

    partition_key: str | None = None
    embed_titles: bool | None = None
    workers: PositiveInt | None = None
    id_column: str | None = None
    image_column: str | None = None
    text_column: str | None = None
    vectors: str | None = None
    logit_scale: PositiveFloat | None = None
    index: str | None = None
    staging: str | None = None
    fail_on_errors: bool | None = None
    output: OutputFormat | None = None


class Retry(FetchKeys, ClusterKeys):
    """Keys of ``zeroshelf retry``."""

    embed_titles: bool | None = None
    workers: PositiveInt | None = None
    fail_on_errors: bool | None = None
    output: OutputFormat | None = None


class LabelsAdd(Section):
    """Keys of ``zeroshelf labels add``."""

    template: list[str] | None = None
    synonyms: bool | None = None
    vectors: str | None = None
    replace: bool | None = None
    output: OutputFormat | None = None


class LabelsOther(Section):
    """Keys of ``zeroshelf labels list`` and ``labels remove``."""

    output: OutputFormat | None = None


class LabelsTeach(Section):
    """Keys of ``zeroshelf labels teach``."""

    truth: str | None = None
    forget: bool | None = None
    output: OutputFormat | None = None


class LabelsCalibrate(Section):
    """Keys of ``zeroshelf labels calibrate``."""

    truth: str | None = None
    target_precision: float | None = Precision
    text_weight: float | None = Fraction
    forget: bool | None = None
    output: OutputFormat | None = None


class LabelsBackground(Section):
    """Keys of ``zeroshelf labels background``."""

    vectors: str | None = None
    forget: bool | None = None


class LabelsAdapt(Section):
    """Keys of ``zeroshelf labels adapt``."""

    off: bool | None = None
    output: OutputFormat | None = None


class Labels(Section):
    """The commands under ``zeroshelf labels``."""

    adapt: LabelsAdapt = LabelsAdapt()
    add: LabelsAdd = LabelsAdd()
    background: LabelsBackground = LabelsBackground()
    calibrate: LabelsCalibrate = LabelsCalibrate()
    list: LabelsOther = LabelsOther()
    remove: LabelsOther = LabelsOther()
    teach: LabelsTeach = LabelsTeach()


class Classify(FetchKeys, DecisionKeys):
    """Keys of ``zeroshelf classify``."""

    partition: str | None = None
    text: bool | None = None
    title: list[str] | None = None
    item: list[str] | None = None
    id_column: str | None = None
    image_column: str | None = None
    text_column: str | None = None
    limit: PositiveInt | None = None
    labels: str | None = None
    adapt: bool | None = None
    text_weight: float | None = Fraction
    candidate_labels: str | None = None
    template: list[str] | None = None
    fail_on_errors: bool | None = None
    output: OutputFormat | None = None


class Categorize(DecisionKeys, ClusterKeys):
    """Keys of ``zeroshelf categorize``."""

    partition: str | None = None
    to: Path | None = None
    limit: PositiveInt | None = None
    labels: str | None = None
    adapt: bool | None = None
    text_weight: float | None = Fraction
    filter: str | None = None
    write_back: bool | None = None
    full: bool | None = None
    output: OutputFormat | None = None


class Evaluate(FetchKeys):
    """Keys of ``zeroshelf evaluate``."""

    truth: str | None = None
    unknown: list[str] | None = None
    slice: list[str] | None = None
    labels: str | None = None
    adapt: bool | None = None
    text_weight: float | None = Fraction
    filter: str | None = None
    control_descriptions: bool | None = None
    to: Path | None = None
    html: Path | None = None
    compare: tuple[Path, Path] | None = None
    output: OutputFormat | None = None
    partition: str | None = None


class Search(FetchKeys):
    """Keys of ``zeroshelf search``."""

    partition: str | None = None
    image: str | None = None
    text_weight: float | None = Fraction
    filter: str | None = None
    limit: PositiveInt | None = None
    output: Literal["table", "json", "jsonl", "csv", "html"] | None = None


class Tune(FetchKeys):
    """Keys of ``zeroshelf tune``."""

    queries: Path | None = None
    target_recall: float | None = Field(default=None, ge=0.5, le=1.0)
    limit: int | None = Field(default=None, ge=1, le=100)
    sample: int | None = Field(default=None, ge=10, le=10_000)
    index: str | None = None
    output: OutputFormat | None = None


class Explain(FetchKeys, DecisionKeys):
    """Keys of ``zeroshelf explain``."""

    text: bool | None = None
    item: str | None = None
    limit: PositiveInt | None = None
    neighbours: int | None = Field(default=None, ge=0)
    title: str | None = None
    labels: str | None = None
    adapt: bool | None = None
    text_weight: float | None = Fraction
    partition: str | None = None
    heat_map: Literal["occlusion", "attention", "none"] | None = None
    output: Literal["table", "json", "html"] | None = None


class Status(Section):
    """Keys of ``zeroshelf status``."""

    output: OutputFormat | None = None


class Rebuild(LayoutKeys):
    """Keys of ``zeroshelf rebuild``."""

    output: OutputFormat | None = None
    verify: bool | None = None
    index: str | None = None
    staging: str | None = None


class Copy(LayoutKeys):
    """Keys of ``zeroshelf copy``."""

    to_db: str | None = None
    to_token: str | None = None
    index: str | None = None
    staging: str | None = None
    output: OutputFormat | None = None


class Doctor(Section):
    """Keys of ``zeroshelf doctor``."""

    planned_items: PositiveInt | None = None
    output: OutputFormat | None = None


class Estimate(Section):
    """Keys of ``zeroshelf estimate``."""

    items: PositiveInt | None = None
    labels: PositiveInt | None = None
    width: int | None = Field(default=None, ge=1, le=32_768)
    rate: PositiveFloat | None = None
    price: float | None = Field(default=None, ge=0.0)
    index: str | None = None
    vector_type: Literal["float32", "float16"] | None = None
    text_bytes: int | None = Field(default=None, ge=0)
    id_bytes: PositiveInt | None = None
    embed_titles: bool | None = None
    node_memory: PositiveFloat | None = None
    gigaflops: PositiveFloat | None = None
    output: OutputFormat | None = None


class Reembed(FetchKeys, ClusterKeys):
    """Keys of ``zeroshelf reembed``."""

    keep_old: bool | None = None
    max_dead: float | None = Fraction
    index: str | None = None
    embed_titles: bool | None = None
    workers: PositiveInt | None = None
    output: OutputFormat | None = None


class Rollback(Section):
    """Keys of ``zeroshelf rollback``."""

    forget: bool | None = None
    output: OutputFormat | None = None


class Remove(Section):
    """Keys of ``zeroshelf remove``."""

    output: OutputFormat | None = None


class Export(Section):
    """Keys of ``zeroshelf export``."""

    output: OutputFormat | None = None
    partition: str | None = None
    to: Path | None = None


class Serve(Section):
    """Keys of ``zeroshelf serve``."""

    host: str | None = None
    port: int | None = Field(default=None, ge=0, le=65_535)
    max_batch: PositiveInt | None = None
    batch_window: float | None = Field(default=None, ge=0.0)
    max_queue: PositiveInt | None = None
    max_body: PositiveInt | None = None
    max_inputs: PositiveInt | None = None
    max_bytes: PositiveInt | None = None
    max_pixels: PositiveInt | None = None
    max_text: PositiveInt | None = None
    request_timeout: PositiveFloat | None = None
    decode_timeout: PositiveFloat | None = None
    decoders: PositiveInt | None = None
    max_jobs: PositiveInt | None = None
    keep_jobs: PositiveInt | None = None
    fetch_urls: bool | None = None


class KeysAdd(Section):
    """Keys of ``zeroshelf keys add``."""

    scope: Literal["read", "write", "admin"] | None = None


class KeysList(Section):
    """Keys of ``zeroshelf keys list``."""

    output: OutputFormat | None = None


class KeysRevoke(Section):
    """Keys of ``zeroshelf keys revoke``."""


class Keys(Section):
    """The commands under ``zeroshelf keys``."""

    add: KeysAdd = KeysAdd()
    list: KeysList = KeysList()
    revoke: KeysRevoke = KeysRevoke()


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
