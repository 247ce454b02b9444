"""Where everything is kept, and every name and address of a node of our own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]


class ClusterError(RuntimeError):
    """Something of the environment went wrong; the message says what."""


class UnavailableError(ClusterError):
    """A cluster cannot be had here, or not now; the message says what is missing."""


def cache_folder() -> Path:
    """Return the folder of all that is built and kept between runs."""
    if given := os.environ.get("GITMART_CLUSTER_CACHE"):
        return Path(given).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "gitmart" / "cluster"


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment for a program of root's, wherever that is, and some variables more."""
    return os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"} | more


@dataclass(frozen=True)
class Site:
    """
    One node's names and addresses: all that exists once per machine.

    Nobody but the environment's own tests has use for another number than 0: with it they start
    and kill a node while the one that the other tests share goes on.
    """

    number: int = 0

    @classmethod
    def of_environment(cls) -> Site:
        """Return the site that GITMART_CLUSTER_SITE names, else the usual one."""
        return cls(int(os.environ.get("GITMART_CLUSTER_SITE", "0")))

    @cached_property
    def name(self) -> str:
        """Name of the cluster, its node, its context and its control group."""
        return "gitmart-test" + (f"-{self.number}" if self.number else "")

    @property
    def link(self) -> str:
        """The one network interface made on the host; at most 15 characters."""
        return f"gitmart-test{self.number}"

    @property
    def host_ip(self) -> str:
        """The host, seen from node and pods."""
        return f"10.99.{self.number}.1"

    @property
    def node_ip(self) -> str:
        """The node: API server (6443) and DNS (53)."""
        return f"10.99.{self.number}.2"

    @property
    def pods(self) -> str:
        """Network of the pods."""
        return f"10.244.{self.number}.0/24"

    @property
    def services(self) -> str:
        """Network of the Services."""
        return f"10.{96 + self.number}.0.0/16"

    @property
    def kubernetes_service_ip(self) -> str:
        """Address of the Service `kubernetes`: the first of the network."""
        return f"10.{96 + self.number}.0.1"

    @property
    def state(self) -> Path:
        """All that a running node writes; gone with it."""
        return cache_folder() / f"state{self.number}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's way in."""
        return self.state / "kubeconfig"

    @property
    def store(self) -> Path:
        """Unpacked images: kept, because unpacking takes longer than all else together."""
        return cache_folder() / f"store{self.number}"
