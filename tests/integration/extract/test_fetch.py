"""Only what is new is fetched, and the end is that of a fresh extraction (invariants 3, 4 and 5)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.waiting import wait_for

from gitmart.contract.outcomes import Outcome
from gitmart.contract.signals import Stopped
from gitmart.extract import fetch as fetching

DAY = 86_400  # seconds
END = object()
EVERYTHING = frozenset({"first_parent_counts", "patch_ids"})  # that is optional
AUTHOR = b"Author One <one@example.org>"
TAGGER = {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}

Check = Callable[[Any], None]
Story = Callable[[Any], Iterator[None]]


def _grow(repo: Any, count: int, name: str = "file.txt", days: float = 1) -> None:
    """Commit what is staged, then more, days apart, so that a date cuts between them."""
    repo.clock += int(days * DAY)
    repo.write(name, f"{name} {repo.clock}\n")
    stream = [b"commit refs/hidden/grown", b"from " + repo.commit(name).encode()]
    for number in range(1, count):
        repo.clock += int(days * DAY)
        content = f"{name} {repo.clock}\n" * (number % 5 + 1)
        stream += [
            *([] if number == 1 else [b"commit refs/hidden/grown"]),
            b"author Author %d <%d@example.org> %d +0000" % (number % 3, number % 3, repo.clock),
            b"committer %b %d +0000" % (AUTHOR, repo.clock),
            b"data 1\nm",
            *([stream.pop(1)] if number == 1 else []),
            b"M 100644 inline " + name.encode(),
            b"data %d\n%b" % (len(content), content.encode()),
        ]
    if count > 1:
        repo.git("fast-import", "--quiet", "--force", stdin=b"\n".join(stream))
        repo.git("reset", "-q", "--hard", "refs/hidden/grown")
        repo.git("update-ref", "-d", "refs/hidden/grown")


def _dated(repo: Any, date: int, ref: str = "refs/heads/main") -> None:
    """Make a commit with that committer date."""
    tree, head = repo.git("rev-parse", "HEAD^{tree}", "HEAD").encode().split()
    lines = (b"tree " + tree, b"parent " + head, b"author %b %d +0000" % (AUTHOR, date))
    repo.commit_object(b"\n".join(lines) + b"\ncommitter %b %d +0000\n\nlying date\n" % (AUTHOR, date), ref)


def _merge(repo: Any, branch: str) -> None:
    """Merge with the content of both."""
    repo.git("read-tree", "-u", "--reset", repo.git("merge-tree", "--write-tree", "HEAD", branch))
    repo.merge(branch)


def fast_forward(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    yield
    _grow(repo, 1)


def nothing(repo: Any) -> Iterator[None]:
    _grow(repo, 5)
    yield


def several_steps(repo: Any) -> Iterator[None]:
    _grow(repo, 10)
    for _ in range(3):
        yield
        _grow(repo, 4)


def merge_of_an_old_branch(repo: Any) -> Iterator[None]:
    """The merged commits are older than the last run's tip, and nobody has seen them."""
    _grow(repo, 10)
    repo.git("checkout", "-q", "-b", "topic")
    _grow(repo, 40, "topic.txt")
    repo.git("update-ref", "refs/hidden/topic", "topic")
    repo.git("checkout", "-q", "main")
    repo.git("branch", "-q", "-D", "topic")
    _grow(repo, 60)
    yield
    repo.merge("refs/hidden/topic")
    _grow(repo, 1)


def merge_of_a_known_branch(repo: Any) -> Iterator[None]:
    """Its commits are in the warehouse, and come into the default branch."""
    _grow(repo, 10)
    repo.git("checkout", "-q", "-b", "topic")
    _grow(repo, 5, "topic.txt")
    repo.git("checkout", "-q", "main")
    _grow(repo, 20)
    yield
    repo.merge("topic")
    repo.git("branch", "-q", "-D", "topic")


def fast_forward_to_a_known_branch(repo: Any) -> Iterator[None]:
    """Nothing is new, and yet commits come into the default branch."""
    _grow(repo, 10)
    repo.git("checkout", "-q", "-b", "next")
    _grow(repo, 5)
    repo.git("checkout", "-q", "main")
    yield
    repo.git("merge", "-q", "--ff-only", "next")


