"""How hosts are asked: pauses, one request at a time while one fails, and when one is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from indexer.core.errors import ItemError, UsageError
from indexer.core.reasons import Reason
from indexer.sources.hosts import MAX_FAILURES, Hosts
from indexer.sources.web import _retry_after, _same_place, parse_headers

URL = "http://host/a.png"


def attempt(hosts: Hosts, url: str = URL, *, pause_s: float = 0.0) -> None:
    """One attempt that fails."""
    with hosts.request(url) as began:
        pass
    hosts.failed(url, "it failed", began=began, pause_s=pause_s, backoff_s=1.0)


def test_pauses_double_and_end_with_an_answer() -> None:
    """A host that fails is left alone longer each time, until it answers."""
    pauses: list[float] = []
    hosts = Hosts(sleep=pauses.append)
    for _ in range(MAX_FAILURES - 1):
        attempt(hosts)
    assert [round(pause) for pause in pauses] == [1, 2, 4]
    hosts.answered(URL)
    pauses.clear()
    attempt(hosts)
    attempt(hosts)
    assert [round(pause) for pause in pauses] == [1]


def test_a_host_is_given_up_and_others_are_not() -> None:
    """After so many failures in a row all of its URLs are refused at once."""
    hosts = Hosts(sleep=lambda _: None)
    for _ in range(MAX_FAILURES):
        attempt(hosts)
    with pytest.raises(ItemError, match=r"host was given up for this run: it failed") as caught:
        attempt(hosts, "http://user:word@host/b.png")
    assert caught.value.reason is Reason.HOST_GIVEN_UP
    assert "word" not in str(caught.value)
    attempt(hosts, "http://other/a.png")


def test_failures_that_came_together_are_one() -> None:
    """A burst that is refused is no sign that the host is away."""
    hosts = Hosts(sleep=lambda _: None)
    with hosts.request(URL) as first, hosts.request(URL) as second, hosts.request(URL) as third:
        began = [first, second, third]
    for one in began * MAX_FAILURES:
        hosts.failed(URL, "busy", began=one, pause_s=0, backoff_s=0)
    attempt(hosts)  # is not refused


def test_a_pause_that_is_too_long_gives_a_host_up() -> None:
    """The run would stand still for it."""
    hosts = Hosts(sleep=lambda _: None)
    attempt(hosts, pause_s=3600)
    with pytest.raises(ItemError, match="asks to be left alone for 3,600 s"):
        attempt(hosts)


def test_retry_after() -> None:
    """Seconds, a date, a date that is past, and what is neither."""
    assert _retry_after("7") == 7
    later = datetime.now(UTC) + timedelta(hours=2)
    assert 7000 < _retry_after(format_datetime(later, usegmt=True)) <= 7200
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert _retry_after("soon") == _retry_after("") == _retry_after("-5") == 0


@pytest.mark.parametrize(
    ("target", "same"),
    [
        ("http://host/b", True),
        ("https://host/b", True),
        ("http://host:8080/b", False),
        ("http://other/b", False),
        ("http://host.evil/b", False),
    ],
)
def test_where_headers_go(target: str, same: bool) -> None:
    """To the host that was asked, also over TLS, and to no other."""
    assert _same_place("http://host/a", target) is same


def test_headers_do_not_leave_tls() -> None:
    """A redirect from https to http of the same host gets none."""
    assert not _same_place("https://host/a", "http://host/a")


def test_headers_as_they_are_written() -> None:
    """Name and value; a bad one is refused without its value."""
    assert parse_headers(["X-Key: a:b", "Accept:image/png"]) == {
        "X-Key": "a:b",
        "Accept": "image/png",
    }
    for bad in ("secret", "X Key: secret", "X-Key: sec\nret", "X-Key: s\u00e9cret"):
        with pytest.raises(UsageError, match="number 1") as caught:
            parse_headers([bad])
        assert "ret" not in str(caught.value)
