"""With a cache only what is new is fetched from any host, and whatever the cache holds, the end is that of git."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.contract.signals import Stopped
from gitmart.extract import mirror
from gitmart.extract.cache import folder_name
from gitmart.extract.errors import ExtractError
from gitmart.extract.settings import Limits

Check = Callable[[Any], None]
Extract = Callable[..., dict[str, object]]
END = object()


@dataclass
class Served:
    """A repository at a host without filters. `publish` tells a host that serves files alone of what is new."""

    repository: Any
    url: str
    publish: Callable[[], object] = lambda: None

    @property
    def git_dir(self) -> Path:
        path: Path = self.repository.git_dir
        return path


@pytest.fixture
def cache(extraction: Any, tmp_path: Path) -> Path:
    """The volume that all extractions use."""
    extraction.cache = tmp_path / "cache"
    extraction.cache.mkdir()
    extraction.work_dir = tmp_path / "works"  # that of the command is another one
    return tmp_path / "cache"


@pytest.fixture
def old(repository: Any, host: Any) -> Served:
    """A repository at a host that speaks version 0 of the protocol alone."""
    host.old_protocol = True
    grow(repository, 3)
    return Served(repository, host.serve(repository))


@pytest.fixture
def dumb(repository: Any, host: Any) -> Served:
    """A repository at a host that serves files alone, and knows neither depth nor filters."""
    grow(repository, 3)
    url = host.add(repository)
    folder = host.folder / "project.git"

    def publish() -> None:
        words = (f"--git-dir={folder}", "fetch", "-q", "--prune", str(repository.path), "+refs/*:refs/*")
        repository.git(*words, GIT_ALLOW_PROTOCOL="file")
        head = repository.git("symbolic-ref", "HEAD")
        repository.git(f"--git-dir={folder}", "symbolic-ref", "HEAD", head)
        repository.git(f"--git-dir={folder}", "update-server-info")

    return Served(repository, url, publish)


def grow(repo: Any, count: int = 1, name: str = "file", size: int = 6000) -> None:
    """Commit a file that nothing makes smaller, so that every commit is of one size."""
    for _ in range(count):
        repo.write(name, os.urandom(size).hex())
        repo.commit(name)


def folder_of(cache: Path) -> Path:
    """Return the one folder of the cache."""
    (folder,) = cache.iterdir()
    return folder


def told(extraction: Any) -> tuple[object, object, object]:
    return tuple(extraction.facts.get(name) for name in ("fetch", "fetchReason", "cacheProblem"))  # type: ignore[return-value]


CACHED = ("cached", None, None)
FIRST = ("full", "the cache holds nothing yet", None)


def life(repo: Any) -> Iterator[None]:
    """Everything that refs do between two looks."""
    grow(repo)
    yield
    repo.git("checkout", "-q", "-b", "side", "HEAD~2")
    grow(repo, 2, "side")
    repo.git("checkout", "-q", "main")
    repo.git("tag", "-a", "-m", "a tag", "kept", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.org")
    yield
    repo.git("reset", "-q", "--hard", "HEAD~1")  # and what the tag keeps stays
    repo.merge("side")
    yield
    repo.git("branch", "-q", "-D", "side")
    repo.git("tag", "-d", "kept")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    yield
    repo.git("checkout", "-q", "-b", "next", "HEAD~1")
    grow(repo, 1, "next")


def short_life(repo: Any) -> Iterator[None]:
    grow(repo)
    yield
    repo.git("reset", "-q", "--hard", "HEAD~2")
    grow(repo)


def live(served: Served, extraction: Any, fresh_extraction: Any, equals_git: Check, steps: Iterator[None]) -> None:
    """Extract after each step, by the cache alone."""
    extraction(served)
    assert told(extraction) == FIRST
    goes_on = True
    while goes_on:
        goes_on = next(steps, END) is None
        served.publish()
        extraction(served)

        assert told(extraction)[0] in {"cached", "incremental"}, told(extraction)
        equals_git(served)
    fresh_extraction(served)
    assert extraction.natural(served) == fresh_extraction.natural(served)


def test_a_host_of_the_old_protocol_is_followed(
    old: Served, cache: Path, extraction: Any, fresh_extraction: Any, assert_equals_git: Check
) -> None:
    extraction.kept = fresh_extraction.kept = frozenset({"first_parent_counts", "patch_ids"})

    live(old, extraction, fresh_extraction, assert_equals_git, life(old.repository))


def test_a_host_of_files_alone_is_followed(
    dumb: Served, cache: Path, extraction: Any, fresh_extraction: Any, assert_equals_git: Check
) -> None:
    live(dumb, extraction, fresh_extraction, assert_equals_git, short_life(dumb.repository))


def test_a_sha256_repository_is_followed(
    make_repository: Any, cache: Path, extraction: Any, fresh_extraction: Any, assert_equals_git: Check
) -> None:
    repository = make_repository(object_format="sha256")
    grow(repository, 3)
    served = Served(repository, repository.url)

    live(served, extraction, fresh_extraction, assert_equals_git, iter([grow(repository)]))


@pytest.mark.parametrize("kind", ["old", "dumb"])
def test_little_is_fetched_and_said(kind: str, request: Any, cache: Path, extraction: Any) -> None:
    served = request.getfixturevalue(kind)
    grow(served.repository, 1, "large", 60_000)
    served.publish()
    extraction(served)
    whole = extraction.facts["bytesFetched"]
    grow(served.repository)
    served.publish()

    extraction(served)

    assert told(extraction) == CACHED
    assert 0 < extraction.facts["bytesFetched"] < whole / 10
    kept = sorted(file.name for file in folder_of(cache).iterdir())
    extraction(served)
    assert (extraction.facts["fetch"], extraction.facts["bytesFetched"]) == ("incremental", 0)
    assert sorted(file.name for file in folder_of(cache).iterdir()) == kept


def test_what_is_kept_of_commits_is_read_anew_without_a_clone(
    old: Served, cache: Path, extraction: Any, assert_equals_git: Check
) -> None:
    extraction(old)
    extraction.kept = frozenset({"patch_ids"})

    extraction(old)

    assert (told(extraction), extraction.facts["bytesFetched"]) == (CACHED, 0)
    assert_equals_git(old)


def test_another_warehouse_begins_with_a_clone(
    old: Served, cache: Path, extraction: Any, fresh_extraction: Any, assert_equals_git: Check
) -> None:
    fresh_extraction.cache = cache
    fresh_extraction(old)

    extraction(old)

    assert told(extraction)[:2] == ("full", "the cache was not written by a run with this address and this warehouse")
    assert_equals_git(old)


def damage(name: str) -> Callable[[Path, Path], None]:
    """Return what turns a bit in the middle of each file of that kind."""

    def turn(folder: Path, _: Path) -> None:
        for file in folder.glob(name):
            raw = bytearray(file.read_bytes())
            raw[len(raw) // 2] ^= 1
            file.write_bytes(raw)

    return turn


def truncate(folder: Path, _: Path) -> None:
    for file in folder.glob("*.pack"):
        os.truncate(file, file.stat().st_size - 20)


def lose_the_seal(folder: Path, _: Path) -> None:
    (folder / "seal").unlink()


def swap(folder: Path, other: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


def link(folder: Path, other: Path) -> None:
    for file in folder.glob("*.pack"):
        file.unlink()
        file.symlink_to(next(other.glob("*.pack")))


def pipe(folder: Path, _: Path) -> None:
    (folder / "seal").unlink()
    os.mkfifo(folder / "seal")


HARMS = (
    (damage("*.pack"), "is not what it was"),
    (damage("seal"), "not written by a run with this address and this warehouse"),
    (truncate, "is not what it was"),
    (lose_the_seal, "a run was cut off while it made one"),
    (swap, "not written by a run with this address"),
    (link, "cannot be read"),
    (pipe, "seal is no file"),
)


def test_what_is_not_as_a_run_left_it_is_thrown_away(
    make_repository: Any, cache: Path, extraction: Any, assert_equals_git: Check
) -> None:
    other, repository = make_repository("other"), make_repository("repository")
    grow(other)
    grow(repository)
    extraction(other)
    elsewhere = folder_of(cache)
    extraction(repository)
    (folder,) = set(cache.iterdir()) - {elsewhere}
    for harm, reason in HARMS:
        harm(folder, elsewhere)
        grow(repository)

        extraction(repository)

        fetch, why, problem = told(extraction)
        assert (fetch, problem) == ("full", None), harm
        assert reason in str(why)
        assert_equals_git(repository)
    grow(repository)
    extraction(repository)
    assert told(extraction) == CACHED
    assert_equals_git(repository)


def test_what_a_killed_run_left_harms_nothing_and_goes(
    repository: Any, cache: Path, extraction: Any, assert_equals_git: Check
) -> None:
    """It writes packs first, then the seal, and the system forgets its lock."""
    grow(repository, 2)
    extraction(repository)
    half = [folder_of(cache) / name for name in ("new-seal", f"new-pack-{'0' * 40}.pack", f"pack-{'1' * 40}.pack")]
    for file in half:
        file.write_bytes(b"half")
    grow(repository)

    extraction(repository)

    assert told(extraction) == CACHED
    assert [file for file in half if file.exists()] == []
    assert_equals_git(repository)


def test_nothing_that_git_would_obey_is_read_from_the_volume(
    repository: Any, cache: Path, extraction: Any, tmp_path: Path, assert_equals_git: Check
) -> None:
    grow(repository, 2)
    extraction(repository)
    folder, witness = folder_of(cache), tmp_path / "obeyed"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {witness}\n")
    program.chmod(0o755)
    words = f"[core]\n\tfsmonitor = {program}\n\tsshCommand = {program}\n\talternateRefsCommand = {program}\n[uploadpack]\n\tpackObjectsHook = {program}\n"
    for name in ("config", "objects/info/alternates", "info/alternates", "HEAD", "commondir"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(words if name == "config" else f"{tmp_path}\n")
    (folder / "hooks").mkdir()
    for name in ("reference-transaction", "post-fetch", "pre-auto-gc"):
        shutil.copy(program, folder / "hooks" / name)
    grow(repository)

    extraction(repository)

    assert told(extraction) == CACHED
    assert not witness.exists()
    assert_equals_git(repository)


def test_two_runs_do_not_share_a_mirror(old: Served, cache: Path, extraction: Any, assert_equals_git: Check) -> None:
    extraction(old)
    with open(folder_of(cache) / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        grow(old.repository)
        extraction(old)

    fetch, _, problem = told(extraction)
    assert fetch == "incremental"
    assert "another run is using the folder" in str(problem)
    assert "went without the cache" in str(problem)
    assert_equals_git(old)
    grow(old.repository)
    extraction(old)
    assert told(extraction) == CACHED


MOUNTED = """
set -eu
mount -t tmpfs -o "$OPTIONS" tmpfs "$CACHE"
if [ -n "$FROM" ]; then cp -a "$FROM/." "$CACHE"; fi
if [ -n "$READ_ONLY" ]; then mount -o remount,ro "$CACHE"; fi
exec "$@"
"""


@pytest.fixture
def run_on_volume(run_extract: Extract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Extract:
    """Run the command with a cache on a file system of its own, filled from the folder `kept`; needs root."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a mount namespace of one's own needs root and unshare(1)")
    volume = tmp_path / "volume"
    volume.mkdir()
    run = subprocess.run

    def run_mounted(words: list[str], **options: Any) -> Any:
        if "extract" in words:
            words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNTED, "sh", *words]
        return run(words, **options)

    def extract(url: str, *words: str, kept: Path | None = None, size: str = "64m", read_only: bool = False) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "run", run_mounted)
            result = run_extract(
                f"--url={url}", f"--cache-dir={volume}", "--allow-private-addresses", "--allow-file-urls", *words,
                CACHE=str(volume), FROM=str(kept or ""), OPTIONS=f"size={size}", READ_ONLY="yes" if read_only else "",
            )  # fmt: skip
        if "mount:" in str(result["printed"]) or "unshare failed" in str(result["printed"]):
            pytest.skip(f"this machine does not let root mount: {result['printed']}")
        return result

    return extract


