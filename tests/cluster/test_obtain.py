"""Which cluster is taken, and what is said when none can be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .environment import machine, supervisor
from .environment.claim import Claim
from .environment.obtain import RefusedError, obtain
from .environment.places import Site, UnavailableError

KUBECONFIG = "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n"


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a kubeconfig that is given to the tests; it is not there yet."""
    path = tmp_path / "kubeconfig"
    monkeypatch.setenv("GITMART_KUBECONFIG", str(path))
    monkeypatch.setenv("GITMART_IMAGE", "registry.example.org/gitmart:1")
    monkeypatch.setenv("GITMART_POSTGRES_IMAGE", "registry.example.org/postgres:15")
    return path


def test_a_given_cluster_named_for_tests_is_taken(given: Path) -> None:
    given.write_text(KUBECONFIG.format(context="team-test"))

    obtained = obtain()

    assert (obtained.kind, obtained.kubeconfig, obtained.image) == ("given", given, "registry.example.org/gitmart:1")


def test_a_given_cluster_that_is_not_named_for_tests_is_refused(given: Path) -> None:
    given.write_text(KUBECONFIG.format(context="production"))

    with pytest.raises(RefusedError, match=r"current context 'production'.*only a context with `test` in its name"):
        obtain()


def test_a_given_file_that_is_no_kubeconfig_is_refused(given: Path) -> None:
    with pytest.raises(RefusedError, match=r"is no kubeconfig: .*No such file"):
        obtain()


def test_a_given_cluster_needs_the_names_of_the_images(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given.write_text(KUBECONFIG.format(context="team-test"))
    monkeypatch.delenv("GITMART_POSTGRES_IMAGE")

    with pytest.raises(RefusedError, match="GITMART_POSTGRES_IMAGE not"):
        obtain()


def test_two_at_once_are_refused() -> None:
    site = Site(2)  # no other test has one there
    claim = Claim(site, owner=os.getppid())
    try:
        with pytest.raises(UnavailableError, match=rf"process {os.getpid()} runs a cluster.*process {os.getppid()} \("):
            supervisor.start(site, (), owner=None)
    finally:
        claim.close()


def test_a_machine_without_anything_is_told_all_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine, "PROGRAMS_OF_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GITMART_CLUSTER_CACHE", str(tmp_path))
    monkeypatch.delenv("GITMART_KUBECONFIG", raising=False)

    with pytest.raises(UnavailableError) as failure:
        obtain()

    said = str(failure.value)
    for missing in ("GITMART_KUBECONFIG", "Docker or Podman", "not root", "no Go: version 1.26", "containerd runc"):
        assert missing in said
