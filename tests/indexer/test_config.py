"""The configuration file: checked keys and values, and how it meets flags and variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from indexer import jobs
from indexer.catalog.options import CatalogOptions
from indexer.commands import config
from indexer.commands.config import load, options_for
from indexer.core.errors import ConfigError
from queries import cli


def leaves(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the real console script, with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*words, name))
        else:
            yield (*words, name), command


PROGRAM = typer.main.get_command(cli.app)
COMMANDS = dict(leaves(PROGRAM))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration file."""

    def to_file(content: str) -> Path:
        path = tmp_path / "zeroshelf.yaml"
        path.write_text(content)
        return path

    return to_file


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_option_is_called_as_its_key(words: tuple[str, ...]) -> None:
    """Files and variables find an option by the name of its parameter."""
    for one in COMMANDS[words].params:
        if one.param_type_name == "option":
            # Python has a word "from" itself.
            assert one.opts[0] == "--" + one.name.rstrip("_").replace("_", "-")


def test_every_command_that_takes_a_file_has_its_section(write: Callable[[str], Path]) -> None:
    """Also those below a group, and those whose name a model's own methods have."""
    for words, command in COMMANDS.items():
        takes_a_file = any(option.name == "config" for option in command.params)
        content: Any = {"output": "json"} if words != ("serve",) else {"port": 1}
        if not any(option.name in content for option in command.params):
            continue
        for word in reversed(words):
            content = {word: content}
        path = write(yaml.safe_dump(content))
        if takes_a_file:
            assert options_for(load(path, PROGRAM), words)
        else:
            with pytest.raises(ConfigError, match="unknown key"):
                load(path, PROGRAM)


@pytest.mark.parametrize("content", ["config: x.yaml", "remove: {from_: x.txt}", "demo: {}"])
def test_no_file_names_another_file_or_the_items_of_one_removal(
    write: Callable[[str], Path], content: str
) -> None:
    """These stand on the command line alone."""
    with pytest.raises(ConfigError, match="unknown key"):
        load(write(content), PROGRAM)


def test_a_file_sets_common_and_own_keys(write: Callable[[str], Path]) -> None:
    """A command gets the common keys and its own, and only what the file sets."""
    path = write("catalog: shop\ningest:\n  id_column: sku\nlabels:\n  add: {replace: true}\n")
    assert options_for(load(path, PROGRAM), ("ingest",)) == {"catalog": "shop", "id_column": "sku"}
    assert options_for(load(path, PROGRAM), ("labels", "add")) == {
        "catalog": "shop",
        "replace": True,
    }
    assert options_for(load(path, PROGRAM), ("status",)) == {"catalog": "shop"}


def test_an_empty_file_sets_nothing(write: Callable[[str], Path]) -> None:
    """A file of comments is a valid one."""
    assert load(write("# nothing yet\n"), PROGRAM) == {}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("catalgo: shop", r"unknown key 'catalgo', did you mean 'catalog'\.$"),
        ("ingest: {id_colum: x}", r"unknown key 'ingest\.id_colum', did you mean 'id_column'"),
        ("labels: {add: {templates: []}}", r"'labels\.add\.templates', did you mean 'template'"),
        ("zzz: 1", r"unknown key 'zzz', known here: .*catalog"),
        ("batch_size: many", r"batch_size: .*integer.*'many'"),
        ("batch_size: 0", r"batch_size: .*greater than or equal to 1"),
        ("precision: int4", r"precision: .*'float32'.*'int4'"),
        ("search: {text_weight: 2}", r"search\.text_weight: .*less than or equal to 1"),
        ("search: {output: xml}", r"search\.output: .*'html'.*'xml'"),
        ("- catalog", "must be a mapping"),
        ("a: [", "is not YAML"),
        ("\0", "is not YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key_named(
    write: Callable[[str], Path], content: str, told: str
) -> None:
    """The message names the file, the key and, for a slip of the pen, the nearest known one."""
    with pytest.raises(ConfigError, match=rf"zeroshelf\.yaml.*{told}"):
        load(write(content), PROGRAM)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """So is the cause."""
    with pytest.raises(ConfigError, match=r"absent\.yaml.*No such file"):
        load(tmp_path / "absent.yaml", PROGRAM)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[CatalogOptions, Any, Any]]:
    """What the real ``ingest`` command would do: its job is replaced by a list."""
    calls: list[tuple[CatalogOptions, Any, Any]] = []

    def job(common: CatalogOptions, sources: Any, options: Any, _watch: Any) -> Any:
        calls.append((common, sources, options))
        raise typer.Exit(0)

    import indexer.jobs.ingest

    assert jobs
    monkeypatch.setattr(indexer.jobs.ingest, "ingest", job)
    for name in os.environ:
        if name.startswith("ZEROSHELF_"):
            monkeypatch.delenv(name)
    return calls


def ingest(*arguments: str) -> None:
    """Run the command in this process."""
    result = CliRunner().invoke(cli.app, ["ingest", "somewhere", *arguments])
    assert result.exit_code == 0, result.output


def test_precedence_is_flag_variable_file_default(
    seen: list[tuple[CatalogOptions, Any, Any]],
    write: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For a common option and for one of the command's own."""
    path = str(write("catalog: of_file\nbatch_size: 7\ningest: {id_column: of_file}\n"))

    def found() -> tuple[str, str]:
        common, _, options = seen[-1]
        return common.catalog, options.table.id_column

    ingest()
    assert found() == ("catalog", "id")
    ingest("--config", path)
    assert found() == ("of_file", "of_file")
    assert seen[-1][0].batch_size == 7
    monkeypatch.setenv("ZEROSHELF_CATALOG", "of_variable")
    monkeypatch.setenv("ZEROSHELF_INGEST_ID_COLUMN", "of_variable")
    ingest("--config", path)
    assert found() == ("of_variable", "of_variable")
    ingest("--config", path, "--catalog", "of_flag", "--id-column", "of_flag")
    assert found() == ("of_flag", "of_flag")


def test_the_file_may_be_named_by_a_variable(
    seen: list[tuple[CatalogOptions, Any, Any]],
    write: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A container sets one variable and no flag."""
    monkeypatch.setenv("ZEROSHELF_CONFIG", str(write("catalog: shop\nverbose: true\n")))
    ingest()
    assert seen[-1][0].catalog == "shop"


def test_options_of_the_file_stand_after_the_flag_too(
    seen: list[tuple[CatalogOptions, Any, Any]], write: Callable[[str], Path]
) -> None:
    """The order of flags on the line does not matter."""
    path = str(write("catalog: of_file\n"))
    ingest("--catalog", "of_flag", "--config", path)
    assert seen[-1][0].catalog == "of_flag"


def test_a_repeatable_option_is_a_variable_of_several_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Templates hold blanks, so blanks do not part them."""
    import indexer.jobs.labels

    found: list[Any] = []

    def job(*_: Any, templates: Any, **__: Any) -> Any:
        found.extend(templates)
        raise typer.Exit(0)

    monkeypatch.setattr(indexer.jobs.labels, "add_labels", job)
    monkeypatch.setenv("ZEROSHELF_LABELS_ADD_TEMPLATE", "a photo of a {}.\na {} on white.")
    CliRunner().invoke(cli.app, ["labels", "add", "labels.txt"])
    assert found == ["a photo of a {}.", "a {} on white."]


def test_the_examples_in_the_repository_are_valid() -> None:
    """Every file under configs/ loads."""
    for path in (Path(config.__file__).parents[2] / "configs").glob("*.yaml"):
        load(path, PROGRAM)
