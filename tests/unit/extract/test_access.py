"""What may be reached, by which way, and with what: the pure parts."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.address import parse_network, refuse_private
from gitmart.extract.credentials import read_credentials
from gitmart.extract.errors import ExtractError
from gitmart.extract.proxy import proxy_for

URL = parse_repository_url("https://git.example.org/a/b.git", allow_file=False)
WORDS = "Secret kopf-git in namespace default"


@pytest.mark.parametrize(
    ("address", "networks", "fine"),
    [
        ("140.82.121.4", [], True),
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("10.1.2.3", ["192.168.0.0/16", "10.1.2.3"], True),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("64:ff9b::a01:203", ["10.0.0.0/8"], True),
        ("fd00::1", ["10.0.0.0/8", "fd00::/8"], True),
        ("10.1.2.3", [], False),
        ("11.0.0.1", ["10.0.0.0/8"], True),  # public
        ("192.168.1.1", ["10.0.0.0/8"], False),
        ("127.0.0.1", ["10.0.0.0/8"], False),
        ("169.254.169.254", ["10.0.0.0/8", "fd00::/8"], False),
        ("::ffff:192.168.1.1", ["10.0.0.0/8", "fd00::/8"], False),
        ("fe80::1", ["fd00::/8"], False),
    ],
)
def test_only_public_addresses_and_allowed_networks_are_reached(address: str, networks: list[str], fine: bool) -> None:
    addresses = [ipaddress.ip_address("140.82.121.4"), ipaddress.ip_address(address)]
    allowed = [parse_network(text) for text in networks]

    with nullcontext() if fine else pytest.raises(ExtractError, match="not a public address") as failure:
        refuse_private(URL, addresses, allowed)

    if failure is not None:
        assert failure.value.outcome is Outcome.ADDRESS_NOT_ALLOWED
        assert str(addresses[1]) in str(failure.value)


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, "http://q:2"),
        ({"ALL_PROXY": "socks5://p:1"}, "socks5://p:1"),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "other.org, .sub.example.org"}, "p:1"),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "example.org"}, ""),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": ".example.org"}, ""),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "GIT.example.org"}, ""),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "ample.org"}, "p:1"),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "10.0.0.0/8"}, "p:1"),
        ({"HTTPS_PROXY": "p:1", "no_proxy": "*"}, ""),
    ],
)
def test_a_proxy_is_used_unless_the_host_is_excepted(environment: dict[str, str], proxy: str) -> None:
    assert proxy_for(URL, environment) == proxy


@pytest.mark.parametrize(("exceptions", "proxy"), [("10.0.0.0/8", ""), ("10.1.2.3", ""), ("11.0.0.0/8", "p:1")])
def test_an_address_may_be_excepted_by_its_network(exceptions: str, proxy: str) -> None:
    url = parse_repository_url("https://10.1.2.3/a.git", allow_file=False)

    assert proxy_for(url, {"HTTPS_PROXY": "p:1", "NO_PROXY": exceptions}) == proxy


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        pytest.param({"username": "u"}, "holds the keys username:", id="user alone"),
        pytest.param({"password": "canary"}, "holds the keys password:", id="password alone"),
        pytest.param({"token": "canary", "password": "canary", "username": "u"}, "password, token", id="two ways"),
        pytest.param({"bearerToken": "canary", "username": "u"}, "bearerToken, username", id="bearer and user"),
        pytest.param({"Token": "canary"}, "holds the keys Token:", id="unknown key"),
        pytest.param({"identity": "canary", "known_hosts": "x"}, "identity, known_hosts", id="ssh key"),
        pytest.param({"token": "canary\nmore"}, "key token of", id="two lines"),
        pytest.param({"token": ""}, "key token of", id="empty"),
        pytest.param({"bearerToken": "canary x"}, "key bearerToken of", id="space"),
        pytest.param({"username": "u:v", "password": "canary"}, "key username of", id="colon"),
        pytest.param({"ca.crt": "canary"}, "key ca.crt of", id="no certificate"),
    ],
)
def test_keys_that_make_no_sense_are_named_without_their_values(
    keys: dict[str, str], says: str, tmp_path: Path
) -> None:
    for name, value in keys.items():
        (tmp_path / name).write_text(value, encoding="utf-8")

    with pytest.raises(ExtractError) as failure:
        read_credentials(URL, {"GITMART_CREDENTIALS_DIR": str(tmp_path), "GITMART_CREDENTIALS_SOURCE": WORDS})

    assert failure.value.outcome is Outcome.SECRET_INVALID  # tried again: changing the Secret is enough
    assert says in str(failure.value)
    assert WORDS in str(failure.value)
    assert "canary" not in str(failure.value)


def test_an_ssh_address_is_told_what_works(tmp_path: Path) -> None:
    (tmp_path / "identity").write_text("canary", encoding="utf-8")
    url = parse_repository_url("ssh://git@git.example.org/a", allow_file=False)

    with pytest.raises(ExtractError, match="https:// alone works; allowed are username and password") as failure:
        read_credentials(url, {"GITMART_CREDENTIALS_DIR": str(tmp_path)})

    assert failure.value.outcome is Outcome.INVALID_INPUT


def test_credentials_do_not_show_themselves(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("canary", encoding="utf-8")

    credentials = read_credentials(URL, {"GITMART_CREDENTIALS_DIR": str(tmp_path)})

    assert credentials is not None
    assert "canary" not in repr(credentials)
    assert credentials.authorization not in repr(credentials)
    assert credentials.clean(f"you sent {credentials.authorization} for canary") == "you sent Basic ***** for *****"


def test_a_resolver_that_does_not_answer_keeps_no_timeout_waiting() -> None:
    program = """
import socket, threading
from datetime import timedelta
from gitmart.contract.repository_url import parse_repository_url
from gitmart.contract.signals import Stopped, stopping
from gitmart.extract.address import resolve

socket.getaddrinfo = lambda *_, **__: threading.Event().wait()
try:
    with stopping(timedelta(seconds=0.1)):
        resolve(parse_repository_url("https://git.example.org/a", allow_file=False))
except Stopped as error:
    print(error.outcome)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "Timeout\n"
