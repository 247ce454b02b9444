"""The client of the Kubernetes API, against a server that answers as the API server does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import incluster_config

from gitmart.handlers.cluster import CRON_JOB, EVENT, JOB, POD, REPOSITORY, Cluster, Kind
from gitmart.handlers.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NoClusterError,
    NotFoundError,
    TooManyRequestsError,
    UnavailableError,
)

from .api_server import TOKEN, ApiServer, against, kubeconfig, refusal, serving

JOBS = "/apis/batch/v1/namespaces/team/jobs"
REPOS = "/apis/gitmart.dev/v1alpha1/namespaces/team/repositories"

Script = Callable[[Cluster], Awaitable[None]]


class Quick(Cluster):
    """A client that gives up on an answer sooner."""

    timeout = 0.2


class Bench:
    """One server and a client whose pauses between attempts are written down instead of waited."""

    def __init__(self, folder: Path) -> None:
        self.server = ApiServer()
        self.folder = folder
        self.pauses: list[float] = []
        self.told: list[tuple[str, str]] = []  # (method, code) of every attempt

    def run(self, script: Script, kind: type[Cluster] = Cluster) -> None:
        async def main() -> None:
            environment = {"KUBECONFIG": str(kubeconfig(self.server, self.folder))}
            async with await kind.connect(environment, observer=self._observe) as cluster:
                cluster._sleep = self._sleep
                await script(cluster)

        against(self.server, main)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def _observe(self, method: str, code: str, host: str, seconds: float) -> None:
        assert host == self.server.url.removeprefix("http://")
        assert seconds >= 0
        self.told.append((method, code))

    @property
    def lines(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.server.requests]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("kind", "words", "path"),
    [
        pytest.param(REPOSITORY, ("team", "kopf", "status"), f"{REPOS}/kopf/status", id="status"),
        pytest.param(CRON_JOB, ("team", "nightly"), "/apis/batch/v1/namespaces/team/cronjobs/nightly", id="object"),
        pytest.param(POD, ("team",), "/api/v1/namespaces/team/pods", id="core"),
        pytest.param(JOB, (None,), "/apis/batch/v1/jobs", id="all namespaces"),
        pytest.param(JOB, ("a/b", "../c"), "/apis/batch/v1/namespaces/a%2Fb/jobs/..%2Fc", id="hostile names"),
    ],
)
def test_paths(kind: Kind, words: tuple[str | None, ...], path: str) -> None:
    assert kind.path(*words) == path


def test_objects_are_made_read_and_deleted(bench: Bench) -> None:
    async def script(cluster: Cluster) -> None:
        made = await cluster.create(JOB, "team", {"metadata": {"name": "run"}, "spec": {"suspend": True}})
        assert made["metadata"]["uid"]
        assert await cluster.get(JOB, "team", "run") == made
        with pytest.raises(AlreadyExistsError, match='"run" already exists'):
            await cluster.create(JOB, "team", {"metadata": {"name": "run"}})
        with pytest.raises(ConflictError, match="UID"):
            await cluster.delete(JOB, "team", "run", uid="of-another")
        with pytest.raises(ConflictError):
            await cluster.delete(JOB, "team", "run", made["metadata"]["uid"], version="0")
        assert await cluster.delete(JOB, "team", "run", made["metadata"]["uid"]) is True
        assert await cluster.delete(JOB, "team", "run", made["metadata"]["uid"]) is False
        with pytest.raises(NotFoundError, match='jobs "run" not found'):
            await cluster.get(JOB, "team", "run")

    bench.run(script)


def test_apply_takes_back_what_is_no_longer_wanted(bench: Bench) -> None:
    path = "/apis/batch/v1/namespaces/team/cronjobs/nightly"

    async def script(cluster: Cluster) -> None:
        await cluster.apply(CRON_JOB, "team", "nightly", {"spec": {"schedule": "0 3 * * *", "timeZone": "Asia/Tokyo"}})
        bench.server.objects[path]["spec"]["byOthers"] = 1
        after = await cluster.apply(CRON_JOB, "team", "nightly", {"spec": {"schedule": "0 4 * * *"}})
        assert after["spec"] == {"schedule": "0 4 * * *", "byOthers": 1}

    bench.run(script)
    assert bench.server.requests[0] == ("PATCH", path, {"fieldManager": "gitmart", "force": "true"})


def test_a_status_is_written_only_onto_what_was_read(bench: Bench) -> None:
    stored = bench.server.put(f"{REPOS}/kopf", {"spec": {"url": "https://host/kopf"}, "status": {"old": 1}})
    version = stored["metadata"]["resourceVersion"]

    async def script(cluster: Cluster) -> None:
        body = {"metadata": {"resourceVersion": version}, "status": {"old": None, "commits": 3}, "spec": {"url": "x"}}
        after = await cluster.patch_status(REPOSITORY, "team", "kopf", body)
        assert after["status"] == {"commits": 3}
        assert after["spec"] == {"url": "https://host/kopf"}
        with pytest.raises(ConflictError, match="modified"):
            await cluster.patch_status(REPOSITORY, "team", "kopf", body)
        with pytest.raises(ValueError, match="resourceVersion"):
            await cluster.patch_status(REPOSITORY, "team", "kopf", {"status": {}})

    bench.run(script)


def test_lists_come_whole_whatever_the_page(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitmart.handlers.cluster.PAGE", 2)
    for number in range(5):
        bench.server.put(f"{JOBS}/j{number}", {"metadata": {"labels": {"app": "x" if number < 4 else "y"}}})
    bench.server.put("/apis/batch/v1/namespaces/other/jobs/far", {"metadata": {"labels": {"app": "x"}}})

    async def script(cluster: Cluster) -> None:
        async def names(*words: str | None) -> list[str]:
            return [item["metadata"]["name"] for item in await cluster.list(JOB, *words)]

        assert await names("team") == ["j0", "j1", "j2", "j3", "j4"]
        assert await names("team", "app=x") == ["j0", "j1", "j2", "j3"]
        assert await names(None, "app=x") == ["far", "j0", "j1", "j2", "j3"]
        assert await names("empty") == []

    bench.run(script)


def test_objects_are_selected_by_their_fields(bench: Bench) -> None:
    for number in range(3):
        path = f"/api/v1/namespaces/team/events/e{number}"
        bench.server.put(path, {"involvedObject": {"uid": f"pod-{number}"}})

    async def script(cluster: Cluster) -> None:
        (event,) = await cluster.list(EVENT, "team", fields="involvedObject.uid=pod-1")
        assert event["metadata"]["name"] == "e1"

    bench.run(script)


def test_the_newest_object_of_all_pages_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitmart.handlers.cluster.PAGE", 2)
    for name in ("j3", "j1", "j2"):  # a list is in the order of names
        bench.server.put(f"{JOBS}/{name}", {"metadata": {"labels": {"app": name}}})

    async def script(cluster: Cluster) -> None:
        newest = int(bench.server.objects[f"{JOBS}/j2"]["metadata"]["resourceVersion"])
        assert await cluster.newest(JOB) == newest
        assert await cluster.newest(JOB, "team", "app=j3") == newest - 2
        assert await cluster.newest(JOB, "empty") == 0

    bench.run(script)


def test_a_list_whose_token_expired_begins_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitmart.handlers.cluster.PAGE", 2)
    for number in range(4):
        bench.server.put(f"{JOBS}/j{number}", {})

    class ExpiringOnce(Cluster):
        async def _request(self, *words: Any, **options: Any) -> dict[str, Any]:
            answer = await super()._request(*words, **options)
            if len(bench.server.requests) == 1:
                bench.server.trouble = [refusal(410, "Expired", "The provided continue parameter is too old")]
            return answer

    async def script(cluster: Cluster) -> None:
        assert [item["metadata"]["name"] for item in await cluster.list(JOB, "team")] == ["j0", "j1", "j2", "j3"]

    bench.run(script, ExpiringOnce)


@pytest.mark.parametrize(
    ("answer", "error", "reason", "said"),
    [
        pytest.param(refusal(403, "Forbidden", 'User "u" cannot'), ForbiddenError, "Forbidden", 'User "u"', id="rbac"),
        pytest.param(refusal(422, "Invalid", "spec.url: no"), InvalidError, "Invalid", "spec.url: no", id="schema"),
        pytest.param(refusal(400, "BadRequest", "unknown"), InvalidError, "BadRequest", "unknown", id="bad request"),
        pytest.param(
            refusal(
                500, "", "failed to create typed patch object (team/one): .spec.near: field not declared in schema"
            ),
            InvalidError,
            "500",
            "failed to create typed patch object",
            id="unknown field",
        ),
        pytest.param(
            refusal(405, "MethodNotAllowed", "not here"), ApiError, "MethodNotAllowed", "not here", id="other"
        ),
        pytest.param(web.Response(status=413, text="<html>big"), ApiError, "413", f"POST {JOBS}: HTTP 413", id="proxy"),
    ],
)
def test_a_refusal_is_not_repeated_and_keeps_its_words(
    bench: Bench, answer: web.Response, error: type[ApiError], reason: str, said: str
) -> None:
    bench.server.trouble = [answer]

    async def script(cluster: Cluster) -> None:
        with pytest.raises(ApiError) as refused:
            await cluster.create(JOB, "team", {"metadata": {"name": "run"}})
        assert type(refused.value) is error
        assert (refused.value.status, refused.value.reason) == (answer.status, reason)
        assert said in refused.value.message

    bench.run(script)
    assert len(bench.lines) == 1


def _busy(retry_after: str | None = None) -> web.Response:
    headers = {"Retry-After": retry_after} if retry_after else None
    return refusal(429, "TooManyRequests", "please try again later", headers)


@pytest.mark.parametrize(
    ("trouble", "shortest", "longest"),
    [
        pytest.param([_busy("3")], 3.0, 4.5, id="Retry-After"),
        pytest.param([_busy()], 0.5, 0.75, id="no Retry-After"),
        pytest.param([refusal(503, "ServiceUnavailable", "starting")], 0.5, 0.75, id="5xx"),
        pytest.param([web.Response(status=502, text="<html>")], 0.5, 0.75, id="a proxy's 5xx"),
        pytest.param([web.Response(text="<html>")], 0.5, 0.75, id="a proxy's page"),
        pytest.param([None], 0.5, 0.75, id="hung up"),
    ],
)
def test_passing_trouble_is_waited_out(
    bench: Bench, trouble: list[web.Response | None], shortest: float, longest: float
) -> None:
    bench.server.trouble = trouble

    async def script(cluster: Cluster) -> None:
        await cluster.create(JOB, "team", {"metadata": {"name": "run"}})

    bench.run(script)
    assert len(bench.pauses) == 1
    assert shortest <= bench.pauses[0] <= longest
    assert f"{JOBS}/run" in bench.server.objects


def test_lasting_trouble_is_told_after_three_attempts(bench: Bench) -> None:
    bench.server.trouble = [refusal(500, "InternalError", "etcd is away") for _ in range(9)]

    async def script(cluster: Cluster) -> None:
        with pytest.raises(UnavailableError, match="etcd is away"):
            await cluster.get(JOB, "team", "run")

    bench.run(script)
    assert len(bench.lines) == 3
    assert bench.told == [("GET", "500")] * 3


def test_a_long_wait_is_the_callers(bench: Bench) -> None:
    bench.server.trouble = [_busy("60")]

    async def script(cluster: Cluster) -> None:
        with pytest.raises(TooManyRequestsError) as told:
            await cluster.get(JOB, "team", "run")
        assert told.value.retry_after == 60

    bench.run(script)
    assert bench.pauses == []


def test_no_answer_is_not_waited_for_ever(bench: Bench) -> None:
    async def script(cluster: Cluster) -> None:
        bench.server.silent = asyncio.Event()
        with pytest.raises(UnavailableError, match=r"no answer within 0\.2 s"):
            await cluster.get(JOB, "team", "run")

    bench.run(script, Quick)
    assert bench.told == [("GET", "<error>")] * 3


def test_no_server_at_all() -> None:
    async def main() -> None:
        client = ApiClient(Configuration(host="http://127.0.0.1:1"))
        async with Cluster(client, sleep=lambda _: asyncio.sleep(0)) as cluster:
            with pytest.raises(UnavailableError, match="cannot be reached: GET"):
                await cluster.get(JOB, "team", "run")

    asyncio.run(main())


def test_every_write_passes_one_seam(bench: Bench) -> None:
    passed: list[str] = []

    class Watched(Cluster):
        async def _write(self, method: str, path: str, *words: Any, **options: Any) -> dict[str, Any]:
            passed.append(f"{method} {path}")
            return await super()._write(method, path, *words, **options)

    async def script(cluster: Cluster) -> None:
        made = await cluster.create(JOB, "team", {"metadata": {"name": "run"}})
        await cluster.create_event("team", {"metadata": {"name": "run.1"}})
        await cluster.patch(EVENT, "team", "run.1", {"count": 2})
        await cluster.apply(CRON_JOB, "team", "nightly", {"spec": {}})
        body = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "status": {}}
        await cluster.patch_status(JOB, "team", "run", body)
        await cluster.get(JOB, "team", "run")
        await cluster.list(JOB, "team")
        await cluster.delete(JOB, "team", "run", made["metadata"]["uid"])

    bench.run(script, Watched)
    assert passed == [line for line in bench.lines if not line.startswith("GET")]
    assert len(passed) == 6


def test_a_dead_attempt_does_not_pass_the_seam_again(bench: Bench) -> None:
    passed: list[str] = []

    class Watched(Cluster):
        async def _write(self, method: str, path: str, *words: Any, **options: Any) -> dict[str, Any]:
            passed.append(method)
            return await super()._write(method, path, *words, **options)

    async def script(cluster: Cluster) -> None:
        await cluster.create(JOB, "team", {"metadata": {"name": "run"}})

    bench.server.trouble = [None, None]
    bench.run(script, Watched)
    assert (passed, len(bench.lines)) == (["POST"], 3)


def test_no_error_shows_the_token(bench: Bench) -> None:
    bench.server.trouble = [refusal(403, "Forbidden", "no")]

    async def script(cluster: Cluster) -> None:
        with pytest.raises(ForbiddenError) as refused:
            await cluster.get(JOB, "team", "run")
        assert TOKEN not in repr(refused.value)

    bench.run(script)


@pytest.fixture
def service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The files that the kubelet puts into a pod, elsewhere; the CA among them."""
    authority = trustme.CA()
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    return authority


def test_a_pod_uses_its_service_account(service_account: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ApiServer()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    service_account.issue_cert("127.0.0.1").configure_cert(tls)

    async def main() -> None:
        async with serving(server, tls):
            host, port = server.url.removeprefix("https://").split(":")
            monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
            monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
            async with await Cluster.connect() as cluster:
                assert await cluster.list(JOB) == []
            async with await Cluster.connect() as cluster:
                with pytest.raises(NotFoundError):
                    await cluster.get(JOB, "team", "run")

    asyncio.run(main())


def test_a_service_account_without_its_ca_is_told(
    service_account: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.crt").unlink()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    with pytest.raises(NoClusterError, match="service account cannot be used: Service certification file"):
        asyncio.run(Cluster.connect())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "names no file", id="no file"),
        pytest.param("{}", "cannot be used", id="an empty one"),
        pytest.param("[unclosed", "cannot be used", id="no YAML"),
    ],
)
def test_without_a_cluster_it_says_what_is_missing(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(NoClusterError, match=said) as told:
        asyncio.run(Cluster.connect({"KUBECONFIG": str(path)}))
    assert str(path) in str(told.value)
