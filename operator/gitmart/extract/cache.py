"""
A folder on a volume that outlives the run: packs of a repository, and a seal that says which.

Nothing there is believed but what the seal proves, and git never works there: no configuration, hook or reference to
other objects is read from the volume, and no lock of git's is left on it. A file gets its name once it is whole, and
counts once a seal names it; so a run that dies leaves what was there before, and files that the next one removes.
Whatever is wrong with the volume costs a clone or the next run's savings, never this run.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gitmart.contract.sizes import format_size
from gitmart.extract.errors import InputError
from gitmart.extract.failure import FULL
from gitmart.extract.fetch import NeedsCloneError
from gitmart.extract.seal import Seal, Sealed, key_of, read_seal, seal_bytes

SEAL, LOCK, NEEDED, NEW = "seal", "lock", "needed", "new-"
PACK = re.compile(r"pack-[0-9a-f]{40,64}\.(pack|idx)")
_OURS = re.compile(rf"({NEW})?({PACK.pattern}|{SEAL})")
_CHUNK = 1 << 20  # bytes
_LARGEST_SEAL = 256 << 20  # bytes; one of 900,000 refs has a fifth of that
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # the last for a pipe under a name of ours
_READABLE = 60  # characters of an address in the name of a folder


class CacheError(Exception):
    """The cache cannot serve this run, or not be filled by it; the text says why. The run goes on without."""


def folder_name(repository: str) -> str:
    """Return the name of the folder of a repository, by the key of its address: readable, and no two share one."""
    shown = re.sub(r"[^a-z0-9.-]+", "_", repository.partition("://")[2].lower()).strip("._-")[-_READABLE:]
    return f"{shown}-{hashlib.sha256(repository.encode()).hexdigest()[:16]}"


@contextmanager
def opened(root: Path, repository: str, secret: str) -> Iterator[Cache]:
    """
    Yield the cache of a repository in the folder `root`, held for us alone until the end.

    Raise InputError when there is no such folder, CacheError when the cache cannot be used.
    """
    if not root.is_dir():
        raise InputError(f"--cache-dir {root} is not a folder")
    folder = root / folder_name(repository)
    descriptors: list[int] = []
    try:
        try:
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)  # what a private repository holds is for us alone
            descriptors.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
            descriptors.append(_locked(descriptors[0]))
        except OSError as error:
            raise CacheError(_unusable(folder.name, error)) from None
        cache = Cache(folder, descriptors[0], repository, key_of(secret, repository))
        cache.refuse_without_room()
        yield cache
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _locked(folder: int) -> int:
    """Return the descriptor whose lock goes with this process, however that ends."""
    try:
        lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        how = fcntl.LOCK_EX
    except OSError as error:
        if error.errno not in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise
        lock, how = os.open(LOCK, _READ, dir_fd=folder), fcntl.LOCK_SH  # who cannot write takes nothing away
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _unusable(name: str, error: OSError) -> str:
    if isinstance(error, BlockingIOError):
        return f"another run is using the folder {name} of the cache"
    return f"the folder {name} of the cache cannot be used: {error.strerror}"


class Cache:
    """The folder of one repository. `seal` is what was found there and proved; None: nothing was."""

    def __init__(self, folder: Path, descriptor: int, repository: str, key: bytes) -> None:
        self.seal: Seal | None = None
        self.folder = folder
        self._descriptor = descriptor
        self._repository = repository
        self._key = key

    def refuse_without_room(self) -> None:
        """Raise CacheError when nothing is there and, as an earlier run has found, what should be does not fit."""
        if SEAL in self._names() or not (needed := self._needed()):
            return
        space = os.fstatvfs(self._descriptor)
        free = space.f_bavail * space.f_frsize + sum(self._size(name) for name in self._names())
        if free < needed:
            raise CacheError(
                f"the cache's volume has {format_size(free >> 20 << 20)} free, and the repository "
                f"takes {format_size((needed >> 20) + 1 << 20)}"
            )

    def check(self) -> Seal:
        """
        Return the seal of a mirror every byte of which was looked at.

        Raise NeedsCloneError when there is none to be believed, CacheError when none can be put in its place either.
        """
        try:
            self.seal = self._checked()
        except OSError as error:
            reason = f"what the cache holds cannot be read: {error.strerror}"
        except _BadError as bad:
            reason = str(bad)
        else:
            return self.seal
        if not os.access(self.folder, os.W_OK):
            raise CacheError(f"{reason}, and its volume cannot be written")
        raise NeedsCloneError(reason)

    def _checked(self) -> Seal:
        names = self._names()
        if SEAL not in names:
            cut_off = any(_OURS.fullmatch(name) for name in names)
            raise _BadError(
                "the cache holds no whole mirror: a run was cut off while it made one"
                if cut_off
                else "the cache holds nothing yet"
            )
        with self._open(SEAL) as file:
            data = file.read(_LARGEST_SEAL)
        seal = read_seal(data, self._key)
        if seal is None or seal.key != self._repository:
            raise _BadError("the cache was not written by a run with this address and this warehouse")
        for name, sealed in seal.files.items():
            if name not in names or self._measured(name, sealed.size) != sealed:
                raise _BadError(f"the cache is damaged: {name} is not what it was")
        return seal

    def _measured(self, name: str, size: int) -> Sealed:
        digest = hashlib.sha256()
        with self._open(name) as file:
            found = os.fstat(file.fileno()).st_size
            while found == size and (data := file.read(_CHUNK)):
                digest.update(data)
        return Sealed(found, digest.hexdigest())

    def link(self, seal: Seal, folder: Path) -> None:
        """Let these very files be found in a folder of packs."""
        for name in seal.files:
            (folder / name).symlink_to(self.folder.absolute() / name)

    def store(self, packs: Sequence[Path], tips: frozenset[bytes], object_format: str, without: set[str]) -> None:
        """
        Add new packs (their `.pack` files) to the mirror of `seal`, without those of its files that they replace.

        Without a seal they are the whole of it. Raise CacheError; what was there before is then still there, unless
        there was nothing that could be believed.
        """
        kept = {} if self.seal is None else {n: f for n, f in self.seal.files.items() if n not in without}
        new = [file for pack in packs for file in (pack, pack.with_suffix(".idx")) if file.name not in kept]
        if self.seal is not None and not new and len(kept) == len(self.seal.files) and tips == self.seal.tips:
            return
        try:
            if self.seal is None:
                self._remove_all_but(())
            files = kept | {file.name: self._copy(file) for file in new}
            cloned = sum(pack.stat().st_size for pack in packs) if self.seal is None else self.seal.cloned
            seal = Seal(self._repository, object_format, tips, cloned, files)
            self._write(SEAL, [seal_bytes(seal, self._key)])
            self._sync()  # before anything that the seal of before names goes
            self._remove_all_but({*files, SEAL})
        except OSError as error:
            self._remember(sum(file.stat().st_size for file in new) if error.errno in FULL else 0)
            raise CacheError(f"the cache could not be written: {error.strerror}") from None
        self.seal = seal
        self._remember(0)

    def _copy(self, file: Path) -> Sealed:
        digest, size = hashlib.sha256(), 0

        def chunks() -> Iterator[bytes]:
            nonlocal size
            with open(file, "rb") as source:
                while data := source.read(_CHUNK):
                    digest.update(data)
                    size += len(data)
                    yield data

        self._write(file.name, chunks())
        return Sealed(size, digest.hexdigest())

    def _write(self, name: str, chunks: Iterator[bytes] | Sequence[bytes]) -> None:
        """Write a file that is there whole or not at all."""
        with suppress(FileNotFoundError):
            os.unlink(NEW + name, dir_fd=self._descriptor)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(NEW + name, flags, 0o600, dir_fd=self._descriptor), "wb") as file:
                for data in chunks:
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(NEW + name, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(NEW + name, dir_fd=self._descriptor)
            raise

    def _sync(self) -> None:
        with suppress(OSError):  # some network file systems know it of files alone
            os.fsync(self._descriptor)

    def _remove_all_but(self, kept: Collection[str]) -> None:
        """Remove what runs leave. What anybody else has put there stays, and is never read."""
        for name in self._names():
            if _OURS.fullmatch(name) and name not in kept:
                os.unlink(name, dir_fd=self._descriptor)

    def _remember(self, needed: int) -> None:
        """Write down how many bytes did not fit, so that no run makes a clone for a volume that cannot hold it."""
        with suppress(OSError):
            self._remove_all_but({*self.seal.files, SEAL} if self.seal is not None else ())
            if needed:
                self._write(NEEDED, [str(needed).encode()])
            else:
                os.unlink(NEEDED, dir_fd=self._descriptor)

    def _needed(self) -> int:
        with suppress(OSError, ValueError, _BadError), self._open(NEEDED) as file:
            return int(file.read(20))
        return 0

    def _names(self) -> set[str]:
        return set(os.listdir(self._descriptor))  # noqa: PTH208 # a Path knows no descriptors

    def _size(self, name: str) -> int:
        if not _OURS.fullmatch(name):
            return 0
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False).st_size

    def _open(self, name: str) -> BinaryIO:
        file = open(os.open(name, _READ, dir_fd=self._descriptor), "rb")  # noqa: SIM115 # the caller closes it
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise _BadError(f"the cache is damaged: {name} is no file")
        return file


class _BadError(Exception):
    """What the folder holds is not to be believed; the text says why."""
