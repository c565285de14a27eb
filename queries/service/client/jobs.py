"""Work in the background: started, watched, cancelled, its table fetched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indexer.core.given_values import texts_of
from indexer.core.label_sets import CATEGORY
from queries.service.client.answers import value_of, values_of
from queries.service.client.connection import Connection, ServiceError, file_part, path_of
from queries.service.client.labels import rows_of_file
from queries.service.client.results import ServiceJob

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_ROWS_AT_ONCE = 1_000


class ServiceJobs(Connection):
    """Routes of ``/v1/jobs``. One job runs at a time, the others wait for it."""

    def start_ingest(self, archive: str | Path | bytes) -> ServiceJob:
        """Start to bring in the pictures of a tar archive, which the service keeps.

        Args:
            archive: path of a WebDataset shard or any tar of pictures on this machine, or its
                bytes; it is uploaded.

        Raises:
            ServiceError: refused: too large, too many jobs wait, or the key may not.
            StoreUnavailableError: the service does not answer.
            UsageError: the archive can't be read.
        """
        return self._start("ingest", files=[("archive", file_part(archive, 0))])

    def start_categorize(
        self,
        *,
        filter_expression: str = "",
        partition: str | None = None,
        write_back: bool = True,
        sets: Sequence[str] = (),
        **options: Any,
    ) -> ServiceJob:
        """Start to label every stored item; its table is that of ``zeroshelf categorize``.

        Args:
            sets: label sets to decide; empty is that of the options.
            options: as ``ClassifyOptions`` of the service: ``limit``, ``level``...

        Raises:
            ServiceError: refused: too many jobs wait, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        content = {
            "filter": filter_expression,
            "partition": partition,
            "write_back": write_back,
            "sets": texts_of("sets", sets),
            "options": options,
        }
        return self._start("categorize", json=content)

    def start_retry(self) -> ServiceJob:
        """Start to try the dead letters again.

        Raises:
            ServiceError: refused: too many jobs wait, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        return self._start("retry")

    def start_teach(self, *, set_name: str = CATEGORY) -> ServiceJob:
        """Start to learn from what people said, as far as cross-validation says that it helps.

        Raises:
            ServiceError: refused: too many jobs wait, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        return self._start("teach", params={"set": set_name})

    def start_duplicates(self, **options: Any) -> ServiceJob:
        """Start to find look-alikes; its table is that of ``zeroshelf duplicates``.

        Args:
            options: ``near``, ``product``, ``variants``, ``keep_by``.

        Raises:
            ServiceError: refused: too many jobs wait, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        return self._start("duplicates", json=options)

    def start_audit(self, truth: str, *, min_probability: float = 0.1) -> ServiceJob:
        """Start to find wrong labels; its table is that of ``zeroshelf audit``.

        Args:
            truth: column of the items' metadata with labels.
            min_probability: of being wrong, from which a label is told.

        Raises:
            ServiceError: refused: too many jobs wait, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        return self._start("audit", json={"truth": truth, "min_probability": min_probability})

    def start_map(self, file: str | Path, **options: Any) -> ServiceJob:
        """Start to map the catalog's labels to others; its table is that of ``labels map``.

        Args:
            file: the other taxonomy, a label file of any kind on this machine; it is sent.
            options: as ``MappingJob`` of the service: ``label_set``, ``items``, ``truth``,
                ``same_ids``, ``min_score``.

        Raises:
            TaxonomyError: the file is no valid taxonomy.
            ServiceError: refused: too many jobs wait, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        return self._start("map", json={"labels": rows_of_file(file), **options})

    def start_projection(self, **options: Any) -> ServiceJob:
        """Start to lay the items out on the map, as ``zeroshelf map`` does; it has no table.

        Args:
            options: as ``ProjectJob`` of the service: ``method``, ``seed``, ``points``.

        Raises:
            ServiceError: refused: too many jobs wait, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        return self._start("project", json=options)

    def jobs(self) -> list[ServiceJob]:
        """The jobs since the service started, newest first.

        Raises:
            ServiceError: refused.
            StoreUnavailableError: the service does not answer.
        """
        return list(values_of(ServiceJob, self._ask("GET", "/v1/jobs")["jobs"]))

    def job(self, job_id: str) -> ServiceJob:
        """How far a job is.

        Raises:
            ServiceError: refused, or there is no such job.
            StoreUnavailableError: the service does not answer.
        """
        return value_of(ServiceJob, self._ask("GET", path_of("/v1/jobs", job_id)))

    def wait(self, job: ServiceJob | str) -> ServiceJob:
        """The job once it is done.

        Args:
            job: a job, or the id of one.

        Raises:
            ServiceError: the job failed or was cancelled.
            StoreUnavailableError: the service does not answer.
        """
        pause_s = _FIRST_PAUSE_S
        current = self.job(job) if isinstance(job, str) else job
        while not current.is_over:
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            current = self.job(current.job_id)
        if current.state != "done":
            raise ServiceError(409, "no-result", current.error or f"the job was {current.state}")
        return current

    def cancel(self, job: ServiceJob | str) -> ServiceJob:
        """Ask a job to stop; what it has stored stays.

        Args:
            job: a job, or the id of one.

        Raises:
            ServiceError: refused, or there is no such job.
            StoreUnavailableError: the service does not answer.
        """
        return value_of(ServiceJob, self._ask("DELETE", _path_of(job)))

    def rows(self, job: ServiceJob | str) -> list[dict[str, Any]]:
        """All rows of the table that a job wrote, in its order.

        Args:
            job: a job, or the id of one.

        Raises:
            ServiceError: refused, or the job has no table.
            StoreUnavailableError: the service does not answer.
        """
        path = f"{_path_of(job)}/rows"
        rows: list[dict[str, Any]] = []
        while True:
            query = {"limit": _ROWS_AT_ONCE, "offset": len(rows)}
            answer = self._ask("GET", path, params=query)
            rows += answer["rows"]
            if not answer["rows"] or len(rows) >= answer["total"]:
                return rows

    def download_result(self, job: ServiceJob | str, file: str | Path) -> Path:
        """Write the table that a job wrote to a Parquet file.

        Args:
            job: a job, or the id of one.

        Returns:
            The file.

        Raises:
            ServiceError: refused, or the job has no table.
            StoreUnavailableError: the service does not answer.
            UsageError: the file can't be written.
        """
        return self._download(f"{_path_of(job)}/result", file)

    def duplicates(self, **options: Any) -> list[dict[str, Any]]:
        """Look-alikes of the catalog: ``start_duplicates``, waited for, and the rows of its table.

        Raises:
            ServiceError: refused, or the job failed or was cancelled.
            StoreUnavailableError: the service does not answer.
        """
        return self.rows(self.wait(self.start_duplicates(**options)))

    def audit(self, truth: str, *, min_probability: float = 0.1) -> list[dict[str, Any]]:
        """Probably wrong labels: ``start_audit``, waited for, and the rows of its table.

        Raises:
            ServiceError: refused, or the job failed or was cancelled.
            StoreUnavailableError: the service does not answer.
        """
        return self.rows(self.wait(self.start_audit(truth, min_probability=min_probability)))

    def map_labels(self, file: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Counterparts of the labels: ``start_map``, waited for, and the rows of its table.

        Raises:
            TaxonomyError: the file is no valid taxonomy.
            ServiceError: refused, or the job failed or was cancelled.
            StoreUnavailableError: the service does not answer.
        """
        return self.rows(self.wait(self.start_map(file, **options)))

    def _start(self, kind: str, **content: Any) -> ServiceJob:
        answer = self._ask("POST", f"/v1/jobs/{kind}", repeatable=False, **content)
        return value_of(ServiceJob, answer)


def _path_of(job: ServiceJob | str) -> str:
    return path_of("/v1/jobs", job if isinstance(job, str) else job.job_id)
