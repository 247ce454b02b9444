"""Lines by class of file: all of them, and those that are counted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.dbt.conftest import NO_UNIT_TESTS

from gitmart.contract.file_classes import FileClass

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Dbt, Marts, Raw

COUNTED = "lines_added, lines_deleted, files_changed"


def _commits(raw: Raw) -> tuple[int, str]:
    """Write a commit with a file of each class, and one of tests alone."""
    repository, one = raw.repository("tools"), raw.person("one")
    with raw.run(repository) as run:
        run.add("all", one, lines=(1, 0))
        [(commit,)] = raw.query("select id from commits")
        for position, known in enumerate(list(FileClass)[1:], 2):
            run.add_file(commit, position, known.code, (10 ** (position - 1), position))
        run.add_file(commit, 8, "s", (None, None))
        raw.query("update commits set lines_added = 1111111, lines_deleted = 27, files_changed = 8 returning 1")
        run.add("tests", one, "2024-03-02 10:00+00", lines=(5, 5), file_class="t")
        run.add("merge", one, "2024-03-03 10:00+00", merge=True)
    return repository, raw.query("select commit_hash from commits where id = %s", commit)[0][0]


def test_every_class_has_its_lines_and_what_is_excluded_does_not_count(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    _, commit = _commits(raw)

    statuses = dbt.build(*NO_UNIT_TESTS)

    assert set(statuses.values()) <= {"success", "pass", "no-op"}, statuses
    classes = [known.value for known in FileClass]
    columns = ", ".join(f"{name}_{measure}" for name in classes for measure in COUNTED.split(", "))
    select = (
        f"select {COUNTED}, all_classes_lines_added, all_classes_lines_deleted, all_classes_files_changed, {columns}"
    )
    [row] = marts.query(f"{select} from analytics.fct_commits where commit_hash = %s", commit)
    assert row[:6] == (111_111, 20, 7, 1_111_111, 27, 8)
    assert [row[position : position + 3] for position in range(6, len(row), 3)] == [
        (1, 0, 2), (10, 2, 1), (100, 3, 1), (1_000, 4, 1), (10_000, 5, 1), (100_000, 6, 1), (1_000_000, 7, 1),
    ]  # fmt: skip
    changed = ", ".join(f"{name}_lines_changed" for name in classes)
    page = (Path(__file__).parents[3] / "docs" / "file-classes.md").read_text(encoding="utf-8")
    [question] = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert marts.query(question) == [("one", 1, 22, 103)]
    expected = (111_116, 25, 1, 22, 103, 1_004, 10_005, 100_006, 1_000_007)
    for mart in ("repository_summary", "contributor_summary", "fct_repository_contributors"):
        assert marts.rows(mart, f"lines_added, lines_deleted, {changed}") == [expected], mart


def test_another_list_of_counted_classes_is_followed_by_the_next_build(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    _commits(raw)
    dbt.run()

    words = ["--vars", "counted_file_classes: [source, tests]"]
    dbt.run(*words)
    dbt.run(*words, "--full-refresh", schema="rebuilt")

    assert marts.rows("repository_summary", "lines_added") == [(16,)]
    marts.assert_equal_to_full_refresh()


@pytest.mark.parametrize("counted", ["source", "[]", "[source, test]"])
def test_a_wrong_list_of_counted_classes_is_refused_with_what_is_allowed(counted: str, dbt: Dbt, marts: Marts) -> None:
    said: list[str] = []

    statuses = dbt.invoke(
        "run", "--select", "fct_commits", "--vars", f"counted_file_classes: {counted}",
        callbacks=[lambda event: said.append(event.info.msg)],
    )  # fmt: skip

    assert statuses == {"fct_commits": "error"}
    assert re.search("counted_file_classes .*source, tests, documentation", " ".join(said))


def test_a_letter_that_stands_for_no_class_is_found(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    repository, one = raw.repository("tools"), raw.person("one")
    with raw.run(repository) as run:
        run.add("a", one, file_class="?")

    statuses = dbt.build("--select", "+fct_commits")

    assert statuses["fct_commits"] == "success"
    assert [name for name, status in statuses.items() if status == "fail"] == ["file_classes_add_up_fct_commits_"]


def test_dbt_knows_the_letters_of_the_extractor(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    repository, one = raw.repository("tools"), raw.person("one")
    with raw.run(repository) as run:
        for known in FileClass:
            run.add(known.value, one, file_class=known.code)
    dbt.run("--select", "stg_commit_files")

    found = marts.query("select file_class from analytics_staging.stg_commit_files order by commit_id")

    assert [name for (name,) in found] == [known.value for known in FileClass]
