"""The reference of the Python classes: read from their signatures and docstrings, as MkDocs runs.

MkDocs, "Hooks" (https://www.mkdocs.org/user-guide/configuration/#hooks).
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import queries

PAGE = "python-reference.md"
CLASSES = ("Catalog", "Frame", "Client", "ZeroShotClassifier", "Classifier")
_SECTIONS = ("Args", "Returns", "Raises", "Attributes", "Yields")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, PAGE, content=python_page()))
    return files


def python_page() -> str:
    """Markdown of the reference: a chapter a class, a section a method."""
    lines = [
        "# Python",
        "",
        "This reference is read from the classes when the site is built. "
        "[Use it from Python](python.md) shows them at work.",
    ]
    for name in CLASSES:
        kind = getattr(queries, name)
        lines += ["", f"## {name}", "", f"`from queries import {name}`", ""]
        if dataclasses.is_dataclass(kind):  # made by the library, and read by its attributes
            lines += _markdown(inspect.getdoc(kind) or "")
        else:
            lines += _described(kind, kind.__init__)
        for method_name, method in methods_of(kind):
            lines += ["", f"### {name}.{method_name}", "", *_described(method, method)]
    return "\n".join(lines) + "\n"


def methods_of(kind: type) -> Iterator[tuple[str, Any]]:
    """The public methods that are ours, in the order of their classes and lines."""
    for owner in kind.__mro__:
        if owner.__module__.partition(".")[0] != "queries":
            continue
        for name, member in vars(owner).items():
            function = inspect.unwrap(getattr(member, "__func__", member))
            if not name.startswith("_") and inspect.isfunction(function):
                yield name, function


def _described(documented: Any, called: Any) -> list[str]:
    """A signature, and a docstring as Markdown."""
    return [
        "```python",
        _signature(documented.__name__, called),
        "```",
        "",
        *_markdown(inspect.getdoc(documented) or ""),
    ]


def _signature(name: str, called: Any) -> str:
    """As one writes it, a parameter a line where it is long; defaults as they stand in the code."""
    source = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(called))))
    (function,) = source.body
    assert isinstance(function, ast.FunctionDef)
    parts = list(_parameters(function.args))
    result = ""
    if function.returns is not None and called.__name__ != "__init__":
        result = f" -> {ast.unparse(function.returns)}"
    short = f"{name}({', '.join(parts)}){result}"
    if len(short) <= 88:
        return short
    return "\n".join([f"{name}(", *(f"    {part}," for part in parts), f"){result}"])


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    """Each parameter with its type and default; a star before those that need their names."""
    placed = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(placed) - len(arguments.defaults)) + list(arguments.defaults)
    for parameter, default in zip(placed, defaults, strict=True):
        if parameter.arg not in {"self", "cls"}:
            yield _parameter(parameter, default)
    if arguments.vararg is not None:
        yield f"*{_parameter(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(parameter, default)
    if arguments.kwarg is not None:
        yield f"**{_parameter(arguments.kwarg, None)}"


def _parameter(parameter: ast.arg, default: ast.expr | None) -> str:
    kind = "" if parameter.annotation is None else f": {ast.unparse(parameter.annotation)}"
    return f"{parameter.arg}{kind}" + ("" if default is None else f" = {ast.unparse(default)}")


def _markdown(text: str) -> list[str]:
    """A docstring of Google's style: its sections become lists."""
    lines: list[str] = []
    section = ""
    for line in text.replace("``", "`").splitlines():
        heading = line.rstrip(":")
        if heading in _SECTIONS and line.endswith(":"):
            section = heading
            lines += ["", f"**{heading}**", ""]
        elif section and line.startswith("    "):
            inner = line[4:]
            entry = re.match(r"(\*{0,2}\w[\w, *]*): (.*)", inner)
            if entry and section in {"Args", "Attributes", "Raises"}:
                lines.append(f"- `{entry[1]}`: {entry[2]}")
            else:
                lines.append(f"  {inner.strip()}" if section != "Returns" else inner)
        else:
            lines.append(line)
    return lines
