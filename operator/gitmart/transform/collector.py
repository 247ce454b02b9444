"""
The one way to an OpenLineage collector: events are posted one after the other, from a thread of its own.

Nothing that a collector does (refuse, hang, redirect, answer 500, show a wrong certificate) reaches the run: whoever
hands an event over does not wait, the end of a run waits for at most END_SECONDS, and one warning says what is missing.
"""

from __future__ import annotations

import argparse
import http.client
import ipaddress
import json
import logging
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from gitmart import __version__
from gitmart.contract.addresses import Address, innermost, is_public
from gitmart.contract.openlineage import CollectorUrl, parse_collector_url, parse_namespace
from gitmart.contract.redaction import Scrubber
from gitmart.warehouse.errors import SettingError

log = logging.getLogger(__name__)

FOLDER_VARIABLE = "GITMART_OPENLINEAGE_CREDENTIALS_DIR"
SOURCE_VARIABLE = "GITMART_OPENLINEAGE_CREDENTIALS_SOURCE"  # what people call the folder: Secret … in namespace …
DEFAULT_NAMESPACE = "gitmart"
STEP_SECONDS = 5.0  # for a connection, and for the next byte of an answer
END_SECONDS = 10.0  # for all that is still to be sent when a run ends
MOST_REFUSALS = 3  # in a row; then nothing more is sent
MOST_BYTES = 1 << 16  # of an answer; nobody reads it, but a connection is used again only after it
_ALLOWED = "allowed are the keys api-key and ca.crt"


class CollectorError(Exception):
    """An event was not accepted. The text says why."""


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """
    Where events go, and under which names.

    `folder` None: nothing is shown to the collector, and the system's authorities are trusted. `source` is what people
    call the folder.
    """

    url: CollectorUrl
    namespace: str
    job: str
    folder: Path | None
    source: str


def add_collector_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--openlineage-url", type=_url, metavar="URL", help="post OpenLineage events to this collector")
    add(
        "--openlineage-namespace", type=_namespace, metavar="NAME",
        help=f"namespace of the jobs in them (default {DEFAULT_NAMESPACE})",
    )  # fmt: skip
    add("--openlineage-job", type=_namespace, metavar="NAME", help="name of the run's job (default: the schema)")


def collector_of(
    arguments: argparse.Namespace, environment: Mapping[str, str], schema: str
) -> CollectorSettings | None:
    """Return what the options say, None when no events are wanted; raise SettingError."""
    if arguments.openlineage_url is None:
        if arguments.openlineage_namespace or arguments.openlineage_job:
            raise SettingError(
                "--openlineage-namespace and --openlineage-job are names in events: give --openlineage-url too"
            )
        return None
    folder = environment.get(FOLDER_VARIABLE)
    return CollectorSettings(
        url=arguments.openlineage_url,
        namespace=arguments.openlineage_namespace or DEFAULT_NAMESPACE,
        job=arguments.openlineage_job or schema,
        folder=Path(folder) if folder else None,
        source=environment.get(SOURCE_VARIABLE) or f"the folder named by {FOLDER_VARIABLE} ({folder})",
    )


