"""
Sessions of browsers: a cookie that says how somebody signed in, and until when.

With a static token it is signed with a key made from that token, so every replica can check it, nothing is kept, and
who takes the token out of the file ends its sessions. With a provider of OpenID Connect it is a JSON Web Token.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import jwt

from gitmart.api.middleware.tokens import Token

COOKIE = "gitmart_session"


def cookie_value(token: Token, until: int) -> str:
    """Return the value of the cookie; `until` is in seconds since 1970."""
    said = f"{token.identity}.{until}"
    return f"{said}.{_signature(token, said)}"


def token_of(value: str, tokens: Sequence[Token], now: float) -> Token | None:
    """Return the token that a cookie was made with; None if it is over, forged, or of a token that is gone."""
    found = re.fullmatch(r"([0-9a-f]{16})\.([0-9]{1,12})\.([0-9a-f]{64})", value)
    if found is None:
        return None
    for token in tokens:
        if token.identity == found[1]:
            right = _signature(token, f"{found[1]}.{found[2]}")
            return token if hmac.compare_digest(right, found[3]) and now < int(found[2]) else None
    return None


def sealed(key: bytes, purpose: str, seconds: int, said: Mapping[str, Any]) -> str:
    """Return the value of a cookie that says something for so many seconds, for one purpose; anybody can read it."""
    return jwt.encode({**said, "aud": purpose, "exp": int(time.time()) + seconds}, key, "HS256")


def opened(key: bytes, purpose: str, value: str) -> dict[str, Any] | None:
    """Return what a cookie says; None if it is over, forged, or was made for another purpose."""
    try:
        claims: dict[str, Any] = jwt.decode(
            value, key, algorithms=["HS256"], audience=purpose, options={"require": ["exp", "aud"]}
        )
    except jwt.InvalidTokenError:
        return None
    return claims


def _signature(token: Token, said: str) -> str:
    key = sha256(b"session of gitmart api, " + token.digest).digest()
    return hmac.new(key, said.encode("ascii"), sha256).hexdigest()
