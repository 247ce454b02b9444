"""
A node of our own: Kubernetes on this machine, in namespaces that end with their first process.

The files are laid out here, the processes are started by `node.sh`. The host gets one network interface,
two routes and one control group per hierarchy; all else is inside.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from string import Template

import psutil

from . import cgroups, pki
from .api import Api, answers
from .images import PAUSE, Built
from .parts import write_missing
from .places import HERE, ClusterError, Site, cache_folder, environment
from .progress import say, step

FOLDERS = ("logs", "etc/cni", "import", "run", "var-lib", "var-log", "volumes")
CRI = '"io.containerd.grpc.v1.cri", '  # left out of the containerd that only imports images


class Node:
    """A node while it runs, seen from the process that started it."""

    def __init__(self, site: Site, images: Iterable[Built]) -> None:
        self.site = site
        self.images = list(images)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it takes pods. Raise ClusterError when it does not."""
        self.remove()  # what a killed one may have left
        for folder in FOLDERS:
            (self.site.state / folder).mkdir(parents=True)
        pki.write(self.site)
        self._configure()
        self._prepare_images()
        cgroups.make(self.site)
        self._unshare()
        self._link()
        say("namespaces and certificates made")
        self._await_all()

    def remove(self) -> None:
        """End it and remove every trace; do nothing if there is none."""
        if self.process is not None:
            self.process.kill()  # its child, the node's process 1, goes with it; and with that all others
        cgroups.remove(self.site)
        if self.process is not None:
            self.process.wait()
        _run("ip", "link", "delete", self.site.link, check=False)  # takes address and routes along
        if self.site.state.exists():
            shutil.rmtree(self.site.state)

    def wait(self) -> None:
        """Wait until it ends by itself."""
        assert self.process is not None
        self.process.wait()

    def _configure(self) -> None:
        site, etc = self.site, self.site.state / "etc"
        values = {
            name: str(getattr(site, name)) for name in ("name", "state", "host_ip", "node_ip", "pods", "services")
        }
        pause = next(image.reference for image in self.images if image.name == PAUSE.name)
        values |= {"pause": pause, "disabled": ""}
        for template in (HERE / "config").iterdir():
            (etc / template.name).write_text(Template(template.read_text()).substitute(values))
        (etc / "cni.conflist").rename(etc / "cni" / "10-bridge.conflist")
        containerd = Template((HERE / "config" / "containerd.toml").read_text())
        (etc / "containerd-import.toml").write_text(containerd.substitute(values | {"disabled": CRI}))

    def _prepare_images(self) -> None:
        """Write what of new images is not in the store, for `node.sh` to import; nothing if the store is empty."""
        blobs = self.site.store / "io.containerd.content.v1.content" / "blobs" / "sha256"
        has = {f"sha256:{file.name}" for file in blobs.glob("*")}
        imported = self.site.store / "imported"
        imported.mkdir(parents=True, exist_ok=True)
        for image in self.images:
            if has and not (imported / image.archive.name).exists():
                write_missing(image.archive, image.reference, has, self.site.state / "import" / image.archive.name)

    def _unshare(self) -> None:
        site = self.site
        variables = {
            "STATE": site.state,
            "STORE": site.store,
            "BIN": cache_folder() / "bin",
            "ARCHIVES": " ".join(str(image.archive) for image in self.images),
            "NAME": site.name,
            "HOST_IP": site.host_ip,
            "NODE_IP": site.node_ip,
            "SERVICES": site.services,
            "DOORS": " ".join(map(str, cgroups.doors(site))),
        }
        # If this process is killed, setpriv's signal ends unshare, and unshare's ends the node.
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        enter = 'for door in $DOORS; do echo $$ > "$door"; done; exec "$@"'
        with (site.state / "logs" / "node.log").open("wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", enter, "sh", *command, "--mount-proc", str(HERE / "node.sh")],
                env={key: str(value) for key, value in variables.items()} | {"PATH": environment()["PATH"]},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _link(self) -> None:
        """Connect host and node. No address translation, no forwarding: pods reach the host and nothing beyond."""
        site = self.site
        _run(
            "ip", "link", "add", site.link, "type", "veth", "peer", "name", "eth0", "netns", str(self._first_process())
        )
        _run("ip", "address", "add", f"{site.host_ip}/30", "dev", site.link)
        _run("ip", "link", "set", site.link, "up")
        _run("ip", "route", "add", site.pods, "via", site.node_ip)
        _run("ip", "route", "add", site.services, "via", site.node_ip)

    def _first_process(self) -> int:
        assert self.process is not None
        found: list[int] = []

        def look() -> bool:
            found[:] = [child.pid for child in psutil.Process(self.process.pid).children()]  # type: ignore[union-attr]
            return bool(found)

        self._await("the node's first process", 10, look)
        return found[0]

    def _await_all(self) -> None:
        site, api = self.site, Api(self.site)
        self._await("API server", 60, api.is_ready)
        (site.state / "run" / "api-ready").touch()
        say("API server ready")
        self._await("node", 180, api.node_is_ready)
        self._await("default service account", 30, api.has_default_account)
        shutil.rmtree(site.state / "import")
        say("images in place, node ready")
        self._await("Service proxy", 30, lambda: answers(site.node_ip, 10256, "/healthz"))
        self._await("DNS", 30, lambda: answers(site.node_ip, 8181, "/ready"))
        say("Service proxy and DNS ready")

    def _await(self, what: str, seconds: float, condition: Callable[[], bool]) -> None:
        assert self.process is not None
        logs = self.site.state / "logs"
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise ClusterError(f"the node ended while it started:\n{_tail(logs / 'node.log')}")
            if time.monotonic() > end:
                raise ClusterError(f"{what} not ready after {seconds:.0f} s; last lines of the logs:\n{_tails(logs)}")
            time.sleep(0.05)


def _run(*command: str, check: bool = True) -> None:
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise ClusterError(f"{' '.join(command)} failed: {done.stderr.strip()}")


def _tail(log: Path, lines: int = 10) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _tails(logs: Path) -> str:
    return "\n".join(f"--- {log.name}\n{_tail(log, 3)}" for log in sorted(logs.iterdir()))


def load(site: Site, images: Iterable[Built]) -> None:
    """Give a running node the images it does not have yet."""
    client = ["ctr", "--address", str(site.state / "run" / "containerd.sock"), "--namespace", "k8s.io"]
    has = _printed(*client, "images", "ls", "--quiet")
    for image in images:
        if image.reference not in has:
            with step(f"imported {image.reference}"):
                part = site.state / "run" / image.archive.name
                write_missing(image.archive, image.reference, _printed(*client, "content", "ls", "--quiet"), part)
                _run(*client, "images", "import", str(part))
                part.unlink()
                (site.store / "imported" / image.archive.name).touch()


def _printed(*command: str) -> set[str]:
    return set(subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout.split())
