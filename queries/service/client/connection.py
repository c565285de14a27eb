"""One service and how it is asked: attempts, pauses, errors, and its own state."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from indexer.core.durable import written_aside
from indexer.core.errors import StoreUnavailableError, UsageError, ZeroshelfError
from indexer.core.exit_codes import ExitCode
from indexer.core.given_values import refuse_other_than_text

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_LONGEST_WAIT_S = 10.0
_FIRST_PAUSE_S = 0.1

_NOT_CARRIED_OUT = frozenset({"busy", "queue-full", "loading"})
"""Problems of a request that the service did not begin: it may be sent again, whatever it does."""

_ASK_OTHERWISE = frozenset({400, 401, 403, 404, 422})
"""Statuses of requests that another request, or another key, mends."""

_MAY_BE_DONE = "It may have done what was asked: look before you ask again."


class ServiceError(ZeroshelfError):
    """The service refused a request; the message is its problem document's detail.

    Args:
        status: HTTP status.
        kind: last part of the problem's type, such as ``forbidden``.
    """

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        # As where a command asks no service: what is named is not there, or an option is wrong.
        if status in _ASK_OTHERWISE and kind != "unusable-input":
            self.exit_code = ExitCode.USAGE


class Connection:
    """Asks one service; ``Client`` says what the arguments are."""

    def __init__(
        self,
        address: str,
        *,
        key: str = "",
        timeout_s: float = 60.0,
        retries: int = 3,
        batch_size: int = 64,
    ) -> None:
        import httpx

        if not address.startswith(("http://", "https://")):
            raise UsageError(f"address {address!r}: give one that begins with http:// or https://.")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout_s)
        self._address = address
        self._retries = retries
        self._batch_size = batch_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def is_alive(self) -> bool:
        """Whether the service answers at all."""
        try:
            return self._sent("GET", "/healthz").is_success
        except StoreUnavailableError:
            return False

    def is_ready(self) -> bool:
        """Whether the catalog is open and the model loaded; it does not wait for that.

        Raises:
            ServiceError: it will not become ready; the service's log says why.
            StoreUnavailableError: the service does not answer.
        """
        answer = self._sent("GET", "/readyz")
        if answer.status_code == 503:
            return False
        content_of(answer)
        return True

    def metrics(self) -> str:
        """What the service has counted, in Prometheus' text format."""
        return self._answer("GET", "/metrics").text

    def _parts(self, inputs: Sequence[T]) -> Iterator[Sequence[T]]:
        for start in range(0, len(inputs), self._batch_size):
            yield inputs[start : start + self._batch_size]

    def _ask(self, method: str, path: str, *, repeatable: bool = True, **content: Any) -> Any:
        """What a route answers, from JSON; None where it answers nothing.

        Args:
            repeatable: sent twice it does no more than once.
            content: as httpx takes it.
        """
        answer = self._answer(method, path, repeatable=repeatable, **content)
        return answer.json() if answer.content else None

    def _answer(
        self, method: str, path: str, *, repeatable: bool = True, **content: Any
    ) -> httpx.Response:
        """A route's answer, after further attempts where the service is busy.

        Raises:
            ServiceError: refused.
            StoreUnavailableError: no answer.
        """
        for attempt in range(self._retries + 1):
            answer = self._sent(method, path, repeatable=repeatable, **content)
            if answer.is_success:
                return answer
            answer.read()
            error = error_of(answer)
            busy = error.status == 503 and (repeatable or error.kind in _NOT_CARRIED_OUT)
            if not busy or attempt == self._retries:
                raise error
            wait_s = float(answer.headers.get("Retry-After", "1"))
            time.sleep(min(wait_s, _LONGEST_WAIT_S))
        raise AssertionError("the loop returns or raises")

    def _sent(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool = True,
        stream: bool = False,
        **content: Any,
    ) -> httpx.Response:
        """Any answer; where the connection breaks off before it, after further attempts.

        Args:
            stream: the answer's content is read, and the answer closed, by the caller.
        """
        import httpx

        if "json" in content:
            content["content"] = json_of(content.pop("json"))
            content["headers"] = {"Content-Type": "application/json"}
        attempts = self._retries + 1 if repeatable else 1
        request = self._http.build_request(method, path, **content)
        for attempt in range(attempts):
            try:
                return self._http.send(request, stream=stream)
            except (httpx.ReadError, httpx.RemoteProtocolError) as error:
                # No WriteError: a service may answer and close before all was sent, so httpcore
                # reads the answer where it can't go on writing.
                if attempt == attempts - 1:
                    raise self._broken_off(error, attempts, repeatable=repeatable) from error
                time.sleep(min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_WAIT_S))
            except httpx.TransportError as error:
                raise self._away(error, repeatable=repeatable) from error
        raise AssertionError("the loop returns or raises")

    def _download(self, path: str, file: str | Path) -> Path:
        """Write what a route answers to a file, part by part; the file is whole or not there.

        Raises:
            ServiceError: refused.
            StoreUnavailableError: no answer, or not to its end.
            UsageError: the file can't be written.
        """
        import httpx

        target = Path(file)
        with contextlib.closing(self._answer("GET", path, stream=True)) as answer:
            try:
                with written_aside(target) as aside, aside.open("wb") as content:
                    for part in answer.iter_bytes():
                        content.write(part)
            except httpx.TransportError as error:
                raise self._broken_off(error, 1) from error
            except OSError as error:
                raise UsageError(f"{str(target)!r} can't be written: {error.strerror}.") from error
        return target

    def _broken_off(
        self, error: Exception, times: int, *, repeatable: bool = True
    ) -> StoreUnavailableError:
        tries = "once" if times == 1 else f"{times} times"
        return StoreUnavailableError(
            f"the service at {self._address} breaks off the connection before its answer "
            f"({error or type(error).__name__}; asked {tries}). "
            + (
                "See what it has logged; a proxy before it may take less at a time: give fewer or "
                "smaller inputs."
                if repeatable
                else _MAY_BE_DONE
            )
        )

    def _away(self, error: Exception, *, repeatable: bool) -> StoreUnavailableError:
        import httpx

        if isinstance(error, httpx.ReadTimeout):
            remedy = "Ask for less at a time, or give Client a longer timeout_s."
            return StoreUnavailableError(
                f"the service at {self._address} does not answer in time. "
                f"{remedy if repeatable else _MAY_BE_DONE}"
            )
        return StoreUnavailableError(
            f"the service at {self._address} does not answer ({error or type(error).__name__}). Is "
            "it running? Start it with: zeroshelf serve"
        )


