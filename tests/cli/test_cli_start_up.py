"""What starting costs is what is imported: nothing heavy for help, and no more than a job needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from shell import Shell, write_rows

HEAVY = {
    *("torch", "transformers", "sentence_transformers", "pymilvus", "milvus_lite", "grpc"),
    *("pandas", "pyarrow", "numpy", "scipy", "sklearn", "matplotlib", "PIL", "faiss", "numba"),
    *("httpx", "fsspec", "filelock", "yaml", "sqlite3", "fastapi", "uvicorn"),
}

# pydantic is not among them: typer itself checks the words before a command by it.
HELP = """
import contextlib, io, json, sys
from queries import cli
import typer

def paths(command, words=()):
    yield list(words)
    for name, one in getattr(command, "commands", {}).items():
        yield from paths(one, (*words, name))

loaded = {}
for words in paths(typer.main.get_command(cli.app)):
    sys.argv = ["zeroshelf", *words, "--help"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        cli.main()
    loaded[" ".join(words)] = sorted(name for name in sys.modules if "." not in name)
print(json.dumps(loaded))
"""


def run(code: str, folder: Path | None = None, **variables: str) -> str:
    """The last line that a Python of its own prints, with more variables in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=os.environ | variables,
    )
    return done.stdout.splitlines()[-1]


def test_importing_loads_nothing_heavy() -> None:
    """The packages by themselves take nothing but Python's own modules."""
    code = "import sys, indexer, queries; print(' '.join(sys.modules))"
    loaded = {name.partition(".")[0] for name in run(code).split()}
    assert not loaded & (HEAVY | {"rich", "typer"})


def test_a_command_ends_without_a_collection() -> None:
    """With torch and transformers loaded it would take more than a tenth of a short command."""
    code = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print(gc.get_freeze_count()))\n"  # the first is called last
        "from queries.cli import main\n"
        "sys.argv = ['zeroshelf', '--version']\n"
        "main()"
    )
    assert int(run(code)) > 0


def test_no_help_page_loads_anything_heavy() -> None:
    """Of no command, and there are many."""
    loaded = json.loads(run(HELP))
    assert len(loaded) > 20
    assert {words: sorted(HEAVY & set(names)) for words, names in loaded.items()} == {
        words: [] for words in loaded
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small catalog of the packaged model with three labels."""
    folder = tmp_path_factory.mktemp("shop")
    rows = [{"id": f"i{row}", "text": f"item {row}"} for row in range(3)]
    write_rows(folder / "items.jsonl", rows)
    (folder / "labels.txt").write_text("mug\ncup\nbowl\n")
    Image.new("RGB", (40, 30), "red").save(folder / "red.png")
    shell = Shell(folder, in_process=True, model="pocket")
    shell("ingest", "items.jsonl", "--image-column", "none", "--text-column", "text")
    shell("labels", "add", "labels.txt")
    modules_of(["classify", "red.png"], folder)  # what a first start finds of the model is kept
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["classify", "red.png"],
        ["classify", "--text", "a mug"],
        ["search", "a mug"],
        ["status"],
        ["ingest", "items.jsonl", "--image-column", "none", "--text-column", "text"],
        ["categorize", "--to", "categories.csv"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_commands_leave_out_what_they_do_not_need(shop: Path, words: list[str]) -> None:
    """No plots, no statistics package; pymilvus itself takes pandas along."""
    loaded = modules_of(words, shop)
    packages = {name.partition(".")[0] for name in loaded}
    assert not packages & {"matplotlib", "ray", "fastapi", "uvicorn", "torchvision"}
    if words == ["status"]:
        assert not packages & {"torch", "transformers", "sentence_transformers"}
    if words[0] in {"classify", "search"}:
        # scipy is not among them: transformers takes it along for losses of detectors.
        assert not packages & {"numba", "llvmlite", "sklearn", "sentence_transformers"}
        assert not packages & {"httpx", "fsspec", "datasets", "polars", "onnxruntime"}
    if words == ["classify", "red.png"]:
        # A picture is prepared as the record of the model says, and no text is embedded.
        unneeded = ("image_processing", "image_processing_auto", "tokenization", "processing_clip")
        assert [
            name
            for name in loaded
            # What is automatic, transformers loads for the docstrings of its classes.
            if name.startswith("transformers.models.")
            and not name.startswith("transformers.models.auto.")
            and name.rpartition(".")[2].startswith(unneeded)
        ] == []


def modules_of(words: list[str], folder: Path) -> list[str]:
    """The modules that a command has loaded at its end; it must succeed.

    Its cache is its own: in that of other tests ONNX Runtime may have been chosen, by time.
    """
    code = (
        f"import sys; sys.argv = ['zeroshelf', *{words!r}]\n"
        "from queries.cli import main\n"
        "code = 0\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "assert not code, code\n"
        "print(' '.join(sys.modules))"
    )
    return run(code, folder, XDG_CACHE_HOME=str(folder / "cache")).split()
