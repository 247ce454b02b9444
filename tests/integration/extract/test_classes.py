"""Classes of files in the warehouse: said when they are counted, said anew when the rules change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gitmart.contract.file_classes import FileClass, PathRules
from gitmart.extract import reclass

GENERATED = "gen/* linguist-generated\n"


def classes(extraction: Any, columns: str = "path, class") -> dict[str, Any]:
    rows = extraction.warehouse.query(f"select distinct {columns} from commit_files order by 1")
    assert len(dict(rows)) == len(rows)  # a path has one class at a time
    return dict(rows)


def changed_runs(extraction: Any) -> list[tuple[object, ...]]:
    """Return subject, run of the commit, and the greatest run of its files."""
    rows: list[tuple[object, ...]] = extraction.warehouse.query(
        """select split_part(c.commit_message, chr(10), 1), c.changed_run, max(f.changed_run) from commits c
           left join commit_files f on f.commit_id = c.id group by c.id order by c.commit_date"""
    )
    return rows


def a_history(repository: Any) -> None:
    repository.write("gen/a.go", "one\n")
    repository.write("main.go", "one\n")
    repository.write("pic.png", b"\0\1")
    repository.commit("generated and source")
    repository.write("README.md", "one\n")
    repository.commit("documentation")
    repository.git("branch", "side")
    repository.write("vendor/x/lib.go", "one\n")
    repository.write("a_test.go", "one\n")
    repository.write("a.yaml", "one\n")
    repository.commit("the others")
    repository.merge("side")


BEFORE = {
    "gen/a.go": b"s", "main.go": b"s", "pic.png": b"s", "README.md": b"d", "vendor/x/lib.go": b"v", "a_test.go": b"t",
    "a.yaml": b"c",
}  # fmt: skip


def letters(found: dict[str, Any]) -> dict[str, Any]:
    return {path: letter.encode() if isinstance(letter, str) else letter for path, letter in found.items()}


def test_every_file_has_its_class(repository: Any, extraction: Any) -> None:
    a_history(repository)

    extraction(repository, paths=PathRules(exclude=("*.png",)))

    assert letters(classes(extraction)) == BEFORE | {"pic.png": b"x"}
    assert extraction.warehouse.query("select added, deleted from commit_files where class = 'x'") == [(None, None)]
    # What git counts stays what git counts.
    assert extraction.warehouse.query("select lines_added, files_changed from commits order by commit_date") == [
        (2, 3), (1, 1), (3, 3), (0, 0),
    ]  # fmt: skip


def test_new_attributes_change_the_classes_of_old_rows_and_nothing_else(
    repository: Any, extraction: Any, fresh_extraction: Any
) -> None:
    a_history(repository)
    extraction(repository)
    repository.write(".gitattributes", GENERATED)
    repository.write("gen/b.go", "one\n")
    repository.commit("attributes")

    extraction(repository)

    assert extraction.facts["fetch"] == "incremental"
    assert letters(classes(extraction)) == BEFORE | {"gen/a.go": b"g", "gen/b.go": b"g", ".gitattributes": b"c"}
    assert changed_runs(extraction) == [
        ("generated and source", 2, 2), ("documentation", 1, 1), ("the others", 1, 1), ("a merge", 1, None),
        ("attributes", 2, 2),
    ]  # fmt: skip
    runs = extraction.warehouse.query(
        "select path, changed_run from commit_files where path in ('gen/a.go', 'main.go')"
    )
    assert sorted(runs) == [("gen/a.go", 2), ("main.go", 1)]
    fresh_extraction(repository)
    assert extraction.natural(repository) == fresh_extraction.natural(repository)
    # Nothing more to do: a row that is wrong is not even looked at.
    extraction.warehouse.query("update commit_files set class = 'x' where path = 'main.go'")
    repository.commit("nothing new of attributes")
    extraction(repository)
    assert letters(classes(extraction))["main.go"] == b"x"


def test_rules_of_the_repository_need_no_clone_and_keep_the_attributes(repository: Any, extraction: Any) -> None:
    a_history(repository)
    repository.write("docs/.gitattributes", "*.go linguist-vendored\n")
    repository.write("docs/x.go", "one\n")
    repository.commit("attributes")
    before = extraction(repository).run_number
    said = letters(classes(extraction))
    assert said["docs/x.go"] == b"v"

    extraction(repository, paths=PathRules(exclude=("/main.go",), classes=(("gen/", FileClass.GENERATED),)))

    assert (extraction.facts["fetch"], extraction.facts["bytesFetched"]) == ("incremental", 0)
    assert letters(classes(extraction)) == said | {"gen/a.go": b"g", "main.go": b"x"}
    assert [run for _, run, _ in changed_runs(extraction)] == [before + 1, before, before, before, before]
    extraction(repository)
    assert extraction.facts["fetch"] == "incremental"
    assert letters(classes(extraction)) == said


def test_what_is_new_beside_a_head_that_stays_is_classed_by_its_attributes(
    repository: Any, extraction: Any, fresh_extraction: Any
) -> None:
    a_history(repository)
    repository.write(".gitattributes", GENERATED)
    repository.commit("attributes")
    extraction(repository)
    repository.git("checkout", "-q", "side")
    repository.write("gen/new.go", "one\n")
    repository.commit("beside")
    repository.git("symbolic-ref", "HEAD", "refs/heads/main")

    extraction(repository)

    assert extraction.facts["fetch"] == "incremental"
    assert letters(classes(extraction))["gen/new.go"] == b"g"
    # The branch that HEAD points to now has no attributes; its commit is known, and not on disk.
    repository.git("symbolic-ref", "HEAD", "refs/heads/side")
    extraction(repository)
    assert extraction.facts["fetch"] == "incremental"
    assert letters(classes(extraction))["gen/new.go"] == b"s"
    fresh_extraction(repository)
    assert extraction.natural(repository) == fresh_extraction.natural(repository)


def test_rows_from_before_there_were_classes_get_theirs(
    repository: Any, extraction: Any, fresh_extraction: Any
) -> None:
    a_history(repository)
    repository.write(".gitattributes", GENERATED)
    repository.commit("attributes")
    extraction(repository)
    extraction.warehouse.query("update commit_files set class = default")
    extraction.warehouse.query("update extraction_runs set class_rules_digest = null, classes_digest = null")
    extraction.warehouse.query("update repositories set attributes = default")

    extraction(repository)

    fresh_extraction(repository)
    assert extraction.natural(repository) == fresh_extraction.natural(repository)
    assert letters(classes(extraction))["gen/a.go"] == b"g"


def test_paths_are_gone_through_piece_by_piece(
    repository: Any, extraction: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reclass, "CHUNK", 2)
    for number in range(7):
        repository.write(f"{number}.go", "one\n")
    repository.write(b"caf\xe9.go", "one\n")
    repository.write("tab\there\n\\.go", "one\n")
    repository.commit("one")
    extraction(repository)

    extraction(repository, paths=PathRules(classes=(("*.go", FileClass.VENDORED),)))

    assert set(letters(classes(extraction)).values()) == {b"v"}
    assert len(classes(extraction)) == 9


def test_a_renamed_file_is_of_the_class_of_its_new_path(repository: Any, extraction: Any) -> None:
    repository.write("lib.go", "".join(f"line {number}\n" for number in range(20)))
    repository.commit("one")
    repository.git("mv", "lib.go", "lib_test.go")
    repository.commit("two")

    extraction(repository)

    rows = extraction.warehouse.query("select path, old_path, class from commit_files order by changed_run, commit_id")
    assert {(path, old): letter for path, old, letter in rows} == {
        ("lib.go", None): "s",
        ("lib_test.go", "lib.go"): "t",
    }


def test_another_repository_keeps_its_classes(
    repository: Any, make_repository: Callable[..., Any], extraction: Any
) -> None:
    a_history(repository)
    other = make_repository("fork")
    other.git("pull", "-q", str(repository.path), "main")
    extraction(repository)
    extraction(other)

    extraction(repository, paths=PathRules(exclude=("*",)))

    found = extraction.warehouse.query("select repository_id, class = 'x', count(*) from commit_files group by 1, 2")
    assert sorted(found) == [(1, True, 7), (2, False, 7)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--path-class", "test=*.go"], "'test' is no class of files: write CLASS=GLOB with one of source, tests"),
        (["--exclude-path", "!a"], "'!a' must be a pattern of paths as in .gitattributes"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(words: list[str], said: str, run_extract: Any) -> None:
    result = run_extract("--url=https://git.example.org/a", *words)

    assert result["exit"] != 0
    assert said in str(result["printed"])
