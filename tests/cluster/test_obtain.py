"""Which cluster is taken, and what is said when none can be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .environment import supervisor
from .environment.claim import Claim
from .environment.obtain import RefusedError, obtain
from .environment.places import Site, UnavailableError

TEST = Path(__file__).with_name("test_environment.py")
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


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process and its children find no program, nothing built and no given cluster."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GITMART_CLUSTER_CACHE", str(tmp_path))
    monkeypatch.delenv("GITMART_KUBECONFIG", raising=False)


@pytest.mark.usefixtures("bare")
def test_a_machine_without_anything_is_told_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(UnavailableError) as failure:
        obtain()

    said = str(failure.value)
    for missing in ("GITMART_KUBECONFIG", "Docker or Podman", "not root", "no Go: version 1.26", "packages missing"):
        assert missing in said


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("required", "outcome"), [("0", "1 skipped"), ("1", "1 error")])
def test_without_a_cluster_tests_are_skipped_unless_it_is_required(
    required: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITMART_REQUIRE_CLUSTER", required)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    words = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        f"{TEST}::test_a_pod_that_breaks_the_standard_is_refused",
    ]

    done = subprocess.run([sys.executable, "-m", "pytest", *words], capture_output=True, text=True, check=False)

    assert outcome in done.stdout.splitlines()[-1]
    assert "no Go: version 1.26 or newer must be in PATH" in done.stdout
