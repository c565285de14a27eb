"""The options of every command whose work Ray can do on many machines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from indexer.commands.options import option, with_options
from indexer.commands.panels import COMPUTING
from indexer.core.errors import UsageError

if TYPE_CHECKING:
    from indexer.ingestion.ray import ClusterOptions


class Engine(StrEnum):
    """Where the work is done."""

    LOCAL = "local"
    RAY = "ray"


@dataclass(frozen=True, slots=True, kw_only=True)
class Computing:
    """Where the work is done; the fields are the options."""

    engine: Annotated[
        Engine, option(help="Where the work is done: here, or by Ray on many machines.")
    ] = Engine.LOCAL
    address: Annotated[
        str | None,
        option(
            help="Ray's address: HOST:PORT, ray://HOST:PORT or auto (default: a Ray on this "
            "machine, for as long as the command runs).",
            show_default=False,
        ),
    ] = None
    ray_workers: Annotated[
        int | None,
        option(
            min=1,
            help="Ray's workers (default: one for each GPU, or for four cores).",
            show_default=False,
        ),
    ] = None

    def cluster(self) -> ClusterOptions | None:
        """The cluster that is asked for; None is this machine.

        Raises:
            UsageError: a cluster is described, and not asked for.
        """
        from indexer.ingestion.ray import ClusterOptions

        if self.engine is Engine.RAY:
            return ClusterOptions(address=self.address, workers=self.ray_workers)
        if self.address is not None or self.ray_workers is not None:
            raise UsageError("--address and --ray-workers describe a Ray: add --engine ray.")
        return None


with_computing = with_options("computing", Computing, panel=COMPUTING)
"""Puts them in the place of a command's parameter ``computing``."""
