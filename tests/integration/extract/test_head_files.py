"""Named files of HEAD are read from a clone and from what is fetched alone, bounded and as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitmart.extract import head_files, run
from gitmart.extract.errors import DamagedError
from gitmart.extract.git import Git
from gitmart.extract.head_files import FIELD, Entry, HeadFiles, HeadTree, Names, find
from gitmart.extract.history import History
from gitmart.extract.quarantine import Quarantined
from gitmart.extract.refs import Refs
from gitmart.extract.work import HEAD_FILES, Loaded

DAY = 86_400  # seconds
Read = Callable[[Any], HeadFiles]


def _read(repository: Any, names: Names = HEAD_FILES, head: str = "HEAD") -> HeadFiles:
    """Read as a run with a clone does."""
    commit = repository.git("rev-parse", head).encode()
    history = History(Git(repository.git_dir, repository.environment), Refs((), commit, None, ""), (), commit)
    tree = find(history, None, names)
    assert tree is not None
    return tree.read()


def _contents(files: HeadFiles) -> dict[bytes, bytes]:
    return {file.path: file.content for file in files.files}


def test_files_are_found_by_path_and_by_basename(repository: Any) -> None:
    repository.write(".mailmap", b"binary \xff\0 is fine\n")
    repository.write(".gitattributes", "a\n")
    repository.write("src/deep/.gitattributes", "b\n")
    repository.write("src/.mailmap", "not asked for\n")
    repository.write("src/x.gitattributes", "not asked for\n")
    repository.write(b"odd \xff\n\t'/.gitattributes", "c\n")
    repository.commit()

    files = _read(repository)

    assert list(_contents(files).items()) == [
        (b".mailmap", b"binary \xff\0 is fine\n"),
        (b".gitattributes", b"a\n"),
        (b"odd \xff\n\t'/.gitattributes", b"c\n"),
        (b"src/deep/.gitattributes", b"b\n"),
    ]
    assert files.ignored == ()
    found = files.at(b".mailmap")
    assert found is not None
    assert found.blob == repository.git("rev-parse", "HEAD:.mailmap")
    assert _contents(_read(repository, Names(paths=HEAD_FILES.paths))) == {b".mailmap": b"binary \xff\0 is fine\n"}


def test_links_submodules_and_folders_are_no_files(repository: Any) -> None:
    repository.write("secret", "of the machine\n")
    (repository.path / ".mailmap").symlink_to("/etc/passwd")
    repository.git("add", ".mailmap")
    repository.write("folder/.gitattributes/file", "in a folder of that name\n")
    commit = repository.commit()
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},module/.gitattributes")
    repository.commit()

    assert _read(repository).files == ()
    assert _read(repository, Names(paths=HEAD_FILES.paths)).files == ()


def test_nothing_is_read_without_a_head(repository: Any) -> None:
    git = Git(repository.git_dir, repository.environment)
    tree = find(History(git, Refs((), None, None, ""), (), None), None, HEAD_FILES)

    assert tree is not None
    assert tree.read() == HeadFiles()


def test_what_is_too_large_or_too_many_is_left_out_and_named(repository: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.write(".mailmap", b"x" * (head_files.LARGEST + 1))
    for name in "abcd":
        repository.write(f"{name}/.gitattributes", name * 1000)
    repository.commit()
    monkeypatch.setattr(head_files, "MOST_FILES", 4)
    monkeypatch.setattr(head_files, "MOST_BYTES", 2500)

    files = _read(repository)

    assert list(_contents(files)) == [b"a/.gitattributes", b"b/.gitattributes"]
    assert files.ignored == (
        Quarantined(None, FIELD, b"d/.gitattributes", "more than 4 files"),
        Quarantined(None, FIELD, b".mailmap", "larger than 1 MiB"),
        Quarantined(None, FIELD, b"c/.gitattributes", "more than 0 MiB in all"),
    )


def test_a_missing_content_is_an_error(repository: Any) -> None:
    tree = HeadTree(Git(repository.git_dir, repository.environment), (Entry(b".mailmap", b"1" * 40),))

    with pytest.raises(DamagedError, match="no blob 1111"):
        tree.read()


# How HEAD moves between two runs, and whether its files are read then.
def unmoved(repo: Any) -> bool:
    repo.git("checkout", "-q", "-b", "side")
    _grow(repo, 2)
    repo.git("checkout", "-q", "main")
    return False


def unmoved_with_a_new_tag(repo: Any) -> bool:
    """The tag brings the commit of HEAD without its tree."""
    repo.git("tag", "-m", "late", "v1", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.org")
    return False


def onwards(repo: Any) -> bool:
    _grow(repo, 2)
    return True


def onwards_without_touching_them(repo: Any) -> bool:
    """Counting reads other contents alone."""
    repo.clock += DAY
    repo.write("other", "other\n")
    repo.commit()
    return True


def back(repo: Any) -> bool:
    repo.git("reset", "-q", "--hard", "HEAD~4")
    return True


def back_to_a_commit_with_a_new_tag(repo: Any) -> bool:
    back(repo)
    return unmoved_with_a_new_tag(repo) is False


def to_a_known_branch(repo: Any) -> bool:
    repo.git("checkout", "-q", "old")
    return True


def nowhere(repo: Any) -> bool:
    repo.git("checkout", "-q", "--orphan", "unborn")
    return True


MOVES = (unmoved, unmoved_with_a_new_tag, onwards, onwards_without_touching_them, back, back_to_a_commit_with_a_new_tag,
         to_a_known_branch, nowhere)  # fmt: skip


def _grow(repo: Any, count: int) -> None:
    for _ in range(count):
        repo.clock += DAY
        repo.write(".mailmap", f"Proper <{repo.clock}@example.org>\n")
        repo.write(f"src/{repo.clock % 3}/.gitattributes", f"* a={repo.clock}\n")
        repo.commit()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[HeadFiles | None]:
    """What every run has read."""
    found: list[HeadFiles | None] = []
    merge = run._merge  # the only place that sees the files

    def spying(work: Any, repository_id: int, loaded: Loaded) -> Any:
        found.append(loaded.head_files)
        return merge(work, repository_id, loaded)

    monkeypatch.setattr(run, "_merge", spying)
    return found


@pytest.mark.parametrize(
    ("move", "filters"),
    [*(pytest.param(move, True, id=move.__name__) for move in MOVES), pytest.param(back, False, id="no filters")],
)
def test_what_is_fetched_alone_has_the_files_of_a_clone(
    move: Callable[[Any], bool], filters: bool, repository: Any, extraction: Any, read: list[HeadFiles | None]
) -> None:
    repository.git("config", "uploadpack.allowFilter", str(filters))
    _grow(repository, 6)
    repository.git("branch", "old", "HEAD~5")
    extraction(repository)
    assert read.pop() == _read(repository)
    is_read = move(repository)

    extraction(repository)

    assert (extraction.facts["fetch"], extraction.facts.get("fetchReason")) == ("incremental", None)
    files = read.pop()
    if not is_read:
        assert files is None
    else:
        assert files == (HeadFiles() if move is nowhere else _read(repository))


def test_their_contents_come_with_those_of_the_diffs(
    repository: Any, host: Any, extraction: Any, read: list[HeadFiles | None]
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    _grow(repository, 3)
    url = host.serve(repository)
    live = type("Live", (), {"url": url})()
    extraction(live)
    host.asked.clear()
    onwards_without_touching_them(repository)

    extraction(live)

    assert extraction.facts["fetch"] == "incremental"
    assert read[-1] == _read(repository)
    assert sum("info/refs" in path for path in host.asked) == 3  # refs, commits, contents


def test_what_was_left_out_stays_in_quarantine_until_head_moves(
    repository: Any, extraction: Any, read: list[HeadFiles | None], tmp_path: Path
) -> None:
    repository.write(".mailmap", b"x" * (head_files.LARGEST + 1))
    repository.commit()

    def quarantined() -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = extraction.warehouse.query("select field, raw, reason from quarantine")
        return rows

    extraction(repository)
    assert quarantined() == [(FIELD, b".mailmap", "larger than 1 MiB")]
    unmoved(repository)
    extraction(repository)
    assert read[-1] is None
    assert quarantined() == [(FIELD, b".mailmap", "larger than 1 MiB")]
    repository.git("rm", "-q", ".mailmap")
    repository.commit()
    extraction(repository)
    assert quarantined() == []
