"""What a service does once before it is ready, so that the first requests need not wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.collection import freeze_loaded
from indexer.core.errors import ZeroshelfError
from indexer.core.protocols import Pixels
from indexer.sources.decoding import thumbnail
from queries.classify import Classifier
from queries.service.batching import QueueFullError
from queries.service.engine import Engine

_SIDE = 256
_PAUSE_S = 0.5

_log = logging.getLogger(__name__)


async def warm(engine: Engine) -> None:
    """Do once what requests will ask for.

    Libraries load parts of themselves, and prepare for a size of a batch, when they first meet
    it: that takes seconds also with a small model. What a catalog can't do, such as one without
    a model, is left out, and told to those who ask for it. It raises nothing: that would be told
    to everyone who asks whether the service is ready, for ever.
    """
    for step in (_texts, _pictures, _labels):
        await _done(engine, step)
    # What is there now stays, objects of libraries for the most part: a garbage collection
    # that looks through them all held everyone up for 0.3 s, every few seconds under load.
    freeze_loaded()


async def _done(engine: Engine, step: Callable[[Engine], Awaitable[None]]) -> None:
    while True:
        try:
            await step(engine)
        except QueueFullError:  # requests came first
            await asyncio.sleep(_PAUSE_S)
            continue
        except ZeroshelfError as error:
            _log.debug("not warmed: %s", error)
        except Exception:  # noqa: BLE001 (those who ask for it are told; nobody waits for this)
            _log.exception("warming failed")
        return


def batch_sizes(largest: int) -> list[int]:
    """Sizes of batches to prepare for: powers of two, and the largest."""
    return sorted({*(2**power for power in range(largest.bit_length())), largest})


async def _texts(engine: Engine) -> None:
    await engine.run(lambda catalog: catalog.encoder.embed_texts(["a text"]))


async def _pictures(engine: Engine) -> None:
    blank: Pixels = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    content = thumbnail(blank, side=_SIDE)
    decoders = engine.settings.decoders
    await asyncio.gather(*(engine.decode(content, "blank") for _ in range(decoders)))

    def embed(catalog: OpenCatalog) -> None:
        prepared = catalog.encoder.prepare(blank)
        for size in batch_sizes(engine.settings.max_batch):
            catalog.encoder.embed_pictures([prepared] * size)

    await engine.run(embed)


async def _labels(engine: Engine) -> None:
    def classify(catalog: OpenCatalog) -> None:
        vector = np.zeros((1, catalog.fingerprint.width), np.float32)
        Classifier(catalog, by_search=False).classify(vector)

    await engine.run(classify)
