"""The notebook of the docs runs, cell by cell, and shows what it says; so does docs/python.md."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parent.parent / "docs"
NOTEBOOK = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does; the value of its last expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None


@pytest.mark.slow
def test_the_notebook_and_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All cells in a new folder; each result has its HTML, those with pictures have them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    cells = ["".join(one["source"]) for one in NOTEBOOK["cells"] if one["cell_type"] == "code"]
    shown = [run_cell(cell, names)._repr_html_() for cell in cells]
    counts, labels, predictions, found, like, new, measures, by_label, rows = shown
    assert "<td" in counts
    assert "The first 20 of 95 rows." in labels
    assert predictions.count("<img") == 20
    assert "The first 20 of 60 rows." in predictions
    assert found.count("<img") == 5
    assert found.count("<th>brand</th>") == 1
    assert like.count("laptop") >= 3
    assert new.count("<img") == 1
    assert "60 items with a truth" in measures
    assert "<th>brand</th>" in rows
    assert "laptop" in by_label
    page = (DOCS / "python.md").read_text(encoding="utf-8")
    first, second, *_ = (
        code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        if "import Catalog\n" in code or ("catalog." in code and "import" not in code)
    )  # fmt: skip
    exec(first, names)
    assert len(names["hits"]) == 5
    exec(second, names)
    assert set(names["labels"].table.column("rank").to_pylist()) == {1, 2, 3, 4, 5}
    assert len(names["alike"]) > 0


def test_the_notebook_is_kept_without_outputs() -> None:
    """They would change with each run, and hold pictures."""
    code = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
