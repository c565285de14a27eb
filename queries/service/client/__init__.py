"""A client of the service: a method for every route, with results as values.

``connection`` sends and repeats; ``asking``, ``items``, ``item_map``, ``labels``, ``reviewing`` and
``jobs`` have the methods by topic; ``results`` what they give beside the library's own types.
"""

from __future__ import annotations

from queries.service.client.asking import Asking
from queries.service.client.connection import Connection, ServiceError, content_of
from queries.service.client.item_map import ItemMap
from queries.service.client.items import Items
from queries.service.client.jobs import ServiceJobs
from queries.service.client.labels import Labels
from queries.service.client.reviewing import Reviewing

__all__ = ["Client", "Connection", "ServiceError", "content_of"]


class Client(Asking, Labels, Items, ItemMap, Reviewing, ServiceJobs):
    """Asks a running ``zeroshelf serve``: a method for every route.

    A refused request raises ``ServiceError`` with what the service says, and one that gets no
    answer ``StoreUnavailableError``.

    Args:
        address: such as ``http://127.0.0.1:8080``.
        key: an API key; none is needed on the service's own machine where it has none.
        timeout_s: of one request.
        retries: further attempts where the service is busy, after the time that it asks for, or
            where the connection breaks off before the answer, after pauses that double. A change
            that would be made twice is not sent again once the connection has broken off.
        batch_size: inputs of one request; more are sent in several, over one connection. At
            most the service's ``--max-inputs``.
    """
