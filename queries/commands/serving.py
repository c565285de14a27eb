"""The commands of the service: run it, and manage who may use it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.objects import say_words
from indexer.commands.options import Output, Printed, option, with_common
from indexer.commands.tables import split_names
from indexer.core.errors import UsageError
from queries.commands.remote import Remote, with_remote
from queries.service.keys import KeyFile, Scope
from queries.service.settings import ServiceSettings

app = typer.Typer()
keys_app = typer.Typer(help="API keys of the service.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

_DEFAULTS = ServiceSettings()


@app.command()
@with_common
def serve(
    *,
    host: Annotated[str, option(help="Address to listen on.")] = _DEFAULTS.host,
    port: Annotated[int, option(min=0, max=65535, help="Port; 0 takes a free one.")] = (
        _DEFAULTS.port
    ),
    max_batch: Annotated[
        int, option(min=1, help="Pictures or texts of one forward pass.")
    ] = _DEFAULTS.max_batch,
    batch_window: Annotated[
        float, option(min=0.0, help="Milliseconds that a batch waits for more.")
    ] = _DEFAULTS.window_s * 1000,
    max_queue: Annotated[
        int, option(min=1, help="Inputs that may wait; more are answered 503.")
    ] = _DEFAULTS.max_queue,
    max_body: Annotated[int, option(min=1, help="Bytes of a request.")] = _DEFAULTS.max_body,
    max_inputs: Annotated[int, option(min=1, help="Inputs of a request.")] = _DEFAULTS.max_inputs,
    max_bytes: Annotated[
        int, option(min=1, help="Bytes of a picture or sound.")
    ] = _DEFAULTS.max_bytes,
    max_pixels: Annotated[int, option(min=1, help="Pixels of a picture.")] = _DEFAULTS.max_pixels,
    max_sound: Annotated[
        float, option(min=1.0, help="Seconds of a sound.")
    ] = _DEFAULTS.max_sound_s,
    max_text: Annotated[int, option(min=1, help="Characters of a text.")] = _DEFAULTS.max_text,
    request_timeout: Annotated[
        float, option(min=0.1, help="Seconds from a request to its answer.")
    ] = _DEFAULTS.request_timeout_s,
    decode_memory: Annotated[
        int, option(min=1, help="Bytes that pictures decoded at the same time may take together.")
    ] = _DEFAULTS.decode_memory,
    decode_timeout: Annotated[
        float, option(min=0.1, help="Seconds to decode a picture, or to fetch one.")
    ] = _DEFAULTS.decode_timeout_s,
    decoders: Annotated[
        int, option(min=1, help="Processes that decode uploads.")
    ] = _DEFAULTS.decoders,
    max_jobs: Annotated[
        int, option(min=1, help="Jobs that may wait; more are answered 503.")
    ] = _DEFAULTS.max_jobs,
    keep_jobs: Annotated[
        int, option(min=1, help="Ended jobs that are remembered, and results kept.")
    ] = _DEFAULTS.keep_jobs,
    fetch_urls: Annotated[
        bool, option(help="Pictures may be named by URL, on the public web only.")
    ] = False,
    fetch_hosts: Annotated[
        list[str] | None,
        option(
            metavar="HOST",
            help="With --fetch-urls: only from this host, or, with a point before it, from all "
            "below it, such as .example.com. Repeatable.",
        ),
    ] = None,
    detector: Annotated[
        str,
        option(
            metavar="MODEL",
            help="Finds things in pictures, as of ingest --objects. Default: a grid of regions.",
            show_default=False,
        ),
    ] = "",
    object_words: Annotated[
        str,
        option(
            metavar="WORDS",
            help="What the detector looks for, separated by commas. Default: the top of the "
            "taxonomy.",
            show_default=False,
        ),
    ] = "",
    traces: Annotated[
        bool,
        option(
            "--traces",
            help="Send spans of requests by OTLP, where OpenTelemetry's own variables say, such as "
            "OTEL_EXPORTER_OTLP_ENDPOINT.",
        ),
    ] = False,
    common: CatalogOptions,
) -> None:
    """Serve a catalog over HTTP, with a page to search and review."""
    from queries.service.running import run
    from queries.service.tracing import NOT_TRACED, Tracing, by_otlp

    settings = ServiceSettings(
        host=host,
        port=port,
        window_s=batch_window / 1000,
        max_batch=max_batch,
        max_queue=max_queue,
        max_body=max_body,
        max_inputs=max_inputs,
        max_bytes=max_bytes,
        max_pixels=max_pixels,
        max_sound_s=max_sound,
        max_text=max_text,
        request_timeout_s=request_timeout,
        decode_memory=decode_memory,
        decode_timeout_s=decode_timeout,
        decoders=decoders,
        max_jobs=max_jobs,
        keep_jobs=keep_jobs,
        fetch_urls=fetch_urls or bool(fetch_hosts),
        fetch_hosts=tuple(allowed_host.lower().rstrip(".") for allowed_host in fetch_hosts or ()),
        detector=detector,
        object_words=split_names(object_words),
    )
    run(
        common,
        settings,
        tracing=Tracing(by_otlp()) if traces else NOT_TRACED,
        on_words=say_words,
        on_ready=lambda address: console.say(f"zeroshelf serves {address}"),
    )


@app.command()
@with_common
@with_remote
def mcp(
    *,
    scope: Annotated[
        Scope,
        option(help="What the agent may do: read, or also write, which gives verdicts."),
    ] = Scope.READ,
    remote: Remote | None,
    common: CatalogOptions,
) -> None:
    """Answer an agent by the Model Context Protocol, on stdin and stdout.

    Its tools ask the routes of the service: in this process, or with --server those of a service
    that runs, whose key decides what the agent may do.
    """
    try:
        from queries.agents.server import serve as serve_agent
    except ModuleNotFoundError as error:
        raise UsageError(
            f"zeroshelf mcp needs the package {error.name}: pip install 'zeroshelf[mcp]'"
        ) from error

    address, key = (None, "") if remote is None else (remote.address, remote.key)
    serve_agent(common, scope, address=address, key=key)


@keys_app.command("add")
@with_common
def add_key(
    *,
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    scope: Annotated[Scope, option(help="What it may do; each includes those before.")] = (
        Scope.READ
    ),
    common: CatalogOptions,
) -> None:
    """Make a key; it is shown once."""
    text = KeyFile(common.data_dir).create(name, scope)
    console.say(f"A key for {name}, scope {scope}; it is shown this once:")
    sys.stdout.write(f"{text}\n")


@keys_app.command("list")
@with_common
def list_keys(*, output: Printed = Output.TABLE, common: CatalogOptions) -> None:
    """Show the keys, without their secrets."""
    rows = [
        {"id": key.key_id, "name": key.name, "scope": key.scope, "created": key.created}
        for key in KeyFile(common.data_dir).all()
    ]
    console.show_rows(rows, output, title="keys")


@keys_app.command("revoke")
@with_common
def revoke_key(
    *,
    key_id: Annotated[str, typer.Argument(help="As keys list shows it.")],
    common: CatalogOptions,
) -> None:
    """Make a key invalid, at once, for running services too."""
    KeyFile(common.data_dir).revoke(key_id)
    console.say(f"Key {key_id} is revoked.")
