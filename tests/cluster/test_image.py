"""What is in the image of gitmart, and what is not."""

from __future__ import annotations

import json
import re
import tarfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import pytest

from .client import Cluster, Namespace, job, restricted_pod
from .environment.images import Built

LIMIT = 450_000_000  # bytes, unpacked, without the base
COMPILERS = re.compile(r"(usr/bin|usr/local/bin)/([\w.-]+-)?(gcc|g\+\+|cc|c\+\+|clang|rustc|ld|as)(-[\d.]+)?$")
CACHES = re.compile(
    r"(root/\.cache/|\.cache/(pip|uv)|var/cache/apt/archives/.+\.deb|var/lib/apt/lists/.+Packages|opt/uv/)"
)
SOURCES = re.compile(r"(^|/)(etc/(apt|pip|ssl|ca-certificates)|usr/local/share/ca-certificates)(/|\.conf$)")


@dataclass(frozen=True, slots=True)
class Contents:
    """What an image holds beyond its base."""

    config: dict[str, Any]
    files: dict[str, int]  # path: size in bytes


@pytest.fixture(scope="module")
def contents(cluster: Cluster) -> Contents:
    """The image that the cluster runs, as the archive has it."""
    if cluster.obtained.kind != "native":
        pytest.skip("only a node of our own has its images as archives")
    ours, other = (Built.parse(name.partition("/")[2]).archive for name in (cluster.image, cluster.postgres_image))
    base = {layer for layer in _manifest(other)["Layers"] if layer in _manifest(ours)["Layers"]}
    assert len(base) == 1, "both images are made from the same base, and share no other layer"
    return _read(ours, base)


def test_it_is_small(contents: Contents) -> None:
    assert sum(contents.files.values()) <= LIMIT


def test_it_has_all_of_dbts_own_macros(contents: Contents) -> None:
    parts = ("dbt-core", "dbt-adapters", "dbt-postgres")
    installed = {str(file) for part in parts for file in metadata.files(part) or () if file.suffix == ".sql"}
    shipped = {path.partition("/site-packages/")[2] for path in contents.files if path.endswith(".sql")}

    assert [path for path in installed if "/tests/" in path], "some are in folders of a name that the image leaves out"
    assert installed - shipped == set()


def test_it_runs_as_nobody_in_particular(contents: Contents) -> None:
    assert contents.config["User"] == "10001:10001"


def test_it_tells_what_it_is(contents: Contents) -> None:
    labels = contents.config["Labels"]

    assert labels["org.opencontainers.image.title"] == "gitmart"
    assert labels["org.opencontainers.image.version"] == metadata.version("gitmart")
    assert re.fullmatch(r"[0-9a-f]{40}", labels["org.opencontainers.image.revision"])


@pytest.mark.parametrize(
    "unwanted",
    [
        pytest.param(COMPILERS, id="compilers"),
        pytest.param(CACHES, id="caches"),
        pytest.param(SOURCES, id="where packages came from"),
    ],
)
def test_it_holds_nothing_of_its_making(contents: Contents, unwanted: re.Pattern[str]) -> None:
    assert [path for path in contents.files if unwanted.search(path)] == []


def test_all_of_it_is_compiled(contents: Contents) -> None:
    packages = {path for path in contents.files if "/site-packages/" in path and path.endswith(".py")}
    compiled = {re.sub(r"__pycache__/(.+)\.cpython-\d+\.pyc$", r"\1.py", path) for path in contents.files}

    assert len(packages) > 1000
    assert packages - compiled == set()


def test_every_process_of_it_starts_without_writing(cluster: Cluster, namespace: Namespace) -> None:
    script = "set -e; id -u; gitmart --version; git --version; ssh -V 2>&1; ssh -T -G a.example.org | grep ^user; dbt --version | head -1; touch /x 2>&1 || :"
    namespace.apply(job("programs", restricted_pod(cluster.image, command=["sh", "-c", script])))

    namespace.wait_for_condition("job", "programs", "Complete")

    user, gitmart, git, ssh, *more, refusal = namespace.logs("programs").splitlines()
    assert user == "10001"
    assert gitmart == f"gitmart {metadata.version('gitmart')}"
    assert git.startswith("git version 2.")
    assert ssh.startswith("OpenSSH_")
    assert more[0] == "user gitmart"  # ssh works for nobody without a line in /etc/passwd
    assert "Read-only file system" in refusal


def _manifest(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as opened:
        manifest: dict[str, Any] = json.load(_member(opened, "manifest.json"))[0]
    return manifest


def _read(archive: Path, base: set[str]) -> Contents:
    manifest = _manifest(archive)
    files: dict[str, int] = {}
    with tarfile.open(archive) as opened:
        config = json.load(_member(opened, manifest["Config"]))["config"]
        for name in manifest["Layers"]:
            if name not in base:
                with tarfile.open(fileobj=_member(opened, name)) as layer:
                    files |= {member.name: member.size for member in layer if member.isfile()}
    return Contents(config, files)


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    assert found is not None
    return found
