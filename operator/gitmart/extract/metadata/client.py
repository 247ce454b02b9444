"""
The one way to a host's API: HTTPS, to addresses that were looked at, within bounds of time and size.

Whatever a host does (slow, endless, lying, redirecting) ends as a MetadataError with the outcome that people read.
The token is sent to the API's host alone and is taken out of all that comes back.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from gitmart import __version__
from gitmart.contract.addresses import Address
from gitmart.contract.host_api import MetadataOutcome
from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.address import port_of
from gitmart.extract.certificates import trusting
from gitmart.extract.errors import ExtractError
from gitmart.extract.hermetic import allowed_addresses
from gitmart.extract.metadata.errors import MetadataError, RefusedError, TooLargeError
from gitmart.extract.metadata.limits import Budget, is_limited, rate_limit
from gitmart.extract.metadata.settings import Token
from gitmart.extract.proxy import proxy_for
from gitmart.extract.settings import Remote

MOST_BYTES = 2 << 20  # of one answer; as Python's objects it may take thirty-five times as much
MOST_SECONDS = 30.0  # for one answer, from the connection to the last byte
WAIT_SECONDS = 15.0  # for the next byte
MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_OUTCOMES = {
    401: MetadataOutcome.AUTHENTICATION_FAILED,
    403: MetadataOutcome.AUTHENTICATION_FAILED,
    404: MetadataOutcome.NOT_FOUND,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: 200 with a body, or 304. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_unchanged(self) -> bool:
        """Whether what we know is still so."""
        return self.status == 304

    def json(self) -> object:
        """Return the value; raise MetadataError when there is none."""
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            raise MetadataError(MetadataOutcome.BAD_ANSWER, "the API's answer is no JSON") from None
        return value


class _Connection(http.client.HTTPSConnection):
    """A connection to one of the addresses that were looked at, which another thread can break off."""

    def __init__(self, host: str, port: int, addresses: tuple[Address, ...], context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=WAIT_SECONDS, context=context)
        self._addresses = addresses
        self._handle: socket.socket | None = None
        self._create_connection = self._open  # the standard library's own seam: http.client.HTTPConnection.connect

    def _open(self, address: tuple[str, int], timeout: float, source: tuple[str, int] | None) -> socket.socket:
        places = [str(each) for each in self._addresses] or [address[0]]
        for place in places:
            try:
                opened = socket.create_connection((place, address[1]), timeout, source)
            except OSError:
                if place == places[-1]:
                    raise
            else:
                self.release()
                self._handle = opened.dup()  # stays ours while TLS takes the other one over
                return opened
        raise AssertionError("there is at least one place")

    def break_off(self) -> None:
        """Make whoever waits for the host stop waiting."""
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Close the handle. Not in close(), which http.client calls while an answer is still being read."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


class Client:
    """Asks one API, one request at a time."""

    def __init__(self, api: RepositoryUrl, remote: Remote, token: Token, budget: Budget) -> None:
        self.api = api
        self.budget = budget
        self._remote = replace(remote, url=api, credentials=None)
        self._token = token
        self._connection: _Connection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection.release()
            self._connection = None

    def get(self, path: str, accept: str, known: Mapping[str, str] = {}) -> Answer:
        """
        Return the answer to a GET of a path below the API's address. `known` are headers of a conditional request.

        Raise RefusedError for a status that speaks of this path alone, else MetadataError.
        """
        target = f"{self.api.path}{path}"
        for _ in range(MOST_REDIRECTS + 1):
            self.budget.spend(time.monotonic())
            answer = self._ask(target, {"Accept": accept, **known})
            if answer.status not in _REDIRECTS:
                return self._judged(answer)
            target = self._moved(target, answer.headers.get("location", ""))
        raise MetadataError(MetadataOutcome.MOVED, f"the API redirects more than {MOST_REDIRECTS} times")

    def _judged(self, answer: Answer) -> Answer:
        now = datetime.now(UTC)
        limit = rate_limit(answer.headers, now)
        self.budget.note(limit, now)
        if answer.status in (200, 304):
            return answer
        words = _words(answer.body)
        told = f"the API of {self.api.host} answered {answer.status}{f': {words}' if words else ''}"
        if is_limited(answer.status, limit, words):
            raise MetadataError(MetadataOutcome.RATE_LIMITED, told, limit.again(now))
        if answer.status >= 500:
            again = limit.again(now) if limit.retry_after else None
            raise MetadataError(MetadataOutcome.HOST_UNREACHABLE, told, again)
        raise RefusedError(_OUTCOMES.get(answer.status, MetadataOutcome.BAD_ANSWER), told, answer.status)

    def _moved(self, target: str, location: str) -> str:
        """Return where a redirect leads on the same host; raise MetadataError for any other."""
        try:
            base = str(replace(self.api, path=target))
            found = urlsplit(urljoin(base, location))
            same = _place(found) == _place(urlsplit(base))
        except ValueError:
            same = False
        if not location or not same:
            raise MetadataError(
                MetadataOutcome.MOVED, f"the API of {self.api.host} redirects to another host, which is not followed"
            )
        return f"{found.path or '/'}{f'?{found.query}' if found.query else ''}"

    def _ask(self, target: str, headers: Mapping[str, str]) -> Answer:
        """Make one request; raise MetadataError if no answer comes within the bounds."""
        sent = {"User-Agent": f"gitmart/{__version__}", **headers}
        if self._token.value:
            sent["Authorization"] = f"Bearer {self._token.value}"
        connection = self._connected()
        try:
            with _within(connection, MOST_SECONDS):
                connection.request("GET", target, headers=sent)
                response = connection.getresponse()
                body = _read(response)
        except TimeoutError:
            self._give_up(f"took longer than {MOST_SECONDS:.0f} seconds")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._give_up(f"could not be asked: {_reason(error)}")
        except BaseException:
            self.close()
            raise
        if body is None:
            self.close()
            raise TooLargeError(
                MetadataOutcome.BAD_ANSWER, f"an answer of the API of {self.api.host} has more than {MOST_BYTES} bytes"
            )
        told = {name.lower(): self._token.clean(value) for name, value in response.getheaders()}
        return Answer(response.status, told, body.replace(self._token.value.encode() or b"\0", b"*****"))

    def _give_up(self, why: str) -> NoReturn:
        self.close()
        message = self._token.clean(f"the API of {self.api.host} {why}")
        raise MetadataError(MetadataOutcome.HOST_UNREACHABLE, message) from None

    def _connected(self) -> _Connection:
        if self._connection is None:
            try:
                addresses = allowed_addresses(self._remote)
            except ExtractError as error:
                private = error.outcome is Outcome.ADDRESS_NOT_ALLOWED
                outcome = MetadataOutcome.ADDRESS_NOT_ALLOWED if private else MetadataOutcome.HOST_UNREACHABLE
                raise MetadataError(outcome, str(error)) from None
            self._connection = self._connect(addresses)
        return self._connection

    def _connect(self, addresses: tuple[Address, ...]) -> _Connection:
        context = trusting(self._remote.certificates)
        if not (proxy := proxy_for(self.api)):
            return _Connection(self.api.host, port_of(self.api), addresses, context)
        try:
            found = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            host, port = found.hostname or "", found.port or 1080  # curl's default, which git has
        except ValueError:
            host = ""
        if not host or found.scheme != "http":
            raise MetadataError(
                MetadataOutcome.HOST_UNREACHABLE,
                "the API can be asked through a proxy of the form http://host:port only",
            )
        connection = _Connection(host, port, (), context)
        connection.set_tunnel(self.api.host, port_of(self.api), headers=_proxy_headers(found))
        return connection


@contextmanager
def _within(connection: _Connection, seconds: float) -> Iterator[None]:
    """Break the connection off after so many seconds, whatever the host does meanwhile; raise TimeoutError then."""
    expired = threading.Event()

    def end() -> None:
        expired.set()
        connection.break_off()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError):
        if expired.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if expired.is_set():  # what was read may be cut off
        raise TimeoutError


def _read(response: http.client.HTTPResponse) -> bytes | None:
    """Return the body, None when it is too large."""
    body = bytearray()
    while chunk := response.read(1 << 16):
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    if response.length:  # fewer bytes than were announced
        raise http.client.IncompleteRead(bytes(body), response.length)
    return bytes(body)


def _reason(error: Exception) -> str:
    text = str(error)[:200] if isinstance(error, OSError) else ""
    return "".join(letter if letter.isprintable() else " " for letter in text) or type(error).__name__


def _words(body: bytes) -> str:
    """Return the sentence in a refusal, as both providers give it; "" when there is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    found = (told.get("message") or told.get("error")) if isinstance(told, dict) else None
    return found[:200] if isinstance(found, str) and found.isprintable() else ""


def _place(found: SplitResult) -> tuple[str, str, int | None]:
    return found.scheme, (found.hostname or "").lower(), found.port or (443 if found.scheme == "https" else None)


def _proxy_headers(found: SplitResult) -> dict[str, str]:
    if not found.username:
        return {}
    pair = f"{unquote(found.username)}:{unquote(found.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"}
