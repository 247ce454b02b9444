"""ssh:// addresses: a real server, real ssh, and the keys of a Secret."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import pytest
from tests.integration.extract.ssh_host import ADDRESS, NAME, SshHost, public

from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.check import check
from gitmart.extract.credentials import read_credentials
from gitmart.extract.errors import ExtractError
from gitmart.extract.settings import Remote
from gitmart.extract.shape import Shape

WORDS = "Secret project-git in namespace default"
PASSPHRASE = f'canary "{uuid4()}" $phrase'  # no other process of the machine has it
LOCAL = "--allow-network=127.0.0.0/8"
KEY = asyncssh.generate_private_key("ssh-ed25519")
RSA = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
PLAIN = KEY.export_private_key("openssh").decode()

Extract = Callable[..., dict[str, object]]
Lay = Callable[..., None]


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The key, as ssh-keygen encrypts it."""
    file = tmp_path_factory.mktemp("key") / "key"
    file.touch(mode=0o600)
    file.write_text(PLAIN)
    words = ["ssh-keygen", "-p", "-a", "1", "-P", "", "-N", PASSPHRASE, "-f", file]
    subprocess.run(words, capture_output=True, check=True)
    return file.read_text()


@pytest.fixture
def ssh_host(tmp_path: Path) -> Iterator[SshHost]:
    host = SshHost(tmp_path)
    host.accepted = {public(KEY)}
    host.start()
    yield host
    host.close()


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """Lay a Secret down as the kubelet does: readable by the group, too."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("GITMART_CREDENTIALS_DIR", str(folder))
    monkeypatch.setenv("GITMART_CREDENTIALS_SOURCE", WORDS)

    def write(**keys: str) -> None:
        for file in folder.iterdir():
            file.unlink()
        for name, value in keys.items():
            file = folder / name.replace("ssh_", "ssh-")
            file.write_text(value, encoding="utf-8")
            file.chmod(0o440)

    return write


@pytest.fixture
def ask(
    ssh_host: SshHost, repository: Any, lay: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Ask the host by a name that only gitmart can resolve; return its HEAD's branch, or raise."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **given: look_up(ADDRESS if host == NAME else host, *more, **given)
    )
    repository.commit()
    runs = 0

    def run(path: str | None = None, **keys: str) -> str:
        nonlocal runs
        lay(**keys)
        runs += 1
        folder = tmp_path / "work" / f"check{runs}"
        folder.mkdir(parents=True)
        url = parse_repository_url(ssh_host.url(repository, NAME), allow_file=False)
        url = replace(url, path=path or url.path)
        remote = Remote(url, allow_private_addresses=True, credentials=read_credentials(url))
        return str((check(remote, folder, Shape()).default_branch or b"").decode())

    return run


def test_a_history_is_read_and_followed_by_a_key_that_nobody_sees(
    ssh_host: SshHost,
    repository: Any,
    lay: Lay,
    run_extract: Extract,
    warehouse: Any,
    encrypted: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    for number in range(30):
        repository.write("file", f"{number}\n" * number)
        repository.commit()
    lay(ssh_privatekey=encrypted, ssh_passphrase=f"{PASSPHRASE}\n", known_hosts=ssh_host.line)
    ssh_host.watched = (PASSPHRASE.encode(), KEY.export_private_key("openssh").splitlines()[1])
    shown = watch_keygen(tmp_path, monkeypatch)

    first = run_extract(f"--url={ssh_host.url(repository)}", LOCAL)
    repository.write("file", "more\n")
    repository.commit()
    second = run_extract(f"--url={ssh_host.url(repository)}", LOCAL)

    repository.commit()
    asked = len(ssh_host.asked)
    ssh_host.stop()
    ssh_host.start(asyncssh.generate_private_key("ssh-ed25519"))
    third = run_extract(f"--url={ssh_host.url(repository)}", LOCAL)

    assert (first["exit"], first["commits"], first["fetch"]) == (0, 30, "full"), first
    assert (second["exit"], second["commits"], second["newCommits"], second["fetch"]) == (0, 31, 1, "incremental"), (
        second
    )
    assert (third["exit"], third["outcome"], len(ssh_host.asked)) == (86, "HostKeyUnknown", asked), third
    assert f"key known_hosts of {WORDS}" in str(third["message"])
    assert warehouse.query("select count(*) from commits") == [(31,)]
    assert set(ssh_host.protocols) == {"version=2"}
    assert ssh_host.files["ssh_key"] == ssh_host.files["ssh_config"] == "600"
    assert ssh_host.leaks == []
    assert "ssh_key" in shown.read_text()
    for text in (json.dumps(first), json.dumps(second), json.dumps(third), shown.read_text()):
        assert "canary" not in text
        assert PLAIN.splitlines()[1] not in text


def watch_keygen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program before ssh-keygen that notes its arguments and environment; return where."""
    (folder / "bin").mkdir()
    noted, program = folder / "shown", folder / "bin" / "ssh-keygen"
    program.write_text(
        f'#!/bin/sh\n{{ printf "%s\\n" "$@"; env; }} >> {noted}\nPATH={os.environ["PATH"]} exec ssh-keygen "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    return noted


def test_every_kind_of_key_and_of_known_host_works(ask: Callable[..., str], ssh_host: SshHost, encrypted: str) -> None:
    ssh_host.accepted = {public(KEY), public(RSA)}
    old = RSA.export_private_key("pkcs1-pem", passphrase=PASSPHRASE, cipher_name="aes256-cbc").decode()
    bare = f"{NAME} {public(ssh_host.host_key)}"
    for keys in (
        {"ssh_privatekey": PLAIN.strip(), "known_hosts": f"# scanned\n\n{ssh_host.line} a comment"},
        {"ssh_privatekey": PLAIN.replace("\n", "\r\n"), "known_hosts": ssh_host.hashed_line},
        {"identity": encrypted, "password": PASSPHRASE, "known_hosts": ssh_host.line, "identity.pub": public(KEY)},
        {"ssh_privatekey": old, "ssh_passphrase": PASSPHRASE, "known_hosts": f"[*.example.org]:{ssh_host.port} {public(ssh_host.host_key)}"},
        {"ssh_privatekey": RSA.export_private_key("pkcs8-pem").decode(), "known_hosts": bare},  # of another port, as ssh has it
    ):  # fmt: skip
        assert ask(**keys) == "refs/heads/main", keys.keys()

    ssh_host.stop()
    ssh_host.start(certified=True)
    assert ask(ssh_privatekey=PLAIN, known_hosts=ssh_host.certified_line) == "refs/heads/main"


@pytest.mark.parametrize(
    ("keys", "outcome", "says"),
    [
        pytest.param({"known_hosts": "{elsewhere}"}, Outcome.HOST_KEY_UNKNOWN, f"add it there, as `ssh-keyscan -p {{port}} {NAME}`", id="unknown"),
        pytest.param({"known_hosts": "{other}"}, Outcome.HOST_KEY_UNKNOWN, f"{NAME} shows another ssh key (SHA256:", id="changed"),
        pytest.param({"known_hosts": "@revoked {line}\n{elsewhere}"}, Outcome.HOST_KEY_UNKNOWN, "shows another ssh key", id="revoked"),
        pytest.param({"ssh_privatekey": RSA.export_private_key("openssh").decode()}, Outcome.AUTHENTICATION_FAILED, f"the host refused key ssh-privatekey of {WORDS} for user git", id="refused"),
        pytest.param({"path": "/nowhere.git"}, Outcome.NOT_FOUND, "Repository not found", id="no such repository"),
        pytest.param({"ssh_privatekey": "{encrypted}"}, Outcome.SECRET_INVALID, f"key ssh-privatekey of {WORDS} is encrypted: give its passphrase in the key ssh-passphrase", id="no passphrase"),
        pytest.param({"ssh_privatekey": "{encrypted}", "password": "canary-too"}, Outcome.SECRET_INVALID, f"key password of {WORDS} is not the passphrase", id="wrong passphrase"),
        pytest.param({"ssh_privatekey": public(KEY)}, Outcome.SECRET_INVALID, "is no private key that ssh can read", id="public key"),
        pytest.param({"ssh_privatekey": PLAIN[:150]}, Outcome.SECRET_INVALID, "is no private key that ssh can read", id="half a key"),
    ],
)  # fmt: skip
def test_each_trouble_ends_in_an_outcome_that_says_what_to_do(
    keys: dict[str, str], outcome: Outcome, says: str, ask: Callable[..., str], ssh_host: SshHost, encrypted: str
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    texts = {
        "encrypted": encrypted,
        "line": ssh_host.line,
        "elsewhere": f"other.example.org {public(ssh_host.host_key)}",
        "other": f"[{NAME}]:{ssh_host.port} {public(other)}",
    }
    given = {"ssh_privatekey": PLAIN, "known_hosts": "{line}"} | keys
    with pytest.raises(ExtractError) as failure:
        ask(**{name: value.format(**texts) for name, value in given.items()})

    assert failure.value.outcome is outcome, failure.value
    assert says.format(port=ssh_host.port) in str(failure.value)
    for secret in ("canary", PLAIN.splitlines()[1], "PRIVATE KEY-----\nb3"):
        assert secret not in str(failure.value)
