"""The only home of Ray: the same stages, on many machines.

    driver                                     workers (actors, one for each GPU)
    reads the source and the ledger   ----->  fetch: bytes stay there, hashes come back
    leaves out unchanged items        ----->  embed: decode, model; vectors come back
    archive, ledger, dead letters, database

The driver alone writes, as in a local run, so a job stores, counts and resumes in the same way.
A batch is the unit of retry: it is a pure function of small descriptions, and Ray runs it again
on a restarted worker when a worker or its machine dies.

These are plain actors and not Ray Data: a source is a stream that only the driver can read,
and between fetch and decode it looks contents up in its ledger. A Ray Data pipeline has no way
back to the driver in its middle, starts its actors (and loads the model) once for each data set,
and would embed stored items again. Ray itself handles restarts, retries, lost objects, placement
and GPUs.

Nothing here imports Ray before a cluster is connected.
"""

from __future__ import annotations

from indexer.ingestion.ray.cluster import Cluster, ClusterOptions, connected
from indexer.ingestion.ray.mapping import side_by_side
from indexer.ingestion.ray.stages import RayStages, ray_stages

__all__ = ["Cluster", "ClusterOptions", "RayStages", "connected", "ray_stages", "side_by_side"]
