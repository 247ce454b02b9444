"""
The whole history from a cache and what is new, for hosts that cannot send what is new alone.

The repository is the run's own, made anew in its work folder: only its packs of former runs are links to those of
the cache. git fetches into it as into any repository, so every host can serve it, and walks from each new object to
what was there to prove that nothing is missing. What came is then added to the cache.

Two rules keep the cache small, and neither needs to look at all of it. Of more than MOST_PACKS packs the smallest
become one. And once more has come than the clone brought, whatever of it may have been left by every ref since, the
next run begins with a clone: so the cache stays below twice the repository, and each byte that came costs at most
one more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gitmart.extract.cache import PACK, Cache
from gitmart.extract.errors import DamagedError, ExtractError, GitError
from gitmart.extract.fetch import FINAL, NeedsCloneError
from gitmart.extract.git import Git
from gitmart.extract.history import History
from gitmart.extract.host import Answer, default_branch
from gitmart.extract.listing import finish, piped
from gitmart.extract.refs import Ref, Refs, digest_of, peel
from gitmart.extract.seal import Seal
from gitmart.extract.settings import Settings
from gitmart.extract.shape import Shape
from gitmart.extract.talk import Talk

FOLDER = "mirror.git"
MOST_PACKS = 20
LARGEST_FOLDED = 64 << 20  # bytes of a pack; larger ones are few, and writing them again costs the pod's disk
LEAST_GROWTH = 64 << 20  # bytes that may come before a clone is worth its while


@dataclass(frozen=True, slots=True)
class Mirror:
    """A repository of the run's own with the objects of the cache, and those from which all of them can be reached."""

    git: Git
    tips: frozenset[bytes]


def open_mirror(settings: Settings, environment: Mapping[str, str], answer: Answer, cache: Cache) -> Mirror:
    """
    Return what the cache holds, every byte of it looked at.

    Raise NeedsCloneError when a clone has to take its place, CacheError when none can.
    """
    seal = cache.check()
    object_format = object_format_of(_wanted(settings.shape, answer))
    if seal.object_format != object_format:
        raise NeedsCloneError(f"the cache holds objects of {seal.object_format}, and the host has {object_format}")
    if seal.packed - seal.cloned > max(seal.cloned, LEAST_GROWTH):
        raise NeedsCloneError("the cache has grown to twice what a clone brought: it is made anew")
    return Mirror(_repository(settings.work_dir / FOLDER, environment, seal, cache), seal.tips)


def fetch_missing(settings: Settings, environment: Mapping[str, str], answer: Answer, mirror: Mirror) -> History:
    """
    Return the whole history as the host lists it, once what the mirror lacks of it came.

    Raise NeedsCloneError when that cannot be had, ExtractError when a clone would end the same way.
    """
    try:
        _fetch(settings, environment, mirror.git, _wanted(settings.shape, answer) - mirror.tips)
        return _history(settings.shape, mirror.git, answer)
    except ExtractError as error:
        if error.outcome in FINAL:
            raise
        raise NeedsCloneError(f"the cache does not serve: {error}") from error


def _wanted(shape: Shape, answer: Answer) -> set[bytes]:
    """Return the objects of the refs that count, and of HEAD."""
    found = {oid for name, oid in answer.refs.items() if shape.selects(name)}
    return found | {answer.head} if answer.head else found


def object_format_of(ids: set[bytes]) -> str:
    """Return the format of a repository with these objects."""
    return "sha256" if any(len(oid) == 64 for oid in ids) else "sha1"


def _repository(folder: Path, environment: Mapping[str, str], seal: Seal, cache: Cache) -> Git:
    """Make the repository. Its refs tell git, and git the host, what is there."""
    folder.mkdir()
    git = Git(folder, {**environment, "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"})
    git.run("init", "--quiet", "--bare", f"--object-format={seal.object_format}")
    cache.link(seal, folder / "objects/pack")
    lines = (b"%b refs/cached/%b\n" % (tip, tip) for tip in sorted(seal.tips))
    (folder / "packed-refs").write_bytes(b"".join(lines))
    return git


