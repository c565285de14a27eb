"""An audit as a page: each doubtful typed label beside the picture and the label that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from queries.audit.audit import AuditReport
from queries.pages import parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """An item whose typed label is probably wrong.

    Attributes:
        source: where its picture lies; empty where it has none.
        typed: what somebody typed.
        path: names from the root to the label that fits.
    """

    item_id: str
    title: str
    source: str
    typed: str
    label: str
    path: str
    wrong_probability: float
    typed_score: float
    score: float


def suspects_of(
    rows: Sequence[Mapping[str, Any]], shown: Mapping[str, tuple[str, str]]
) -> list[Suspect]:
    """Rows of the table of ``audit``, with titles and pictures.

    Args:
        shown: title and source by item.
    """
    names = ("item_id", "typed", "label", "path", "wrong_probability", "typed_score", "score")
    return [
        Suspect(
            title=shown.get(row["item_id"], ("", ""))[0],
            source=shown.get(row["item_id"], ("", ""))[1],
            **{name: row[name] for name in names},
        )
        for row in rows
    ]


def audit_page(
    report: AuditReport,
    suspects: Sequence[Suspect],
    *,
    catalog: str,
    truth: str,
    command: str,
    pictures: parts.Pictures,
) -> str:
    """The page as one file, the surest error first."""
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
