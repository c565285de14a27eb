"""The options that every command shares, and how files and variables feed all options.

A command takes ``common: CatalogOptions`` and is wrapped by ``with_common``; the
options then stand in its own help. Other groups of options that several commands have are
made by ``with_options`` likewise. Precedence is click's: the command line, the
``ZEROSHELF_*`` variable, the configuration file (as click's default map), the default.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands.console import fail, start_logging, write_csv_raw
from indexer.commands.panels import COMMON_PANEL, DATABASE
from indexer.commands.remedies import remember
from indexer.commands.variables import PREFIX
from indexer.core.exit_codes import ExitCode
from indexer.core.layout import VectorType
from indexer.core.model_settings import ModelSettings


class Precision(StrEnum):
    """Number formats of the model."""

    AUTO = "auto"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


class Output(StrEnum):
    """How a command prints its result."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


option = partial(typer.Option, show_envvar=False)
"""An option of one command; ``ZEROSHELF_COMMAND_OPTION`` sets it too."""

Printed = Annotated[Output, option("--output", help="How the result is printed.")]

SetName = Annotated[
    str,
    option(
        "--set",
        metavar="NAME",
        help="Label set: category, or another one of the catalog, such as colour.",
    ),
]
"""Which label set a command works on."""

Staging = Annotated[
    str,
    option(
        "--staging",
        rich_help_panel=DATABASE,
        help="Where the server can import large loads from: a folder that it sees too, or an "
        "address in its bucket such as s3://a-bucket/staging.",
        show_default=False,
    ),
]

AsVectors = Annotated[
    VectorType | None,
    option(
        "--vector-type",
        rich_help_panel=DATABASE,
        help="Number format of items' vectors in the database (default: float32); float16 takes "
        "half the memory, on servers from Milvus 2.4 on.",
        show_default=False,
    ),
]
IndexMetadata = Annotated[
    list[str] | None,
    option(
        "--index-metadata",
        rich_help_panel=DATABASE,
        metavar="COLUMN",
        help="Index a column of the table that filters ask for, on servers from Milvus 2.6 on: "
        "COLUMN, COLUMN:number or COLUMN:boolean. Repeatable.",
        show_default=False,
    ),
]

ItemIndex = Annotated[
    str,
    option(
        "--index",
        rich_help_panel=DATABASE,
        help="Index for items: auto, or a Milvus type such as HNSW.",
    ),
]


def _load_config(context: typer.Context, path: Path | None) -> Path | None:
    remember(context)
    parameters: list[Any] = list(context.command.params)
    for parameter in parameters:
        # A repeatable option's values stand on lines of one variable: templates hold blanks.
        if getattr(parameter, "multiple", False):
            # click keeps the splitter with the type, newer typers with the parameter.
            getattr(parameter, "type", parameter).envvar_list_splitter = "\n"
    if path is not None:
        from indexer.commands.config import load, options_for

        content = load(path, context.find_root().command)
        context.default_map = {
            **(context.default_map or {}),
            **options_for(content, _words(context)),
        }
    return path


def _words(context: Any) -> tuple[str, ...]:
    """The words of the command without the program's name, which may have blanks."""
    if context.parent is None:
        return ()
    return (*_words(context.parent), str(context.info_name))


def _option(*names: str, help: str, **settings: Any) -> Any:  # noqa: A002 - typer's word
    name = names[0].partition("/")[0].removeprefix("--")
    variable = f"{PREFIX}_{name.replace('-', '_').upper()}"
    return option(*names, help=help, envvar=variable, rich_help_panel=COMMON_PANEL, **settings)


