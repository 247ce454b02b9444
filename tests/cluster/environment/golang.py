"""
Programs built from Go modules with the ordinary client, static and stripped, into one folder.

Each has a key over all that decides what comes out; a program whose key is unchanged is not touched.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitmart.local.locks import held

from . import versions
from .places import HERE, ClusterError, UnavailableError, cache_folder
from .progress import say, step

LDFLAGS = "-s -w"


@dataclass(frozen=True, slots=True)
class Program:
    """How one program is built: `go install package@version`, or from a module of ours when `module` is set."""

    package: str
    version: str = ""
    module: Path | None = None
    flags: tuple[str, ...] = ()
    ldflags: str = LDFLAGS

    def key(self) -> str:
        """Return a digest of all that decides what comes out, the Go version apart."""
        digest = hashlib.sha256(repr((self.package, self.version, self.flags, self.ldflags)).encode())
        for file in sorted(self.module.iterdir()) if self.module else ():
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def command(self, target: Path) -> list[str]:
        """Return the command that leaves the program at `target`, or in its folder under the package's last name."""
        if self.module:
            return ["go", "build", "-trimpath", "-ldflags", self.ldflags, "-o", str(target), self.package]
        source = f"{self.package}@v{self.version}"
        return ["go", "install", "-trimpath", "-ldflags", self.ldflags, *self.flags, source]


def _kubernetes(name: str) -> Program:
    # Without these the programs call themselves v0.0.0-master+$Format:%H$.
    major, minor, _ = versions.KUBERNETES.split(".")
    facts = {"gitVersion": f"v{versions.KUBERNETES}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in facts.items())
    return Program(f"k8s.io/kubernetes/cmd/{name}", module=HERE / "go" / "kubernetes", ldflags=f"{LDFLAGS} {stamped}")


NODE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "etcd",
        "coredns")  # fmt: skip

PROGRAMS = {
    **{name: _kubernetes(name) for name in NODE if name.startswith("kube")},
    # k8s.io/apiserver itself requires this etcd, so one module holds both.
    "etcd": Program("go.etcd.io/etcd/server/v3", module=HERE / "go" / "kubernetes"),
    "coredns": Program(".", module=HERE / "go" / "coredns"),
    "helm": Program("helm.sh/helm/v3/cmd/helm", versions.HELM),
    "kubeconform": Program("github.com/yannh/kubeconform/cmd/kubeconform", versions.KUBECONFORM),
    "kwok": Program("sigs.k8s.io/kwok/cmd/kwok", versions.KWOK),
    "kind": Program("sigs.k8s.io/kind", versions.KIND),
    # remove_all_sd leaves out service discoveries, which checking rules does not need; the modules of some are large.
    "promtool": Program(
        "github.com/prometheus/prometheus/cmd/promtool", versions.PROMTOOL, flags=("-tags", "remove_all_sd")
    ),
    "actionlint": Program("github.com/rhysd/actionlint/cmd/actionlint", versions.ACTIONLINT),
    "helm-docs": Program("github.com/norwoodj/helm-docs/cmd/helm-docs", versions.HELM_DOCS),
    "kstatus": Program(".", module=HERE / "go" / "kstatus"),
}
TOOLS = tuple(name for name in PROGRAMS if name not in NODE and name != "kind")


def tool(name: str) -> Path:
    """
    Return the path of a program, after building it if it is missing or its version has changed.

    Raise ClusterError when it cannot be built.
    """
    if name not in PROGRAMS:
        raise ClusterError(f"{name} is no program of the test environment: choose from {', '.join(PROGRAMS)}")
    ensure([name])
    return cache_folder() / "bin" / name


def missing(names: Sequence[str]) -> list[str]:
    """Return which of these programs are not there at the version wanted."""
    return [name for name in names if not _is_current(name)]


def ensure(names: Sequence[str]) -> None:
    """Build what is missing of these programs. Two who build at once take turns."""
    if not missing(names):
        return
    check_go()
    (cache_folder() / "bin" / ".keys").mkdir(parents=True, exist_ok=True)
    with held(cache_folder() / "go.lock", f"process {os.getpid()}", _say_waiting):
        for name in missing(names):
            with step(f"built {name}"):
                _build(name, PROGRAMS[name])


def check_go() -> None:
    """Raise UnavailableError unless Go is here and new enough."""
    if problem := go_problem():
        raise UnavailableError(problem)


def go_problem() -> str | None:
    """Return what is wrong with Go on this machine, None if nothing is."""
    wanted = ".".join(map(str, versions.GO))
    if shutil.which("go") is None:
        return f"no Go: version {wanted} or newer must be in PATH"
    said = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.match(r"go(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < versions.GO:
        return f"Go is {said or 'broken'}: version {wanted} or newer must be in PATH"
    return None


def _is_current(name: str) -> bool:
    folder = cache_folder() / "bin"
    key = folder / ".keys" / name
    return (folder / name).exists() and key.exists() and key.read_text() == PROGRAMS[name].key()


def _build(name: str, program: Program) -> None:
    folder = cache_folder() / "bin"
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOBIN": str(folder)}
    done = subprocess.run(
        program.command(folder / name), cwd=program.module, env=os.environ | settings, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ClusterError(f"building {name} failed:\n{done.stderr[-4000:]}")
    (folder / ".keys" / name).write_text(program.key())


def _say_waiting(other: str) -> None:
    say(f"waiting for {other}, which is building")
