"""
A real HTTP server that answers as the Kubernetes API server does, for the verbs that gitmart uses.

It keeps objects in memory: resourceVersions, uids, preconditions, paging, label selectors, server-side
apply of one manager (fields it no longer applies go), status as a subresource, Status objects for refusals.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

Object = dict[str, Any]
TOKEN = "canary-token"


class RefusedError(Exception):
    """A request ends with a refusal."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def refusal(status: int, reason: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return web.json_response(body | {"code": status}, status=status, headers=headers)


def _hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@dataclass
class ApiServer:
    """`objects` by path. `trouble` holds answers to give first: a response, or None to hang up."""

    objects: dict[str, Object] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)  # method, path, query
    trouble: list[web.Response | None] = field(default_factory=list)
    unanswered: int = 0  # so many requests that change something are done, and then hung up on
    silent: asyncio.Event | None = None  # no answer until it is set
    silent_about: str = ""  # if the path ends so
    url: str = ""
    _version: int = 100
    _applied: dict[str, Object] = field(default_factory=dict)

    def put(self, path: str, body: Object) -> Object:
        """Store an object as if somebody else had, and return it."""
        self._version += 1
        metadata = body.get("metadata", {})
        metadata = {"name": path.rsplit("/", 1)[1], "uid": f"uid-{self._version}", "generation": 1} | metadata
        metadata = {"creationTimestamp": "2026-01-01T12:00:00Z"} | metadata
        if path in self.objects and self.objects[path].get("spec") != body.get("spec"):
            metadata["generation"] += 1
        self.objects[path] = body | {"metadata": metadata | {"resourceVersion": str(self._version)}}
        return self.objects[path]

    def remove(self, path: str) -> None:
        """Delete an object as if somebody else had."""
        del self.objects[path]
        self._applied.pop(path, None)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, dict(request.query)))
        if self.silent is not None and request.path.endswith(self.silent_about):
            await self.silent.wait()
        if self.trouble:
            trouble = self.trouble.pop(0)
            return _hang_up(request) if trouble is None else trouble
        if request.headers.get("Authorization", "").lower() != f"bearer {TOKEN}":
            return refusal(401, "Unauthorized", "Unauthorized")
        try:
            done = await self._verb(request)
        except RefusedError as error:
            return refusal(error.status, error.reason, error.message)
        if self.unanswered and request.method != "GET":
            self.unanswered -= 1
            return _hang_up(request)
        return web.json_response(done)

    async def _verb(self, request: web.Request) -> Object:
        body = json.loads(await request.text() or "{}")
        match request.method, request.content_type:
            case "GET", _:
                return self.objects[request.path] if request.path in self.objects else self._list(request)
            case "POST", "application/json":
                return self._create(request.path, body)
            case "PATCH", "application/merge-patch+json":
                return self._merge(request.path, body)
            case "PATCH", "application/apply-patch+yaml":
                return self._apply(request, body)
            case "DELETE", "application/json":
                return self._delete(request.path, body)
        raise RefusedError(415, "UnsupportedMediaType", f"{request.method} {request.content_type}")

    def _list(self, request: web.Request) -> Object:
        words = request.path.strip("/").split("/")
        rest = words[2:] if words[0] == "api" else words[3:]  # after the group and version
        if len(rest) == (4 if rest[0] == "namespaces" else 2):
            raise RefusedError(404, "NotFound", f'{rest[-2]} "{rest[-1]}" not found')
        start, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 500))
        wanted = dict(part.split("=") for part in request.query.get("labelSelector", "").split(",") if part)
        fields = dict(part.split("=") for part in request.query.get("fieldSelector", "").split(",") if part)
        found = [
            item
            for path, item in sorted(self.objects.items())
            if path.rsplit("/", 1)[0].endswith("/" + words[-1])
            and ("namespaces" not in words or path.startswith(request.path + "/"))
            and wanted.items() <= item["metadata"].get("labels", {}).items()
            and all(_at(item, where) == value for where, value in fields.items())
        ]
        more = {"continue": str(start + limit)} if start + limit < len(found) else {}
        return {"items": found[start : start + limit], "metadata": {"resourceVersion": str(self._version)} | more}

    def _create(self, collection: str, body: Object) -> Object:
        name = body.get("metadata", {}).get("name")
        if not name:
            raise RefusedError(422, "Invalid", "metadata.name: Required value: name or generateName is required")
        if f"{collection}/{name}" in self.objects:
            raise RefusedError(409, "AlreadyExists", f'{collection.rsplit("/", 1)[1]} "{name}" already exists')
        return self.put(f"{collection}/{name}", body)

    def _existing(self, path: str) -> Object:
        if path not in self.objects:
            raise RefusedError(404, "NotFound", f'{path.split("/")[-2]} "{path.split("/")[-1]}" not found')
        return self.objects[path]

    def _merge(self, path: str, body: Object) -> Object:
        status_only = path.endswith("/status")
        path = path.removesuffix("/status")
        now = self._existing(path)
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted not in (None, now["metadata"]["resourceVersion"]):
            raise RefusedError(409, "Conflict", f'cannot be fulfilled on "{path}": the object has been modified')
        changes = {"status": body.get("status")} if status_only else {k: v for k, v in body.items() if k != "status"}
        return self.put(path, _merged(now, changes))

    def _apply(self, request: web.Request, body: Object) -> Object:
        if request.query.get("fieldManager") is None:
            raise RefusedError(400, "BadRequest", "fieldManager is required for apply patch")
        before = self._applied.get(request.path, {})
        now = _without(deepcopy(self.objects.get(request.path, {})), before, body)
        self._applied[request.path] = deepcopy(body)
        return self.put(request.path, _merged(now, body))

    def _delete(self, path: str, body: Object) -> Object:
        now = self._existing(path)
        wanted = body.get("preconditions", {}).get("uid")
        if wanted not in (None, now["metadata"]["uid"]):
            raise RefusedError(409, "Conflict", "the UID in the precondition does not match the UID in record")
        wanted = body.get("preconditions", {}).get("resourceVersion")
        if wanted not in (None, now["metadata"]["resourceVersion"]):
            raise RefusedError(409, "Conflict", "the ResourceVersion in the precondition does not match the record")
        self.remove(path)
        return {"kind": "Status", "status": "Success"}


def _at(item: Any, path: str) -> Any:
    for name in path.split("."):
        item = item.get(name, {})
    return item


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _without(now: Object, before: Object, after: Object) -> Object:
    for name, value in before.items():
        if name not in after:
            now.pop(name, None)
        elif isinstance(value, dict) and isinstance(after[name], dict):
            _without(now[name], value, after[name])
    return now


@asynccontextmanager
async def serving(server: ApiServer, tls: ssl.SSLContext | None = None) -> AsyncIterator[ApiServer]:
    """Serve on a free port of this machine."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"{'https' if tls else 'http'}://{host}:{port}"
        yield server
    finally:
        if server.silent is not None:
            server.silent.set()
        await runner.cleanup()


def kubeconfig(server: ApiServer, folder: Path) -> Path:
    """Write a kubeconfig for the server."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server.url}}],
        "users": [{"name": "test", "user": {"token": TOKEN}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def against(server: ApiServer, script: Callable[[], Awaitable[None]]) -> None:
    """Run the script while the server answers."""

    async def main() -> None:
        async with serving(server):
            await script()
        # Connections that are being closed are closed by the loop's next rounds, and it has none after this.
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(main())
