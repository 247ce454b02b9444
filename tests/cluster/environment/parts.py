"""
An image's archive without the layers that a node has already.

A change of code changes the last layer alone, which is small; importing the others again would take longer
than all else. The archive of `docker save` must be complete; an OCI layout need not be.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

OCI = "application/vnd.oci.image"


def write_missing(archive: Path, reference: str, has: Collection[str], target: Path) -> None:
    """Write into `target` what of a `docker save` archive is not among the digests that a node has."""
    with tarfile.open(archive) as whole, tarfile.open(target, "w") as part:
        (described,) = json.load(_open(whole, "manifest.json"))
        config = _open(whole, described["Config"]).read()
        layers = list(_layers(whole, described["Layers"], json.loads(config)["rootfs"]["diff_ids"]))
        for descriptor, name in layers:
            if descriptor["digest"] not in has:
                _add(part, descriptor["digest"], whole.getmember(name).size, _open(whole, name))
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": _put(part, config, f"{OCI}.config.v1+json"),
            "layers": [descriptor for descriptor, _ in layers],
        }
        listed = _put(part, json.dumps(manifest).encode(), f"{OCI}.manifest.v1+json")
        listed["annotations"] = {"io.containerd.image.name": reference}
        index = {"schemaVersion": 2, "manifests": [listed]}
        _write(part, "index.json", json.dumps(index).encode())
        _write(part, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


def _layers(whole: tarfile.TarFile, names: list[str], digests: list[str]) -> Iterator[tuple[dict[str, Any], str]]:
    for name, digest in zip(names, digests, strict=True):
        yield {"mediaType": f"{OCI}.layer.v1.tar", "digest": digest, "size": whole.getmember(name).size}, name


def _put(part: tarfile.TarFile, content: bytes, media_type: str) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _add(part, digest, len(content), io.BytesIO(content))
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _add(part: tarfile.TarFile, digest: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(f"blobs/{digest.replace(':', '/')}")
    member.size = size
    part.addfile(member, content)


def _write(part: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    part.addfile(member, io.BytesIO(content))


def _open(whole: tarfile.TarFile, name: str) -> IO[bytes]:
    found = whole.extractfile(name)
    assert found is not None
    return found
