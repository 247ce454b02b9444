"""The few questions that starting a node asks its API server, without a client library."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from .places import Site

TIMEOUT = 5.0  # seconds


class Api:
    """The API server of a site, as its administrator."""

    def __init__(self, site: Site) -> None:
        pki = site.state / "pki"
        self.site = site
        self.tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self.tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")

    def is_ready(self) -> bool:
        """Whether it answers and is ready."""
        return self._get("/readyz") is not None

    def node_is_ready(self) -> bool:
        """Whether the node is Ready and takes pods."""
        node = self._object(f"/api/v1/nodes/{self.site.name}")
        ready = any(
            one["type"] == "Ready" and one["status"] == "True" for one in node.get("status", {}).get("conditions", [])
        )
        return ready and not node.get("spec", {}).get("taints")

    def has_default_account(self) -> bool:
        """Whether pods may be made in the namespace `default`."""
        return bool(self._object("/api/v1/namespaces/default/serviceaccounts/default"))

    def _object(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._get(path) or b"{}")
        return found

    def _get(self, path: str) -> bytes | None:
        connection = http.client.HTTPSConnection(self.site.node_ip, 6443, timeout=TIMEOUT, context=self.tls)
        return _answer(connection, path)


def answers(host: str, port: int, path: str) -> bool:
    """Whether a plain HTTP server there answers with success."""
    return _answer(http.client.HTTPConnection(host, port, timeout=TIMEOUT), path) is not None


def _answer(connection: http.client.HTTPConnection, path: str) -> bytes | None:
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if response.status == http.HTTPStatus.OK else None
