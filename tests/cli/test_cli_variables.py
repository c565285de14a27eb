"""Variables that are wrong are told by their own names."""

from __future__ import annotations

from typer.testing import CliRunner

from queries.cli import app


def test_a_wrong_value_is_that_of_the_variable() -> None:
    """One of a command and one of all commands; the flag itself is blamed where it is wrong."""
    run = CliRunner().invoke
    own = run(app, ["classify", "a.jpg"], env={"ZEROSHELF_CLASSIFY_LIMIT": "many"})
    shared = run(app, ["status"], env={"ZEROSHELF_BATCH_SIZE": "0"})
    flag = run(app, ["classify", "a.jpg", "--limit", "many"], env={"ZEROSHELF_BATCH_SIZE": "4"})
    assert (own.exit_code, shared.exit_code, flag.exit_code) == (2, 2, 2)
    assert "the variable ZEROSHELF_CLASSIFY_LIMIT" in own.stderr
    assert "the variable ZEROSHELF_BATCH_SIZE" in shared.stderr
    assert "for '--limit'" in flag.stderr


def test_an_unknown_variable_is_warned_of() -> None:
    """With the nearest known one; known ones are not."""
    env = {"ZEROSHELF_CATALGO": "x", "ZEROSHELF_LABELS_ADD_TEMPLATE": "{}"}
    found = CliRunner().invoke(app, ["status", "--data-dir", "/nowhere"], env=env)
    told = " ".join(found.stderr.split())
    assert "ZEROSHELF_CATALGO is no option of any command" in told
    assert "Did you mean 'ZEROSHELF_CATALOG'?" in told
    assert "TEMPLATE" not in told
