"""The command that says beforehand what a catalog will take."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, option, with_common
from indexer.core.layout import VectorType

if TYPE_CHECKING:
    from indexer.jobs.sizing import Estimate, Plan

app = typer.Typer()


@app.command()
@with_common
def estimate(
    *,
    items: Annotated[int, option("--items", min=1, help="Items of the catalog.")],
    labels: Annotated[int, option("--labels", min=1, help="Labels that compete.")] = 1_000,
    width: Annotated[
        int, option("--width", min=1, max=32_768, help="Dimensions of the model's vectors.")
    ] = 512,
    rate: Annotated[
        float | None,
        option("--rate", min=0.001, help="Pictures that a machine embeds in a second."),
    ] = None,
    price: Annotated[
        float | None,
        option("--price", min=0.0, help="What that machine costs in an hour, in any currency."),
    ] = None,
    index: Annotated[
        str, option("--index", help="Index on the server: auto, or a Milvus type such as HNSW.")
    ] = "auto",
    vector_type: Annotated[
        VectorType,
        option("--vector-type", help="Number format of the vectors on the server."),
    ] = VectorType.FLOAT32,
    text_bytes: Annotated[
        int,
        option("--text-bytes", min=0, help="Bytes of an item's id, source, title and metadata."),
    ] = 160,
    id_bytes: Annotated[int, option("--id-bytes", min=1, help="Bytes of an item's id.")] = 12,
    embed_titles: Annotated[
        bool,
        option("--embed-titles/--no-embed-titles", help="Titles of pictures are embedded too."),
    ] = False,
    node_memory: Annotated[
        float, option("--node-memory", min=1.0, help="GB of main memory in a query node.")
    ] = 64.0,
    gigaflops: Annotated[
        float,
        option("--gigaflops", min=0.1, help="1e9 operations a second, of the labelling machine."),
    ] = 50.0,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Say what a catalog of some size takes: disk, memory, query nodes, hours, money.

    Nothing is opened; docs/scaling.md has the formulas and what they were held against.
    """
    from indexer.jobs import sizing

    del common  # only --config matters here: no catalog is needed
    plan = sizing.Plan(
        items=items,
        labels=labels,
        width=width,
        index=index,
        vector_type=vector_type,
        id_bytes=id_bytes,
        text_bytes=text_bytes,
        titles=embed_titles,
        rate=rate,
        price=price,
        node_bytes=round(node_memory * 1e9),
        gigaflops=gigaflops,
    )
    needs = sizing.estimate(plan)
    if output != Output.TABLE:
        console.show_rows([asdict(needs)], output)
        return
    title = f"{items:,} items, {labels:,} labels, {width:,} dimensions"
    console.show_facts(_facts(plan, needs), title=title)
    if not needs.was_measured:
        console.say("Computed, not measured at this size and index: see docs/scaling.md.")


def _facts(plan: Plan, needs: Estimate) -> dict[str, str]:
    """The estimate for people, in the order in which a catalog is made."""
    local = {
        "archive": needs.archive_bytes,
        "ledger": needs.ledger_bytes,
        "index of words": needs.words_bytes,
        "decisions": needs.decisions_bytes,
    }
    nodes = f"{needs.query_nodes:,} query node{'s' * (needs.query_nodes > 1)}"
    return {
        "embedding": _embedding(plan, needs),
        "local disk": _size(sum(local.values())),
        **{f"  {name}": _size(size) for name, size in local.items()},
        "Milvus Lite": _lite(needs),
        "Milvus server": f"{needs.index} ({plan.vector_type}), {nodes} of {_size(plan.node_bytes)}",
        "  memory": _size(needs.server_memory_bytes),
        "  disk": _size(needs.server_disk_bytes),
        "categorizing": f"{_duration(needs.categorizing_hours)} for "
        f"{needs.operations / 1e12:,.3g} TFLOP at {plan.gigaflops:,g} GFLOP/s",
    }


def _embedding(plan: Plan, needs: Estimate) -> str:
    if needs.embedding_hours is None:
        return "unknown without --rate, the pictures that a machine embeds in a second"
    time = f"{_duration(needs.embedding_hours)} of one machine at {plan.rate:,g} a second"
    if needs.embedding_cost is None:
        return f"{time}; --price tells the cost"
    return (
        f"{time}: {needs.embedding_cost:,.2f}, or {needs.embedding_cost_per_million:,.2f} a million"
    )


def _lite(needs: Estimate) -> str:
    if needs.lite_memory_bytes is None or needs.lite_disk_bytes is None:
        return "too slow for so many"
    return f"{_size(needs.lite_memory_bytes)} of memory, {_size(needs.lite_disk_bytes)} of disk"


def _size(size: int) -> str:
    for unit, bytes_ in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= bytes_:
            return f"{size / bytes_:,.3g} {unit}"
    return f"{size / 1e3:,.3g} kB"


def _duration(hours: float) -> str:
    for unit, length in (("days", 24.0), ("hours", 1.0), ("minutes", 1 / 60)):
        if hours >= 2 * length:
            return f"{hours / length:,.3g} {unit}"
    return f"{hours * 3_600:,.3g} seconds"
