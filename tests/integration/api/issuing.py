"""An issuer of OpenID Connect on this machine: a server with keys of its own, and the tokens that it signs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
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

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                documents: dict[str, Any] = {
                    "/.well-known/openid-configuration": {
                        "issuer": issuer.address,
                        "jwks_uri": f"{issuer.address}/keys",
                    },
                    "/keys": {"keys": [json.loads(RSAAlgorithm.to_jwk(issuer.key.public_key())) | {"kid": "one"}]},
                }
                self.send_response(200 if self.path in documents else 404)
                self.end_headers()
                self.wfile.write(json.dumps(documents.get(self.path)).encode())

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Yield an issuer that answers until the block ends."""
    with Issuer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
