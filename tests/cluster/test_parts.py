"""An image's archive is cut to what a node lacks, and stays whole in its description."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from .environment.parts import write_missing

BASE, CODE = b"a large layer", b"a small layer"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """What `docker save` writes, as far as it is read."""
    config = json.dumps({"rootfs": {"diff_ids": [digest(BASE), digest(CODE)]}}).encode()
    described = [{"Config": "config.json", "Layers": ["base.tar", "code.tar"], "RepoTags": ["localhost/a:1"]}]
    content = {
        "config.json": config,
        "base.tar": BASE,
        "code.tar": CODE,
        "manifest.json": json.dumps(described).encode(),
    }
    with tarfile.open(tmp_path / "archive.tar", "w") as written:
        for name, raw in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            written.addfile(member, io.BytesIO(raw))
    return tmp_path / "archive.tar"


def test_a_layer_the_node_has_is_left_out_but_listed(archive: Path, tmp_path: Path) -> None:
    write_missing(archive, "localhost/a:1", {digest(BASE)}, tmp_path / "part.tar")

    with tarfile.open(tmp_path / "part.tar") as part:
        found = {member.name: part.extractfile(member).read() for member in part}  # type: ignore[union-attr]
    (listed,) = json.loads(found["index.json"])["manifests"]
    manifest = json.loads(found[blob(listed["digest"])])
    assert [layer["digest"] for layer in manifest["layers"]] == [digest(BASE), digest(CODE)]
    assert [layer["size"] for layer in manifest["layers"]] == [len(BASE), len(CODE)]
    assert blob(digest(BASE)) not in found
    assert found[blob(digest(CODE))] == CODE
    assert blob(manifest["config"]["digest"]) in found
    assert listed["annotations"] == {"io.containerd.image.name": "localhost/a:1"}


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blob(name: str) -> str:
    return f"blobs/{name.replace(':', '/')}"
