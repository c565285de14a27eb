"""The command that lays the items out on a map; parsing and printing, no logic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, option, with_common
from indexer.commands.tables import split_names
from indexer.core.errors import UsageError
from queries.commands.outcome import show_outcome
from queries.projection.methods import Method

if TYPE_CHECKING:
    from indexer.catalog.catalog import OpenCatalog
    from queries.projection.projecting import ProjectionReport

app = typer.Typer()

_ENDINGS = (".html", ".htm")


@app.command(name="map")
@with_common
def item_map(
    *,
    to: Annotated[
        Path | None,
        option("--to", help="Also write the map to this HTML file, which needs nothing else."),
    ] = None,
    columns: Annotated[
        str,
        option(
            "--columns",
            help="Columns of the items' own table by which that file can colour points, separated "
            "by commas; labels and status are always there.",
        ),
    ] = "",
    method: Annotated[
        Method | None,
        option(
            "--method",
            help="UMAP keeps near items together; PCA is quick, and shows the two main axes. "
            "Default: umap where it is installed (zeroshelf[map]), else pca.",
        ),
    ] = None,
    points: Annotated[
        int, option(min=1, max=1_000_000, help="Of more items so many are drawn at random.")
    ] = 100_000,
    seed: Annotated[
        int, option(min=0, max=2**32 - 1, help="The same seed gives the same map.")
    ] = 0,
    again: Annotated[
        bool, option("--again", help="Lay out anew, also where all items are on the map already.")
    ] = False,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Lay the items out in two dimensions, where like lies beside like; the page shows it.

    The places are kept beside the catalog. Items that come later are not on the map until this
    is run again; those that are removed leave it at once.
    """
    from indexer.catalog.opening import open_catalog
    from queries.projection.projecting import ProjectionOptions, project_items

    _refuse_other_files(to)
    options = ProjectionOptions(method=method, seed=seed, most=points, again=again)
    with open_catalog(common) as catalog, console.watched("Reading") as watch:
        report = project_items(catalog, options, watch)
        if to is not None:
            watch.begin("Writing the page", None)
            _write_page(catalog, to, split_names(columns))
    show_outcome(
        report, _facts(report, common.catalog), output, title=f"Map of {common.catalog}", page=to
    )


def _refuse_other_files(to: Path | None) -> None:
    if to is None:
        return
    if to.suffix.lower() not in _ENDINGS:
        raise UsageError(f"{str(to)!r}: the map is a page: the file must end in .html.")
    if not to.parent.is_dir():
        raise UsageError(f"folder {str(to.parent)!r} does not exist: make it first.")


def _write_page(catalog: OpenCatalog, to: Path, columns: Sequence[str]) -> None:
    from indexer.core.durable import write_text_durably
    from queries.pages.item_map import map_page
    from queries.projection.item_map import current_map

    item_map = current_map(catalog)
    assert item_map is not None  # it was just made
    write_text_durably(to, map_page(catalog, item_map, columns))


def _facts(report: ProjectionReport, catalog: str) -> dict[str, Any]:
    points = "all on the map" if report.points == report.items else f"{report.points:,} drawn"
    method = {"umap": "UMAP", "pca": "the two principal axes (PCA)"}[report.method]
    unchanged = "; the map was up to date" if report.unchanged else ""
    return {
        "items": f"{report.items:,}, {points}",
        "laid out by": f"{method}, seed {report.seed}{unchanged}",
        **({"why not UMAP": report.reason} if report.reason else {}),
        "trustworthiness": _trust(report),
        "look at it": f"zeroshelf serve --catalog {catalog}, then Map",
    }


def _trust(report: ProjectionReport) -> str:
    if report.trustworthiness is None:
        return "too few items to tell"
    of = "all items" if report.measured_on == report.items else f"{report.measured_on:,} items"
    return (
        f"{report.trustworthiness:.3f} of {of}: neighbours on the map are neighbours by embedding "
        "at 1, by chance at 0.5"
    )
