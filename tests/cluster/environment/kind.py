"""A cluster in containers, by pytest-kind, where a Docker or Podman engine answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_kind import KindCluster  # type: ignore[import-untyped]

from gitmart.local.locks import held

from .golang import tool
from .images import GITMART, POSTGRES, Built
from .places import ClusterError, cache_folder
from .progress import say, step

NAME = "gitmart-test"  # kind makes the context kind-gitmart-test of it
TEST_NAMES = """\
    template IN A test {
        answer "{{ .Name }} 60 IN A %s"
    }
    template IN AAAA test {
        rcode NOERROR
    }
"""


def engine() -> str | None:
    """Return the engine that answers, docker or podman; None if neither does."""
    for name in ("docker", "podman"):
        if shutil.which(name) and _quiet(name, "info").returncode == 0:
            return name
    return None


def kubeconfig() -> Path:
    """Where kind writes the way in."""
    return cache_folder() / "kind" / "kubeconfig"


def build(engine_name: str, images: Iterable[Built]) -> None:
    """Build the images with the engine, from the official base images. Raise ClusterError."""
    for image in images:
        if _quiet(engine_name, "image", "inspect", image.reference).returncode != 0:
            context = next(one.context for one in (GITMART, POSTGRES) if one.name == image.name)
            with step(f"built {image.reference}"):
                done = _quiet(engine_name, "build", "-t", image.reference, str(context))
                if done.returncode != 0:
                    raise ClusterError(f"building {image.reference} failed:\n{done.stderr[-4000:]}")


def start(engine_name: str, images: Sequence[Built]) -> str:
    """Have the cluster running with our images and return the address of this machine as pods see it."""
    os.environ.setdefault("KIND_EXPERIMENTAL_PROVIDER", engine_name)
    build(engine_name, images)
    cache_folder().mkdir(parents=True, exist_ok=True)
    with held(cache_folder() / "start.lock", f"process {os.getpid()}", lambda other: say(f"waiting for {other}")):
        cluster = _cluster()
        cluster.create()
        for image in images:
            cluster.load_docker_image(image.reference)
        gateway = _gateway(engine_name)
        _resolve_test_names(gateway)
    return gateway


def stop() -> bool:
    """Delete the cluster; return whether there was one."""
    if not kubeconfig().exists():
        return False
    _cluster().delete()
    kubeconfig().unlink(missing_ok=True)
    return True


def _cluster() -> KindCluster:
    kubeconfig().parent.mkdir(parents=True, exist_ok=True)
    programs = {name: Path(shutil.which(name) or tool(name)) for name in ("kind", "kubectl")}
    before = Path.cwd()
    os.chdir(kubeconfig().parent)  # it makes a folder where it stands
    try:
        return KindCluster(NAME, kubeconfig=kubeconfig(), kind_path=programs["kind"], kubectl_path=programs["kubectl"])
    finally:
        os.chdir(before)


def _quiet(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _gateway(engine_name: str) -> str:
    """Return the address of the bridge that kind's nodes are on: the machine, seen from them."""
    done = subprocess.run([engine_name, "network", "inspect", "kind"], check=True, capture_output=True, text=True)
    (network,) = json.loads(done.stdout)
    pools = network["IPAM"]["Config"] if engine_name == "docker" else network["subnets"]
    gateways: list[str] = [pool.get("Gateway") or pool.get("gateway") for pool in pools]
    return next(address for address in gateways if address and ":" not in address)


def _resolve_test_names(address: str) -> None:
    """Let every name under .test mean this machine, as in a node of our own."""
    kubectl = [shutil.which("kubectl") or str(tool("kubectl")), f"--kubeconfig={kubeconfig()}", "-n", "kube-system"]
    done = subprocess.run([*kubectl, "get", "configmap/coredns", "-o", "json"], check=True, capture_output=True)
    found = json.loads(done.stdout)
    corefile = found["data"]["Corefile"]
    if "IN A test" not in corefile:
        found["data"]["Corefile"] = corefile.replace("    ready\n", "    ready\n" + TEST_NAMES % address, 1)
        subprocess.run([*kubectl, "replace", "-f", "-"], check=True, input=json.dumps(found).encode())
        subprocess.run([*kubectl, "rollout", "restart", "deployment/coredns"], check=True)
