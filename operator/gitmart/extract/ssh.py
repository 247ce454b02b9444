"""
How git's ssh reaches the host: by a configuration of ours alone, to the address that was looked at.

Nothing is asked, nothing is forwarded, no host is believed whose key is not known. With a Secret its key is the only
one that is shown and its known_hosts are the only ones; without, as when a person runs this, those of the user.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from gitmart.contract.addresses import Address
from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.errors import ExtractError, GitError, InputError
from gitmart.extract.settings import Remote
from gitmart.extract.ssh_keys import known_hosts_at

# See ssh_config(5). What is not said has its default, and no other file is read.
CONFIGURATION = """\
BatchMode yes
StrictHostKeyChecking yes
CheckHostIP no
UpdateHostKeys no
VerifyHostKeyDNS no
KnownHostsCommand none
PreferredAuthentications publickey
ConnectTimeout 20
ServerAliveInterval 30
ProxyCommand none
ProxyJump none
CanonicalizeHostname no
ControlMaster no
ControlPath none
ForwardAgent no
ForwardX11 no
ClearAllForwardings yes
Tunnel no
PermitLocalCommand no
AddKeysToAgent no
RequestTTY no
EscapeChar none
"""
_PROGRAMS = ("ssh", "ssh-keygen")
# What git and ssh add to every failure.
_NOISE = re.compile(
    r"^(@.*|fatal: could not read from remote repository\.|please make sure you have the correct access rights"
    r"|and the repository exists\.)?$",
    re.IGNORECASE,
)
_CHANGED = re.compile(r"host identification has changed|revoked host key", re.IGNORECASE)


def ssh_environment(remote: Remote, addresses: Sequence[Address], home: Path, *, silence: int) -> dict[str, str]:
    """
    Return what git needs in its environment to use ssh; the files that it names are written into `home`.

    A host that does not answer for `silence` seconds is given up.

    Raise ExtractError: SecretInvalid when the key cannot be used, HostUnreachable when ssh cannot run here.
    """
    _check_programs()
    keys = remote.credentials.ssh if remote.credentials else None
    lines = [
        CONFIGURATION,
        f"ServerAliveCountMax {silence // 30}",
        *_host_lines(remote.url, addresses, by_name=keys is not None),
    ]
    if keys is not None:
        key, known_hosts = home / "ssh_key", home / "ssh_known_hosts"
        keys.write_private_key(key)
        port = remote.url.port
        known_hosts.write_text(
            known_hosts_at(keys.known_hosts, remote.url.host, port) if port else keys.known_hosts, encoding="utf-8"
        )
        lines += [
            "IdentitiesOnly yes", "IdentityAgent none", f"IdentityFile {_quoted(key)}",
            f"UserKnownHostsFile {_quoted(known_hosts)}", "GlobalKnownHostsFile /dev/null",
        ]  # fmt: skip
    file = home / "ssh_config"
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    agent = (
        {} if keys is not None or "SSH_AUTH_SOCK" not in os.environ else {"SSH_AUTH_SOCK": os.environ["SSH_AUTH_SOCK"]}
    )
    return {"GIT_SSH_COMMAND": f"ssh -F {shlex.quote(str(file))}", "SSH_ASKPASS": "/bin/false", **agent}


def _check_programs() -> None:
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        raise ExtractError(
            f"{' and '.join(missing)} is not installed here, which an ssh:// address needs: "
            "add OpenSSH's client to the image, as gitmart's own has it",
            Outcome.HOST_UNREACHABLE,
        )
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        raise ExtractError(
            f"ssh works for users alone that have a line in /etc/passwd, and {os.getuid()} has none: run the image "
            "as its own user (10001), or add a line for this one",
            Outcome.HOST_UNREACHABLE,
        ) from None


def _host_lines(url: RepositoryUrl, addresses: Sequence[Address], *, by_name: bool) -> list[str]:
    """Return what makes ssh connect to the address that was looked at, and know the host by its name all the same."""
    if not addresses:
        return []
    alias = url.host if by_name or url.port is None else f"[{url.host}]:{url.port}"
    return [f"HostName {addresses[0]}", f"HostKeyAlias {alias}"]


def _quoted(path: Path) -> str:
    """Return a path as a value of ssh_config(5), which knows no escape but that of its own %."""
    text = str(path)
    if '"' in text or "${" in text or not text.isprintable():
        raise InputError(f"--work-dir {text!r} cannot be used with ssh: its path must hold no quote and no ${{")
    return '"' + text.replace("%", "%%") + '"'


def ssh_refusal(remote: Remote, doing: str, printed: str, exit_code: int) -> ExtractError:
    """Return the error for what git and ssh printed while they talked to the host."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", printed)]
    error = GitError(
        doing, "\n".join(line for line in lines if not _NOISE.match(line)), exit_code, about=str(remote.url)
    )
    keys = remote.credentials.ssh if remote.credentials else None
    if error.outcome is Outcome.HOST_KEY_UNKNOWN:
        where = f"key known_hosts of {keys.source}" if keys else "this user's known_hosts"
        return ExtractError(f"{_advice_on_host_key(remote.url, where, printed)} ({error})", error.outcome)
    if error.outcome is Outcome.AUTHENTICATION_FAILED:
        shown = f"key {keys.key_name} of {keys.source}" if keys else "the ssh keys of this user"
        user = f"user {remote.url.user}" if remote.url.user else "the user, whom the address does not name (git@…)"
        return ExtractError(
            f"the host refused {shown} for {user}, or it may not read this repository: "
            f"give the host the public key that belongs to it ({error})",
            error.outcome,
        )
    return error


def _advice_on_host_key(url: RepositoryUrl, where: str, printed: str) -> str:
    shown = re.search(r"SHA256:[A-Za-z0-9+/]+", printed)
    fingerprint = f" ({shown[0]})" if shown else ""
    if _CHANGED.search(printed):
        return (
            f"{url.host} shows another ssh key{fingerprint} than {where} holds: it got a new one, or somebody else "
            "answers in its place; compare it with what the host publishes before you replace it there"
        )
    port = f"-p {url.port} " if url.port else ""
    return (
        f"the ssh key that {url.host} shows is not in {where}: add it there, as `ssh-keyscan {port}{url.host}` "
        "prints it, once you have compared it with what the host publishes"
    )
