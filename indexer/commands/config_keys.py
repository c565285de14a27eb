"""The keys of a configuration file, command by command."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from indexer.core.table_formats import TableFormat

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
    coverage: float | None = Precision
    prompt_pooling: Literal["mean", "max"] | None = None


class FetchKeys(Section):
    """How pictures are read, shared by the commands that read them."""

    max_pixels: PositiveInt | None = None
    max_bytes: PositiveInt | None = None
    decode_memory: PositiveInt | None = None
    decode_timeout: PositiveFloat | None = None
    timeout: PositiveFloat | None = None
    retries: int | None = Field(default=None, ge=0)
    per_host: PositiveInt | None = None
    header: list[str] | None = None


class ClusterKeys(Section):
    """Where the work is done, shared by the commands that can do it on many machines."""

    engine: Literal["local", "ray"] | None = None
    address: str | None = None
    ray_workers: PositiveInt | None = None


class LayoutKeys(Section):
    """How items lie in a database, shared by the commands that make collections."""

    vector_type: Literal["float32", "float16"] | None = None
    index_metadata: list[str] | None = None


class TableKeys(Section):
    """How tables are read, shared by the commands that read tables of items."""

    id_column: str | None = None
    image_column: str | None = None
    text_column: str | None = None
    columns: str | None = None
    exclude_columns: str | None = None
    column_type: list[str] | None = None
    vector_column: str | None = None
    format: TableFormat | None = None
    image_pattern: str | None = None
    delimiter: str | None = None
    quoting: Literal["auto", "none", "double", "backslash"] | None = None
    encoding: str | None = None


class Ingest(FetchKeys, ClusterKeys, LayoutKeys, TableKeys):
    """Keys of ``zeroshelf ingest``."""

    sync: bool | None = None
    max_removed: float | None = Fraction
    source_name: str | None = None
    trust_urls: bool | None = None
    partition_key: str | None = None
    embed_titles: bool | None = None
    workers: PositiveInt | None = None
    image_ext: str | None = None
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
    template_file: str | None = None
    dataset: str | None = None
    create_parents: bool | None = None
    dry_run: bool | None = None
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
    unknown: list[str] | None = None
    forget: bool | None = None
    output: OutputFormat | None = None


class LabelsCalibrate(Section):
    """Keys of ``zeroshelf labels calibrate``."""

    truth: str | None = None
    unknown: list[str] | None = None
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
    under: str | None = None
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
    under: str | None = None
    adapt: bool | None = None
    text_weight: float | None = Fraction
    filter: str | None = None
    write_back: bool | None = None
    output: OutputFormat | None = None


class Evaluate(FetchKeys):
    """Keys of ``zeroshelf evaluate``."""

    truth: str | None = None
    coverage: float | None = Precision
    unknown: list[str] | None = None
    slice: list[str] | None = None
    labels: str | None = None
    under: str | None = None
    include_taught: bool | None = None
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
    item: str | None = None
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
    under: str | None = None
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
    verify: Literal["sample", "full"] | None = None
    skip_damaged: bool | None = None
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


class ModelsCheck(Section):
    """Keys of ``zeroshelf models check``."""

    output: OutputFormat | None = None


class Models(Section):
    """The commands under ``zeroshelf models``."""

    check: ModelsCheck = ModelsCheck()


class Rollback(Section):
    """Keys of ``zeroshelf rollback``."""

    forget: bool | None = None
    output: OutputFormat | None = None


class Remove(Section):
    """Keys of ``zeroshelf remove``."""

    id_column: str | None = None
    filter: str | None = None
    dry_run: bool | None = None
    yes: bool | None = None

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
    decode_memory: PositiveInt | None = None
    decode_timeout: PositiveFloat | None = None
    decoders: PositiveInt | None = None
    max_jobs: PositiveInt | None = None
    keep_jobs: PositiveInt | None = None
    fetch_urls: bool | None = None
    fetch_hosts: list[str] | None = None


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
