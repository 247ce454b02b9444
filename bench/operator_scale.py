"""
How the operator copes with many Repositories, on a real API server.

  jobs   N Repositories made at once, no caps, no checks, Jobs suspended: until each has its Job and its status.
  ready  default caps, kwok nodes whose pods end with a result message: until every Repository is Ready.
  idle   N unchanged Repositories: what a quiet hour costs.

Requests are those the operator itself counts, watches not included; memory and CPU are the kernel's figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.cluster.environment import obtain  # noqa: E402
from tests.cluster.environment.golang import tool  # noqa: E402
from tests.cluster.git_server import GitServer  # noqa: E402

from gitmart.handlers.cluster import DBT_SCHEDULE, JOB, REPOSITORY, Cluster, Kind  # noqa: E402
from gitmart.handlers.errors import ConflictError  # noqa: E402

NAMESPACE = "bench-operator"
NAMESPACES = Kind("Namespace", "", "v1", "namespaces")
NODES = Kind("Node", "", "v1", "nodes")
CRDS = Kind("CustomResourceDefinition", "apiextensions.k8s.io", "v1", "customresourcedefinitions")
HEALTH_PORT, HTTP_PORT = 28080, 28081
AT_ONCE = 16  # requests of the bench's own client
KWOK_NODES, KWOK_PODS = 4, 110
HOSTS = 20  # git hosts that the Repositories of `ready` are spread over
IDLE_SECONDS = 180


@dataclass(slots=True)
class Usage:
    """What a process has used."""

    cpu: float  # seconds
    peak_mib: float


class Operator:
    """A running operator process."""

    def __init__(self, kubeconfig: Path, *, suspend_jobs: bool, **settings: str) -> None:
        self.environment = os.environ | {
            "KUBECONFIG": str(kubeconfig), "GITMART_IMAGE": "localhost/none:1", "GITMART_WATCH_NAMESPACES": NAMESPACE,
            "GITMART_HEALTH_PORT": str(HEALTH_PORT), "GITMART_HTTP_PORT": str(HTTP_PORT), **settings,
        }  # fmt: skip
        self.words = [sys.executable, str(ROOT / "bench" / "operator_process.py")]
        self.words += ["--suspend-jobs"] if suspend_jobs else []

    async def __aenter__(self) -> Operator:
        self.process = subprocess.Popen(self.words, env=self.environment)
        await until(self.is_ready, 60, "the operator is not ready")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    async def is_ready(self) -> bool:
        """Whether it answers. Without any object it stays unready, so an answer is all that is asked for."""
        if self.process.poll() is not None:
            sys.exit("the operator has ended")
        try:
            await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{HEALTH_PORT}/healthz", None, 5)
        except OSError:
            return False
        return True

    def usage(self) -> Usage:
        """Return what it has used so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks = sum(map(int, fields[11:15]))  # its own and its ended children's, user and system
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]
        return Usage(ticks / os.sysconf("SC_CLK_TCK"), peak / 1024)

    def requests(self) -> int:
        """Return how many requests it has sent."""
        with urllib.request.urlopen(f"http://127.0.0.1:{HTTP_PORT}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = re.findall(r"^rest_client_requests_total\{.*\} (\S+)$", text, re.MULTILINE)
        return int(sum(map(float, found)))


async def until(holds: Callable[[], Awaitable[bool]], seconds: float, complaint: str) -> float:
    """Wait until something holds; return for how many seconds."""
    began = time.monotonic()
    while not await holds():
        if time.monotonic() - began > seconds:
            sys.exit(f"{complaint} after {seconds:.0f} s")
        await asyncio.sleep(0.25)
    return time.monotonic() - began


def repository(number: int, **spec: Any) -> dict[str, Any]:
    """Return a Repository."""
    return {
        "apiVersion": "gitmart.dev/v1alpha1",
        "kind": "Repository",
        "metadata": {"name": f"r{number:05d}"},
        "spec": {"url": f"https://git{number % HOSTS}.example.org/group/r{number}.git", **spec},
    }


async def make(cluster: Cluster, count: int, **spec: Any) -> None:
    """Make many Repositories, some at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with places:
            await cluster.create(REPOSITORY, NAMESPACE, repository(number, **spec))

    await asyncio.gather(*(one(number) for number in range(count)))


@asynccontextmanager
async def namespace(cluster: Cluster) -> AsyncIterator[None]:
    """Have an empty namespace with our kinds."""
    for file in sorted((ROOT / "crds").glob("*.yaml")):
        body = yaml.safe_load(file.read_text(encoding="utf-8"))
        await cluster.apply(CRDS, None, body["metadata"]["name"], body)  # type: ignore[arg-type]
    for kind in (REPOSITORY, DBT_SCHEDULE):
        await until(lambda kind=kind: _is_served(cluster, kind), 30, f"{kind.plural} are not served")  # type: ignore[misc]
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await cluster.create(NAMESPACES, None, body)  # type: ignore[arg-type]
    try:
        yield
    finally:
        found = await cluster.get(NAMESPACES, None, NAMESPACE)  # type: ignore[arg-type]
        await cluster.delete(NAMESPACES, None, NAMESPACE, found["metadata"]["uid"])  # type: ignore[arg-type]
        await until(lambda: _is_gone(cluster), 300, "the namespace is not gone")


async def _is_served(cluster: Cluster, kind: Kind) -> bool:
    try:
        await cluster.list(kind, "default")
    except Exception:  # not yet
        return False
    return True


async def _is_gone(cluster: Cluster) -> bool:
    return NAMESPACE not in {each["metadata"]["name"] for each in await cluster.list(NAMESPACES)}


async def jobs(kubeconfig: Path, cluster: Cluster, count: int) -> dict[str, float]:
    """Measure until each Repository has its Job and its status."""

    async def done() -> bool:
        found = await cluster.list(REPOSITORY, NAMESPACE)
        started = sum(each["status"].get("state") == "in_progress" for each in found)
        return started == count and len(await cluster.list(JOB, NAMESPACE)) == count

    caps = {"GITMART_MAX_EXTRACTIONS": "0", "GITMART_MAX_EXTRACTIONS_PER_HOST": "0", "GITMART_CHECKS": "false"}
    async with namespace(cluster), Operator(kubeconfig, suspend_jobs=True, **caps) as operator:
        before = operator.usage()
        began = time.monotonic()
        await make(cluster, count)
        made = time.monotonic() - began
        await until(done, 600, "not every Repository has its Job")
        seconds, usage = time.monotonic() - began, operator.usage()
        requests = operator.requests()
    return {
        "seconds": round(seconds, 1), "made_in": round(made, 1), "cpu": round(usage.cpu - before.cpu, 1),
        "peak_mib": round(usage.peak_mib, 1), "requests_per_repository": round(requests / count, 2),
    }  # fmt: skip


async def set_status(cluster: Cluster, kind: Kind, namespace: str | None, name: str, status: dict[str, Any]) -> None:
    """Write a status, whoever else writes the object meanwhile."""
    while True:
        version = (await cluster.get(kind, namespace, name))["metadata"]["resourceVersion"]  # type: ignore[arg-type]
        try:
            body = status | {"metadata": {"resourceVersion": version}}
            await cluster.patch_status(kind, namespace, name, body)  # type: ignore[arg-type]
        except ConflictError:
            continue
        return


@asynccontextmanager
async def kwok(kubeconfig: Path, cluster: Cluster) -> AsyncIterator[None]:
    """Have nodes that only seem to run pods."""
    names = [f"bench-kwok-{number}" for number in range(KWOK_NODES)]
    for name in names:
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {"bench": "kwok"}, "annotations": {"kwok.x-k8s.io/node": "fake"}},
            "spec": {"taints": [{"key": "bench", "value": "kwok", "effect": "NoSchedule"}]},
        }
        await cluster.create(NODES, None, body)  # type: ignore[arg-type]
        room = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "8Ti", "pods": str(KWOK_PODS)}
        status = {"status": {"capacity": room, "allocatable": room}}
        await set_status(cluster, NODES, None, name, status)
    words = [
        str(tool("kwok")),
        f"--kubeconfig={kubeconfig}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
    ]
    words += [f"--config={ROOT / 'bench' / 'kwok_stages.yaml'}", "--v=ERROR"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
        for name in names:
            found = await cluster.get(NODES, None, name)  # type: ignore[arg-type]
            await cluster.delete(NODES, None, name, found["metadata"]["uid"])  # type: ignore[arg-type]


async def ready(kubeconfig: Path, cluster: Cluster, count: int) -> dict[str, float]:
    """Measure until every Repository is Ready, with the default caps."""
    template = {"nodeSelector": {"bench": "kwok"}, "tolerations": [{"key": "bench", "operator": "Exists"}]}

    async def done() -> bool:
        found = await cluster.list(REPOSITORY, NAMESPACE)
        return count == sum(_is_ready(each) for each in found)

    async with kwok(kubeconfig, cluster), namespace(cluster):
        async with Operator(kubeconfig, suspend_jobs=False, GITMART_CHECKS="false") as operator:
            before = operator.usage()
            began = time.monotonic()
            await make(cluster, count, podTemplate=template)
            await until(done, 60 + 10 * count, "not every Repository is Ready")
            seconds, usage, requests = time.monotonic() - began, operator.usage(), operator.requests()
        await asyncio.sleep(1)
    return {
        "seconds": round(seconds, 1), "per_minute": round(60 * count / seconds, 1),
        "cpu_per_repository": round((usage.cpu - before.cpu) / count, 4), "peak_mib": round(usage.peak_mib, 1),
        "requests_per_repository": round(requests / count, 2),
    }  # fmt: skip


def _is_ready(body: dict[str, Any]) -> bool:
    conditions = body["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def idle(kubeconfig: Path, cluster: Cluster, count: int) -> dict[str, float]:
    """
    Measure what N Repositories cost of which none has anything new, checks of a real HTTPS host included.

    Their last checks are spread over the default interval, so the checks of the measured minutes are those of any.
    """
    with tempfile.TemporaryDirectory() as folder:
        server, digest = _host(Path(folder), count)
        settings = {
            "GITMART_ALLOWED_NETWORKS": "127.0.0.0/8",
            "GITMART_GIT_CA_FILE": str(Path(folder, "ca.pem")),
        }
        async with namespace(cluster):
            await make_checked(cluster, count, server.port, digest)
            async with Operator(kubeconfig, suspend_jobs=True, **settings) as operator:
                await asyncio.sleep(30)  # the first visits
                before, requests = operator.usage(), operator.requests()
                checks = _checks(server)
                await asyncio.sleep(IDLE_SECONDS)
                usage = operator.usage()
                requests = operator.requests() - requests
                checks = _checks(server) - checks
            jobs_made = len(await cluster.list(JOB, NAMESPACE))
        server.down = True
    if jobs_made:
        sys.exit(f"{jobs_made} Jobs were made although nothing was new")
    scale = 3600 / IDLE_SECONDS
    return {
        "cpu_seconds_per_hour": round((usage.cpu - before.cpu) * scale, 1),
        "requests_per_hour": round(requests * scale),
        "checks_per_hour": round(checks * scale),
        "peak_mib": round(usage.peak_mib, 1),
    }


def _host(folder: Path, count: int) -> tuple[GitServer, str]:
    """Return a git host with one repository under many names, and the digest of its refs."""
    bare = folder / "one.git"
    quiet = {"env": {"PATH": os.environ["PATH"], "HOME": str(folder)}, "check": True, "capture_output": True}
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], **quiet)  # type: ignore[call-overload]
    for number in range(count):
        (folder / f"r{number}.git").symlink_to(bare)
    server = GitServer(folder, "127.0.0.1")
    (folder / "ca.pem").write_text(server.ca_pem, encoding="ascii")
    words = [sys.executable, "-m", "gitmart", "check", f"--url=https://127.0.0.1:{server.port}/r0.git"]
    words += ["--allow-network=127.0.0.0/8", "--timeout=30s"]
    asked = subprocess.run(words, env=os.environ | {"GITMART_GIT_CA": server.ca_pem}, capture_output=True, check=True)
    return server, json.loads(asked.stdout)["refsDigest"]


def _checks(server: GitServer) -> int:
    """Return how many checks have come: each begins with one GET."""
    return sum(request.method == "GET" for request in server.requests)


async def make_checked(cluster: Cluster, count: int, port: int, digest: str) -> None:
    """Make Repositories that were extracted an hour ago and checked at times spread over six hours."""
    places = asyncio.Semaphore(AT_ONCE)
    now = datetime.now(UTC)
    interval = timedelta(hours=6)

    async def one(number: int) -> None:
        async with places:
            checked = now - interval * number / count
            body = repository(number, jitter="0s", maxSkip="8760h") | {}
            body["spec"]["url"] = f"https://127.0.0.1:{port}/r{number}.git"
            made = await cluster.create(REPOSITORY, NAMESPACE, body)
            status = _checked(checked, digest) | {"url": body["spec"]["url"]}
            change = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "status": status}
            await cluster.patch_status(REPOSITORY, NAMESPACE, body["metadata"]["name"], change)

    await asyncio.gather(*(one(number) for number in range(count)))


def _checked(at: datetime, digest: str) -> dict[str, Any]:
    text = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Succeeded",
        "message": "",
        "lastTransitionTime": text,
        "observedGeneration": 1,
    }
    last = {"startedAt": text, "finishedAt": text, "outcome": "Succeeded", "generation": 1}
    return {
        "observedGeneration": 1, "state": "completed", "refsDigest": digest, "lastCheckTime": text,
        "lastExtraction": last, "conditions": [ready],
    }  # fmt: skip


async def main(options: argparse.Namespace) -> None:
    """Run the parts and print the figures."""
    kubeconfig = obtain.running() or obtain.obtain().kubeconfig
    os.environ["KUBECONFIG"] = str(kubeconfig)
    figures: dict[str, Any] = {"repositories": options.repositories}
    async with await Cluster.connect() as cluster:
        for part in options.part or list(PARTS):
            figures[part] = await PARTS[part](kubeconfig, cluster, options.repositories)
            for name, value in figures[part].items():
                print(f"{part:6} {name:28} {value:>10}", flush=True)
    print(json.dumps(figures))


PARTS: dict[str, Callable[[Path, Cluster, int], Awaitable[dict[str, float]]]] = {
    "jobs": jobs,
    "ready": ready,
    "idle": idle,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", help=argparse.SUPPRESS)
    parser.add_argument("--part", action="append", choices=tuple(PARTS))
    parser.add_argument("--repositories", type=int, default=1000)
    asyncio.run(main(parser.parse_args()))
