"""An issuer of OpenID Connect on this machine: a server with keys of its own, and the tokens that it signs."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm


class Issuer(ThreadingHTTPServer):
    """Answers with what discovery says and with its keys."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        super().__init__(("127.0.0.1", 0), self._handler())

    @property
    def address(self) -> str:
        """What tokens name in `iss`."""
        return f"http://127.0.0.1:{self.server_port}"

    def token(self, **claims: object) -> str:
        """Return a token of ada, for gitmart and ten minutes unless the claims say otherwise."""
        said = {"iss": self.address, "aud": "gitmart", "sub": "ada", "exp": int(time.time()) + 600, **claims}
        return jwt.encode(said, self.key, "RS256", headers={"kid": "one"})

    def document(self, path: str) -> dict[str, Any] | None:
        """Return what stands at a path."""
        return {
            "/.well-known/openid-configuration": {"issuer": self.address, "jwks_uri": f"{self.address}/keys"},
            "/keys": {"keys": [json.loads(RSAAlgorithm.to_jwk(self.key.public_key())) | {"kid": "one"}]},
        }.get(path)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = issuer.document(self.path)
                self.send_response(200 if document else 404)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler


_ENDPOINTS = {"authorization": "authorize", "token": "token"}


class Provider(Issuer):
    """
    An issuer where people sign in, by https (`authority` made its certificate).

    It is as strict as providers are: a code counts once, for the client, the redirect URL and the verifier that it was
    asked for with. `claims` go into each ID token, `error` is what it answers instead of a code, `asks` has it show a
    page first; `codes` are those that were given, with the requests for them.
    """

    id, secret = "gitmart-browser", "only-for-this-test/+0"

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.claims: dict[str, object] = {}
        self.error = ""
        self.asks = False
        self.by_form = False  # whether clients prove themselves in the form
        self.codes: dict[str, dict[str, str]] = {}

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    def document(self, path: str) -> dict[str, Any] | None:
        """Return what stands at a path."""
        found = super().document(path)
        if found and path.startswith("/.well-known/"):
            found |= {f"{name}_endpoint": f"{self.address}/{path}" for name, path in _ENDPOINTS.items()}
            if self.by_form:
                found["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        return found

    def back(self, query: dict[str, str]) -> str:
        """Return the address to send a browser back to."""
        assert (query["client_id"], query["response_type"]) == (self.id, "code")
        assert "openid" in query["scope"].split()
        assert (query["code_challenge_method"], len(query["code_challenge"])) == ("S256", 43)
        said = {"state": query["state"], "iss": self.address}
        if self.error:
            said["error"] = self.error
        else:
            said["code"] = secrets.token_urlsafe(16)
            self.codes[said["code"]] = query
        return f"{query['redirect_uri']}?{urlencode(said)}"

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, object]]:
        """Return the status and the document of the token endpoint."""
        if self.by_form:
            proof = [form.get("client_id", ""), form.get("client_secret", "")]
        else:
            told = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            proof = [unquote_plus(part) for part in told.split(":")]
        if proof != [self.id, self.secret]:
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            asked is None
            or asked["redirect_uri"] != form["redirect_uri"]
            or asked["code_challenge"].encode() != challenge
            or form["grant_type"] != "authorization_code"
        ):
            return 400, {"error": "invalid_grant", "error_description": "<b>canary</b>"}
        claims = {"aud": self.id, "nonce": asked["nonce"], **self.claims}
        return 200, {"access_token": "canary-access", "token_type": "Bearer", "id_token": self.token(**claims)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query))
                if parts.path == "/authorize" and provider.asks:
                    fields = "".join(
                        f'<input type="hidden" name="{name}" value="{value}">' for name, value in query.items()
                    )
                    self._answer(200, f'<form action="/go-on">{fields}<button>I am Ada</button></form>', "text/html")
                elif parts.path in {"/authorize", "/go-on"}:
                    self.send_response(302)
                    self.send_header("Location", provider.back(query))
                    self.end_headers()
                else:
                    document = provider.document(parts.path)
                    self._answer(200 if document else 404, json.dumps(document), "application/json")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: value for name, [value] in parse_qs(body).items()}
                status, document = provider.exchange(form, self.headers.get("Authorization", ""))
                self._answer(status, json.dumps(document), "application/json")

            def _answer(self, status: int, text: str, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def providing(authority: trustme.CA) -> Iterator[Provider]:
    """Yield a provider that answers until the block ends."""
    with Provider(authority) as server, _serving(server):
        yield server


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Yield an issuer that answers until the block ends."""
    with Issuer() as server, _serving(server):
        yield server


@contextmanager
def _serving(server: Issuer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