def test_a_volume_that_cannot_be_written_or_is_full_stops_no_run(
    repository: Any, cache: Path, extraction: Any, run_on_volume: Extract, assert_equals_git: Check
) -> None:
    grow(repository, 2)
    extraction(repository)
    grow(repository)

    locked = run_on_volume(repository.url, kept=cache, read_only=True)

    assert (locked["outcome"], locked["fetch"]) == ("Succeeded", "cached"), locked
    assert "Read-only file system" in locked["cacheProblem"]
    assert_equals_git(repository)
    grow(repository, 1, "large", 36_000)
    full = run_on_volume(repository.url, kept=cache, size="56k")
    assert (full["outcome"], full["fetch"]) == ("Succeeded", "cached"), full
    assert "No space left on device" in full["cacheProblem"]
    assert_equals_git(repository)
    grow(repository)
    empty = run_on_volume(repository.url, read_only=True)
    assert (empty["outcome"], empty["fetch"]) == ("Succeeded", "incremental"), empty
    assert "cannot be used: Read-only file system: the run went without the cache" in empty["cacheProblem"]
    assert_equals_git(repository)


def test_no_clone_is_made_for_a_volume_that_cannot_hold_it(
    repository: Any, cache: Path, extraction: Any, monkeypatch: pytest.MonkeyPatch, assert_equals_git: Check
) -> None:
    grow(repository, 2)
    extraction(repository)
    folder = folder_of(cache)
    (folder / "seal").unlink()
    (folder / "needed").write_text(str(1 << 60))  # as a run writes that found the volume full
    grow(repository)

    extraction(repository)

    assert extraction.facts["fetch"] == "incremental"
    assert "and the repository takes 1099511627777Mi" in str(extraction.facts["cacheProblem"])
    assert_equals_git(repository)
    (folder / "needed").write_text("1")
    grow(repository)
    extraction(repository)
    assert extraction.facts["fetch"] == "full"
    assert not (folder / "needed").exists()


