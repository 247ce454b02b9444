"""
Container images without a registry and without Docker: built by buildah, left as archives a node imports.

An image is named after its content: `localhost/gitmart:<digest of all that goes into it>`. So a tag never
means two things, and what has not changed is neither built nor imported again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gitmart.local.locks import held

from . import golang, versions
from .places import HERE, PROJECT, ClusterError, cache_folder, environment
from .progress import say, step

IMAGES = HERE / "images"
BASE = f"localhost/base:{versions.DEBIAN}"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
BASE_PACKAGES = "ca-certificates,python3,python3-venv,python3-pip"
LEFT_OUT = ("__pycache__", "target", "logs", "dbt_packages")  # folders that are in no image


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
        found = hashlib.sha256((BASE_PACKAGES + versions.DEBIAN if self.based else "").encode())
        for file in _files(self.inputs):
            found.update(f"{file.relative_to(self.context)}\0{file.stat().st_mode & 0o111}\0".encode())
            found.update(hashlib.sha256(file.read_bytes()).digest())
        return Built(self.name, found.hexdigest()[:12])


GITMART = Image(
    "gitmart", PROJECT,
    tuple(PROJECT / name for name in ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "dbt", "operator",
                                      "pyproject.toml", "requirements")),
)  # fmt: skip
POSTGRES = Image("postgres", IMAGES / "postgres", (IMAGES / "postgres",))
PAUSE = Image("pause", IMAGES / "pause", (IMAGES / "pause",), based=False)
ALL = (PAUSE, POSTGRES, GITMART)


def folder() -> Path:
    """Where the archives are."""
    return cache_folder() / "images"


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
    context = image.context
    arguments: list[str] = []
    if image is PAUSE:
        context = _compiled_pause()
    if image.based:
        ensure_base()
        arguments = [f"--build-arg=BASE_IMAGE={BASE}", f"--build-arg=REVISION={_revision()}"]
        arguments += [f"--volume={CERTIFICATES}:{CERTIFICATES}:ro", f"--volume={_sources()}:{SOURCES.parent}:ro"]
    _bud(built.reference, context, *arguments)
    _export(built.reference, built.archive)
    archives = sorted(folder().glob(f"{image.name}-*.tar"), key=lambda file: file.stat().st_mtime)
    for old in archives[:-KEPT]:
        old.unlink()
        _buildah("rmi", f"localhost/{image.name}:{old.stem.removeprefix(image.name + '-')}", check=False)


def ensure_base() -> None:
    """Have a stand-in for the official Python image: Debian with Python, made by debootstrap."""
    if _buildah("inspect", "--type=image", BASE, check=False).returncode == 0:
        return
    context = folder() / "base"
    with step(f"built {BASE}"):
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir(parents=True)
        _debootstrap(context / "rootfs")
        shutil.copy(IMAGES / "base.Dockerfile", context / "Dockerfile")
        _run("tar", "-C", str(context / "rootfs"), "--numeric-owner", "-cf", str(context / "rootfs.tar"), ".")
        shutil.rmtree(context / "rootfs")
        _bud(BASE, context)
        shutil.rmtree(context)


def _debootstrap(root: Path) -> None:
    mirror = next(line.split()[1] for line in SOURCES.read_text().splitlines() if line.startswith("URIs:"))
    options = ["--variant=minbase", f"--include={BASE_PACKAGES}"]
    _run("unshare", "--mount", "debootstrap", *options, versions.DEBIAN, str(root), mirror)
    # This machine's mirror is nobody else's business: builds get it by a mount.
    (root / "etc/apt/sources.list").write_text("")
    for kind in ("doc", "man", "locale"):
        shutil.rmtree(root / "usr/share" / kind)
    for rest in ("var/cache/apt", "var/lib/apt/lists", "var/log"):
        shutil.rmtree(root / rest)
        (root / rest).mkdir()


def _sources() -> Path:
    """Return a folder with this machine's Debian sources alone, for apt inside a build."""
    made = folder() / "sources"
    made.mkdir(exist_ok=True)
    shutil.copy(SOURCES, made)
    return made


def _compiled_pause() -> Path:
    golang.check_go()
    context = folder() / "pause"
    shutil.copytree(IMAGES / "pause", context, dirs_exist_ok=True)
    _run("go", "build", "-trimpath", "-ldflags", golang.LDFLAGS, "-o", "pause", "main.go", cwd=context, CGO_ENABLED="0")
    return context


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _bud(reference: str, context: Path, *arguments: str) -> None:
    # chroot: RUN steps are on the host's network, so no bridge and no rule is made for them.
    _buildah("bud", "--isolation=chroot", "--pull-never", "--layers", *arguments, f"--tag={reference}", str(context))


def _export(reference: str, archive: Path) -> None:
    # docker-archive: the other kind is always compressed, which takes three times as long.
    part = archive.with_suffix(".part")
    part.unlink(missing_ok=True)
    _buildah("push", "--quiet", reference, f"docker-archive:{part}:{reference}")
    part.rename(archive)


def _buildah(command: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    # Storage of its own leaves the user's images alone; in a mount namespace its mounts end with it.
    storage = [f"--root={folder() / 'storage'}", f"--runroot={folder() / 'run'}", "--storage-driver=overlay"]
    temporary = folder() / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return _run("unshare", "--mount", "buildah", *storage, command, *words, check=check, TMPDIR=str(temporary))


def _run(
    *command: str, cwd: Path | None = None, check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=cwd, env=environment(**variables), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise ClusterError(f"{' '.join(command[:4])} … failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done


def _files(inputs: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in inputs:
        found += [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sorted(file for file in found if not set(LEFT_OUT) & set(file.parts))
