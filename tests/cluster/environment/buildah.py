"""Buildah with a storage of its own, and the stand-in for the official Python image that it builds upon."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from . import versions
from .places import HERE, ClusterError, cache_folder, environment
from .progress import step

BASE_DOCKERFILE = HERE / "images" / "base.Dockerfile"
BASE_PACKAGES = "ca-certificates,python3,python3-venv,python3-pip"
BASE_KEY = hashlib.sha256(f"{versions.DEBIAN} {BASE_PACKAGES} {BASE_DOCKERFILE.read_text()}".encode()).hexdigest()[:12]
BASE = f"localhost/base:{BASE_KEY}"

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")


def folder() -> Path:
    """Where images, their archives and all that buildah keeps are."""
    return cache_folder() / "images"


def build_upon_base(reference: str, context: Path, *arguments: str) -> None:
    """
    Build an image upon the base, which is made if missing. Raise ClusterError.

    Steps get this machine's certificate authorities and package sources as mounts, so that none of them
    is in the image; the base has files at those places, or empty ones would stay behind.
    """
    ensure_base()
    mounts = [f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"]
    if SOURCES.exists():
        ours = folder() / "sources"
        ours.mkdir(exist_ok=True)
        shutil.copy(SOURCES, ours)
        mounts.append(f"--volume={ours}:{SOURCES.parent}:ro")
    build(reference, context, f"--build-arg=BASE_IMAGE={BASE}", *mounts, *arguments)


def build(reference: str, context: Path, *arguments: str) -> None:
    """Build an image from a folder with a Dockerfile. Raise ClusterError."""
    # chroot: steps are on the machine's network, so no bridge and no rule is made for them.
    _buildah("bud", "--isolation=chroot", "--pull-never", "--layers", *arguments, f"--tag={reference}", str(context))


def export(reference: str, archive: Path) -> None:
    """Write an image into a file. Raise ClusterError."""
    # docker-archive: the other kind is always compressed, which takes three times as long.
    part = archive.with_suffix(".part")
    part.unlink(missing_ok=True)
    _buildah("push", "--quiet", reference, f"docker-archive:{part}:{reference}")
    part.rename(archive)


def forget(reference: str) -> None:
    """Remove an image, if there is one, and all steps of builds that led to it alone."""
    _buildah("rmi", reference, check=False)
    _buildah("rmi", "--prune", check=False)


def ensure_base() -> None:
    """Have a stand-in for the official Python image: Debian with Python, made by debootstrap."""
    if _buildah("inspect", "--type=image", BASE, check=False).returncode == 0:
        return
    context = folder() / "base"
    root = context / "rootfs"
    with step(f"built {BASE}"):
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir(parents=True)
        _debootstrap(root)
        shutil.copy(BASE_DOCKERFILE, context / "Dockerfile")
        run("tar", "-C", str(root), "--numeric-owner", "-cf", str(context / "rootfs.tar"), ".")
        build(BASE, context)
        shutil.rmtree(context)


def _debootstrap(root: Path) -> None:
    options = ["--variant=minbase", f"--include={BASE_PACKAGES}"]
    mirror = []  # debootstrap's own choice, which it also writes down in the tree
    if SOURCES.exists():
        mirror = [next(line.split()[1] for line in SOURCES.read_text().splitlines() if line.startswith("URIs:"))]
    run("unshare", "--mount", "debootstrap", *options, versions.DEBIAN, str(root), *mirror)
    if SOURCES.exists():  # this machine's mirror is nobody else's business
        (root / "etc/apt/sources.list").write_text("")
    for kind in ("doc", "man", "locale"):
        shutil.rmtree(root / "usr/share" / kind)
    for rest in ("var/cache/apt", "var/lib/apt/lists", "var/log"):
        shutil.rmtree(root / rest)
        (root / rest).mkdir()


def _buildah(command: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    # A storage of its own leaves the user's images alone; in a mount namespace its mounts end with it.
    storage = [f"--root={folder() / 'storage'}", f"--runroot={folder() / 'run'}", "--storage-driver=overlay"]
    temporary = folder() / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return run("unshare", "--mount", "buildah", *storage, command, *words, check=check, TMPDIR=str(temporary))


def run(
    *command: str, cwd: Path | None = None, check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command without input. Raise ClusterError, with the end of what it printed, if it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=environment(**variables), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if check and done.returncode != 0:
        raise ClusterError(f"{' '.join(command[:6])} … failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done