def test_the_limit_counts_what_is_fetched_and_not_what_is_there(old: Served, cache: Path, extraction: Any) -> None:
    grow(old.repository, 1, "large", 120_000)
    extraction(old)
    grow(old.repository)

    extraction(old, limits=Limits(bytes=60_000))  # half of what is there

    assert told(extraction) == CACHED
    grow(old.repository, 1, "large", 120_000)
    before = extraction.rows()
    with pytest.raises(ExtractError, match=r"limits\.bytes") as failure:
        extraction(old, limits=Limits(bytes=60_000))
    assert failure.value.outcome is Outcome.LIMIT_EXCEEDED
    assert extraction.facts["fetch"] == "cached"  # and nothing was tried another way
    assert extraction.rows() == before
    extraction(old)
    assert told(extraction) == CACHED


def test_a_mirror_of_twice_the_clone_is_made_anew(
    repository: Any, cache: Path, extraction: Any, monkeypatch: pytest.MonkeyPatch, assert_equals_git: Check
) -> None:
    monkeypatch.setattr(mirror, "LEAST_GROWTH", 0)
    grow(repository, 4)
    extraction(repository)
    for name in ("first", "second"):  # every ref leaves what was there
        repository.git("checkout", "-q", "--orphan", name)
        grow(repository, 3)
        repository.git("branch", "-f", "main")
        repository.git("checkout", "-q", "main")
        repository.git("branch", "-q", "-D", name)
        assert repository.count() == 3
        extraction(repository)
        assert told(extraction) == CACHED
    large = sum(file.stat().st_size for file in folder_of(cache).iterdir())
    grow(repository)

    extraction(repository)

    assert told(extraction) == ("full", "the cache has grown to twice what a clone brought: it is made anew", None)
    assert_equals_git(repository)
    assert sum(file.stat().st_size for file in folder_of(cache).iterdir()) < large * 0.6


