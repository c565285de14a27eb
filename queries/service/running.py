"""Runs the application until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence

from indexer.catalog.opening import CatalogOptions
from indexer.core.errors import CatalogError, UsageError
from indexer.core.object_options import ObjectOptions
from queries.service.access import is_loopback
from queries.service.app import create_app
from queries.service.connections import listening, server_of
from queries.service.keys import KeyFile
from queries.service.settings import ServiceSettings
from queries.service.tracing import NOT_TRACED, Tracing

_log = logging.getLogger(__name__)


def run(
    options: CatalogOptions,
    settings: ServiceSettings,
    *,
    tracing: Tracing = NOT_TRACED,
    on_ready: Callable[[str], None] = lambda _: None,
    on_words: Callable[[Sequence[str]], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM; answers under way are finished.

    Args:
        tracing: where spans go.
        on_ready: told the service's address once requests are answered.
        on_words: told what a detector looks for.

    Raises:
        ModelError: the detector is not at hand, or is none.
        UsageError: the address is taken, others than this machine could reach a service without
            keys, or there is nothing that the detector could look for.
    """
    keys = KeyFile(options.data_dir)
    if not keys.all() and not is_loopback(settings.host):
        raise UsageError(
            f"--host {settings.host} lets others in, and there are no keys. Make one first with: "
            "zeroshelf keys add NAME, or leave --host out to serve this machine only."
        )
    if not keys.in_use:
        _log.warning("no keys: everyone on this machine may do everything, and nobody else.")
    elif not keys.all():
        _log.warning("all keys are revoked: nobody may ask. Make one with: zeroshelf keys add NAME")
    if settings.detector:
        on_words(_detector_words(options, settings))
    with listening(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        app = create_app(options, settings, tracing=tracing)
        # By Ctrl-C too it ends in order, and uvicorn then raises it once more.
        with contextlib.suppress(KeyboardInterrupt):
            server_of(app, lambda: on_ready(f"http://{shown}:{port}")).run(sockets=[listener])


def _detector_words(options: CatalogOptions, settings: ServiceSettings) -> tuple[str, ...]:
    """Load the detector, so that a wrong one is told now and not at the first request.

    A catalog that can't be opened is left to ``/readyz``, which says why.

    Returns:
        What the detector looks for; none where the catalog can't be opened.
    """
    from indexer.catalog.objects import object_finder
    from indexer.catalog.opening import open_catalog
    from indexer.encoder.detection import require_detector

    require_detector(settings.detector, options.device)
    with contextlib.ExitStack() as stack:
        try:
            catalog = stack.enter_context(open_catalog(options))
        except CatalogError as error:
            _log.warning("the words of the detector are not checked: %s", error)
            return ()
        words = ObjectOptions(detector=settings.detector, words=settings.object_words)
        return object_finder(catalog, words).words
