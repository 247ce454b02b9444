"""A git host of a company's own: private addresses, an authority of its own, a proxy, credentials."""

from __future__ import annotations

import base64
import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CANARY = 'canary "\\#;%$ Kanári'
TOKEN_CANARY = 'canary-"\\#;%$'
WORDS = "Secret kopf-git in namespace default"
LOCAL = ("--allow-network=127.0.0.0/8", "--allow-network=::1/128")

Extract = Callable[..., dict[str, object]]


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lay a Secret down as the kubelet does: a folder with a link per key."""

    def lay(**keys: str) -> None:
        folder = tmp_path / "credentials"
        (folder / "..data").mkdir(parents=True)
        for name, value in keys.items():
            key = name.replace("_crt", ".crt")
            (folder / "..data" / key).write_text(value, encoding="utf-8")
            (folder / key).symlink_to(f"..data/{key}")
        monkeypatch.setenv("GITMART_CREDENTIALS_DIR", str(folder))
        monkeypatch.setenv("GITMART_CREDENTIALS_SOURCE", WORDS)

    return lay


@pytest.fixture
def address(host: Any, repository: Any) -> str:
    """A repository with one commit that the host shows to members only."""
    repository.commit()
    host.watched = '"\\#;%$'  # in both of them, and in nobody else's processes
    return str(host.add(repository, "members/project.git"))


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        pytest.param({"username": "anna", "password": CANARY}, basic("anna", CANARY), id="password"),
        pytest.param({"username": "anna\n", "password": CANARY + "\n"}, basic("anna", CANARY), id="line feeds"),
        pytest.param({"token": CANARY}, basic("x-access-token", CANARY), id="token"),
        pytest.param({"token": CANARY, "username": "oauth2"}, basic("oauth2", CANARY), id="token and user"),
        pytest.param({"bearerToken": TOKEN_CANARY}, f"Bearer {TOKEN_CANARY}", id="bearer"),
    ],
)
def test_credentials_open_a_private_repository_and_are_seen_nowhere(
    keys: dict[str, str], shown: str, address: str, host: Any, credentials: Any, run_extract: Extract
) -> None:
    host.accepted = {shown}
    credentials(**keys)

    result = run_extract(f"--url={address}", *LOCAL)

    assert (result["exit"], result["commits"]) == (0, 1), result
    assert "canary" not in json.dumps(result)
    assert base64.b64encode(CANARY.encode()).decode()[:20] not in json.dumps(result)
    assert host.leaks == []
    assert len(host.asked) > 1


@pytest.mark.parametrize("known", [True, False], ids=["known, not allowed", "unknown"])
def test_wrong_credentials_are_told_apart_from_none_at_all(
    known: bool, address: str, host: Any, credentials: Any, run_extract: Extract, warehouse: Any
) -> None:
    host.banned = basic("anna", CANARY) if known else ""
    nothing = run_extract(f"--url={address}", *LOCAL)
    credentials(username="anna", password=CANARY)
    wrong = run_extract(f"--url={address}", *LOCAL)

    assert (nothing["exit"], nothing["outcome"]) == (77, "AuthenticationFailed")
    assert "set spec.secretRef" in str(nothing["message"])
    assert (wrong["exit"], wrong["outcome"]) == (77, "AuthenticationFailed")
    assert f"refused the credentials of {WORDS}" in str(wrong["message"])
    assert ("no entry with Basic *****" in str(wrong["message"])) == known  # git prints what a host says to a 403
    for secret in (CANARY, basic("anna", CANARY).removeprefix("Basic ")):
        assert json.dumps(secret)[1:-1] not in json.dumps(wrong)
    [(told,)] = warehouse.query("select state_message from repositories")
    assert basic("anna", CANARY).removeprefix("Basic ") not in str(told)


def test_a_secret_that_is_not_there_is_awaited(address: str, credentials: Any, run_extract: Extract) -> None:
    credentials()

    result = run_extract(f"--url={address}", *LOCAL)

    assert (result["exit"], result["outcome"]) == (79, "SecretMissing")
    assert str(result["message"]).startswith(
        f"{WORDS} is missing or empty: an https:// address takes username and password"
    )


@pytest.mark.parametrize("by", ["administrator", "repository"])
def test_an_authority_of_ones_own_is_trusted(
    by: str, private_host: Any, repository: Any, credentials: Any, run_extract: Extract, monkeypatch: Any
) -> None:
    repository.commit()
    address = private_host.add(repository)
    pem = private_host.authority.read_text(encoding="ascii")

    assert run_extract(f"--url={address}", *LOCAL)["outcome"] == "HostUnreachable"

    if by == "administrator":
        monkeypatch.setenv("GITMART_GIT_CA", f"# our house, für alle\n{pem}")
    else:
        credentials(ca_crt=pem)
    result = run_extract(f"--url={address}", *LOCAL)
    assert (result["exit"], result["commits"]) == (0, 1), result


def test_another_authority_does_not_replace_the_trusted_ones(
    host: Any, repository: Any, run_extract: Extract, monkeypatch: Any
) -> None:
    import trustme

    repository.commit()
    monkeypatch.setenv("GITMART_GIT_CA", trustme.CA().cert_pem.bytes().decode("ascii"))

    result = run_extract(f"--url={host.add(repository)}", *LOCAL)

    assert (result["exit"], result["commits"]) == (0, 1), result


def test_a_text_that_is_no_certificate_is_named(run_extract: Extract, monkeypatch: Any) -> None:
    monkeypatch.setenv("GITMART_GIT_CA", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")

    result = run_extract("--url=https://git.invalid/a")

    assert (result["exit"], result["outcome"]) == (64, "InvalidInput")
    assert str(result["message"]).startswith("GITMART_GIT_CA holds no certificates")


def test_a_private_address_outside_the_allowed_networks_is_refused(host: Any, run_extract: Extract) -> None:
    result = run_extract(f"--url={host.url}/project.git", "--allow-network=10.0.0.0/8", "--allow-network=fd00::/8")

    assert (result["exit"], result["outcome"]) == (84, "AddressNotAllowed")
    assert "(allowed: 10.0.0.0/8, fd00::/8)" in str(result["message"])
    assert host.asked == []


@pytest.mark.parametrize("network", ["10.0.0.1/8", "everything", "10.0.0.0/40", ""])
def test_a_network_that_is_none_is_named(network: str, run_extract: Extract) -> None:
    result = run_extract("--url=https://git.invalid/a", f"--allow-network={network}")

    assert result["exit"] == 64
    assert f"{network!r} is no network: write it like 10.0.0.0/8" in str(result["printed"])


@dataclass
class Proxy:
    """A proxy that opens tunnels (CONNECT) to one place, whatever it is asked for."""

    leads_to: int  # a port of this machine
    heard: list[str] = field(default_factory=list)
    server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self.server.accept()
                threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += client.recv(65536)
        self.heard.append(request.decode("latin-1"))
        with client, socket.create_connection(("127.0.0.1", self.leads_to)) as host, suppress(OSError):
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                for ready in select.select([client, host], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    (host if ready is client else client).sendall(data)


@pytest.fixture
def proxy(host: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that leads to the host, in use."""
    proxy = Proxy(host.server.server_port)
    thread = threading.Thread(target=proxy.serve)
    thread.start()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    yield proxy
    proxy.server.shutdown(socket.SHUT_RDWR)
    proxy.server.close()
    thread.join()


