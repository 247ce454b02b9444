"""What this machine must have for a node of our own, and what of it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import golang, versions
from .places import ClusterError, environment
from .progress import step


def problems() -> list[str]:
    """Return what stands in the way, a sentence each; [] if a node can be had."""
    if not sys.platform.startswith("linux"):
        return [f"this is {sys.platform}, not Linux"]
    found = []
    if os.geteuid() != 0:
        found.append("not root: namespaces, control groups and a network interface are to be made")
    if golang.missing(golang.NODE) and (problem := golang.go_problem()):
        found.append(problem)
    if (packages := missing_packages()) and (shutil.which("apt-get") is None or os.geteuid() != 0):
        found.append(f"Debian packages missing: {' '.join(packages)}")
    return found


def missing_packages() -> list[str]:
    """Return the Debian packages whose programs are not there."""
    path = environment()["PATH"]
    return [
        package
        for package, program in versions.PACKAGES.items()
        if not (Path(program).exists() if program.startswith("/") else shutil.which(program, path=path))
    ]


def install_packages() -> None:
    """Install the Debian packages that are missing. Raise ClusterError."""
    if not (packages := missing_packages()):
        return
    with step(f"installed {' '.join(packages)}"):
        for command in (["update", "-qq"], ["install", "-qq", "--yes", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", *command], env=environment(DEBIAN_FRONTEND="noninteractive"),
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise ClusterError(f"apt-get {command[0]} failed:\n{done.stderr[-2000:]}")
