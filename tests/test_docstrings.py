"""Docstrings name what there is: a parameter that was renamed is renamed in them, too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for room in ("indexer", "queries") for path in (ROOT / room).rglob("*.py"))

Function = ast.FunctionDef | ast.AsyncFunctionDef
Described = Function | ast.ClassDef


def described_arguments(node: Described) -> list[str]:
    """The names that a docstring has under ``Args``, without the text of each."""
    section = re.search(r"^Args:\n((?: {4}.*\n?|\n)+)", ast.get_docstring(node) or "", re.MULTILINE)
    return re.findall(r"^ {4}\**(\w+):", section[1], re.MULTILINE) if section else []


def parameters(function: Function) -> set[str]:
    """The names of a function's parameters."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [more for more in (arguments.vararg, arguments.kwarg) if more is not None]
    return {argument.arg for argument in named}


def strangers(tree: ast.Module) -> Iterator[str]:
    """Arguments that a docstring of a module names and that are not there."""
    for node in ast.walk(tree):
        if not isinstance(node, Described):
            continue
        function: ast.AST | None = node
        if isinstance(node, ast.ClassDef):
            makers = (entry for entry in node.body if getattr(entry, "name", "") == "__init__")
            function = next(makers, None)
        if isinstance(function, Function):
            names = [name for name in described_arguments(node) if name not in parameters(function)]
            yield from (f"{node.name}: {name}" for name in names)


def test_the_arguments_of_docstrings_are_there() -> None:
    """Of functions, and of classes that are made by a method of their own."""
    wrong = {
        str(path.relative_to(ROOT)): names
        for path in MODULES
        if (names := list(strangers(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert wrong == {}


def test_a_stranger_is_found() -> None:
    """Else the test above could not fail."""
    text = 'def scale(size):\n    """Scale.\n\n    Args:\n        width: in pixels.\n    """\n'
    assert list(strangers(ast.parse(text))) == ["scale: width"]