def test_the_smallest_of_many_packs_become_one(
    repository: Any, cache: Path, extraction: Any, monkeypatch: pytest.MonkeyPatch, assert_equals_git: Check
) -> None:
    monkeypatch.setattr(mirror, "MOST_PACKS", 3)
    counts = []
    for _ in range(5):
        grow(repository)
        extraction(repository)
        counts.append(len(list(folder_of(cache).glob("*.pack"))))

    assert counts == [1, 2, 3, 2, 3]
    assert told(extraction) == CACHED
    assert_equals_git(repository)


def test_a_stop_while_the_cache_is_filled_undoes_nothing(
    repository: Any, cache: Path, extraction: Any, monkeypatch: pytest.MonkeyPatch, assert_equals_git: Check
) -> None:
    grow(repository, 2)

    def stop(_: int) -> None:
        raise Stopped("asked to stop by SIGTERM", Outcome.CANCELLED)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", stop)
        extraction(repository)

    assert told(extraction)[2] == "the cache was not filled: asked to stop by SIGTERM"
    assert_equals_git(repository)
    grow(repository)
    extraction(repository)
    assert extraction.facts["fetch"] == "full"
    assert_equals_git(repository)


def test_a_new_address_has_a_folder_of_its_own(
    make_repository: Any, cache: Path, extraction: Any, assert_equals_git: Check
) -> None:
    former = make_repository("former")
    grow(former, 2)
    extraction(former)
    former.path.with_name("moved").symlink_to(former.path)
    moved = Served(former, f"file://{former.path.with_name('moved')}")
    grow(former)

    extraction(moved, previous=former)

    assert extraction.facts["formerRows"] == "continued"
    assert told(extraction) == ("full", "the address of the repository was changed", None)
    assert_equals_git(moved)
    grow(former)
    extraction(moved)
    assert told(extraction) == CACHED
    assert_equals_git(moved)
    assert len(list(cache.iterdir())) == 2


