"""`gitmart api` beside a server that answers as the cluster's API server does, and webhooks signed as hosts sign them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import trustme
from tests.integration.api.serving import Served, process_of
from tests.unit.handlers.api_server import TOKEN, ApiServer, serving

NOWHERE = "postgresql://gitmart_read@127.0.0.1:1/none"  # webhooks need no warehouse
SECRET = "canary-secret-of-the-hooks"
SIGNING_TOKEN = "whsec_" + base64.b64encode(b"canary-signing-token-of-32-bytes").decode()
LIST = "/apis/gitmart.dev/v1alpha1/repositories"
ANNOTATION = "gitmart.dev/requested-at"


@dataclass
class Hooked:
    """An API and the cluster that it asks for runs."""

    address: str
    cluster: ApiServer
    account: Path
    secrets: Path
    process: Served
    environment: dict[str, str]
    paths: dict[str, str] = field(default_factory=dict)  # of the Repositories' objects, by address
    used: int = 0

    def repository(self, url: str, namespace: str = "team-a") -> None:
        """Let there be a Repository."""
        path = f"/apis/gitmart.dev/v1alpha1/namespaces/{namespace}/repositories/r-{len(self.paths)}"
        self.cluster.put(path, {"metadata": {"namespace": namespace}, "spec": {"url": url}})
        self.paths[url] = path

    def spare(self) -> str:
        """Return the address of a Repository, each time another one."""
        self.used += 1
        return list(self.paths)[-self.used]

    def token(self, url: str) -> str | None:
        """Return what a Repository is asked to run by."""
        metadata = self.cluster.objects[self.paths[url]]["metadata"]
        token: str | None = metadata.get("annotations", {}).get(ANNOTATION)
        return token

    def writes(self, url: str | None = None) -> int:
        """Return how often a run was asked for: of one Repository, or of any."""
        patched = [path for method, path, _ in self.cluster.requests if method == "PATCH"]
        return len(patched) if url is None else patched.count(self.paths[url])

    def log(self) -> list[str]:
        """Return the lines of all that was answered until now: what it writes is read beside the test."""
        last = f"/{uuid4().hex}"
        httpx.get(self.address + last)
        self.process.line("request", path=last)
        return list(self.process.text)

    def told(self, message: str) -> list[dict[str, Any]]:
        """Return the lines with a message."""
        return [line for each in self.log() if (line := json.loads(each))["message"] == message]

    def send(self, sender: str, body: bytes, headers: dict[str, str], **options: Any) -> httpx.Response:
        """Send a webhook."""
        kind = {"content-type": "application/json"}
        return httpx.post(f"{self.address}/hooks/{sender}", content=body, headers=kind | headers, timeout=30, **options)


def push_of(url: str, **more: Any) -> bytes:
    """Return the body of a push as GitHub and GitLab send it, to a new commit."""
    addresses = {"clone_url": url, "git_http_url": url}
    whole = {"object_kind": "push", "after": uuid4().hex, "repository": addresses, "project": addresses}
    return json.dumps(whole | more).encode()


def hub(body: bytes, secret: str = SECRET, **more: str) -> dict[str, str]:
    """Return GitHub's headers."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}"} | more


def standard(body: bytes, key: bytes, *, late: float = 0, identity: str | None = None) -> dict[str, str]:
    """Return the headers of Standard Webhooks, of a message sent `late` seconds ago."""
    identity, sent = identity or f"msg_{uuid4().hex}", str(int(time.time() - late))
    signature = base64.b64encode(hmac.digest(key, f"{identity}.{sent}.".encode() + body, "sha256")).decode()
    return {"webhook-id": identity, "webhook-timestamp": sent, "webhook-signature": f"v1,{signature}"}


@contextmanager
def hooked(folder: Path, *words: str, url: str = NOWHERE, **environment: str) -> Iterator[Hooked]:
    """Yield an API with the webhooks' secrets and a service account, and its cluster; both end with the block."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    account, secrets = folder / "account", folder / "secrets"
    account.mkdir()
    secrets.mkdir()
    authority.cert_pem.write_to_path(str(account / "ca.crt"))
    (account / "token").write_text(TOKEN)
    (secrets / "github").write_text(f"an-older-secret-of-the-hooks\n\n  {SECRET}\n")
    (secrets / "gitlab").write_text(f"{SECRET}\n{SIGNING_TOKEN}\n")
    (secrets / "generic").write_text(f"{SECRET}\n")
    with _answering(context) as cluster:
        variables = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(urlsplit(cluster.url).port),
            "GITMART_API_SERVICE_ACCOUNT": str(account),
            "GITMART_API_HOOK_SECRETS": str(secrets),
        }
        with process_of(url, *words, **(variables | environment)) as process:
            yield Hooked(process.address, cluster, account, secrets, process, variables | environment)


@contextmanager
def replica_of(place: Hooked) -> Iterator[Hooked]:
    """Yield another process beside the same cluster, as a second pod is; it ends with the block."""
    with process_of(NOWHERE, **place.environment) as process:
        yield replace(place, address=process.address, process=process)


@contextmanager
def _answering(tls: ssl.SSLContext) -> Iterator[ApiServer]:
    """Let the cluster's server answer on a loop of its own."""
    server, started, loop = ApiServer(), threading.Event(), asyncio.new_event_loop()
    ended: asyncio.Event = asyncio.Event()

    async def main() -> None:
        async with serving(server, tls):
            started.set()
            await ended.wait()
        for _ in range(3):  # connections that are being closed are closed by the loop's next rounds
            await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    try:
        assert started.wait(30)
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
