"""
What stands in a cache's folder beside its packs: which files there are, what is in them, and who says so.

Only who knows the secret can make a seal that holds. So whatever else a volume carries, damaged, half-written, of
another repository or made up by somebody, is told from what a run of this warehouse has left there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

_VERSION = 1
_DIGEST = 64  # hex digits
# The secret holds a password, and whoever reads the volume could try passwords: each try costs this much.
_COST = {"n": 1 << 14, "r": 8, "p": 1, "maxmem": 64 << 20, "dklen": 32}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file: its size in bytes and its SHA-256 in hex."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Seal:
    """A mirror: which repository's, from where all of it can be reached, and the files that hold it."""

    key: str  # of the repository's address
    object_format: str  # sha1 or sha256
    tips: frozenset[bytes]  # objects; all that they lead to is in the files
    cloned: int  # bytes of the packs that the clone it began with brought
    files: Mapping[str, Sealed]  # by name

    @property
    def packed(self) -> int:
        """The bytes of all packs."""
        return sum(file.size for name, file in self.files.items() if name.endswith(".pack"))


def key_of(secret: str, repository: str) -> bytes:
    """Return the key with which the seals of a repository (by the key of its address) are made from a secret."""
    return hashlib.scrypt(secret.encode(), salt=b"gitmart cache of " + repository.encode(), **_COST)


def seal_bytes(seal: Seal, key: bytes) -> bytes:
    """Return what is written."""
    document = {
        "version": _VERSION,
        "key": seal.key,
        "objectFormat": seal.object_format,
        "tips": sorted(tip.decode() for tip in seal.tips),
        "cloned": seal.cloned,
        "files": {name: [file.size, file.digest] for name, file in sorted(seal.files.items())},
    }
    body = json.dumps(document).encode()
    return _proof(body, key) + b"\n" + body


def read_seal(data: bytes, key: bytes) -> Seal | None:
    """Return the seal, None when it does not hold."""
    proof, body = data[:_DIGEST], data[_DIGEST + 1 :]
    if not hmac.compare_digest(proof, _proof(body, key)):
        return None
    document = json.loads(body)  # our own words
    if document["version"] != _VERSION:
        return None
    return Seal(
        document["key"],
        document["objectFormat"],
        frozenset(tip.encode() for tip in document["tips"]),
        document["cloned"],
        {name: Sealed(size, digest) for name, (size, digest) in document["files"].items()},
    )


def _proof(body: bytes, key: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).hexdigest().encode()