def merge_onto_the_boundary(repo: Any) -> Iterator[None]:
    """The first parent is the last run's tip, and nothing behind it is fetched."""
    _grow(repo, 20, days=2)
    repo.git("checkout", "-q", "-b", "topic", "HEAD~2")
    yield
    _grow(repo, 3, "topic.txt")
    repo.git("checkout", "-q", "main")
    _merge(repo, "topic")


def merge_of_what_is_known(repo: Any) -> Iterator[None]:
    """No file is new, and yet the merge is compared with its first parent: those of the other one are read."""
    _grow(repo, 10)
    repo.git("checkout", "-q", "-b", "topic", "HEAD~2")
    _grow(repo, 3, "topic.txt")
    repo.git("checkout", "-q", "main")
    yield
    _merge(repo, "topic")


def merge_into_a_branch_that_slept(repo: Any) -> Iterator[None]:
    _grow(repo, 2)
    repo.git("branch", "stable")
    _grow(repo, 40)
    yield
    repo.git("checkout", "-q", "stable")
    _merge(repo, "main")
    repo.git("checkout", "-q", "main")


def merge_into_an_ancient_commit(repo: Any) -> Iterator[None]:
    """The first parent is known, on no changed ref, and much older than the last run's tips."""
    _grow(repo, 60)
    yield
    repo.git("checkout", "-q", "-b", "integration", "HEAD~50")
    _merge(repo, "main~3")
    repo.git("checkout", "-q", "main")


def octopus(repo: Any) -> Iterator[None]:
    _grow(repo, 3)
    for name in ("left", "right"):
        repo.git("checkout", "-q", "-b", name, "main")
        _grow(repo, 2, name)
    repo.git("checkout", "-q", "main")
    _grow(repo, 10)
    yield
    repo.merge("left", "right")


def branch_from_an_ancient_commit(repo: Any) -> Iterator[None]:
    _grow(repo, 60)
    yield
    repo.git("checkout", "-q", "-b", "ancient", "HEAD~50")
    _grow(repo, 2, "ancient.txt")
    repo.git("checkout", "-q", "main")