def test_credentials_are_not_kept(host: Any, repository: Any, run_extract: Extract, tmp_path: Path) -> None:
    grow(repository, 2)
    host.accepted.add("Bearer a-canary-of-ours")
    host.add(repository)
    (tmp_path / "members").mkdir()
    (host.folder / "members").symlink_to(host.folder)
    credentials, cache = tmp_path / "credentials", tmp_path / "volume"
    for folder in (credentials, cache):
        folder.mkdir()
    (credentials / "bearerToken").write_text("a-canary-of-ours")

    result = run_extract(
        f"--url={host.url}/members/project.git", f"--cache-dir={cache}", "--allow-private-addresses",
        GITMART_CREDENTIALS_DIR=str(credentials),
    )  # fmt: skip

    assert result["outcome"] == "Succeeded", result
    kept = [file for file in cache.rglob("*") if file.is_file()]
    assert len(kept) == 4  # a pack, its index, the seal, the lock
    assert not [file for file in kept if b"canary" in file.read_bytes() or b"postgres" in file.read_bytes()]


def test_a_cache_that_is_no_folder_is_named(run_extract: Extract) -> None:
    result = run_extract("--url=https://git.invalid/a", "--cache-dir=/nonexistent/cache")

    assert (result["outcome"], result["message"]) == (
        "InvalidInput",
        "--cache-dir /nonexistent/cache is not a folder",
    )


def test_folders_are_readable_and_no_two_repositories_share_one() -> None:
    keys = ("https://github.com/nolar/kopf", "https://github.com/nolar_kopf", "https://github.com/Nolar/kopf",
            "ssh://github.com/nolar/kopf", "https://github.com/" + "a" * 2000)  # fmt: skip
    names = [folder_name(key) for key in keys]

    assert names[0].startswith("github.com_nolar_kopf-")
    assert len(set(names)) == len(keys)
    assert all(len(name) < 80 and name[0] not in ".-" for name in names)
