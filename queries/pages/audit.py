"""An audit as a page: each doubtful typed label beside the picture and the label that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from queries.audit.audit import AuditReport
from queries.pages import parts


def audit_page(
    report: AuditReport,
    rows: Sequence[dict[str, Any]],
    *,
    shown: Mapping[str, tuple[str, str]],
    catalog: str,
    truth: str,
    command: str,
    pictures: parts.Pictures,
) -> str:
    """The page as one file, the surest error first.

    Args:
        rows: of the table of ``audit``.
        shown: title and source of the picture by item; empty text where it has none.
    """
    suspects = []
    for row in rows:
        title, source = shown.get(row["item_id"], ("", ""))
        suspects.append(row | {"title": title, "source": source})
    return parts.render(
        "audit.html",
        title=f"Labels that are probably wrong - {catalog}",
        report=report,
        suspects=suspects,
        catalog=catalog,
        truth=truth,
        command=command,
        pictures=pictures,
    )
