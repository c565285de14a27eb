"""Keys are made once, hold by scope, and stop holding when they are revoked."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer.core.errors import ConfigError, UsageError
from queries.service.keys import KeyFile, Scope


def test_a_key_holds_and_its_secret_is_stored_nowhere(tmp_path: Path) -> None:
    """The file has a hash, and only its owner may read it."""
    text = KeyFile(tmp_path).create("ci", Scope.WRITE)
    found = KeyFile(tmp_path).check(text)
    assert found is not None
    assert (found.name, found.scope) == ("ci", Scope.WRITE)
    file = tmp_path / "keys.json"
    assert text.rsplit("_", 1)[1] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("wrong", ["", "zs", "zs_", "zs__", "nonsense", "zs_000000000000_x"])
def test_what_is_no_key_does_not_hold(tmp_path: Path, wrong: str) -> None:
    """Nor does a part of one, or one with another prefix."""
    text = KeyFile(tmp_path).create("ci", Scope.READ)
    keys = KeyFile(tmp_path)
    assert keys.check(wrong) is None
    assert keys.check(text[:-1]) is None
    assert keys.check(text.replace("zs_", "xx_")) is None


def test_a_revoked_key_stops_holding_in_a_running_service(tmp_path: Path) -> None:
    """The service reads the file again where it has changed."""
    running = KeyFile(tmp_path)
    text = running.create("ci", Scope.READ)
    key = running.check(text)
    assert key is not None
    KeyFile(tmp_path).revoke(key.key_id)
    assert running.check(text) is None
    with pytest.raises(UsageError, match="there is no key"):
        running.revoke(key.key_id)


def test_scopes_include_those_before() -> None:
    """Admin may write, and write may read; never the other way."""
    assert Scope.ADMIN.includes(Scope.WRITE)
    assert Scope.WRITE.includes(Scope.READ)
    assert not Scope.READ.includes(Scope.WRITE)


def test_a_damaged_file_is_told_and_lets_nobody_in(tmp_path: Path) -> None:
    """Not taken for a file without keys, which would open the service."""
    (tmp_path / "keys.json").write_text("[{")
    with pytest.raises(ConfigError, match=r"keys\.json"):
        KeyFile(tmp_path).all()


def test_a_key_that_is_revoked_beside_others_that_are_made_stays_revoked(tmp_path: Path) -> None:
    """Each change is made to what the file holds then, however many make them at a time."""
    revoked: list[str] = []

    def make(number: int) -> None:
        keys = KeyFile(tmp_path)
        key_id = keys.create(f"key {number}", Scope.READ).split("_")[1]
        if number % 2:
            KeyFile(tmp_path).revoke(key_id)
            revoked.append(key_id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(40)))
    left = {key.key_id for key in KeyFile(tmp_path).all()}
    assert len(left) == 20
    assert not left & set(revoked)


@pytest.mark.parametrize("content", ["", "[", "{}", "null", "7", '[{"key_id": "a"}]', "[[]]"])
def test_a_damaged_file_lets_nobody_in_and_is_not_overwritten(tmp_path: Path, content: str) -> None:
    """Cut short, of another kind: no command takes it for a file without keys."""
    (tmp_path / "keys.json").write_text(content)
    for use in (
        lambda keys: keys.all(),
        lambda keys: keys.check("zs_a_b"),
        lambda keys: keys.create("me", Scope.ADMIN),
        lambda keys: keys.revoke("a"),
    ):
        with pytest.raises(ConfigError, match="damaged"):
            use(KeyFile(tmp_path))
    assert (tmp_path / "keys.json").read_text() == content
