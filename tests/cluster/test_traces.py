"""A node leaves nothing on the machine, however it ends. Each test starts one of its own, beside the one all share."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gitmart.local.locks import held

from .client import Cluster
from .environment import cgroups, images, supervisor
from .environment.claim import holder
from .environment.golang import tool
from .environment.places import Site, cache_folder
from .waiting import wait_for

SITE = Site(1)
PATHS = ("/etc/cni", "/opt", "/usr/libexec", "/var/lib", "/var/log")  # where containerd, kubelet and CNI are at home
SMALL_DISK = "/small tmpfs "  # a mount that tests of full disks, which may run beside these, fill and take away
CHANGING = ("conntrack_count", "nr_", "dropped")  # kernel settings that are counters

Traces = dict[str, set[str]]


@pytest.fixture
def owner(cluster: Cluster) -> Iterator[subprocess.Popen[bytes]]:
    """A process for a node to end with."""
    if cluster.obtained.kind != "native":
        pytest.skip(f"this is about a node of our own, and the cluster is {cluster.obtained.kind}")
    # One at a time: a node that comes or goes meanwhile would be seen.
    with held(cache_folder() / "traces.lock", "a test of traces", lambda _: None):
        with subprocess.Popen(["sleep", "600"]) as process:
            yield process
            process.kill()
        supervisor.stop(SITE)


def test_a_node_ends_without_a_trace_when_its_test_run_is_killed(owner: subprocess.Popen[bytes]) -> None:
    before = traces()
    start(owner)
    assert {name for name, found in traces().items() if found != before[name]} == {
        "links", "routes", "cgroups", "processes", "files",
    }  # fmt: skip # all that is to go, and nothing else

    owner.kill()
    wait_for(lambda: holder(SITE) is None, 30)

    assert traces() == before


def test_a_node_whose_supervisor_was_killed_is_gone_after_cluster_down(owner: subprocess.Popen[bytes]) -> None:
    before = traces()
    start(owner)
    found = holder(SITE)
    assert found is not None

    os.kill(found.process, signal.SIGKILL)
    supervisor.stop(SITE)

    assert traces() == before


def start(owner: subprocess.Popen[bytes]) -> None:
    """Start a node with a pod on it."""
    supervisor.start(SITE, images.ensure([images.PAUSE]), owner.pid)
    kubectl = [str(tool("kubectl")), f"--kubeconfig={SITE.kubeconfig}"]
    pause = images.PAUSE.now().reference
    subprocess.run([*kubectl, "run", "pod", f"--image={pause}"], check=True, capture_output=True)
    subprocess.run(
        [*kubectl, "wait", "--for=condition=Ready", "pod/pod", "--timeout=60s"], check=True, capture_output=True
    )


def traces() -> Traces:
    """Return what there is of each kind of thing a node makes, as far as it lasts."""
    return {
        "mounts": {mount for mount in Path("/proc/self/mounts").read_text().splitlines() if SMALL_DISK not in mount},
        "links": printed("ip", "-o", "link", "show"),
        "routes": printed("ip", "route", "show", "table", "all"),
        "rules": printed("iptables-save"),
        "namespaces": printed("ip", "netns", "list"),
        "settings": settings(),
        "cgroups": {str(path) for root in cgroups.hierarchies() for path in root.glob(f"{SITE.name}*")},
        "processes": {str(process.pid) for process in psutil.process_iter() if is_ours(process)},
        "files": {str(path) for folder in PATHS for path in Path(folder).glob("*")}
        | ({str(SITE.state)} if SITE.state.exists() else set()),
    }


def settings() -> set[str]:
    """Return the kernel's settings that a kubelet or a proxy would like to change."""
    every = printed("sysctl", "--all", "--pattern", r"^(vm|net|kernel\.(panic|keys))")
    return {line for line in every if SITE.link not in line and not any(word in line for word in CHANGING)}


def is_ours(process: psutil.Process) -> bool:
    """Whether a process belongs to the node, or runs it."""
    if process.pid in cgroups.processes(SITE):
        return True
    try:
        return any(str(SITE.state) in word for word in process.cmdline()) or (
            process.environ().get("GITMART_CLUSTER_SITE") == str(SITE.number)
        )
    except psutil.Error:
        return False


def printed(*command: str) -> set[str]:
    """Return the lines that a command prints, without counters."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {line.partition(" expires ")[0] for line in done.stdout.splitlines() if not line.startswith("#")}
