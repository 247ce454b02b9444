"""
Credentials for one git host, as a Secret that the kubelet mounted holds them: a file per key.

They reach git by a configuration file of ours alone, as a header that is sent to this repository's
address and nowhere else: no argument list, no environment and no message holds them.
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

FOLDER_VARIABLE = "GITMART_CREDENTIALS_DIR"
SOURCE_VARIABLE = "GITMART_CREDENTIALS_SOURCE"  # what people call the folder: Secret … in namespace …

TOKEN_USER = "x-access-token"  # noqa: S105 # the user name hosts expect, or ignore, beside a token
KEYS = ("username", "password", "token", "bearerToken", "ca.crt")
ALLOWED = "allowed are username and password, or token (and username), or bearerToken, each with or without ca.crt"
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
    secrets: tuple[str, ...] = field(default=(), repr=False)  # texts that must never be told

    def clean(self, text: str) -> str:
        """Return the text without secrets: a host may well repeat what it was sent."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "*****")
        return text


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
    if url.scheme != "https":
        raise InputError(f"{source} cannot be used for an {url.scheme}:// address: https:// alone works; {ALLOWED}")
    present = _names(Path(folder))
    if not present:
        raise ExtractError(f"{source} is missing or empty: {ALLOWED}", Outcome.SECRET_MISSING)
    values = {key: _value(Path(folder, key), key, source) for key in KEYS if key in present}
    if not values or set(values) - {"ca.crt"} not in _WAYS:
        raise SecretError(f"{source} holds the keys {', '.join(sorted(present))}: {ALLOWED}")
    authority = values.pop("ca.crt", b"").decode("utf-8", "replace")
    return Credentials(
        source=source,
        authorization=_authorization(values, source),
        certificates=certificates_in(authority, f"key ca.crt of {source}", SecretError) if authority else "",
        secrets=_secrets(values),
    )


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
    if key != "ca.crt":
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


def _secrets(values: Mapping[str, bytes]) -> tuple[str, ...]:
    hidden = [value.decode("utf-8", "replace") for key, value in values.items() if key != "username"]
    header = _authorization(values, "")
    return (*hidden, *([header.partition(" ")[2]] if header else []))
