"""What may be reached, by which way, and with what: the pure parts."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import os
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
from gitmart.extract.settings import Remote
from gitmart.extract.ssh import ssh_environment
from gitmart.extract.ssh_keys import known_hosts_at

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
        pytest.param({"token": "canary", "known_hosts": "x"}, "an https:// address takes", id="token and known_hosts"),
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


HOST_KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32).decode()
SSH_URL = parse_repository_url("ssh://git@git.example.org:2222/a", allow_file=False)
PAIR = {"ssh-privatekey": "canary", "known_hosts": f"git.example.org {HOST_KEY}"}


@pytest.mark.parametrize(
    ("keys", "outcome", "says"),
    [
        pytest.param({}, "SecretMissing", "is missing or empty: an ssh:// address takes", id="none"),
        pytest.param({"ssh-privatekey": "canary"}, "SecretMissing", f"key known_hosts of {WORDS} is missing", id="no host"),
        pytest.param({"known_hosts": "x"}, "SecretMissing", f"key ssh-privatekey of {WORDS} is missing", id="no key"),
        pytest.param(PAIR | {"known_hosts": "\n"}, "SecretInvalid", "key known_hosts of", id="empty"),
        pytest.param(PAIR | {"known_hosts": "# git.example.org:22 SSH-2.0"}, "SecretInvalid", "holds no key of a host", id="comment"),
        pytest.param(PAIR | {"known_hosts": f"@revoked * {HOST_KEY}"}, "SecretInvalid", "holds no key of a host", id="revoked"),
        pytest.param(PAIR | {"known_hosts": f"a {HOST_KEY}\n\n{HOST_KEY}"}, "SecretInvalid", "line 3, is no key", id="no name"),
        pytest.param(PAIR | {"known_hosts": f"@trust a {HOST_KEY}"}, "SecretInvalid", "line 1, is no key", id="marker"),
        pytest.param(PAIR | {"known_hosts": f"a {HOST_KEY.replace('ssh-ed25519', 'ssh-rsa')}"}, "SecretInvalid", "line 1, is", id="kind"),
        pytest.param(PAIR | {"known_hosts": "git.example.org 1024 35 1234"}, "SecretInvalid", "line 1, is", id="version 1"),
        pytest.param(PAIR | {"identity": "canary"}, "SecretInvalid", "identity, known_hosts, ssh-privatekey", id="two keys"),
        pytest.param(PAIR | {"password": "a", "ssh-passphrase": "b"}, "SecretInvalid", "password, ssh-", id="two passphrases"),
        pytest.param(PAIR | {"token": "canary"}, "SecretInvalid", "ssh-privatekey, token: an ssh:// address takes", id="token"),
        pytest.param({"username": "u", "password": "canary"}, "SecretInvalid", "password, username:", id="for https"),
        pytest.param({"password": "canary"}, "SecretInvalid", "holds the keys password:", id="passphrase alone"),
        pytest.param(PAIR | {"ssh-passphrase": "canary\nx"}, "SecretInvalid", "key ssh-passphrase of", id="two lines"),
    ],
)  # fmt: skip
def test_keys_for_ssh_that_make_no_sense_are_named(
    keys: dict[str, str], outcome: str, says: str, tmp_path: Path
) -> None:
    for name, value in keys.items():
        (tmp_path / name).write_text(value, encoding="utf-8")

    with pytest.raises(ExtractError) as failure:
        read_credentials(SSH_URL, {"GITMART_CREDENTIALS_DIR": str(tmp_path), "GITMART_CREDENTIALS_SOURCE": WORDS})

    assert failure.value.outcome == outcome
    assert says in str(failure.value)
    assert "canary" not in str(failure.value)


def test_names_of_a_port_are_read_as_ssh_reads_them() -> None:
    salt, other = b"0123456789abcdefghij", "|1|AAAA|BBBB"
    hashed = base64.b64encode(hmac.digest(salt, b"[git.example.org]:2222", "sha1")).decode()
    ours = f"|1|{base64.b64encode(salt).decode()}|{hashed}"
    lines = [
        f"[git.example.org]:2222,[*.example.org]:2222,![b.example.org]:2222,[c]:22 {HOST_KEY} text",
        f"{ours} {HOST_KEY}",
        f"{other} {HOST_KEY}",
        f"@cert-authority *.example.org {HOST_KEY}",
    ]

    assert known_hosts_at("\n".join(lines), "git.example.org", 2222).splitlines() == [
        f"git.example.org,*.example.org,!b.example.org,[c]:22 {HOST_KEY} text",
        f"git.example.org {HOST_KEY}",
        f"{other} {HOST_KEY}",
        f"@cert-authority *.example.org {HOST_KEY}",
    ]


def test_the_keys_of_a_user_meet_the_names_that_ssh_itself_writes(tmp_path: Path) -> None:
    remote = Remote(SSH_URL)

    ssh_environment(remote, [ipaddress.ip_address("192.0.2.1")], tmp_path, silence=300)

    said = subprocess.run(
        ["ssh", "-G", "-F", tmp_path / "ssh_config", "-p", "2222", "git@git.example.org"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for line in (
        "hostname 192.0.2.1", "hostkeyalias [git.example.org]:2222", "batchmode yes", "stricthostkeychecking true",
        "permitlocalcommand no", "serveralivecountmax 10", "forwardagent no", "forwardx11 no", "clearallforwardings yes", "identitiesonly no",
    ):  # fmt: skip
        assert line in said
    assert not [line for line in said if line.startswith(("proxycommand", "proxyjump"))]


@pytest.mark.parametrize("name", ["ssh", "ssh-keygen"])
def test_a_missing_program_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in {"ssh", "ssh-keygen"} - {name}:
        (tmp_path / other).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ExtractError, match=f"^{name} is not installed here") as failure:
        ssh_environment(Remote(SSH_URL), [], tmp_path, silence=300)

    assert failure.value.outcome is Outcome.HOST_UNREACHABLE  # tried again: another image is enough


def test_a_user_without_an_entry_is_told_what_ssh_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_123_456_789)

    with pytest.raises(ExtractError, match="4123456789 has none: run the image as its own user"):
        ssh_environment(Remote(SSH_URL), [], tmp_path, silence=300)


def test_credentials_do_not_show_themselves(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("canary", encoding="utf-8")

    credentials = read_credentials(URL, {"GITMART_CREDENTIALS_DIR": str(tmp_path)})

    assert credentials is not None
    assert "canary" not in repr(credentials)
    assert credentials.authorization not in repr(credentials)
    said = f"you sent {credentials.authorization} for canary"
    assert Remote(URL, credentials=credentials).scrubber.clean(said) == "you sent Basic ***** for *****"


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
