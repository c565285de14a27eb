"""Commands in messages work as they stand: on the catalog that the user is in."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from shell import Shell

from indexer.catalog.folder import CatalogFolder
from indexer.commands.remedies import completed


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A catalog ``shop`` of one picture in a folder with a blank in its name, without labels."""
    folder = tmp_path_factory.mktemp("remedies")
    shell = Shell(folder, in_process=True, model="pocket")
    Image.new("RGB", (64, 64), "red").save(folder / "red.png")
    (folder / "shop.csv").write_text("id,image\nred,red.png\n")
    (folder / "labels.txt").write_text("red mug\nblue mug\n")
    shell("ingest", "shop.csv", *SHOP)
    return shell


SHOP = ("--catalog", "shop", "--data-dir", "my data")
SHOP_WORDS = shlex.join(SHOP)


def commands_in(message: str) -> list[str]:
    """The commands after ``with:`` or ``Run:`` in what was told."""
    return re.findall(
        r"(?:with|[Rr]un|anew):? (zeroshelf [^\n]*?)(?: \(|\. |, or|\.?\n|$)", message
    )


def test_a_remedy_has_the_options_of_the_command_that_told_it_and_works(shell: Shell) -> None:
    """Labels are missing: the command that the message names adds them to this very catalog."""
    told = shell("classify", "red.png", *SHOP, code=1).stderr
    (remedy,) = commands_in(told)
    assert remedy == f"zeroshelf labels add {SHOP_WORDS} FILE"
    shell(*shlex.split(remedy.replace("FILE", "labels.txt"))[1:])
    assert shell("classify", "red.png", *SHOP).stdout


def test_a_variable_and_a_configuration_file_count_too(shell: Shell) -> None:
    """A person copies the command into another terminal, where the variable is not set."""
    (shell.folder / "shop.yaml").write_text("catalog: shop\ndata_dir: my data\n")
    told = shell("labels", "list", "--set", "gone", "--config", "shop.yaml", code=2).stderr
    assert "zeroshelf labels add --config shop.yaml FILE --set gone" in told
    shell.environment["ZEROSHELF_CATALOG"] = "shop"
    try:
        told = shell("labels", "list", "--set", "gone", "--data-dir", "my data", code=2).stderr
    finally:
        del shell.environment["ZEROSHELF_CATALOG"]
    assert f"zeroshelf labels add {SHOP_WORDS} FILE --set gone" in told


def test_an_option_that_a_message_names_itself_stays(shell: Shell) -> None:
    """The message names the catalog, and the folder alone is added."""
    folder = CatalogFolder(shell.folder / "my data", "shop")
    shell("status", *SHOP)
    named = f"Run: zeroshelf rebuild --catalog {folder.name}"
    assert completed(named) == "Run: zeroshelf rebuild --data-dir 'my data' --catalog shop"


def test_only_commands_are_completed_and_only_by_options_that_they_have(shell: Shell) -> None:
    """Words about zeroshelf stay; keys belong to a data folder, and no catalog has some."""
    shell("status", *SHOP)
    assert completed("another zeroshelf command is writing") == (
        "another zeroshelf command is writing"
    )
    assert completed("see zeroshelf labels") == "see zeroshelf labels"
    assert completed("zeroshelf retry takes it; zeroshelf serve, too") == (
        f"zeroshelf retry {SHOP_WORDS} takes it; zeroshelf serve {SHOP_WORDS}, too"
    )


def test_a_default_catalog_needs_no_options(shell: Shell) -> None:
    """The command stays short where it works as it is."""
    told = shell("classify", "red.png", code=2).stderr
    assert "zeroshelf ingest SOURCE" in told


def test_what_a_database_writes_is_no_message(shell: Shell, tmp_path: Path) -> None:
    """A title that looks like a command is data, and printed as it is."""
    table = tmp_path / "odd.csv"
    table.write_text(f"id,image,title\nodd,{shell.folder / 'red.png'},zeroshelf retry\n")
    shell("ingest", table, "--catalog", "odd", "--data-dir", "my data")
    listed = shell("search", "a mug", "--catalog", "odd", "--data-dir", "my data").stdout
    assert "zeroshelf retry" in listed
    assert "--catalog" not in listed
