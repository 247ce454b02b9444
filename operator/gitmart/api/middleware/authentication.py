"""Who asks: a static token, a token of OpenID Connect, the cookie of a browser that signed in, or nobody."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.types import Scope

from gitmart.api.middleware.oidc import InvalidTokenError, IssuerError, Verifier, groups_of
from gitmart.api.middleware.sessions import COOKIE, token_of
from gitmart.api.middleware.tokens import TokenFile, find
from gitmart.api.middleware.told import header
from gitmart.api.principal import NOBODY, Kind, Principal
from gitmart.api.problems import ProblemError, unavailable

if TYPE_CHECKING:
    from gitmart.api.middleware.provider import Provider

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Knows who asks; with neither tokens nor an issuer it lets everybody in."""

    tokens: TokenFile | None
    verifier: Verifier | None
    groups_claim: str = ""  # of tokens of OpenID Connect
    provider: Provider | None = None  # where browsers sign in

    @property
    def signs_in(self) -> bool:
        """Whether a browser can sign in here."""
        return self.tokens is not None or self.provider is not None

    async def principal(self, scope: Scope) -> Principal:
        """Return who asks; raise ProblemError when it is nobody who may."""
        if self.tokens is None and self.verifier is None:
            return NOBODY
        shown = header(scope, b"authorization")
        if shown:
            scheme, _, secret = shown.partition(" ")
            if scheme.lower() != "bearer" or not secret.strip():
                raise refused("the header Authorization must be `Bearer` and a token", "invalid_request")
            return await self._of_bearer(secret.strip())
        session = self._of_cookie(header(scope, b"cookie"))
        if session is None:
            raise refused("a token is needed, in the header `Authorization: Bearer …`")
        if scope["method"] not in _READING and not _is_same_origin(scope):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                "another site's page sent this in the name of a browser that is signed in",
                reason="origin",
            )
        return session

    async def _of_bearer(self, secret: str) -> Principal:
        if self.tokens is not None and (token := find(self.tokens.tokens, secret)):
            return Principal(Kind.TOKEN, token.name)
        if self.verifier is None:
            raise refused("the token is not one of those that may ask", "invalid_token")
        try:
            claims = await self.verifier.claims(secret)
        except InvalidTokenError as error:
            raise refused(str(error), "invalid_token") from None
        except IssuerError as error:
            raise unavailable("issuer", str(error), 30) from None
        return Principal(Kind.OIDC, str(claims["sub"]), groups_of(claims, self.groups_claim))

    def _of_cookie(self, cookies: str) -> Principal | None:
        if not self.signs_in or COOKIE not in cookies:
            return None
        try:
            morsel = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return None
        return self.of_session(morsel.value) if morsel else None

    def of_session(self, value: str) -> Principal | None:
        """Return who signed in, by the value of the session's cookie; None if nobody is signed in by it."""
        token = token_of(value, self.tokens.tokens, time.time()) if self.tokens else None
        if token is not None:
            return Principal(Kind.SESSION, token.name)
        return self.provider.principal(value) if self.provider else None


def refused(detail: str, error: str = "") -> ProblemError:
    """Return the problem of somebody who may not ask, with the challenge of RFC 6750; `error` is a word of its."""
    challenge = 'Bearer realm="gitmart"'
    if error:
        challenge += f', error="{error}"'
    return ProblemError(
        HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge}, reason="authentication"
    )


def _is_same_origin(scope: Scope) -> bool:
    """Whether a browser says that a page of ours sent it; what is no browser says nothing, and shows no cookie."""
    origin = header(scope, b"origin")
    return bool(origin) and urlsplit(origin).netloc == header(scope, b"host")
