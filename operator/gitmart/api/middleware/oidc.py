"""
Bearer tokens of OpenID Connect: an issuer's keys, found by discovery, and what a token must say.

https://openid.net/specs/openid-connect-discovery-1_0.html, RFC 7517 (keys), RFC 8725 (what to check).
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

LEEWAY = 30  # seconds by which clocks may differ
KEYS_LAST = 3600.0  # seconds after which keys are read again
PAUSE = 30.0  # seconds between two looks for keys, whatever tokens are shown
PATIENCE = 5.0  # seconds for each answer of the issuer
LIMIT = 1 << 20  # bytes of an answer
LONGEST = 16_384  # characters of a token
_LISTS_OF_WORDS = frozenset({"scope", "scp"})

log = logging.getLogger(__name__)


class InvalidTokenError(Exception):
    """A token is not one to believe; the message says why and repeats nothing of it."""


class IssuerError(Exception):
    """The issuer's keys cannot be had, so that nobody's token can be checked now."""


Fetch = Callable[[str], Mapping[str, Any]]  # a URL's JSON object; raises OSError or ValueError


class Verifier:
    """Checks tokens of one issuer. `fetch` blocks and runs in a thread; `clock` gives seconds that only rise."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        algorithms: Sequence[str],
        fetch: Fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._algorithms = tuple(algorithms)
        self._fetch = fetch
        self._clock = clock
        self._about: Mapping[str, Any] = {}
        self._keys: Mapping[str | None, Mapping[str, Any]] = {}
        self._read_at: float | None = None  # when keys were last read
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def claims(self, token: str) -> Mapping[str, Any]:
        """
        Return what a token says; `sub` is who it is of.

        Raise InvalidTokenError, or IssuerError when nobody can tell now.
        """
        if len(token) > LONGEST:
            raise InvalidTokenError(f"the token has more than {LONGEST} characters")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise InvalidTokenError("the bearer token is neither a static token nor a JSON Web Token") from None
        algorithm = header.get("alg")
        if algorithm not in self._algorithms:
            raise InvalidTokenError(f"the token is not signed with one of {', '.join(self._algorithms)}")
        described = await self._key(header.get("kid"))
        try:
            if described.get("alg", algorithm) != algorithm:
                raise ValueError(algorithm)
            key = jwt.PyJWK(dict(described), algorithm)
        except (jwt.PyJWTError, ValueError, TypeError):
            raise InvalidTokenError("the token is not signed in the way of the key that it names") from None
        return self._checked(token, key)

    async def about(self) -> Mapping[str, Any]:
        """Return what the issuer says of itself (OpenID Connect Discovery 1.0, 3). Raise IssuerError."""
        await self._read_if(self._is_old)
        return self._about

    def _checked(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        try:
            return jwt.decode(
                token, key, algorithms=[key.algorithm_name], audience=self._audience, issuer=self._issuer,
                leeway=LEEWAY, options={"require": ["exp", "iss", "aud", "sub"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            raise InvalidTokenError("the token has expired") from None
        except (jwt.ImmatureSignatureError, jwt.InvalidIssuedAtError):
            raise InvalidTokenError("the token is not valid yet") from None
        except jwt.InvalidAudienceError:
            raise InvalidTokenError(f"the token is not made for the audience {self._audience!r}") from None
        except jwt.InvalidIssuerError:
            raise InvalidTokenError(f"the token is not of the issuer {self._issuer!r}") from None
        except jwt.MissingRequiredClaimError as error:
            raise InvalidTokenError(f"the token lacks the claim {error.claim!r}") from None
        except (jwt.InvalidTokenError, jwt.PyJWKError, ValueError, TypeError):
            raise InvalidTokenError("the token's signature or form is wrong") from None

    async def _key(self, kid: str | None) -> Mapping[str, Any]:
        await self._read_if(lambda: self._is_due(kid))
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid not in self._keys:
            raise InvalidTokenError("the token is signed with a key that the issuer does not have")
        return self._keys[kid]

    async def _read_if(self, is_due: Callable[[], bool]) -> None:
        if self._may_try() and is_due():
            async with self._lock:
                if self._may_try() and is_due():  # not read meanwhile
                    await self._read()
        if not self._keys:
            raise IssuerError(f"the keys of {self._issuer} cannot be read; they are asked for again by itself")

    def _may_try(self) -> bool:
        return self._tried_at is None or self._clock() - self._tried_at >= PAUSE

    def _is_old(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at >= KEYS_LAST

    def _is_due(self, kid: str | None) -> bool:
        """Whether to read keys: there are none, they are old, or this one is unknown."""
        return self._is_old() or (kid not in self._keys and not (kid is None and len(self._keys) == 1))

    async def _read(self) -> None:
        try:
            self._about, self._keys = await asyncio.to_thread(self._read_issuer)
        except (OSError, ValueError) as error:
            log.warning("the issuer's keys cannot be read", extra={"issuer": self._issuer, "why": str(error)})
        else:
            self._read_at = self._clock()
        finally:
            self._tried_at = self._clock()  # at the end: who comes meanwhile waits for it

    def _read_issuer(self) -> tuple[Mapping[str, Any], Mapping[str | None, Mapping[str, Any]]]:
        about = self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if about.get("issuer") != self._issuer:
            raise ValueError(f"it calls itself {about.get('issuer')!r}: --oidc-issuer must be the same to the letter")
        address = about.get("jwks_uri")
        if not isinstance(address, str) or urlsplit(address).scheme not in {"https", urlsplit(self._issuer).scheme}:
            raise ValueError("its jwks_uri is no https:// address")
        return about, keys_of(self._fetch(address))


def groups_of(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """
    Return the texts that the claim of a name holds, which may be one text or a list.

    `a.b` is what `b` is within `a`, unless a claim is called so. One text is one group, spaces and all, except in
    `scope` and `scp`, which are lists by definition (RFC 8693, 4.2).
    """
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) and part else None
    if isinstance(found, str):
        return frozenset(found.split() if name in _LISTS_OF_WORDS else [found])
    return frozenset(each for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()


def keys_of(document: Mapping[str, Any]) -> Mapping[str | None, Mapping[str, Any]]:
    """Return the keys of a JWK Set that sign and are public, by `kid`; others are left out. Raise ValueError."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ValueError("its JWK Set has no list `keys`")  # noqa: TRY004 # of what comes from outside
    found = {
        one.get("kid"): one
        for one in listed
        if isinstance(one, dict) and one.get("kty") in {"RSA", "EC", "OKP"} and one.get("use", "sig") == "sig"
    }
    if not found:
        raise ValueError("its JWK Set has no key that signs")
    return found


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What redirects is answered with its status, an error: keys come from where the issuer says, or not at all."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def opener_with(ca_file: Path | None) -> urllib.request.OpenerDirector:
    """Return what asks by https, trusting the system's authorities and those of the file; raise OSError of it."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=str(ca_file))
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirects())


def fetch_with(ca_file: Path | None) -> Fetch:
    """Return what fetches by https, trusting the system's authorities and those of the file; raise OSError of it."""
    opener = opener_with(ca_file)

    def fetch(url: str) -> Mapping[str, Any]:
        with opener.open(url, timeout=PATIENCE) as answer:
            raw = answer.read(LIMIT + 1)
        if len(raw) > LIMIT:
            raise ValueError(f"{url} answers with more than {LIMIT >> 20} MiB")
        document = json.loads(raw)
        if not isinstance(document, dict):
            raise ValueError(f"{url} answers with no JSON object")  # noqa: TRY004
        return document

    return fetch