def _fetch(settings: Settings, environment: Mapping[str, str], git: Git, wanted: set[bytes]) -> None:
    """Get the objects and all that they lead to; raise what `refusal` makes of git's words."""
    if not wanted:
        return
    url = str(settings.url)
    words = git.command(
        "-c", f"remote.origin.url={url}", "-c", "fetch.unpackLimit=1",  # what comes is kept as it comes
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--stdin", "origin",
    )  # fmt: skip
    talk = Talk(
        settings.remote, f"fetching from {url}", words, environment, settings.work_dir, settings.limits, git.folder
    )
    with tempfile.TemporaryFile() as asked:
        # By name of object, as they were listed: refs may move meanwhile, and their names may be anything.
        asked.writelines(b"+%b:refs/fetched/%b\n" % (oid, oid) for oid in sorted(wanted))
        asked.seek(0)
        talk.run(stdin=asked.fileno())
    if (git.folder / "shallow").exists():
        raise DamagedError(f"{url} is a shallow clone")


def _history(shape: Shape, git: Git, answer: Answer) -> History:
    head, branch = answer.head or None, default_branch(answer)
    chosen = {name: oid for name, oid in answer.refs.items() if shape.selects(name)}
    leads_to = peel(git, list(_wanted(shape, answer)))
    if head is not None and leads_to[head] != head:
        raise NeedsCloneError("HEAD leads to no commit")
    refs = tuple(Ref(name, oid, leads_to[oid]) for name, oid in chosen.items())
    found = Refs(refs, head, branch, digest_of(chosen.items(), branch or answer.head, shape))
    return History(git, found, found.tips, head)


def fill(cache: Cache, history: History, threads: int) -> None:
    """Bring what came into the cache; raise CacheError or ExtractError when that cannot be done."""
    folder = history.git.folder / "objects/pack"
    _pack_loose(history.git, folder, threads)
    packs = [file for file in folder.glob("*.pack") if PACK.fullmatch(file.name)]
    if history.git.folder.name != FOLDER:
        cache.seal = None  # a clone stands for itself
    folded = _fold(history.git, folder, packs, threads)
    new = [file for file in folder.glob("*.pack") if not file.is_symlink() and file not in folded]
    tips = {ref.object_hash for ref in history.refs.refs} | ({history.refs.head} if history.refs.head else set())
    without = {file.with_suffix(suffix).name for file in folded for suffix in (".pack", ".idx")}
    cache.store(sorted(new), frozenset(tips), object_format_of(tips), without)


def _pack_loose(git: Git, folder: Path, threads: int) -> None:
    """Pack what a host of files alone has sent object by object."""
    ids = [file.parent.name + file.name for file in (git.folder / "objects").glob("??/*")]
    if ids:
        with tempfile.TemporaryFile() as listed:
            listed.writelines(f"{oid}\n".encode() for oid in ids)
            _pack(git, folder, listed, threads)


def _fold(git: Git, folder: Path, packs: list[Path], threads: int) -> list[Path]:
    """Make one of the smallest packs if there are too many; return those that it stands for."""
    if len(packs) <= MOST_PACKS:
        return []
    smallest = sorted(packs, key=lambda file: (file.stat().st_size, file.name))[:MOST_PACKS]
    smallest = [file for file in smallest if file.stat().st_size <= LARGEST_FOLDED]
    if len(smallest) < 2:
        return []
    with tempfile.TemporaryFile() as listed:
        for file in smallest:
            _list_objects(git, file.with_suffix(".idx"), listed)
        made = _pack(git, folder, listed, threads)
    return [file for file in smallest if file.name != made]


def _list_objects(git: Git, index: Path, into: IO[bytes]) -> None:
    with open(index, "rb") as file, tempfile.TemporaryFile() as printed:
        process = git.start("show-index", stdin=file.fileno(), stderr=printed.fileno())
        try:
            into.writelines(line.split()[1] + b"\n" for line in piped(process.stdout))
        finally:
            finish(process)
        if process.returncode != 0:
            raise DamagedError(f"{index.name} cannot be read")


def _pack(git: Git, folder: Path, listed: IO[bytes], threads: int) -> str:
    """Write the objects into a pack in the folder; return its name."""
    listed.seek(0)
    with tempfile.TemporaryFile() as printed:
        process = git.start(
            "pack-objects", "--quiet", "--delta-base-offset", "--window-memory=32m", f"--threads={threads}",
            str(folder / "pack"), stdin=listed.fileno(), stderr=printed.fileno(),
        )  # fmt: skip
        try:
            name = piped(process.stdout).read().decode().strip()
        finally:
            finish(process)
        if process.returncode != 0:
            printed.seek(0)
            raise GitError("packing", printed.read().decode(errors="replace"), process.returncode)
    return f"pack-{name}.pack"
