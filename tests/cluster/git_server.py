"""A git host for the cluster: git's own HTTP backend behind HTTPS, on this machine, reached by pods as git.test."""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import threading
import time
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import trustme

from gitmart.local.locks import held

from .environment.progress import say

_PIECE = 1 << 20  # bytes
NAME = "git.test"  # pods resolve every name under .test to this machine; certificates cover those under git.test


@dataclass(frozen=True, slots=True)
class Request:
    """A request that arrived."""

    method: str
    path: str
    host: str
    authorization: str | None


@dataclass
class GitServer:
    """
    Serves the bare repositories of a folder. Public unless `protect` was called.

    `down = True` stops listening until it is False again; `failing = 503` answers everything with that status;
    while `silent` it takes connections and says nothing.
    """

    folder: Path
    address: str
    authority: trustme.CA = field(default_factory=trustme.CA)
    requests: list[Request] = field(default_factory=list)
    failing: int | None = None
    silent: bool = False

    def __post_init__(self) -> None:
        self.secrets: dict[str, set[str]] = {}  # repository: values of Authorization it takes
        self.port = 0
        self._server: _Server | None = None
        self.ca_pem = self.authority.cert_pem.bytes().decode()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(NAME, f"*.{NAME}", "localhost", self.address).configure_cert(self.tls)
        self.down = False

    @property
    def down(self) -> bool:
        """Whether nobody listens."""
        return self._server is None

    @down.setter
    def down(self, down: bool) -> None:
        if down and self._server is not None:
            self._server.end()
            self._server = None
        elif not down and self._server is None:
            self._server = _Server(self)
            self.port = self._server.server_port  # the same from now on

    def url(self, name: str, host: str = NAME) -> str:
        """Return the address of a repository; every name under git.test is this server."""
        return f"https://{host}:{self.port}/{name}.git"

    def publish(self, repository: Any, name: str = "project") -> str:
        """Make a repository served what the given one is now, and return its address."""
        target = self.folder / f"{name}.git"
        if not target.exists():
            repository.git("init", "-q", "--bare", str(target))
        repository.git("push", "-q", "--mirror", str(target))
        head = repository.git("symbolic-ref", "HEAD")
        repository.git(f"--git-dir={target}", "symbolic-ref", "HEAD", head)
        return self.url(name)

    def protect(self, name: str, *, password: tuple[str, str] | None = None, bearer: str | None = None) -> None:
        """Ask for credentials from now on: these; with none, whatever is sent is refused."""
        taken = self.secrets[name] = set()
        if password:
            taken.add("Basic " + b64encode(":".join(password).encode()).decode())
        if bearer:
            taken.add(f"Bearer {bearer}")

    def count(self, name: str) -> int:
        """Return how many requests for a repository have arrived."""
        return sum(request.path.startswith(f"/{name}.git/") for request in self.requests)


def shared_authority(folder: Path) -> trustme.CA:
    """Return the one authority of a test run, made if need be: what trusts one process's server trusts all of them."""
    certificate, key = folder / "git-authority.pem", folder / "git-authority.key"
    with held(folder / "git-authority.lock", f"process {os.getpid()}", say):
        if not key.exists():
            made = trustme.CA()
            certificate.write_bytes(made.cert_pem.bytes())
            key.write_bytes(made.private_key_pem.bytes())
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: GitServer) -> None:
        self.owner = owner
        super().__init__((owner.address, owner.port), _Handler)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        plain, address = self.socket.accept()
        # The handshake is the handler's, in a thread of its own: a silent client holds up nobody.
        tls = self.owner.tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        return tls, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up or do not trust us are part of the tests."""

    def end(self) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds

    def setup(self) -> None:
        while self.server.owner.silent:  # type: ignore[attr-defined]
            time.sleep(0.2)
        self.request.settimeout(self.timeout)
        self.request.do_handshake()
        super().setup()

    def do_GET(self) -> None:
        owner = self.server.owner  # type: ignore[attr-defined]
        authorization = self.headers.get("Authorization")
        owner.requests.append(Request(self.command, self.path, self.headers.get("Host", ""), authorization))
        name = self.path.lstrip("/").partition(".git")[0]
        if owner.failing:
            self._refuse(owner.failing)
        elif name in owner.secrets and authorization not in owner.secrets[name]:
            self._refuse(401)
        else:
            self._run_backend(owner.folder)

    do_POST = do_GET  # noqa: N815 # the name is the base class's

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        if status == http.HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="members"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True

    def _run_backend(self, folder: Path) -> None:
        address = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command, "PATH_INFO": address.path, "QUERY_STRING": address.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_ADDR": self.client_address[0],
        }  # fmt: skip
        done = subprocess.run(
            ["git", "http-backend"], input=self._body(), env=environment, capture_output=True, check=False
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines())
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for key, value in fields.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), _PIECE):  # TLS in Python breaks off at writes of gigabytes
            self.wfile.write(body[start : start + _PIECE])

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return b"".join(_chunks(self.rfile))

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


def _chunks(stream: BinaryIO) -> list[bytes]:
    found = []
    while size := int(stream.readline().split(b";")[0], 16):
        found.append(stream.read(size))
        stream.readline()
    stream.readline()
    return found