def file_part(picture: str | Path | bytes, place: int) -> tuple[str, bytes]:
    """A part of a form: its file name and content.

    Raises:
        UsageError: the file can't be read, or it is no path.
    """
    if isinstance(picture, bytes):
        return f"picture {place + 1}", picture
    try:
        path = Path(picture)
    except TypeError as error:
        kind = type(picture).__name__
        raise UsageError(
            f"picture {place + 1} is {kind}: give its path, or it encoded, as bytes."
        ) from error
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise UsageError(f"{str(picture)!r} can't be read: {error.strerror}.") from error


def json_of(value: Any) -> str:
    """A value as JSON; numbers of numpy, dates and paths too.

    Raises:
        UsageError: it holds what JSON has not, such as NaN.
    """
    try:
        return json.dumps(value, default=_plain, allow_nan=False)
    except ValueError as error:
        raise UsageError(
            "NaN and infinite numbers can't be sent: leave them out, or give None."
        ) from error


def _plain(value: Any) -> Any:
    for method in ("tolist", "isoformat"):
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, PurePath):
        return str(value)
    raise UsageError(
        f"{value!r:.60} can't be sent: give texts, numbers, dates, and lists and mappings of them."
    )


def path_of(folder: str, name: str) -> str:
    """The path of an item, a label or a job; any character may be in its id.

    Raises:
        UsageError: the id is no text.
    """
    refuse_other_than_text(id=name)
    # "." and ".." would be steps in the path, and are no escaped characters.
    quoted = quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")
    return f"{folder}/{quoted}"


def content_of(answer: httpx.Response) -> Any:
    """What a service answered, from JSON.

    Raises:
        ServiceError: it refused; the message is the problem document's detail.
    """
    if answer.is_success:
        return answer.json()
    raise error_of(answer)


def error_of(answer: httpx.Response) -> ServiceError:
    """The error that a refusal is, by its problem document."""
    kind, detail = "http", f"the service answered {answer.status_code}"
    with contextlib.suppress(ValueError, KeyError, TypeError):
        problem = answer.json()
        kind, detail = problem["type"].rpartition(":")[2], problem["detail"]
    return ServiceError(answer.status_code, kind, detail)