def branch_at_a_known_commit(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    yield
    repo.git("branch", "old", "HEAD~20")


def long_branch(repo: Any) -> Iterator[None]:
    _grow(repo, 5)
    repo.git("branch", "start")
    _grow(repo, 30)
    yield
    repo.git("checkout", "-q", "start")
    _grow(repo, 70, "long.txt", days=0.1)
    repo.git("checkout", "-q", "main")
    _grow(repo, 1)


def a_branch_that_slept(repo: Any) -> Iterator[None]:
    _grow(repo, 2)
    repo.git("branch", "stable")
    _grow(repo, 300)
    yield
    repo.git("checkout", "-q", "stable")
    _grow(repo, 1, "fix.txt")
    repo.git("checkout", "-q", "main")
    _grow(repo, 2)


def force_push(repo: Any) -> Iterator[None]:
    _grow(repo, 20)
    yield
    repo.git("reset", "-q", "--hard", "HEAD~4")
    _grow(repo, 2, "rewritten.txt")


def force_push_back(repo: Any) -> Iterator[None]:
    _grow(repo, 20)
    yield
    repo.git("reset", "-q", "--hard", "HEAD~7")


def force_push_that_a_tag_survives(repo: Any) -> Iterator[None]:
    _grow(repo, 20)
    repo.git("tag", "kept")
    yield
    repo.git("reset", "-q", "--hard", "HEAD~4")
    _grow(repo, 1)


def deleted_branch(repo: Any) -> Iterator[None]:
    _grow(repo, 10)
    repo.git("checkout", "-q", "-b", "side", "HEAD~3")
    _grow(repo, 4, "side.txt")
    repo.git("checkout", "-q", "-b", "above")
    _grow(repo, 2, "above.txt")
    repo.git("checkout", "-q", "main")
    yield
    repo.git("branch", "-q", "-D", "above")
    _grow(repo, 1)


def branch_that_comes_back(repo: Any) -> Iterator[None]:
    _grow(repo, 10)
    repo.git("checkout", "-q", "-b", "side", "HEAD~3")
    _grow(repo, 4, "side.txt")
    repo.git("checkout", "-q", "main")
    tip = repo.git("rev-parse", "side")
    yield
    repo.git("branch", "-q", "-D", "side")
    yield
    repo.git("branch", "-q", "side", tip)


def another_default_branch(repo: Any) -> Iterator[None]:
    _grow(repo, 10)
    repo.git("checkout", "-q", "-b", "next", "HEAD~5")
    _grow(repo, 4, "next.txt")
    repo.git("checkout", "-q", "main")
    yield
    repo.git("checkout", "-q", "next")
    yield
    _grow(repo, 2, "next.txt")


def renamed_default_branch(repo: Any) -> Iterator[None]:
    _grow(repo, 10)
    yield
    repo.git("branch", "-m", "main", "trunk")
    _grow(repo, 2)


def detached_head(repo: Any) -> Iterator[None]:
    _grow(repo, 10)
    yield
    repo.git("checkout", "-q", "--detach", "HEAD~3")
    yield
    repo.git("checkout", "-q", "main")
    _grow(repo, 3)
    repo.git("checkout", "-q", "--detach", "HEAD~1")


def head_at_a_commit_without_a_ref(repo: Any) -> Iterator[None]:
    """The clone's HEAD counts for the default branch, and keeps no commit that no ref has."""
    _grow(repo, 10)
    repo.git("checkout", "-q", "--detach", "HEAD")
    yield
    repo.git("branch", "-f", "main", "HEAD~3")


def head_that_points_nowhere(repo: Any) -> Iterator[None]:
    _grow(repo, 10)
    yield
    repo.git("symbolic-ref", "HEAD", "refs/heads/unborn")
    yield
    repo.git("symbolic-ref", "HEAD", "refs/heads/main")


def a_date_in_the_future(repo: Any) -> Iterator[None]:
    _grow(repo, 10)
    _dated(repo, 4_102_444_800)
    yield
    _grow(repo, 2)
    yield
    _dated(repo, 9_000_000_000)


def a_date_of_1970(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    yield
    _dated(repo, 1)
    yield
    _grow(repo, 2)


def a_date_of_1970_in_between(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    yield
    _grow(repo, 2)
    _dated(repo, 1)
    _grow(repo, 2)


def a_date_that_is_none(repo: Any) -> Iterator[None]:
    _grow(repo, 5)
    tree, head = repo.git("rev-parse", "HEAD^{tree}", "HEAD").encode().split()
    repo.commit_object(
        b"tree " + tree + b"\nparent " + head + b"\nauthor " + AUTHOR + b" \ncommitter C c@x\n\nno dates\n"
    )
    yield
    _grow(repo, 2)


def renames(repo: Any) -> Iterator[None]:
    text = "".join(f"line {number}\n" for number in range(60))
    for number in range(5):
        repo.write(f"old{number}", text + f"{number}\n")
    _grow(repo, 20)
    yield
    for number in range(5):
        repo.git("mv", f"old{number}", f"new{number}")
        repo.write(f"new{number}", text + f"{number}\n" + "more\n" * number)
    repo.write("quite new", text[:200])
    _grow(repo, 2)


def kinds_of_files(repo: Any) -> Iterator[None]:
    repo.write("binary", bytes(range(256)) * 4)
    repo.write("becomes a link", "text\n")
    repo.write("script", "#!/bin/sh\n")
    _grow(repo, 20)
    yield
    repo.write("binary", bytes(reversed(range(256))) * 4)
    repo.git("update-index", "--chmod=+x", "script")
    head = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},module")
    repo.commit("binary, mode and a submodule whose commit is ours")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    repo.commit("a submodule whose commit is not")
    (repo.path / "becomes a link").unlink()
    (repo.path / "becomes a link").symlink_to("script")
    repo.git("add", "becomes a link")
    repo.write("empty", "")
    repo.write(b"line\nfeed \xe9", "x\n")
    (repo.path / ":100644 looks like git's own").touch()
    repo.git("add", "-A")
    _grow(repo, 1)


def empty_commits(repo: Any) -> Iterator[None]:
    _grow(repo, 10)
    yield
    repo.commit("nothing in it")
    repo.commit("nor in this")


def a_tag_on_an_old_commit(repo: Any) -> Iterator[None]:
    _grow(repo, 60)
    yield
    repo.git("tag", "-m", "late", "v1", "HEAD~50", **TAGGER)
    repo.git("tag", "-m", "nested", "v1-nested", "v1", **TAGGER)
    repo.git("tag", "light", "HEAD~40")
    yield
    _grow(repo, 2)
    repo.git("tag", "-m", "at the parent of a new commit", "v2", "HEAD~2", **TAGGER)


def a_tag_on_a_new_commit(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    yield
    _grow(repo, 3)
    repo.git("tag", "-m", "release", "v1", "HEAD~1", **TAGGER)
    repo.git("tag", "v2")


def a_tag_on_a_commit_of_no_branch(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    yield
    repo.git("checkout", "-q", "--detach", "HEAD~20")
    _grow(repo, 2, "release.txt")
    repo.git("tag", "-m", "release", "v1", **TAGGER)
    repo.git("checkout", "-q", "main")


def a_moved_tag(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    repo.git("tag", "-m", "moves", "latest", **TAGGER)
    yield
    _grow(repo, 2)
    repo.git("tag", "-f", "-m", "moves", "latest", **TAGGER)


def tags_on_a_tree_and_a_blob(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    yield
    repo.git("tag", "tree", "HEAD~9^{tree}")
    repo.git("tag", "blob", "HEAD~9:file.txt")
    repo.git("tag", "-m", "annotated", "annotated-tree", "HEAD^{tree}", **TAGGER)
    repo.git("tag", "-m", "annotated", "annotated-blob", "HEAD:file.txt", **TAGGER)
    yield
    _grow(repo, 1)


def another_root(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    yield
    repo.git("checkout", "-q", "--orphan", "pages")
    _grow(repo, 3, "index.html")
    repo.git("checkout", "-q", "-f", "main")


def another_root_merged(repo: Any) -> Iterator[None]:
    _grow(repo, 30)
    yield
    repo.git("checkout", "-q", "--orphan", "pages")
    _grow(repo, 30, "index.html")
    repo.git("checkout", "-q", "-f", "main")
    repo.merge("pages")
    repo.git("branch", "-q", "-D", "pages")


def everything_anew(repo: Any) -> Iterator[None]:
    _grow(repo, 20)
    yield
    repo.git("checkout", "-q", "--orphan", "other")
    _grow(repo, 20)
    repo.git("branch", "-M", "other", "main")


def a_folder_where_a_branch_was(repo: Any) -> Iterator[None]:
    _grow(repo, 5)
    repo.git("branch", "topic")
    yield
    repo.git("branch", "-D", "topic")
    repo.git("checkout", "-q", "-b", "topic/odd,with;signs'\"")
    _grow(repo, 1)


STORIES = (
    fast_forward, nothing, several_steps, merge_of_an_old_branch, merge_of_a_known_branch,
    fast_forward_to_a_known_branch, merge_onto_the_boundary, merge_of_what_is_known, merge_into_a_branch_that_slept,
    merge_into_an_ancient_commit, octopus, branch_from_an_ancient_commit, branch_at_a_known_commit, long_branch,
    a_branch_that_slept, force_push, force_push_back, force_push_that_a_tag_survives, deleted_branch,
    branch_that_comes_back, another_default_branch, renamed_default_branch, detached_head,
    head_at_a_commit_without_a_ref, head_that_points_nowhere,
    a_date_in_the_future, a_date_of_1970, a_date_of_1970_in_between, a_date_that_is_none, renames, kinds_of_files,
    empty_commits, a_tag_on_an_old_commit, a_tag_on_a_new_commit, a_tag_on_a_commit_of_no_branch, a_moved_tag,
    tags_on_a_tree_and_a_blob, another_root, another_root_merged, everything_anew, a_folder_where_a_branch_was,
)  # fmt: skip


def _told(extraction: Any) -> tuple[object, object]:
    return extraction.facts["fetch"], extraction.facts.get("fetchReason")


@pytest.mark.parametrize(
    "filters", [pytest.param(True, id="filters"), pytest.param(False, id="no filters", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_what_is_fetched_alone_equals_a_fresh_extraction(
    story: Story, filters: bool, repository: Any, extraction: Any, fresh_extraction: Any, assert_equals_git: Check
) -> None:
    extraction.kept = fresh_extraction.kept = EVERYTHING if filters else frozenset()
    repository.git("config", "uploadpack.allowFilter", str(filters))
    steps = story(repository)
    next(steps)
    extraction(repository)
    assert _told(extraction) == ("full", None)
    goes_on = True
    while goes_on:
        goes_on = next(steps, END) is None
        extraction(repository)

        assert _told(extraction) == ("incremental", None)
        assert_equals_git(repository)
    fresh_extraction(repository)
    assert extraction.natural(repository) == fresh_extraction.natural(repository)


@dataclass
class Live:
    """The repository at an HTTPS host that knows filters."""

    repository: Any
    url: str

    @property
    def git_dir(self) -> Path:
        """Where its objects are."""
        path: Path = self.repository.git_dir
        return path


@pytest.fixture
def live(repository: Any, host: Any) -> Live:
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.write("large", "".join(f"{number * 7919}\n" for number in range(20_000)))
    _grow(repository, 40)
    return Live(repository, host.serve(repository))


def test_a_host_is_asked_three_times_and_sends_little(
    live: Live, host: Any, extraction: Any, assert_equals_git: Check
) -> None:
    extraction.kept = EVERYTHING
    live.repository.git("branch", "topic")
    _grow(live.repository, 5)
    extraction(live)
    whole = extraction.facts["bytesFetched"]
    host.asked.clear()
    live.repository.git("checkout", "-q", "topic")
    _grow(live.repository, 5, "topic.txt")
    live.repository.git("checkout", "-q", "main")
    _grow(live.repository, 5)
    _merge(live.repository, "topic")

    extraction(live)

    assert _told(extraction) == ("incremental", None)
    # What it has, the commits, the contents: one connection each, and no other, however many files changed.
    assert sum("info/refs" in path for path in host.asked) == 3
    assert 0 < extraction.facts["bytesFetched"] < whole / 10
    assert extraction.warehouse.query("select bytes_fetched from extraction_runs where run_number = 2") == [
        (extraction.facts["bytesFetched"],)
    ]
    assert_equals_git(live)


def test_a_host_without_news_sends_nothing(live: Live, host: Any, extraction: Any) -> None:
    extraction(live)
    host.asked.clear()

    extraction(live)

    assert (_told(extraction), extraction.facts["bytesFetched"]) == (("incremental", None), 0)
    assert sum("info/refs" in path for path in host.asked) == 1


def test_a_boundary_that_is_not_known_is_no_proof(
    live: Live, extraction: Any, assert_equals_git: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    extraction(live)
    _grow(live.repository, 20)
    monkeypatch.setattr(fetching, "DAY", -5 * DAY)  # too late a date: the first of the new commits are cut off
    monkeypatch.setattr(fetching, "DEEPER", (1, 2))

    extraction(live)

    assert _told(extraction) == ("full", "what is new goes back to commits too old to be fetched apart")
    assert_equals_git(live)


def test_the_boundary_moves_back_until_it_is_known(
    live: Live, extraction: Any, assert_equals_git: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    extraction(live)
    _grow(live.repository, 20)
    monkeypatch.setattr(fetching, "DAY", -5 * DAY)

    extraction(live)

    assert _told(extraction) == ("incremental", None)
    assert_equals_git(live)


def test_a_host_of_files_alone_is_read_whole(
    repository: Any, host: Any, extraction: Any, assert_equals_git: Check
) -> None:
    """It speaks the "dumb" protocol, which knows neither depth nor filters."""
    _grow(repository, 5)
    dumb = Live(repository, host.add(repository))
    extraction(dumb)
    _grow(repository, 2)
    folder = host.folder / "project.git"
    repository.git(f"--git-dir={folder}", "fetch", "-q", str(repository.path), "main:main", GIT_ALLOW_PROTOCOL="file")
    repository.git(f"--git-dir={folder}", "update-server-info")

    extraction(dumb)

    assert extraction.facts["fetch"] == "full"
    assert "dumb http" in str(extraction.facts["fetchReason"])
    assert_equals_git(dumb)


def test_a_host_that_sends_advertised_objects_alone_is_read_whole(
    live: Live, host: Any, extraction: Any, assert_equals_git: Check
) -> None:
    extraction(live)
    _grow(live.repository, 2)
    host.old_protocol = True

    extraction(live)

    assert extraction.facts["fetch"] == "full"
    assert "unadvertised" in str(extraction.facts["fetchReason"])
    assert_equals_git(live)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({}, {"exclude": ("side",)}, id="exclude"),
        pytest.param({"include": ("main",)}, {}, id="include no more"),
    ],
)
def test_other_branches_to_read_need_a_clone(
    first: dict[str, Any], second: dict[str, Any], repository: Any, extraction: Any, fresh_extraction: Any
) -> None:
    _grow(repository, 3)
    repository.git("checkout", "-q", "-b", "side")
    _grow(repository, 3)
    repository.git("checkout", "-q", "main")
    extraction(repository, **first)

    extraction(repository, **second)

    assert extraction.facts["fetch"] == "full"
    assert "branches to read" in str(extraction.facts["fetchReason"])
    fresh_extraction(repository, **second)
    assert extraction.natural(repository) == fresh_extraction.natural(repository)


def test_selected_branches_are_followed(repository: Any, extraction: Any, fresh_extraction: Any) -> None:
    _grow(repository, 10)
    for name in ("release/1", "other"):
        repository.git("checkout", "-q", "-b", name, "main~5")
        _grow(repository, 3, name)
    repository.git("checkout", "-q", "main")
    chosen = {"include": ("main", "release/*")}
    extraction(repository, **chosen)
    _grow(repository, 1)
    repository.merge("other")
    repository.git("branch", "release/2", "main~1")

    extraction(repository, **chosen)

    assert _told(extraction) == ("incremental", None)
    fresh_extraction(repository, **chosen)
    assert extraction.natural(repository) == fresh_extraction.natural(repository)


def test_head_outside_of_what_is_known_needs_a_clone(repository: Any, extraction: Any, fresh_extraction: Any) -> None:
    _grow(repository, 10)
    repository.git("branch", "release/1", "main~5")
    extraction(repository, include=("release/*",))
    repository.git("branch", "release/2", "main~2")

    extraction(repository, include=("release/*",))

    assert extraction.facts["fetch"] == "full"
    assert "HEAD" in str(extraction.facts["fetchReason"])
    fresh_extraction(repository, include=("release/*",))
    assert extraction.natural(repository) == fresh_extraction.natural(repository)


def test_a_ref_whose_name_is_no_text_needs_a_clone(repository: Any, extraction: Any, assert_equals_git: Check) -> None:
    _grow(repository, 3)
    repository.git("update-ref", b"refs/heads/caf\xe9", "HEAD")
    extraction(repository)
    _grow(repository, 1)

    extraction(repository)

    assert extraction.facts["fetch"] == "full"
    assert_equals_git(repository)


def test_a_sha256_repository_is_followed(make_repository: Any, extraction: Any, assert_equals_git: Check) -> None:
    repository = make_repository("sha256", object_format="sha256")
    repository.git("config", "uploadpack.allowFilter", "true")
    _grow(repository, 10)
    extraction(repository)
    _grow(repository, 3)

    extraction(repository)

    assert _told(extraction) == ("incremental", None)
    assert_equals_git(repository)


def test_a_stop_while_fetching_leaves_no_process(
    live: Live, host: Any, extraction: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extraction(live)
    _grow(live.repository, 2)
    wait = subprocess.Popen.wait
    session: list[int] = []

    def stop(process: subprocess.Popen[bytes], *words: Any, **options: Any) -> int:
        if "fetch" in process.args and not session:  # type: ignore[operator]
            session.append(process.pid)
            raise Stopped("asked to stop", Outcome.CANCELLED)
        return wait(process, *words, **options)

    monkeypatch.setattr(subprocess.Popen, "wait", stop)

    with pytest.raises(Stopped):
        extraction(live)

    wait_for(lambda: not _alive(session[0]), 10, lambda: _alive(session[0]))
    assert extraction.warehouse.query("select state from repositories") == [("completed",)]


def _alive(session: int) -> list[int]:
    """Return the processes of a session that are not dead; what was killed may take a moment."""
    listed = subprocess.run(["ps", "-s", str(session), "-o", "pid=,stat="], capture_output=True, text=True, check=False)
    return [int(pid) for pid, state in map(str.split, listed.stdout.splitlines()) if not state.startswith("Z")]
