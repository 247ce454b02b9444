"""
Credentials for one git host, as a Secret that the kubelet mounted holds them: a file per key.

For https they reach git by a configuration file of ours alone, as a header that is sent to this repository's
address and nowhere else; for ssh by the files of `ssh_keys`. No argument list, no environment and no message
holds them.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.certificates import certificates_in
from gitmart.extract.errors import ExtractError, InputError, SecretError
from gitmart.extract.ssh_keys import SshKeys, checked_known_hosts

FOLDER_VARIABLE = "GITMART_CREDENTIALS_DIR"
SOURCE_VARIABLE = "GITMART_CREDENTIALS_SOURCE"  # what people call the folder: Secret … in namespace …

TOKEN_USER = "x-access-token"  # noqa: S105 # the user name hosts expect, or ignore, beside a token
HTTPS_KEYS = ("username", "password", "token", "bearerToken", "ca.crt")
PRIVATE_KEYS = ("ssh-privatekey", "identity")  # of a Secret of type kubernetes.io/ssh-auth, and of Flux's
PASSPHRASES = ("ssh-passphrase", "password")  # likewise
SSH_KEYS = (*PRIVATE_KEYS, "known_hosts", *PASSPHRASES)
_TEXTS = ("ca.crt", "known_hosts", *PRIVATE_KEYS)  # values of several lines
HTTPS_ALLOWED = (
    "an https:// address takes username and password, or token (and username), or bearerToken, "
    "each with or without ca.crt"
)
SSH_ALLOWED = (
    "an ssh:// address takes ssh-privatekey (or identity) and known_hosts, "
    "and ssh-passphrase (or password) if the key is encrypted"
)
_WAYS: tuple[set[str], ...] = (  # the keys that make an Authorization header
    {"username", "password"},
    {"token"},
    {"username", "token"},
    {"bearerToken"},
    set(),
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a host is shown. `source` is for messages; nothing else may stand in one."""

    source: str
    authorization: str = field(default="", repr=False)  # value of the header; "" when there is only ca.crt
    certificates: str = field(default="", repr=False)  # PEM
    ssh: SshKeys | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)  # texts that must never be told
    token: str = field(default="", repr=False)  # what is a token for certain, for the host's API; "" without one


def read_credentials(url: RepositoryUrl, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """
    Return the credentials in the folder GITMART_CREDENTIALS_DIR, None when it is not set.

    Raise ExtractError: SecretMissing when there is nothing, SecretInvalid when the keys or a value make no sense,
    InvalidInput when the address takes none.
    """
    folder = environment.get(FOLDER_VARIABLE)
    if not folder:
        return None
    source = environment.get(SOURCE_VARIABLE) or f"the folder named by {FOLDER_VARIABLE} ({folder})"
    if url.scheme not in ("https", "ssh"):
        raise InputError(f"{source} cannot be used for a {url.scheme}:// address, which takes no credentials")
    present = _names(Path(folder))
    allowed = HTTPS_ALLOWED if url.scheme == "https" else SSH_ALLOWED
    if not present:
        raise ExtractError(f"{source} is missing or empty: {allowed}", Outcome.SECRET_MISSING)
    known = present & {*HTTPS_KEYS, *SSH_KEYS}  # others, such as a public key, say nothing to a host
    if not (_belong_with_https(known) if url.scheme == "https" else _belong_with_ssh(known)):
        raise SecretError(f"{source} holds the keys {', '.join(sorted(present))}: {allowed}")
    if url.scheme == "ssh":
        return _for_ssh(Path(folder), known, source)
    values = {key: _value(Path(folder, key), key, source) for key in sorted(known)}
    authority = values.pop("ca.crt", b"").decode("utf-8", "replace")
    return Credentials(
        source=source,
        authorization=_authorization(values, source),
        certificates=certificates_in(authority, f"key ca.crt of {source}", SecretError) if authority else "",
        secrets=_secrets(values),
        token=_token(values),
    )


def _belong_with_https(keys: set[str]) -> bool:
    return bool(keys) and keys - {"ca.crt"} in _WAYS


def _belong_with_ssh(keys: set[str]) -> bool:
    """Whether the keys are some of those for ssh; which of them are missing is told apart."""
    doubles = any(keys.issuperset(names) for names in (PRIVATE_KEYS, PASSPHRASES))
    return bool(keys) and keys.issubset(SSH_KEYS) and not doubles and keys != {"password"}


def _for_ssh(folder: Path, keys: set[str], source: str) -> Credentials:
    private_key = next((name for name in PRIVATE_KEYS if name in keys), None)
    if private_key is None:
        raise ExtractError(f"key {PRIVATE_KEYS[0]} of {source} is missing: {SSH_ALLOWED}", Outcome.SECRET_MISSING)
    if "known_hosts" not in keys:
        raise ExtractError(
            f"key known_hosts of {source} is missing: write the host's keys there, as `ssh-keyscan HOST` prints them "
            "and the host publishes them",
            Outcome.SECRET_MISSING,
        )
    passphrase = next((name for name in PASSPHRASES if name in keys), PASSPHRASES[0])
    values = {key: _value(folder / key, key, source) for key in sorted(keys)}
    ssh = SshKeys(
        private_key=values[private_key],
        passphrase=values.get(passphrase, b""),
        known_hosts=checked_known_hosts(values["known_hosts"], f"key known_hosts of {source}"),
        source=source,
        key_name=private_key,
        passphrase_name=passphrase,
    )
    return Credentials(source=source, ssh=ssh, secrets=_secrets({passphrase: ssh.passphrase}))


def _names(folder: Path) -> set[str]:
    """Return the keys; the kubelet's own entries (`..data`) are none."""
    try:
        return {entry.name for entry in folder.iterdir() if not entry.name.startswith("..")}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise InputError(f"{FOLDER_VARIABLE} {folder} cannot be read: {error.strerror}") from None


def _value(file: Path, key: str, source: str) -> bytes:
    try:
        value = file.read_bytes()
    except OSError as error:
        raise InputError(f"key {key} of {source} cannot be read: {error.strerror}") from None
    if key not in _TEXTS:
        value = value.rstrip(b"\r\n")  # editors and `echo` add one
        if re.search(rb"[\x00-\x1f\x7f]", value):
            raise SecretError(f"key {key} of {source} holds a control character: it must be one line of text")
    if not value.strip():
        raise SecretError(f"key {key} of {source} is empty")
    return value


def _authorization(values: Mapping[str, bytes], source: str) -> str:
    if (bearer := values.get("bearerToken")) is not None:
        if not re.fullmatch(rb"[!-~]+", bearer):
            raise SecretError(f"key bearerToken of {source} holds a space or a non-ASCII character")
        return f"Bearer {bearer.decode('ascii')}"
    secret = values.get("password") or values.get("token")
    if secret is None:
        return ""
    user = values.get("username", TOKEN_USER.encode())
    if b":" in user:
        raise SecretError(f"key username of {source} holds a colon, which no user name of HTTP can")
    return f"Basic {base64.b64encode(user + b':' + secret).decode('ascii')}"


def _token(values: Mapping[str, bytes]) -> str:
    """Return the token, "" without one. A password is none: it may be a person's own."""
    token = values.get("token") or values.get("bearerToken") or b""
    return token.decode("ascii") if re.fullmatch(rb"[!-~]+", token) else ""


def _secrets(values: Mapping[str, bytes]) -> tuple[str, ...]:
    hidden = [value.decode("utf-8", "replace") for key, value in values.items() if key != "username" and value]
    header = _authorization(values, "")
    return (*hidden, *([header.partition(" ")[2]] if header else []))
