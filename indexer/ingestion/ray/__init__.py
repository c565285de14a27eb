"""The only home of Ray: the same stages, on many machines.

    driver                                     workers (actors, one for each GPU)
    reads the source, asks the ledger  ----->  fetch: bytes stay there, hashes come back
    leaves out what is stored as it is ----->  embed: decode, model; vectors come back
    archive, ledger, dead letters, database

The driver alone writes, just as a local run does, so what a job stores, counts and resumes
is the same. A batch is the unit of retry: it is a pure function of small descriptions, and
Ray runs it again, on a worker that it starts anew, when a worker or its machine dies.

These are plain actors and not Ray Data: a source is a stream that only the driver can read,
and between fetch and decode its ledger is asked whether a content is known. A Ray Data
pipeline has no way back to the driver in its middle, starts its actors (and loads the model)
once for each data set, and would embed what is stored. Restarts, retries, lost objects,
placement and GPUs are Ray's own.

Nothing here imports Ray before a cluster is connected.
"""

from __future__ import annotations

from indexer.ingestion.ray.cluster import Cluster, ClusterOptions, connected
from indexer.ingestion.ray.mapping import side_by_side
from indexer.ingestion.ray.stages import RayStages, ray_stages

__all__ = ["Cluster", "ClusterOptions", "RayStages", "connected", "ray_stages", "side_by_side"]