class Collector:
    """Takes events and posts them in their order."""

    def __init__(self, settings: CollectorSettings, scrubber: Scrubber) -> None:
        """Start the thread. The scrubber takes secrets out of events, and learns the key."""
        self._settings = settings
        self._scrubber = scrubber
        self._queue: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._counting = threading.Lock()
        self._taken = self._accepted = 0
        self._why = ""  # an event was not accepted: the first reason
        self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)
        self._thread.start()

    def put(self, event: Mapping[str, Any]) -> None:
        """Take an event. Returns at once."""
        with self._counting:
            self._taken += 1
        self._queue.put(event)

    def close(self) -> None:
        """Wait until all is sent, but not for long, and warn once if some of it was not accepted."""
        self._queue.put(None)
        self._thread.join(END_SECONDS)
        if missing := self._taken - self._accepted:
            why = self._why or f"{self._settings.url.host} took longer than {END_SECONDS:.0f} seconds"
            log.warning(
                "OpenLineage events were not accepted", extra={"events": missing, "of": self._taken, "why": why}
            )

    def _work(self) -> None:
        channel: _Channel | None = None
        refusals = 0
        while (event := self._queue.get()) is not None:
            if refusals == MOST_REFUSALS:
                continue
            try:
                channel = channel or _Channel(self._settings, self._scrubber)
                channel.post(
                    self._scrubber.clean_bytes(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"))
                )
            except Exception as error:  # whatever it is, it is none of the run's
                refusals += 1
                self._why = self._why or (str(error) if isinstance(error, CollectorError) else repr(error))
            else:
                refusals = 0
                self._accepted += 1
        if channel is not None:
            channel.close()


class _Channel:
    """A connection that is kept while it can be."""

    def __init__(self, settings: CollectorSettings, scrubber: Scrubber) -> None:
        """Read the credentials; raise CollectorError."""
        self._url = settings.url
        self._headers = {
            "Host": settings.url.authority,
            "Content-Type": "application/json",
            "User-Agent": f"gitmart/{__version__}",
        }
        key = authorities = ""
        if settings.folder is not None:
            key, authorities = _credentials(settings.folder, settings.source)
            scrubber.learn(key)
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._context = _trusting(authorities, settings.source) if settings.url.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def post(self, body: bytes) -> None:
        """Post an event; raise CollectorError unless the collector takes it."""
        kept = self._connection is not None
        try:
            try:
                status = self._ask(body)
            except ConnectionError:
                if not kept:
                    raise
                self.close()  # it rested for too long, and the collector has closed it
                status = self._ask(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise CollectorError(f"{self._url.host} could not be asked: {_reason(error)}") from None
        if 300 <= status < 400:
            raise CollectorError(f"{self._url.host} redirects ({status}), which is not followed")
        if not 200 <= status < 300:
            raise CollectorError(f"{self._url.host} answered {status}")

    def _ask(self, body: bytes) -> int:
        connection = self._connection = self._connection or self._connected()
        connection.request("POST", self._url.path, body=body, headers=self._headers)
        response = connection.getresponse()
        response.read(MOST_BYTES)
        if response.will_close or not response.isclosed():  # or more than anybody needs is still to come
            self.close()
        return response.status

    def _connected(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._url.host, self._url.port)
        connection.auto_open = 0  # it would look the name up again
        opened = self._open()
        try:
            # A request goes in two pieces, and the second would wait for the first to be acknowledged.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sock = (
                self._context.wrap_socket(opened, server_hostname=self._url.host) if self._context else opened
            )
        except BaseException:
            opened.close()
            raise
        return connection

    def _open(self) -> socket.socket:
        """Return a connection to one of the host's addresses, all of which may be called."""
        found = socket.getaddrinfo(self._url.host, self._url.port, type=socket.SOCK_STREAM)
        places = dict.fromkeys(str(place[4][0]).partition("%")[0] for place in found)
        for place in places:
            refuse(self._url, ipaddress.ip_address(place))
        last = list(places)[-1]
        for place in places:
            try:
                return socket.create_connection((place, self._url.port), STEP_SECONDS)
            except OSError:
                if place == last:
                    raise
        raise AssertionError("a name has at least one address")


def refuse(url: CollectorUrl, address: Address) -> None:
    """Raise CollectorError if events, and the key with them, must not go to an address of the host."""
    inner = innermost(address)
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified:
        raise CollectorError(f"{url.host} has the address {address}, which no collector has")
    if url.scheme == "http" and is_public(address):
        raise CollectorError(
            f"{url.host} has the public address {address}: write https://, http:// is for a host inside"
        )


def _credentials(folder: Path, source: str) -> tuple[str, str]:
    """Return the key and the certificates of authorities, "" for the one that is not there; raise CollectorError."""
    key, authorities = (_read(folder / name, name, source) for name in ("api-key", "ca.crt"))
    if not key and not authorities:
        raise CollectorError(f"{source} is missing or empty: {_ALLOWED}")
    if key and re.fullmatch(r"[!-~]{1,4096}", key) is None:
        raise CollectorError(f"key api-key of {source} holds a space or a non-ASCII character: {_ALLOWED}")
    return key, authorities


def _read(file: Path, name: str, source: str) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise CollectorError(f"key {name} of {source} cannot be read: {error.strerror}") from None


def _trusting(authorities: str, source: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if authorities:
        try:
            context.load_verify_locations(cadata=authorities)
        except (ssl.SSLError, ValueError):
            raise CollectorError(f"key ca.crt of {source} holds no certificates in PEM") from None
    return context


def _reason(error: Exception) -> str:
    text = str(error)[:200] if isinstance(error, OSError) else ""
    return "".join(letter if letter.isprintable() else " " for letter in text) or type(error).__name__


def _url(text: str) -> CollectorUrl:
    try:
        return parse_collector_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _namespace(text: str) -> str:
    try:
        return parse_namespace(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
