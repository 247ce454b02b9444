"""
The Kubernetes API: the only place that writes to it. Objects are plain dicts, as JSON has them.

Requests that were not answered, or answered by 429 or 5xx, are repeated a few times; every other refusal is
the caller's to judge (errors.py). A repeated create may find what its own first attempt made, so
AlreadyExistsError means "perhaps mine": names of children are deterministic, and labels tell whose they are.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import yaml
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import incluster_config
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import load_kube_config

from gitmart import __version__
from gitmart.contract.kinds import DBT_SCHEDULES, GROUP, REPOSITORIES, VERSION
from gitmart.handlers.errors import (
    ApiError,
    NoClusterError,
    NotFoundError,
    TooManyRequestsError,
    UnavailableError,
    refusal,
)

Object = dict[str, Any]  # one Kubernetes object, as JSON has it
Objects = list[Object]  # a name of its own, because Cluster.list hides the builtin

FIELD_MANAGER = "gitmart"
PAGE = 500  # objects of a list per request: about 1 MiB of Jobs
REQUEST_TIMEOUT = 30.0  # seconds, of one attempt
ATTEMPTS = 3
LONGEST_PAUSE = 10.0  # seconds that a request waits between attempts; longer ones are the work queue's to wait

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
APPLY_PATCH = "application/apply-patch+yaml"  # JSON is YAML


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object, as the API's paths name it. `group` is empty for the core."""

    name: str
    group: str
    version: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the path of an object, or of the list of a namespace (None: of all)."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        words = ["namespaces", namespace] if namespace is not None else []
        words += [word for word in (self.plural, name, subresource) if word is not None]
        return "/".join([root, *(quote(word, safe="") for word in words)])


REPOSITORY = Kind("Repository", GROUP, VERSION, REPOSITORIES)
DBT_SCHEDULE = Kind("DbtSchedule", GROUP, VERSION, DBT_SCHEDULES)
JOB = Kind("Job", "batch", "v1", "jobs")
CRON_JOB = Kind("CronJob", "batch", "v1", "cronjobs")
POD = Kind("Pod", "", "v1", "pods")
EVENT = Kind("Event", "", "v1", "events")


class RequestObserver(Protocol):
    """Who is told of every attempt, such as the metrics."""

    def __call__(self, method: str, code: str, host: str, seconds: float) -> None:
        """Take note of a request; `code` is HTTP's status or `<error>`, as client-go writes it."""


