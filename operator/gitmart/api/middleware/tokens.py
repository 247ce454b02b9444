"""Static tokens: a file with one a line, mounted from a Secret, which may be changed at any time."""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

SHORTEST = 16  # characters: what is shorter can be guessed
LONGEST = 512
LIMIT = 1 << 20  # bytes of the file
LOOK_EVERY = 1.0  # seconds between two looks at the file's state

_NAME = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}"
_ALLOWED = f"write one a line, each `token` or `name=token`, of {SHORTEST} to {LONGEST} printable ASCII characters without spaces"

log = logging.getLogger(__name__)


class TokensError(Exception):
    """The file of tokens cannot be used; the message says why and repeats no token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A static token by what it hashes to. `identity` names it in a session's cookie."""

    name: str
    digest: bytes = field(repr=False)

    @property
    def identity(self) -> str:
        """Return 16 characters that tell it from the others, and nothing else of it."""
        return sha256(b"identity of " + self.digest).hexdigest()[:16]


def digest_of(secret: str) -> bytes:
    """Return what is kept and compared of a token: of any length the same time."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def parse_tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of a file's text; lines that are empty or begin with # are none. Raise TokensError."""
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        # The padding of base64 ends a token with `=`: what follows must be long enough to be one.
        named = re.fullmatch(rf"({_NAME})=(.{{{SHORTEST},}})", line)
        name, secret = (named[1], named[2]) if named else (f"line {number}", line)
        if not re.fullmatch(rf"[!-~]{{{SHORTEST},{LONGEST}}}", secret):
            raise TokensError(f"line {number} is no token: {_ALLOWED}")
        found.append(Token(name, digest_of(secret)))
    return tuple(found)


def find(tokens: Sequence[Token], secret: str) -> Token | None:
    """Return the token that somebody shows, None if it is none. Takes as long for each."""
    digest, found = digest_of(secret), None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found


class TokenFile:
    """
    The tokens of a file, read again when it has changed.

    A file that cannot be used any more leaves those of before: a mistake in a Secret locks nobody out. An empty one
    leaves none.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read it; raise TokensError when it cannot be used or holds no token."""
        self._path = path
        self._clock = clock
        self._looked = clock()
        self._state = self._stat()
        self._tokens = self._read()
        if not self._tokens:
            raise TokensError(f"{path} holds no token: {_ALLOWED}")

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Return the tokens as of at most a second ago."""
        if self._clock() - self._looked >= LOOK_EVERY:
            self._looked = self._clock()
            self._look()
        return self._tokens

    def _look(self) -> None:
        state = self._stat()
        if state == self._state:
            return
        self._state = state
        try:
            self._tokens = self._read()
        except TokensError as error:
            log.warning("the tokens of before stay: the file of tokens cannot be used", extra={"why": str(error)})
        else:
            log.info("tokens read again", extra={"tokens": len(self._tokens)})

    def _stat(self) -> tuple[int, ...]:
        """Return what tells one content from another; a Secret's mount swaps a symbolic link, so the inode differs."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _read(self) -> tuple[Token, ...]:
        try:
            with self._path.open("rb") as file:
                raw = file.read(LIMIT + 1)
        except OSError as error:
            raise TokensError(f"{self._path} cannot be read: {error.strerror}") from None
        if len(raw) > LIMIT:
            raise TokensError(f"{self._path} holds more than {LIMIT >> 20} MiB")
        try:
            return parse_tokens(raw.decode("ascii"))
        except UnicodeDecodeError:
            raise TokensError(f"{self._path} holds more than ASCII: {_ALLOWED}") from None
        except TokensError as error:
            raise TokensError(f"{self._path}: {error}") from None
