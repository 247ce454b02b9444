"""The warehouse equals git, for histories that are ordinary and for those made to break it (invariant 4)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from gitmart.extract import loader, source

Build = Callable[[Any], None]
IDENT = b"Author One <one@example.org>"


def _linear(repo: Any) -> None:
    for number in range(5):
        repo.write("file.txt", "line\n" * (number + 1))
        repo.commit(f"commit {number}")


def _merges(repo: Any) -> None:
    repo.write("base", "base\n")
    repo.commit()
    for name in ("left", "middle", "right"):
        repo.git("checkout", "-q", "-b", name, "main")
        repo.write(name, f"{name}\n")
        repo.commit(name)
    repo.git("checkout", "-q", "main")
    repo.merge("left")
    repo.merge("left", "middle", "right")


def _roots(repo: Any) -> None:
    _linear(repo)
    repo.git("checkout", "-q", "--orphan", "pages")
    repo.write("index.html", "<html>\n")
    repo.commit("another root")
    repo.commit("empty one")


def _renames(repo: Any) -> None:
    text = "".join(f"line {number}\n" for number in range(50))
    repo.write("old name", text)
    repo.write("other", text[:200])
    repo.commit()
    repo.git("mv", "old name", "new name")
    repo.commit("pure rename")
    repo.git("mv", "new name", "changed name")
    repo.write("changed name", text + "one more\n")
    repo.write("quite new", "new\n")
    repo.commit("rename with a change, beside a new file")
    repo.git("rm", "-q", "other")
    repo.commit("deletion")


def _kinds(repo: Any) -> None:
    repo.write("binary", bytes(range(256)) * 4)
    repo.write("script", "#!/bin/sh\n")
    repo.write("becomes a link", "text\n")
    repo.commit()
    repo.write("binary", bytes(reversed(range(256))) * 4)
    repo.git("update-index", "--chmod=+x", "script")
    repo.commit("binary change and mode change")
    (repo.path / "becomes a link").unlink()
    (repo.path / "becomes a link").symlink_to("script")
    repo.git("add", "-A")
    repo.commit("type change")
    head = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},module")
    repo.commit("submodule")
    repo.write("no newline at the end", "a\nb")
    repo.write("empty", "")
    repo.commit()


def _paths(repo: Any) -> None:
    for name in (
        b"tab\there",
        b"line\nfeed",
        b'quote"d',
        b"caf\xc3\xa9",
        b"caf\xe9",
        b"-dash",
        b"back\\slash",
        b" space ",
    ):
        repo.write(name, "x\n")
    repo.commit()
    repo.git("mv", b"caf\xe9", b"caf\xe8 renamed")
    repo.git("mv", b"tab\there", b"another\ttab")
    repo.commit("renames of odd names")


def _messages(repo: Any) -> None:
    for message in (
        b"",
        b"\n\nleading",
        b"cr\r\nlf\r\n",
        b"a | b \x01 \x1e \x1f",
        b"no end",
        b"ends\n\n\n",
        b"x" * 200_000,
    ):
        repo.commit(message)
    repo.commit(b"caf\xe9 without a header")
    repo.git("-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "--allow-empty", "-F", "-", stdin=b"caf\xe9\n",
             GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="b", GIT_COMMITTER_NAME="c", GIT_COMMITTER_EMAIL="d")  # fmt: skip
    tree = repo.git("rev-parse", "HEAD^{tree}").encode()
    repo.commit_object(
        b"tree " + tree + b"\nauthor caf\xe9 <one> 1 +0000\ncommitter two <two> 2 +0000\nencoding no-such\n\ncaf\xe9\n",
        "refs/heads/encoding",
    )


def _idents(repo: Any) -> None:
    repo.commit()
    tree = repo.git("rev-parse", "HEAD^{tree}").encode()
    for number, ident in enumerate(
        (b" <>", b"Name <>", b" <mail@example.org>", b"'\"|,; <a b c>", b"x" * 5000 + b" <y>")
    ):
        repo.commit_object(
            b"tree "
            + tree
            + b"\nauthor "
            + ident
            + b" 1700000000 +0000\ncommitter "
            + IDENT
            + b" 1700000000 +0545\n\nm\n",
            f"refs/heads/ident{number}",
        )


def _dates(repo: Any) -> None:
    repo.commit()
    tree = repo.git("rev-parse", "HEAD^{tree}").encode()
    dates = (b"1 +0000", b"0 +0000", b"4102444800 +0000", b"253402300799 +0000", b"253402300800 +0000",
             b"1234567890 +051800", b"4293918671 -13068837", b"9223372036854775807 +0130", b"1234567890 -0000", b"1234567890 +0099",
             b"-1234567890 +0000", b"", b"soon", b"1234567890")  # fmt: skip
    for number, date in enumerate(dates):
        repo.commit_object(
            b"tree " + tree + b"\nauthor " + IDENT + b" " + date + b"\ncommitter " + IDENT + b" " + date + b"\n\nm\n",
            f"refs/heads/date{number}",
        )


def _refs(repo: Any) -> None:
    repo.write("file", "x\n")
    first = repo.commit()
    repo.git("tag", "light")
    repo.git("tag", "-m", "annotated", "annotated", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.org")
    repo.git("tag", "-m", "nested", "nested", "annotated", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.org")
    repo.git("tag", "tree", f"{first}^{{tree}}")
    repo.git("tag", "blob", f"{first}:file")
    repo.commit("only a tag keeps it")
    repo.git("tag", "keeper")
    repo.git("reset", "-q", "--hard", first)
    repo.git("update-ref", "refs/pull/1/head", "keeper")
    repo.git("update-ref", "refs/heads/HEAD", first)
    repo.git("update-ref", "refs/heads/0123456789012345678901234567890123456789", first)
    repo.git("branch", "odd/näme,with;signs'\"")
    repo.git("update-ref", b"refs/heads/caf\xe9", first)
    repo.git("notes", "add", "-m", "a note", GIT_AUTHOR_NAME="n", GIT_AUTHOR_EMAIL="n@example.org",
             GIT_COMMITTER_NAME="n", GIT_COMMITTER_EMAIL="n@example.org")  # fmt: skip


def _replaced(repo: Any) -> None:
    _linear(repo)
    repo.git("replace", "HEAD~1", "HEAD~3")  # the history as it would be shown is shorter


def _many_files(repo: Any) -> None:
    for number in range(3000):
        target = repo.path / f"folder{number % 7}" / f"file{number}"
        target.parent.mkdir(exist_ok=True)
        target.write_text(f"{number}\n", encoding="ascii")
    repo.git("add", "-A")
    repo.commit("many files")
    repo.git("mv", "folder1", "moved")
    repo.commit("many renames")


HISTORIES = (
    _linear,
    _merges,
    _roots,
    _renames,
    _kinds,
    _paths,
    _messages,
    _idents,
    _dates,
    _refs,
    _replaced,
    _many_files,
)


@pytest.mark.parametrize("build", HISTORIES, ids=lambda build: build.__name__.strip("_"))
def test_the_warehouse_equals_git(
    build: Build, repository: Any, extraction: Any, assert_equals_git: Callable[[Any], None]
) -> None:
    build(repository)

    totals = extraction(repository)

    assert totals.commits == repository.count()
    assert_equals_git(repository)


@pytest.mark.parametrize("build", [_linear, _merges, _renames], ids=lambda build: build.__name__.strip("_"))
def test_a_sha256_repository_equals_git(
    build: Build, make_repository: Any, extraction: Any, assert_equals_git: Callable[[Any], None]
) -> None:
    repository = make_repository("sha256", object_format="sha256")
    build(repository)

    extraction(repository)

    assert_equals_git(repository)


def test_a_commit_too_large_for_memory_equals_git(
    repository: Any, extraction: Any, assert_equals_git: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    _many_files(repository)
    _paths(repository)
    _kinds(repository)
    small = functools.partial(source.split_records, limit=500)
    monkeypatch.setattr(source, "split_records", small)
    monkeypatch.setattr(loader, "CHUNK_FILES", 700)

    extraction(repository)

    assert_equals_git(repository)


def test_an_empty_repository_is_no_error(repository: Any, extraction: Any) -> None:
    totals = extraction(repository)

    assert (totals.commits, totals.branches, totals.run_number) == (0, 0, 1)
    assert extraction.warehouse.query("select state, default_branch from repositories") == [("completed", None)]


def test_head_that_points_nowhere_leaves_the_default_branch_empty(repository: Any, extraction: Any) -> None:
    _linear(repository)
    repository.git("symbolic-ref", "HEAD", "refs/heads/gone")

    totals = extraction(repository)

    assert totals.commits == 5
    assert extraction.warehouse.query("select count(*) from commits where in_default_branch") == [(0,)]
    assert extraction.warehouse.query("select default_branch from repositories") == [(None,)]


def test_a_branch_called_head_is_not_what_a_head_that_points_nowhere_means(
    repository: Any, extraction: Any, assert_equals_git: Callable[[Any], None]
) -> None:
    _linear(repository)
    repository.git("update-ref", "refs/heads/HEAD", "main")
    repository.git("tag", "HEAD", "main")
    repository.git("symbolic-ref", "HEAD", "refs/heads/gone")

    extraction(repository)

    assert extraction.warehouse.query("select count(*) from commits where in_default_branch") == [(0,)]
    assert extraction.warehouse.query("select default_branch from repositories") == [(None,)]
    assert_equals_git(repository)


def test_a_tag_is_not_what_a_head_of_the_same_name_means(
    repository: Any, extraction: Any, assert_equals_git: Callable[[Any], None]
) -> None:
    _linear(repository)
    repository.git("tag", "gone", "main")
    repository.git("symbolic-ref", "HEAD", "refs/heads/gone")

    extraction(repository)

    assert extraction.warehouse.query("select count(*) from commits where in_default_branch") == [(0,)]
    assert_equals_git(repository)


def test_a_detached_head_is_the_default(
    repository: Any, extraction: Any, assert_equals_git: Callable[[Any], None]
) -> None:
    _linear(repository)
    repository.git("checkout", "-q", "--detach", "HEAD~2")

    extraction(repository)

    assert extraction.warehouse.query("select count(*) from commits where in_default_branch") == [(3,)]
    assert_equals_git(repository)


def test_values_that_cannot_be_stored_stand_in_quarantine(repository: Any, extraction: Any) -> None:
    repository.commit()
    tree = repository.git("rev-parse", "HEAD^{tree}").encode()
    bad = repository.commit_object(
        b"tree " + tree + b"\nauthor Nam\xe9 <one@example.org> 99999999999999999999 +0000\ncommitter C c@x\n\ncaf\xe9\n"
    )

    totals = extraction(repository)

    kept = extraction.warehouse.query("select field, raw from quarantine where commit_hash = %s order by 1", bad)
    assert {field: bytes(raw) for field, raw in kept} == {
        "author": b"Nam\xe9 <one@example.org> 99999999999999999999 +0000",
        "author name": b"Nam\xe9",
        "committer": b"C c@x",
        "message": b"caf\xe9\n",
    }
    assert totals.quarantined == 4
    stored = extraction.warehouse.query(
        """select c.commit_date, c.committed_at, c.commit_message, a.name from commits c
           join contributors a on a.id = c.contributor_id where c.commit_hash = %s""",
        bad,
    )
    assert stored == [(None, None, "caf\\xe9\n", "Nam\\xe9")]


@pytest.mark.parametrize("date", [b" 0 +0000", b"  0 +0000", b" 00 -0000", b" 0 +000000"])
def test_a_true_first_second_of_1970_is_kept(date: bytes, repository: Any, extraction: Any) -> None:
    repository.commit()
    tree = repository.git("rev-parse", "HEAD^{tree}").encode()
    made = repository.commit_object(
        b"tree " + tree + b"\nauthor " + IDENT + date + b"\ncommitter " + IDENT + date + b"\n\nm\n"
    )

    totals = extraction(repository)

    found = extraction.warehouse.query(
        "select extract(epoch from commit_date) from commits where commit_hash = %s", made
    )
    assert found == [(0,)]
    assert totals.quarantined == 0


def _quarantined(extraction: Any, commit: str) -> dict[object, bytes]:
    kept = extraction.warehouse.query("select field, raw from quarantine where commit_hash = %s", commit)
    return {field: bytes(raw) for field, raw in kept}


def _message(extraction: Any, commit: str) -> object:
    ((message,),) = extraction.warehouse.query("select commit_message from commits where commit_hash = %s", commit)
    return message


def test_a_message_that_holds_nul_stands_whole_in_quarantine(
    repository: Any, extraction: Any, assert_equals_git: Callable[[Any], None]
) -> None:
    tree = repository.git("write-tree").encode()
    header = b"tree " + tree + b"\nauthor " + IDENT + b" 1 +0000\ncommitter " + IDENT + b" 1 +0000\n\n"
    made = repository.commit_object(header + b"before\0after\n")

    extraction(repository)

    assert _message(extraction, made) == "before"
    assert _quarantined(extraction, made) == {"message": b"before\0after\n"}
    assert_equals_git(repository)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        pytest.param(b"", "", id="a header without an end"),
        pytest.param(b"encoding UTF-16\n\nm\n", "m\n", id="a header lost in conversion"),
        pytest.param(b"x-odd a\0b\n\nm\n", "m\n", id="NUL in the header"),
    ],
)
def test_what_git_prints_of_its_memory_is_no_message(
    rest: bytes, message: str, repository: Any, extraction: Any, assert_equals_git: Callable[[Any], None]
) -> None:
    tree = repository.git("write-tree").encode()
    made = repository.commit_object(
        b"tree " + tree + b"\nauthor " + IDENT + b" 1 +0000\ncommitter " + IDENT + b" 1 +0000\n" + rest
    )

    extraction(repository)

    assert _message(extraction, made) == message
    assert_equals_git(repository)


def test_a_value_of_a_very_large_commit_is_quarantined_once(
    repository: Any,
    extraction: Any,
    assert_equals_git: Callable[[Any], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(5):
        repository.write(f"file{number}", "x\n")
    tree = repository.git("write-tree").encode()
    repository.commit_object(
        b"tree " + tree + b"\nauthor " + IDENT + b" soon\ncommitter " + IDENT + b" 1 +0000\n\na\0b\n"
    )
    monkeypatch.setattr(source, "split_records", functools.partial(source.split_records, limit=10))
    monkeypatch.setattr(source, "READ_SIZE", 100)
    monkeypatch.setattr(loader, "CHUNK_FILES", 2)

    totals = extraction(repository)

    assert totals.quarantined == 2
    assert_equals_git(repository)


def test_an_old_path_of_a_very_large_commit_need_not_be_text(
    repository: Any, extraction: Any, assert_equals_git: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write(b"old\xff" + b"x" * 200, "one\n")
    repository.commit()
    repository.git("mv", b"old\xff" + b"x" * 200, "new" + "x" * 200)
    renaming = repository.commit()
    monkeypatch.setattr(source, "split_records", functools.partial(source.split_records, limit=10))
    monkeypatch.setattr(source, "READ_SIZE", 100)

    extraction(repository)

    assert _quarantined(extraction, renaming) == {"old path": b"old\xff" + b"x" * 200}
    assert_equals_git(repository)


def test_the_machine_s_git_configuration_changes_nothing(
    repository: Any,
    extraction: Any,
    assert_equals_git: Callable[[Any], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    _renames(repository)
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        "[diff]\n\trenames = false\n\torderFile = /nonexistent\n[log]\n\tshowRoot = false\n[core]\n\tquotePath = true\n"
        "[i18n]\n\tlogOutputEncoding = ISO-8859-1\n",
        encoding="ascii",
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=0")

    extraction(repository)

    assert_equals_git(repository)
