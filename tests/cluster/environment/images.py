"""
Container images without a registry and without Docker: built by buildah, left as archives a node imports.

An image is named after its content: `localhost/gitmart:<digest of all that goes into it>`. So a tag never
means two things, and what has not changed is neither built nor imported again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gitmart.local.locks import held

from . import buildah, golang
from .buildah import BASE_KEY, folder, run
from .places import HERE, PROJECT
from .progress import say, step

IMAGES = HERE / "images"
LEFT_OUT = ("__pycache__", "dbt/target/", "dbt/logs/", "dbt/dbt_packages/")  # what .dockerignore leaves out too

KEPT = 3  # archives per image: somebody else may be about to import the one before


@dataclass(frozen=True, slots=True)
class Built:
    """An image as it was built from one state of its inputs; written `name:digest`."""

    name: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Built:
        """Return what `str` has written."""
        return cls(*text.split(":"))

    def __str__(self) -> str:
        return f"{self.name}:{self.digest}"

    @property
    def reference(self) -> str:
        """Its name in a pod's spec."""
        return f"localhost/{self}"

    @property
    def archive(self) -> Path:
        """The file a node imports."""
        return folder() / f"{self.name}-{self.digest}.tar"


@dataclass(frozen=True, slots=True)
class Image:
    """How one image is built: its name, the folder it is built in and all that goes into it."""

    name: str
    context: Path
    inputs: tuple[Path, ...]
    based: bool = True  # on BASE; else FROM scratch

    def now(self) -> Built:
        """Return what its inputs give as they are at this moment: 12 hexadecimal digits over all of them."""
        found = hashlib.sha256((BASE_KEY if self.based else "").encode())
        for name in sorted(self._files()):
            file = self.context / name
            found.update(f"{name}\0{file.stat().st_mode & 0o111}\0".encode())
            found.update(hashlib.sha256(file.read_bytes()).digest())
        return Built(self.name, found.hexdigest()[:12])

    def _files(self) -> Iterator[str]:
        for path in self.inputs:
            for file in [path] if path.is_file() else path.rglob("*"):
                name = str(file.relative_to(self.context))
                if file.is_file() and not any(part in name for part in LEFT_OUT):
                    yield name


GITMART = Image(
    "gitmart", PROJECT,
    tuple(PROJECT / name for name in ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "dbt", "operator",
                                      "pyproject.toml", "requirements")),
)  # fmt: skip
POSTGRES = Image("postgres", IMAGES / "postgres", (IMAGES / "postgres",))
PAUSE = Image("pause", IMAGES / "pause", (IMAGES / "pause",), based=False)
ALL = (PAUSE, POSTGRES, GITMART)


def ensure(images: Iterable[Image] = ALL) -> list[Built]:
    """Build what is missing of these images and return them. Two who build at once take turns. Raise ClusterError."""
    folder().mkdir(parents=True, exist_ok=True)
    return [_ensure(image, image.now()) for image in images]


def _ensure(image: Image, built: Built) -> Built:
    if not built.archive.exists():
        with held(folder() / "lock", f"process {os.getpid()}", lambda other: say(f"waiting for {other}, which builds")):
            if not built.archive.exists():
                with step(f"built {built.reference}"):
                    _build(image, built)
    return built


def _build(image: Image, built: Built) -> None:
    if image is PAUSE:
        buildah.build(built.reference, _compiled_pause())
    else:
        if image is GITMART:  # a name keeps this stage when old steps are removed: it takes longest
            buildah.build_upon_base("localhost/dependencies:kept", image.context, "--target=dependencies")
        buildah.build_upon_base(built.reference, image.context, f"--build-arg=REVISION={_revision()}")
    buildah.export(built.reference, built.archive)
    archives = sorted(folder().glob(f"{image.name}-*.tar"), key=lambda file: file.stat().st_mtime)
    for old in archives[:-KEPT]:
        old.unlink()
        buildah.forget(Built(image.name, old.stem.removeprefix(f"{image.name}-")).reference)


def _compiled_pause() -> Path:
    golang.check_go()
    context = folder() / "pause"
    shutil.copytree(PAUSE.context, context, dirs_exist_ok=True)
    run("go", "build", "-trimpath", "-ldflags", golang.LDFLAGS, "-o", "pause", "main.go", cwd=context, CGO_ENABLED="0")
    return context


def _revision() -> str:
    return run("git", "rev-parse", "HEAD", cwd=PROJECT, check=False).stdout.strip() or "unknown"
