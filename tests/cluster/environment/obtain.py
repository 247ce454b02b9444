"""
Have a cluster, in this order: the one of a given kubeconfig, kind where an engine answers, a node of our own.

Each way is refused with words, and if all are, the message lists them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from . import golang, images, kind, machine, supervisor
from .claim import holder
from .images import GITMART, POSTGRES, Built
from .places import ClusterError, Site, UnavailableError

GIVEN = "GITMART_KUBECONFIG"


class RefusedError(ClusterError):
    """A cluster was named that tests must not touch."""


@dataclass(frozen=True, slots=True)
class Obtained:
    """A cluster that runs."""

    kind: Literal["given", "kind", "native"]
    kubeconfig: Path
    image: str  # gitmart's
    postgres_image: str
    host_ip: str | None  # this machine, seen from pods; None if unknown
    volumes: Path | None = None  # a folder that node and machine share, for hostPath


def obtain(owner: int | None = None) -> Obtained:
    """
    Have a cluster running and return it.

    `owner` is the process that a node of our own shall end with; None lets it stay until `release`.
    Raise UnavailableError when none can be had, RefusedError when a kubeconfig is given that is not for tests.
    """
    if path := os.environ.get(GIVEN):
        return _given(Path(path))
    if engine := kind.engine():
        return _kind(engine)
    return _native(Site.of_environment(), owner)


def release() -> bool:
    """End the cluster, whoever started it; return whether there was one. A given one is left alone."""
    return any([kind.stop(), supervisor.stop(Site.of_environment())])


def prepare() -> None:
    """Build and install all that a cluster here needs, without starting it. Raise ClusterError."""
    if os.environ.get(GIVEN):
        return
    if engine := kind.engine():
        kind.build(engine, _built_by_engine())
    else:
        _prepare_native()


def _built_by_engine() -> list[Built]:
    return [image.now() for image in (GITMART, POSTGRES)]


def _prepare_native() -> list[Built]:
    _check_native()
    machine.install_packages()
    golang.ensure(golang.NODE)
    return images.ensure()


def running() -> Path | None:
    """Return the kubeconfig of the cluster that runs, None if none does."""
    if path := os.environ.get(GIVEN):
        return Path(path)
    if kind.kubeconfig().exists():
        return kind.kubeconfig()
    site = Site.of_environment()
    found = holder(site)
    return site.kubeconfig if found and found.ready and found.state == str(site.state) else None


def _given(path: Path) -> Obtained:
    try:
        context = yaml.safe_load(path.read_text()).get("current-context") or ""
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise RefusedError(f"{GIVEN}={path} is no kubeconfig: {error}") from None
    if "test" not in context:
        raise RefusedError(
            f"{GIVEN}={path} has the current context {context!r}: tests make and delete at will, "
            "so only a context with `test` in its name is taken"
        )
    variables = ("GITMART_IMAGE", "GITMART_POSTGRES_IMAGE")
    if absent := [name for name in variables if not os.environ.get(name)]:
        raise RefusedError(f"{GIVEN} is set, {' and '.join(absent)} not: name the images its nodes can pull")
    image, postgres = (os.environ[name] for name in variables)
    return Obtained("given", path, image, postgres, os.environ.get("GITMART_HOST_IP"))


def _kind(engine: str) -> Obtained:
    built = _built_by_engine()
    host_ip = kind.start(engine, built)
    gitmart, postgres = (image.reference for image in built)
    return Obtained("kind", kind.kubeconfig(), gitmart, postgres, host_ip)


def _native(site: Site, owner: int | None) -> Obtained:
    built = _prepare_native()
    supervisor.start(site, built, owner)
    named = {image.name: image.reference for image in built}
    references = named[GITMART.name], named[POSTGRES.name]
    return Obtained("native", site.kubeconfig, *references, site.host_ip, site.state / "volumes")


def _check_native() -> None:
    if problems := machine.problems():
        ways = [f"no kubeconfig is given ({GIVEN})", "no Docker or Podman engine answers, which kind would need"]
        ways.append(f"a node of our own cannot be made: {'; '.join(problems)}")
        raise UnavailableError("no cluster can be had here:\n" + "\n".join(f"- {way}" for way in ways))
