"""What an ingestion says of itself to machines."""

from __future__ import annotations

import json

from indexer.ingestion.reports import IngestReport


def test_a_report_is_json() -> None:
    """Counters stay counts by name."""
    report = IngestReport(read=3, dead=2)
    report.dead_by_reason["missing"] += 2
    report.dead_by_origin[0] += 2
    found = json.loads(json.dumps(report.facts()))
    assert found["dead_by_reason"] == {"missing": 2}
    assert found["dead_by_origin"] == {"0": 2}
    assert found["utilisation"]["decoders"] == 1
