"""
Signing in of browsers at a provider of OpenID Connect: the authorization code flow with PKCE.

OpenID Connect Core 1.0, 3.1; RFC 7636 (PKCE); RFC 9207 (`iss`); RFC 9700 (best current practice). What is said and
understood on the way is oauthlib's, tokens are PyJWT's to check.
What must be known when the browser comes back, and who it is of afterwards, stands in cookies that are signed with a
key made from the client's secret: nothing is kept, every replica knows them, and another secret ends all sessions.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import re
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote_plus

from oauthlib.oauth2 import MismatchingStateError, OAuth2Error, WebApplicationClient

from gitmart.api.middleware.oidc import (
    LIMIT,
    PATIENCE,
    InvalidTokenError,
    IssuerError,
    Verifier,
    groups_of,
    opener_with,
)
from gitmart.api.middleware.sessions import opened, sealed
from gitmart.api.principal import Kind, Principal

TIME_TO_SIGN_IN = 600  # seconds that a person may take at the provider
LONGEST_PATH = 2000  # characters in JSON: browsers keep no cookie of more than 4096 bytes (RFC 6265, 6.1)
SHORTEST_SECRET = 16  # characters: with what is shorter, cookies could be signed by trying

_BEGUN, _SESSION = "sign-in", "session"  # what a cookie is for; neither passes for the other

log = logging.getLogger(__name__)

Post = Callable[[str, str, Mapping[str, str]], str]  # to a URL, a form, with headers; raises OSError or ValueError


class SignInError(Exception):
    """Somebody is not signed in; the message is for them, and repeats nothing that came from outside."""


@dataclass(frozen=True, slots=True)
class Client:
    """What gitmart is to the provider."""

    issuer: str
    id: str
    secret: str = field(repr=False)
    scopes: tuple[str, ...]


class Provider:
    """
    Where browsers sign in. `post` blocks and runs in a thread.

    Of the groups in the claim a session holds those of `groups` alone: a cookie has little room.
    """

    def __init__(
        self,
        client: Client,
        verifier: Verifier,
        post: Post,
        *,
        groups_claim: str,
        groups: frozenset[str],
        duration: timedelta,
    ) -> None:
        self._client = client
        self._verifier = verifier  # of tokens made for this client
        self._post = post
        self._groups_claim = groups_claim
        self._groups = groups
        self._seconds = int(duration.total_seconds())
        self._key = hmac.digest(
            client.secret.encode(), f"cookies of gitmart api for {client.id} at {client.issuer}".encode(), "sha256"
        )

    async def begin(self, redirect_url: str, there: str) -> tuple[str, str]:
        """
        Return the provider's address to lead a browser to, and the value of the cookie it must come back with.

        It comes back to `redirect_url`, and then goes on to `there`, a path of ours, or to the beginning if that is
        too long to be remembered. Raise IssuerError.
        """
        about = await self._verifier.about()
        flow, state, nonce = WebApplicationClient(self._client.id), secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        verifier = flow.create_code_verifier(64)
        address = flow.prepare_request_uri(
            self._endpoint(about, "authorization_endpoint"), redirect_uri=redirect_url, scope=list(self._client.scopes),
            state=state, nonce=nonce, code_challenge=flow.create_code_challenge(verifier, "S256"),
            code_challenge_method="S256",
        )  # fmt: skip
        there = there if len(json.dumps(there)) <= LONGEST_PATH else "/"
        said = {"state": state, "nonce": nonce, "verifier": verifier, "redirect": redirect_url, "there": there}
        return str(address), sealed(self._key, _BEGUN, TIME_TO_SIGN_IN, said)

    async def finish(self, query: str, cookie: str) -> tuple[str, str]:
        """
        Return the value of the session's cookie, and the path to go on to, for a browser that came back.

        Raise SignInError, or IssuerError when the provider does not answer.
        """
        begun = opened(self._key, _BEGUN, cookie)
        flow = WebApplicationClient(self._client.id)
        try:
            if begun is None:
                raise MismatchingStateError
            # How the browser reached us is the proxy's matter: what the library looks at is the query alone.
            answer = flow.parse_request_uri_response(f"https://gitmart/?{query}", state=begun["state"])
        except MismatchingStateError:
            raise SignInError(
                "This was not begun in this browser, or more than 10 minutes ago. Please sign in again."
            ) from None
        except OAuth2Error as error:
            log.warning("a sign-in failed", extra={"why": f"the provider says {_word(error.error)}"})
            raise SignInError(_IN_WORDS.get(error.error, f"The provider ended this: {_word(error.error)}.")) from None
        if answer.get("iss", self._client.issuer) != self._client.issuer:
            raise SignInError("Another provider has answered. Please sign in again.")
        token = await self._token(flow, str(answer["code"]), begun)
        try:
            claims = await self._verifier.claims(token)
        except InvalidTokenError as error:
            log.warning("a sign-in failed", extra={"why": str(error)})
            raise SignInError(f"What the provider says cannot be believed: {error}.") from None
        if not hmac.compare_digest(str(claims.get("nonce")).encode(), begun["nonce"].encode()):
            raise SignInError("What the provider says was meant for another sign-in. Please sign in again.")
        if claims.get("azp", self._client.id) != self._client.id:
            raise SignInError("What the provider says was meant for somebody else than gitmart.")
        held = sorted(groups_of(claims, self._groups_claim) & self._groups)
        session = sealed(self._key, _SESSION, self._seconds, {"sub": str(claims["sub"]), "groups": held})
        return session, str(begun["there"])

    def principal(self, cookie: str) -> Principal | None:
        """Return whose session a cookie tells of, None if it is over or none of ours."""
        said = opened(self._key, _SESSION, cookie)
        return Principal(Kind.OIDC, said["sub"], frozenset(said["groups"])) if said else None

    async def _token(self, flow: WebApplicationClient, code: str, begun: Mapping[str, str]) -> str:
        """Exchange a code for the ID token."""
        about = await self._verifier.about()
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        ways = about.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        by_header = not isinstance(ways, list) or "client_secret_basic" in ways
        more = {}
        if by_header:
            pair = f"{quote_plus(self._client.id)}:{quote_plus(self._client.secret)}"  # RFC 6749, 2.3.1
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            more["client_secret"] = self._client.secret
        form = flow.prepare_request_body(
            code=code, redirect_uri=begun["redirect"], code_verifier=begun["verifier"],
            include_client_id=not by_header, **more,
        )  # fmt: skip
        try:
            text = await asyncio.to_thread(self._post, self._endpoint(about, "token_endpoint"), form, headers)
            token = flow.parse_request_body_response(text).get("id_token")
        except OAuth2Error as error:
            log.warning("a sign-in failed", extra={"why": f"the provider says {_word(error.error)}"})
            raise SignInError(
                _IN_WORDS.get(error.error, f"The provider gave no token: {_word(error.error)}.")
            ) from None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("the provider gives no token", extra={"why": f"{type(error).__name__}: {error}"})
            raise IssuerError(f"{self._client.issuer} gives no token") from None
        if not isinstance(token, str):
            raise SignInError("The provider does not say who you are: tell whoever runs gitmart.")
        return token

    def _endpoint(self, about: Mapping[str, object], name: str) -> str:
        address = about.get(name)
        if not isinstance(address, str) or not address.startswith("https://"):
            raise IssuerError(f"{self._client.issuer} names no https:// address as its {name}")
        return address


# What a person should know of words of RFC 6749 and OpenID Connect Core, 3.1.2.6.
_IN_WORDS = {
    "access_denied": "The provider did not let you in.",
    "invalid_grant": "The provider takes this only once, and not for long. Please sign in again.",
    "invalid_client": "The provider does not know gitmart, or not by this secret: tell whoever runs gitmart.",
    "unauthorized_client": "The provider does not let gitmart sign people in: tell whoever runs gitmart.",
    "server_error": "The provider failed. Please try again later.",
    "temporarily_unavailable": "The provider has too much to do. Please try again later.",
}


def _word(error: object) -> str:
    """Return a word of the protocol, and nothing else that may stand in an address that anybody can write."""
    return str(error) if re.fullmatch(r"[a-z_]{1,40}", str(error)) else "an error that it has no word for"


def read_secret(file: Path) -> str:
    """Return the client's secret of a file. Raise ValueError saying what is wrong and what is allowed."""
    try:
        with file.open("rb") as opened_file:
            text = opened_file.read(LIMIT).decode("ascii", "replace").strip()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    if not re.fullmatch(rf"[!-~]{{{SHORTEST_SECRET},512}}", text):
        raise ValueError(
            f"{file} holds no secret: write one of {SHORTEST_SECRET} to 512 printable ASCII characters without spaces"
        )
    return text


def post_with(ca_file: Path | None) -> Post:
    """Return what posts by https, trusting the system's authorities and those of the file; raise OSError of it."""
    opener = opener_with(ca_file)

    def post(url: str, form: str, headers: Mapping[str, str]) -> str:
        request = urllib.request.Request(url, form.encode(), dict(headers))  # noqa: S310 # https:// by _endpoint
        try:
            with opener.open(request, timeout=PATIENCE) as answer:
                raw: bytes = answer.read(LIMIT)
        except urllib.error.HTTPError as error:
            with error:
                raw = error.read(LIMIT)
            if error.code not in {400, 401}:  # with which a provider says in JSON what it does not like
                raise
        return raw.decode()

    return post