def test_a_proxy_finds_the_host_and_does_not_see_the_credentials(
    proxy: Proxy, address: str, host: Any, credentials: Any, run_extract: Extract
) -> None:
    host.accepted = {basic("anna", CANARY)}
    credentials(username="anna", password=CANARY)

    result = run_extract(f"--url={address}")  # the name is for the proxy to resolve: nothing needs to be allowed

    assert (result["exit"], result["commits"]) == (0, 1), result
    assert {heard.split("\r\n")[0] for heard in proxy.heard} == {
        f"CONNECT localhost:{host.server.server_port} HTTP/1.1"
    }
    assert not any("authorization" in heard.lower() for heard in proxy.heard)


@pytest.mark.parametrize(
    "written", ["10.1.2.3", "169.254.169.254", "[fd00::1]", "127.1", "2130706433", "0x7f000001", "[::ffff:10.0.0.1]"]
)
def test_an_address_in_the_url_is_looked_at_even_behind_a_proxy(
    written: str, proxy: Proxy, run_extract: Extract
) -> None:
    result = run_extract(f"--url=https://{written}/project.git")

    assert (result["exit"], result["outcome"]) == (84, "AddressNotAllowed")
    assert "not a public address" in str(result["message"])
    assert proxy.heard == []


@pytest.mark.parametrize("exceptions", ["localhost", "example.org, .localhost", "*"])
def test_a_host_that_is_not_for_the_proxy_is_looked_at_and_reached_directly(
    exceptions: str, proxy: Proxy, host: Any, repository: Any, run_extract: Extract, monkeypatch: Any
) -> None:
    repository.commit()
    address = host.add(repository)
    monkeypatch.setenv("NO_PROXY", exceptions)

    refused = run_extract(f"--url={address}")
    allowed = run_extract(f"--url={address}", *LOCAL)

    assert (refused["exit"], refused["outcome"]) == (84, "AddressNotAllowed")
    assert (allowed["exit"], allowed["commits"]) == (0, 1), allowed
    assert proxy.heard == []