def _common(
    *,
    config: Annotated[
        Path | None,
        _option(
            "--config",
            help="YAML file with any of these options.",
            callback=_load_config,
            is_eager=True,
        ),
    ] = None,
    catalog: Annotated[str, _option("--catalog", help="Name of the catalog.")] = "catalog",
    db: Annotated[
        str | None,
        _option(
            "--db",
            help="Milvus Lite file, or a server's address such as http://host:19530. "
            "Default: milvus.db in the data folder.",
        ),
    ] = None,
    token: Annotated[
        str, _option("--token", help="user:password or API key of a server.", show_default=False)
    ] = "",
    data_dir: Annotated[
        Path, _option("--data-dir", help="Folder of archives, ledgers and the default database.")
    ] = Path(".zeroshelf"),
    model: Annotated[
        str | None,
        _option(
            "--model",
            help="Model: a hub name, a folder, or 'pocket'. Default: the catalog's own; for a "
            "new one sentence-transformers/clip-ViT-B-32.",
        ),
    ] = None,
    text_model: Annotated[
        str | None,
        _option(
            "--text-model",
            help="Another model that embeds all texts, trained to the space of --model, such as "
            "sentence-transformers/clip-ViT-B-32-multilingual-v1. Default: the catalog's own; for "
            "a new one the model itself.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        _option(
            "--device",
            help="What models compute on: auto, cuda, cuda:N, mps or cpu. Default: auto, the best "
            "there is.",
        ),
    ] = None,
    precision: Annotated[
        Precision,
        _option(
            "--precision",
            help="Number format of the model; auto: float16 on cuda and int8 on a CPU where the "
            "first inputs are quicker so and keep centred vectors (cosine 0.99), else float32.",
        ),
    ] = Precision.AUTO,
    batch_size: Annotated[
        int, _option("--batch-size", min=1, help="Inputs in one forward pass.")
    ] = 32,
    csv_raw: Annotated[
        bool,
        _option(
            "--csv-raw",
            help="CSV results have texts as they are. Default: those that a spreadsheet would "
            "compute, such as =1+1, begin with an apostrophe.",
        ),
    ] = False,
    revision: Annotated[
        str | None,
        _option(
            "--revision",
            help="Branch, tag or commit of a model on the hub. Default: the catalog's own; for a "
            "new one the main branch.",
        ),
    ] = None,
    trust_remote_code: Annotated[
        bool,
        _option(
            "--trust-remote-code/--no-trust-remote-code",
            help="Run the Python code that comes with a model. Read it first.",
        ),
    ] = False,
    truncate_dim: Annotated[
        int | None,
        _option(
            "--truncate-dim",
            min=1,
            help="Keep the first so many dimensions of each vector; for models that were trained "
            "for it (Matryoshka).",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        _option(
            "--prompt",
            help="What is put before each item and label: the name of one of the model's prompts, "
            "or the text itself. Default: the model's own for documents.",
        ),
    ] = None,
    query_prompt: Annotated[
        str | None,
        _option(
            "--query-prompt",
            help="The same before the words of a search. Default: the model's own for queries.",
        ),
    ] = None,
    verbose: Annotated[bool, _option("--verbose", help="Log what is being done.")] = False,
) -> CatalogOptions:
    """Make the options a value."""
    del config  # its callback has fed the others
    start_logging(verbose=verbose)
    write_csv_raw(csv_raw)
    return CatalogOptions(
        catalog=catalog,
        db=db,
        token=token,
        data_dir=data_dir,
        model=model,
        device=None if device == "auto" else device,
        precision=str(precision),
        batch_size=batch_size,
        settings=ModelSettings(
            revision=revision,
            trust_remote_code=trust_remote_code,
            truncate_dim=truncate_dim,
            prompt=prompt,
            query_prompt=query_prompt,
            text_model=text_model,
        ),
    )


def with_options(
    name: str, make: Callable[..., Any], *, panel: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that puts options in the place of a command's parameter.

    typer reads a function's signature and annotations, so the wrapper brings both.

    Args:
        name: of the parameter; the command gets there what ``make`` makes of the options.
        make: its parameters are the options.
        panel: the part of the help that they stand in, where they do not say it themselves.
    """
    options = inspect.signature(make, eval_str=True).parameters
    for parameter in options.values() if panel else ():
        for info in parameter.annotation.__metadata__:
            info.rich_help_panel = info.rich_help_panel or panel

    def replaced(command: Callable[..., None]) -> Callable[..., None]:
        merged: dict[str, inspect.Parameter] = {}
        for key, parameter in inspect.signature(command, eval_str=True).parameters.items():
            merged |= options if key == name else {key: parameter}

        @wraps(command)
        def run(**values: Any) -> None:
            made = make(**{option: values.pop(option) for option in options})
            command(**values, **{name: made})

        parameters = [
            entry.replace(kind=inspect.Parameter.KEYWORD_ONLY) for entry in merged.values()
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {key: entry.annotation for key, entry in merged.items()}
        return run

    return replaced


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """Put the common options in the place of a command's parameter ``common``."""
    command = with_options("common", _common)(command)

    @wraps(command)
    def run(**values: Any) -> None:
        try:
            command(**values)
        except KeyboardInterrupt:
            fail("ended at once. What is stored is kept; run the same command again to go on.")
            raise typer.Exit(ExitCode.STOPPED) from None

    return run