class Cluster:
    """The cluster's API, for the verbs that gitmart needs. Close it, or use it in `async with`."""

    timeout: ClassVar[float] = REQUEST_TIMEOUT

    def __init__(
        self,
        client: ApiClient,
        *,
        observer: RequestObserver | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._observer = observer
        self._sleep = sleep  # between attempts
        client.user_agent = f"gitmart/{__version__}"

    @classmethod
    async def connect(
        cls, environment: Mapping[str, str] = os.environ, *, observer: RequestObserver | None = None
    ) -> Self:
        """
        Return the cluster this process belongs to: in a pod its service account's, else KUBECONFIG's.

        The service account's token is read again every minute. No request is made here. Raises NoClusterError.
        """
        return cls(ApiClient(await _configuration(environment)), observer=observer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return the object. Raises NotFoundError."""
        return await self._request("GET", kind.path(namespace, name))

    async def list(
        self, kind: Kind, namespace: str | None = None, labels: str | None = None, *, fields: str | None = None
    ) -> list[Object]:
        """
        Return the objects of a namespace, None: of all namespaces.

        `labels` and `fields` are selectors such as `app=x,tier in (a,b)` and `involvedObject.uid=…`. Objects of a
        list lack `kind` and `apiVersion`.
        """
        found: list[Object] = []
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        async for page in self._pages(kind, namespace, selectors, JSON):
            if page is None:
                found = []
            else:
                found += page
        return found

    async def newest(self, kind: Kind, namespace: str | None = None, labels: str | None = None) -> int:
        """Return the greatest resourceVersion among the objects that `list` would return; 0 if there are none."""
        newest = 0
        async for page in self._pages(kind, namespace, {"labelSelector": labels}, METADATA_ONLY):
            for item in page or ():
                newest = max(newest, int(item["metadata"]["resourceVersion"]))
        return newest

    async def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        """Make an object and return it as stored. Raises AlreadyExistsError."""
        return await self._write("POST", kind.path(namespace), body, query={"fieldManager": FIELD_MANAGER})

    async def apply(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Make the object so, by server-side apply: fields that were ours and are not in `body` go."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._write("PATCH", kind.path(namespace, name), body, APPLY_PATCH, query)

    async def patch(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Merge `body` into the object: None removes a field, a list replaces a list."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._write("PATCH", kind.path(namespace, name), body, MERGE_PATCH, query)

    async def patch_status(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """
        Merge `body` into the object's status and return the whole object.

        `body` holds `metadata.resourceVersion` beside `status`: an object that changed since then is left
        alone, with ConflictError.
        """
        if not body.get("metadata", {}).get("resourceVersion"):
            raise ValueError(f"the status of {kind.name} {namespace}/{name} needs metadata.resourceVersion beside it")
        query = {"fieldManager": FIELD_MANAGER}
        return await self._write("PATCH", kind.path(namespace, name, "status"), body, MERGE_PATCH, query)

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        uid: str,
        propagation: str = "Background",
        version: str | None = None,
    ) -> bool:
        """
        Delete the object with this uid, and if given this resourceVersion; False if there is none of the name.

        Raises ConflictError for another uid, or if the object has changed since that version.
        """
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid} | ({"resourceVersion": version} if version is not None else {}),
            "propagationPolicy": propagation,
        }
        try:
            await self._write("DELETE", kind.path(namespace, name), body)
        except NotFoundError:
            return False
        return True

    async def create_event(self, namespace: str, body: Object) -> Object:
        """Make a core/v1 Event."""
        return await self.create(EVENT, namespace, body)

    async def _pages(
        self, kind: Kind, namespace: str | None, selectors: Mapping[str, str | None], accept: str
    ) -> AsyncIterator[Objects | None]:
        """Yield a list page by page. None: what came so far does not count, the list begins anew."""
        query = {"limit": str(PAGE)} | {name: value for name, value in selectors.items() if value}
        path, token = kind.path(namespace), ""
        while True:
            try:
                more = {"continue": token} if token else {}
                page = await self._request("GET", path, query=query | more, accept=accept)
            except ApiError as error:
                if error.status != 410 or not token:  # 410, Gone: the token has expired
                    raise
                token = ""
                yield None
                continue
            yield page.get("items") or []
            token = page["metadata"].get("continue") or ""
            if not token:
                return

    async def _write(
        self, method: str, path: str, body: Object, content_type: str = JSON, query: Mapping[str, str] | None = None
    ) -> Object:
        """Send a request that changes something. Every write passes here once, whatever its attempts."""
        return await self._request(method, path, body, content_type, query)

    async def _request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        content_type: str = JSON,
        query: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> Object:
        """Send a request, again if that may help, and return the answer."""
        if query:
            path = f"{path}?{urlencode(query)}"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._attempt(method, path, body, content_type, accept)
            except (TooManyRequestsError, UnavailableError) as error:
                pause = error.retry_after if error.retry_after is not None else 0.25 * 2**attempt
                if attempt == ATTEMPTS or pause > LONGEST_PAUSE:
                    raise
                await self._sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311 # no two clients in step
        raise AssertionError("unreachable")

    async def _attempt(self, method: str, path: str, body: Object | None, content_type: str, accept: str) -> Object:
        host, code, began = self._client.configuration.host, "<error>", time.monotonic()
        headers = {"Accept": accept, "Content-Type": content_type, **self._client.default_headers}
        await self._client.update_params_for_auth(headers, None, ["BearerToken"], path, method, body)
        try:
            answer = await self._client.rest_client.request(  # type: ignore[no-untyped-call]
                method, host + path, headers=headers, body=body,
                _request_timeout=aiohttp.ClientTimeout(total=self.timeout),
            )  # fmt: skip
            code = str(answer.status)
            text = (await answer.read()).decode("utf-8", "replace")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnavailableError(0, "NoConnection", _no_answer(method, host + path, error, self.timeout)) from error
        finally:
            if self._observer:
                self._observer(method, code, urlsplit(host).netloc, time.monotonic() - began)
        if answer.status >= 300:
            raise refusal(answer.status, text, answer.headers, f"{method} {path.partition('?')[0]}")
        return _json_object(text, f"{method} {path.partition('?')[0]}")


def _no_answer(method: str, url: str, error: Exception, timeout: float) -> str:
    what = f"no answer within {timeout:g} s" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    return f"the API server cannot be reached: {method} {url.partition('?')[0]}: {what}"


def _json_object(text: str, request: str) -> Object:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):  # a proxy between us and the API server
        raise UnavailableError(0, "NotJSON", f"{request}: the answer is no JSON object: {text[:200]!r}")
    return document


async def _configuration(environment: Mapping[str, str]) -> Configuration:
    configuration = Configuration()
    if environment.get("KUBERNETES_SERVICE_HOST") and Path(incluster_config.SERVICE_TOKEN_FILENAME).exists():
        try:
            incluster_config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        except ConfigException as error:
            raise NoClusterError(f"the pod's service account cannot be used: {error}") from error
        return configuration
    file = environment.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    if not any(Path(part).is_file() for part in file.split(os.pathsep)):
        raise NoClusterError(
            "no cluster is configured: this is no pod with a service account "
            f"(KUBERNETES_SERVICE_HOST and {incluster_config.SERVICE_TOKEN_FILENAME}), and KUBECONFIG ({file}) names no file"
        )
    try:
        await load_kube_config(file, client_configuration=configuration, persist_config=False)  # type: ignore[no-untyped-call]
    except yaml.YAMLError:  # its text may repeat a line of the file, and with it a secret
        raise NoClusterError(f"KUBECONFIG ({file}) cannot be used: it is no YAML") from None
    except (ConfigException, OSError, ValueError) as error:
        raise NoClusterError(f"KUBECONFIG ({file}) cannot be used: {error}") from error
    return configuration
