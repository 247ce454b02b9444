"""Patch ids are git's own, whatever a patch holds, and are kept for exactly the commits that have one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.extract.errors import DamagedError, GitError
from gitmart.extract.git import Git
from gitmart.extract.listing import Listing
from gitmart.extract.patches import patch_ids
from gitmart.extract.source import DiffTree

Check = Callable[[Any], None]
KEPT = frozenset({"patch_ids"})

# Lines that mean something to `git patch-id` where they do not stand in a file.
LINES = ["{0}", "commit {0}", "From {0}", "diff --git a/x b/x", "index {0}..{0}", "--- a/x", "+++ b/x", "@@ -1,9 +1,9 @@",
         "-- ", "\\ No newline at end of file", "Binary files a and b differ", "GIT binary patch", "", "\r", "a\0b"]  # fmt: skip


def _history(repo: Any) -> None:
    """Make patches of all kinds, with commits that have none in between."""
    first = repo.commit("nothing")
    hostile = "".join(f"{line}\n" for line in LINES).format(first).encode()
    repo.write("hostile", b"text\n" * 2000 + hostile)  # NUL far behind, or it were a binary file
    repo.commit(hostile.replace(b"\0", b""))
    repo.commit(f"{first}\n\nnothing changes\n")
    repo.write("hostile", hostile.replace(b"\0", b"") + b"text\n" * 2000)
    repo.write(f"From {first}\ndiff --git\n{first}\n", f"{first}\n")
    repo.write("no end", "one\ntwo")
    repo.write("binary", bytes(range(256)))
    repo.write("empty", "")
    repo.commit("kinds")
    repo.git("checkout", "-q", "-b", "side")
    repo.write("binary", bytes(reversed(range(256))))
    repo.commit("a binary file alone")
    repo.git("update-index", "--chmod=+x", "no end")
    repo.commit("a mode alone")
    repo.git("mv", "hostile", "moved")
    repo.commit("a name alone")
    repo.git("rm", "-q", "-f", "no end")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{first},module")
    repo.commit("a submodule, and a file that goes")
    repo.git("checkout", "-q", "-f", "main")
    repo.commit("nothing")
    repo.git("read-tree", "-u", "--reset", "side")
    repo.merge("side")
    repo.git("checkout", "-q", "--orphan", "root")
    repo.commit("another root")
    repo.git("checkout", "-q", "-f", "main")


def _by_git(repo: Any) -> dict[str, str]:
    """Ask git for each commit apart."""
    found = {}
    for name in repo.git("rev-list", "--branches", "--tags").split():
        patch = subprocess.run(
            ["git", "diff-tree", "-r", "--root", "-p", "-M", "--full-index", name],
            cwd=repo.path, env=repo.environment, capture_output=True, check=True,
        ).stdout  # fmt: skip
        if printed := repo.git("patch-id", "--stable", stdin=patch):
            (patch_id, commit) = printed.split()
            assert commit == name
            found[name] = patch_id
    return found


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_patch_ids_are_those_of_git(
    object_format: str, make_repository: Any, extraction: Any, fresh_extraction: Any, assert_equals_git: Check
) -> None:
    repository = make_repository(object_format=object_format)
    _history(repository)
    extraction(repository)
    assert_equals_git(repository)  # all NULL
    extraction.kept = KEPT

    extraction(repository)

    kept = extraction.warehouse.query("select commit_hash, patch_id from commits where patch_id is not null")
    assert dict(kept) == _by_git(repository)
    # Three change nothing, one is a merge.
    assert extraction.warehouse.query("select count(*) from commits where patch_id is null") == [(4,)]
    assert_equals_git(repository)
    fresh_extraction.kept = KEPT
    fresh_extraction(repository)
    assert extraction.natural(repository) == fresh_extraction.natural(repository)


def test_what_was_picked_rebased_or_squashed_from_one_commit_has_its_patch_id(repository: Any, extraction: Any) -> None:
    for name in ("file", "other"):
        repository.write(name, "".join(f"{name} {number}\n" for number in range(30)))
    repository.commit("base")
    repository.git("checkout", "-q", "-b", "topic")
    repository.write("file", "first\n" + (repository.path / "file").read_text())
    one = repository.commit("one")
    repository.write("other", (repository.path / "other").read_text() + "last\n")
    two = repository.commit("two")
    repository.git("checkout", "-q", "main")
    repository.write("new", "new\n")
    repository.commit("main goes on")
    identity = {f"GIT_COMMITTER_{part}": "a@example.org" for part in ("NAME", "EMAIL")}
    repository.git("cherry-pick", one, **identity)
    picked = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "-q", "-b", "squashed", "main~1")
    repository.git("cherry-pick", "--no-commit", one, two)
    squashed = repository.commit("one and two")
    extraction.kept = KEPT

    extraction(repository)

    ids = dict(extraction.warehouse.query("select commit_hash, patch_id from commits"))
    assert ids[picked] == ids[one]
    assert len({ids[one], ids[two], ids[squashed]}) == 3  # a squash of several has an id of its own


class Forgetful(DiffTree):
    """A source that leaves out the first patch id."""

    def patch_ids(self, ids: Listing) -> Iterator[tuple[bytes, bytes]]:
        found = super().patch_ids(ids)
        next(found, None)
        yield from found


def test_a_patch_id_that_is_lost_ends_the_run(repository: Any, extraction: Any) -> None:
    repository.write("file", "one\n")
    repository.commit("one")
    extraction.kept = KEPT

    with pytest.raises(DamagedError, match="no patch id") as raised:
        extraction(repository, source=Forgetful)

    assert raised.value.outcome is Outcome.REPOSITORY_DAMAGED
    assert extraction.warehouse.query("select count(*) from commits") == [(0,)]


@pytest.fixture
def git(repository: Any) -> Git:
    """Three hundred commits of a file each."""
    made = b"commit refs/heads/main\ncommitter a <a@example.org> 0 +0000\ndata 0\nM 100644 inline %d\ndata 2\n1\n"
    repository.git("-c", "fastimport.unpackLimit=9999", "fast-import", "--quiet",
                   stdin=b"".join(made % number for number in range(300)))  # fmt: skip
    return Git(repository.git_dir, {"PATH": repository.environment["PATH"], "GIT_CONFIG_NOSYSTEM": "1"})


@pytest.fixture
def ids(git: Git, tmp_path: Path) -> Iterator[Listing]:
    with Listing(tmp_path / "ids") as listing:
        listing.append(git.run("rev-list", "--branches"))
        listing.close()
        yield listing


def test_a_missing_object_is_no_patch_that_is_empty(git: Git, ids: Listing, repository: Any) -> None:
    blob = repository.git("rev-parse", "main:9")
    (git.folder / "objects" / blob[:2] / blob[2:]).unlink()

    with pytest.raises(GitError, match=blob):
        list(patch_ids(git, ids))


def test_who_leaves_early_leaves_no_process_behind(git: Git, ids: Listing) -> None:
    before = psutil.Process().children()
    found = patch_ids(git, ids)
    next(found)

    found.close()

    assert psutil.Process().children() == before


def test_a_list_is_shared_by_those_who_take_from_it(git: Git, ids: Listing) -> None:
    one, two = patch_ids(git, ids), patch_ids(git, ids)

    commits = [commit for commit, _ in [next(one), *two, *one]]

    assert sorted(commits) == sorted(git.run("rev-list", "--branches").split())
