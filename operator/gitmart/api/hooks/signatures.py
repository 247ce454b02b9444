"""
Who sent a webhook: signatures over the bytes that came, as GitHub, GitLab and Standard Webhooks make them.

Headers are judged first, so that a request that can prove nothing is refused before its body is read. What is not
proved is never parsed, and every comparison takes as long, however much of it is right.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

TOLERANCE = 300  # seconds that a signed time may differ from ours, either way: what Standard Webhooks proposes
ENCODED = "whsec_"  # a secret that starts like this is a key in base64; any other is the key itself
MOST_SIGNATURES = 10  # in one header; a sender that rotates its keys has two

_HUB = re.compile(r"sha256=([0-9a-fA-F]{64})")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_ID = re.compile(r"[!-~]{1,256}")

Headers = Mapping[str, str]


class UnprovedError(Exception):
    """A request does not prove who sent it. The message says which header is wrong, nothing else."""


class Claim(Protocol):
    """What the headers of a request claim, to be proved by its body and a secret."""

    def proof(self, body: bytes, secrets: Iterable[str]) -> str | None:
        """
        Return by what this delivery is known when it comes again, "" if by nothing.

        None: no secret proves the claim.
        """


@dataclass(frozen=True, slots=True)
class Signature:
    """Signatures by HMAC-SHA256 over `prefix` and the body. `identity`: what a second delivery would share."""

    signatures: tuple[bytes, ...]
    prefix: bytes = b""
    identity: str | None = None  # None: the signature itself

    def proof(self, body: bytes, secrets: Iterable[str]) -> str | None:
        """Try every secret on every signature, so that nothing is told by how long it takes."""
        proved = None
        for secret in secrets:
            made = hmac.new(key_of(secret), self.prefix, hashlib.sha256)
            made.update(body)
            digest = made.digest()
            for signature in self.signatures:
                if hmac.compare_digest(digest, signature):
                    proved = digest.hex() if self.identity is None else self.identity
        return proved


@dataclass(frozen=True, slots=True)
class Password:
    """A secret that was sent as it is. It proves who sent the request, not that its body is unchanged."""

    text: str
    identity: str

    def proof(self, body: bytes, secrets: Iterable[str]) -> str | None:  # noqa: ARG002 # proves nothing of the body
        """Compare with every secret that is no key: a key is for signing, and never sent."""
        given = _digest(self.text)
        found = [hmac.compare_digest(given, _digest(each)) for each in secrets if not each.startswith(ENCODED)]
        return self.identity if any(found) else None


def github(headers: Headers, now: float) -> Claim:  # noqa: ARG001 # GitHub signs no time
    """Return the claim of X-Hub-Signature-256, as GitHub, Gitea and Forgejo send it. Raise UnprovedError."""
    found = _HUB.fullmatch(headers.get("x-hub-signature-256", ""))
    if found is None:
        raise UnprovedError("X-Hub-Signature-256 must be sha256= and 64 hexadecimal digits")
    return Signature((bytes.fromhex(found[1]),))


def gitlab(headers: Headers, now: float) -> Claim:
    """
    Return the claim of GitLab's signing token (Standard Webhooks), else that of its older secret token.

    A request with a signature is judged by that alone. Raise UnprovedError.
    """
    if "webhook-signature" in headers:
        return standard(headers, now)
    token = headers.get("x-gitlab-token", "")
    if not token:
        raise UnprovedError("neither webhook-signature nor X-Gitlab-Token is given")
    return Password(token, headers.get("idempotency-key", "")[:256])


def standard(headers: Headers, now: float) -> Claim:
    """Return the claim of Standard Webhooks' three headers. `now` is in seconds since 1970. Raise UnprovedError."""
    identity, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(identity) or "." in identity:
        raise UnprovedError("webhook-id must hold 1 to 256 visible ASCII characters, and no dot")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise UnprovedError("webhook-timestamp must be a number of seconds since 1970")
    if abs(int(timestamp) - now) > TOLERANCE:
        raise UnprovedError(f"webhook-timestamp is more than {TOLERANCE} seconds away from this server's clock")
    words = headers.get("webhook-signature", "").split()[:MOST_SIGNATURES]
    signatures = tuple(_decoded(word.removeprefix("v1,")) for word in words if word.startswith("v1,"))
    if not signatures:
        raise UnprovedError("webhook-signature must hold v1, and an HMAC-SHA256 in base64")
    return Signature(signatures, f"{identity}.{timestamp}.".encode(), identity)


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for. Raise ValueError for `whsec_` before anything but base64."""
    if not secret.startswith(ENCODED):
        return secret.encode()
    try:
        return b64decode(secret.removeprefix(ENCODED), validate=True)
    except binascii.Error as error:
        raise ValueError(f"{ENCODED} must be followed by base64") from error


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""  # equal to no digest


def _digest(text: str) -> bytes:
    """Return something of one length, so that a comparison does not tell how long a secret is."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
