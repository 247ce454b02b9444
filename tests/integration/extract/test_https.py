"""A host that speaks HTTPS: a clone, and each way in which a host refuses one."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.errors import ExtractError
from gitmart.extract.progress import Lines
from gitmart.extract.run import Run, extract
from gitmart.extract.settings import Remote, Settings


class Host(http.server.SimpleHTTPRequestHandler):
    """Serves a folder of bare repositories, and some answers that are no repository."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        match self.path.split("/")[1]:
            case "moved":
                self.send_response(301)
                self.send_header("Location", self.path.replace("/moved/", "/project.git/"))
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "private":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="members"')
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "broken":
                self.send_error(503)
            case _:
                super().do_GET()

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve `tmp_path / 'host'` and return the address; its certificate is trusted."""
    (tmp_path / "host").mkdir()
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Host.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(tmp_path / "host")))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(warehouse: Any, tmp_path: Path) -> Callable[..., int]:
    """Extract an address and return the number of commits."""

    def run(url: str, *, allow_private: bool = True) -> int:
        work_dir = tmp_path / "work"
        work_dir.mkdir()
        settings = Settings(
            Remote(parse_repository_url(url, allow_file=False), allow_private_addresses=allow_private),
            warehouse.url("gitmart_extract"),
            work_dir,
        )
        return extract(Run(settings, Lines())).commits

    return run


def test_a_repository_is_read_over_https(host: str, run: Callable[..., int], repository: Any, tmp_path: Path) -> None:
    repository.write("file", "x\n")
    repository.commit()
    repository.commit()
    repository.git("clone", "-q", "--bare", str(repository.path), str(tmp_path / "host" / "project.git"))
    repository.git(f"--git-dir={tmp_path / 'host' / 'project.git'}", "update-server-info")

    assert run(f"{host}/project.git") == 2


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        pytest.param("moved", Outcome.MOVED, id="redirect"),
        pytest.param("private", Outcome.AUTHENTICATION_FAILED, id="credentials wanted"),
        pytest.param("nothing", Outcome.NOT_FOUND, id="not there"),
        pytest.param("broken", Outcome.HOST_UNREACHABLE, id="out of order"),
    ],
)
def test_each_refusal_has_its_outcome(path: str, outcome: Outcome, host: str, run: Callable[..., int]) -> None:
    with pytest.raises(ExtractError) as failure:
        run(f"{host}/{path}")

    assert failure.value.outcome is outcome, str(failure.value)
    assert {asked.split("/")[1] for asked in Host.asked} == {path}  # a redirect was not followed


def test_a_certificate_that_is_not_trusted_ends_the_run(
    host: str, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(ExtractError) as failure:
        run(f"{host}/project.git")

    assert failure.value.outcome is Outcome.HOST_UNREACHABLE
    assert Host.asked == []


def test_a_private_address_gets_no_request(host: str, run: Callable[..., int]) -> None:
    with pytest.raises(ExtractError, match="not a public address"):
        run(f"{host}/project.git", allow_private=False)

    assert Host.asked == []
