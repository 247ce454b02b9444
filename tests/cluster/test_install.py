"""The chart on a real cluster, with default values but for what no default can know."""

from __future__ import annotations

from .release import Release


def test_helm_test_finds_the_release_well(release: Release) -> None:
    assert "Phase:          Succeeded" in release.helm("test", release.name, "--timeout", "3m")
