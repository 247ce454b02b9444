"""A repository gets another address: whose rows go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.extract import books
from gitmart.extract import run as run_module
from gitmart.extract.errors import ExtractError
from gitmart.extract.progress import Lines
from gitmart.warehouse.connections import connect
from gitmart.warehouse.locks import repository_lock, session_lock


@pytest.fixture
def copy_of(make_repository: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copier of repositories: another address of the same history."""

    def copy(source: Any, name: str) -> Any:
        made = make_repository(name)
        shutil.rmtree(made.path)
        shutil.copytree(source.path, made.path)
        made.clock = source.clock
        return made

    return copy


@pytest.fixture
def old(make_repository: Callable[..., Any], extraction: Any) -> Any:
    """A repository of three commits that was extracted."""
    repository = make_repository("old")
    for number in range(3):
        repository.write("file", f"{number}\n" * (number + 1))
        repository.commit()
    extraction(repository)
    return repository


def id_of(extraction: Any, repository: Any) -> int | None:
    """Return the id of the row that has the repository's address."""
    rows = extraction.warehouse.query("select id from repositories where url = %s", repository.url)
    return rows[0][0] if rows else None


def former_of(extraction: Any, row: int) -> list[str]:
    """Return the names of the addresses the row had before, in their order."""
    statement = "select url from repository_urls where repository_id = %s order by until_run"
    return [url.rpartition("/")[2] for (url,) in extraction.warehouse.query(statement, row)]


def everything(extraction: Any) -> object:
    """Return all that a failed run must leave as it was."""
    tables = ("repositories", "repository_urls", "extraction_runs")
    kept = "select id, url, url_key, host, name, last_processed_at from repositories order by id"
    return extraction.rows(), extraction.warehouse.query(kept), [
        extraction.warehouse.query(f"select count(*) from {name}") for name in tables
    ]  # fmt: skip


def test_the_rows_go_on_at_an_address_with_the_same_history(
    old: Any, copy_of: Any, extraction: Any, fresh_extraction: Any
) -> None:
    new = copy_of(old, "new")
    new.write("file", "changed\n")
    new.commit()
    row = id_of(extraction, old)

    totals = extraction(new, previous=old)

    assert (totals.new_commits, totals.removed_commits, totals.commits) == (1, 0, 4)
    assert (id_of(extraction, new), id_of(extraction, old)) == (row, None)
    assert extraction.warehouse.query("select name, state, host from repositories") == [
        ("new", "completed", "localhost")
    ]
    assert former_of(extraction, row) == ["old"]
    assert extraction.facts["formerRows"] == "continued"
    assert extraction.facts["repositoryId"] == row
    fresh_extraction(new)
    assert extraction.natural(new) == fresh_extraction.natural(new)

    new.commit()
    extraction(new, previous=old)  # nobody heard how the run before ended
    assert (id_of(extraction, new), extraction.facts["fetch"]) == (row, "incremental")

    assert extraction(old, previous=new).removed_commits == 2
    assert id_of(extraction, old) == row
    assert former_of(extraction, row) == ["old", "new"]
    periods = extraction.warehouse.query("select since < until from repository_urls union all select u.since = v.until "
                                         "from repository_urls u, repository_urls v where u.until_run > v.until_run")  # fmt: skip
    assert set(periods) == {(True,)}


def test_an_address_nobody_heard_of_does_not_lose_the_rows(old: Any, copy_of: Any, extraction: Any) -> None:
    row = id_of(extraction, old)
    second, third = copy_of(old, "second"), copy_of(old, "third")
    extraction(second, previous=old)

    extraction(third, previous=old)  # the operator still believes that the rows have the first address
    assert (id_of(extraction, third), former_of(extraction, row)) == (row, ["old", "second"])

    extraction(old, previous=old)  # as it asks when a result was lost and the spec says the old address again
    assert id_of(extraction, old) == row


def test_another_history_gets_rows_of_its_own(old: Any, make_repository: Any, extraction: Any) -> None:
    row, before = id_of(extraction, old), extraction.natural(old)
    other, empty = make_repository("other"), make_repository("empty")
    other.commit()

    extraction(other, previous=old)
    assert extraction.facts["formerRows"] == "kept"
    extraction(empty, previous=old)
    assert extraction.facts["formerRows"] == "kept"

    assert id_of(extraction, old) == row
    assert extraction.natural(old) == before
    states = extraction.warehouse.query(
        "select name, state, (select count(*) from commits where repository_id = r.id) from repositories r order by name"
    )
    assert states == [("empty", "completed", 0), ("old", "completed", 3), ("other", "completed", 1)]
    assert extraction.warehouse.query("select * from repository_urls") == []


def test_an_address_that_has_commits_keeps_its_own_rows(old: Any, copy_of: Any, extraction: Any) -> None:
    new = copy_of(old, "new")
    extraction(new)
    rows = id_of(extraction, old), id_of(extraction, new)

    extraction(new, previous=old)
    assert extraction.facts["fetch"] == "incremental"  # nothing was asked for twice
    # Two that change places: each address keeps its rows, whatever is there now.
    shutil.move(old.path, old.path.with_name("between"))
    shutil.move(new.path, old.path)
    shutil.move(old.path.with_name("between"), new.path)
    new.commit()
    extraction(new, previous=old)
    extraction(old, previous=new)

    assert (id_of(extraction, old), id_of(extraction, new)) == rows
    assert extraction.warehouse.query("select count(*) from commits group by repository_id order by repository_id") == [
        (3,),
        (4,),
    ]
    assert extraction.warehouse.query("select * from repository_urls") == []


def test_rows_without_commits_stand_in_nobody_s_way(
    old: Any, copy_of: Any, make_repository: Any, extraction: Any
) -> None:
    row = id_of(extraction, old)
    new = make_repository("new")
    extraction(new)
    empty = id_of(extraction, new)
    shutil.rmtree(new.path)
    shutil.copytree(old.path, new.path)

    extraction(new, previous=old)
    assert id_of(extraction, new) == row
    assert extraction.warehouse.query("select count(*) from repositories where id = %s", empty) == [(0,)]

    bare = make_repository("bare")
    extraction(bare)
    row = id_of(extraction, bare)
    filled = copy_of(old, "filled")
    extraction(filled, previous=bare)
    assert (id_of(extraction, filled), former_of(extraction, row)) == (row, ["bare"])


class Dying(Lines):
    """A run that ends at the last moment."""

    def phase(self, name: str, total: float | None = None) -> None:
        """Announce a phase, and end with the one that comes before the commit."""
        super().phase(name, total)
        if name == "commit":
            raise KeyboardInterrupt


def test_whatever_fails_changes_nothing(
    old: Any, copy_of: Any, make_repository: Any, extraction: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = copy_of(old, "new")
    new.commit()
    gone = make_repository("gone")
    shutil.rmtree(gone.path)
    row = id_of(extraction, old)
    before = everything(extraction)

    with pytest.raises(ExtractError) as missing:
        extraction(gone, previous=old)
    with pytest.raises(KeyboardInterrupt):
        extraction(new, previous=old, reporter=Dying)
    with connect(extraction.warehouse.url("gitmart_extract"), application_name="test", autocommit=True) as other:
        with session_lock(other, repository_lock(int(str(row)))), pytest.raises(ExtractError) as locked:
            extraction(new, previous=old)
        with pytest.raises(ExtractError) as renamed:  # between the look for the row and its lock
            books.begin(other, int(str(row)), "another key")

    assert everything(extraction) == before
    assert missing.value.outcome is Outcome.NOT_FOUND
    assert [each.value.outcome for each in (locked, renamed)] == [Outcome.LOCKED] * 2
    assert extraction.warehouse.query("select state from repositories") == [("failed",)]

    read = run_module.whole_history

    def late(*words: Any) -> Any:
        """Read the history, while another run begins with the same address."""
        history = read(*words)
        with psycopg.connect(extraction.warehouse.url("gitmart_extract"), autocommit=True) as connection:
            books.ensure_repository(connection, words[0].url)
        return history

    monkeypatch.setattr(run_module, "whole_history", late)
    with pytest.raises(ExtractError, match="another run has just begun with") as overtaken:
        extraction(new, previous=old)
    assert overtaken.value.outcome is Outcome.LOCKED
    monkeypatch.undo()

    extraction(new, previous=old)
    assert id_of(extraction, new) == row


def test_the_command_says_what_became_of_the_rows(
    copy_of: Any, make_repository: Any, run_extract: Callable[..., dict[str, object]]
) -> None:
    old, other = make_repository("old"), make_repository("other")
    old.commit()
    other.commit("another one")
    new = copy_of(old, "new")

    run_extract(f"--url={old.url}", "--allow-file-urls")
    same = run_extract(f"--url={new.url}", f"--previous-url={old.url}", "--allow-file-urls")
    another = run_extract(f"--url={other.url}", f"--previous-url={new.url}", "--allow-file-urls")

    assert str(same["message"]).endswith(f"; the rows of {old.url} go on under this address"), same
    said = f"; no root commit is shared with {new.url}, whose rows stay: these are a new repository's"
    assert str(another["message"]).endswith(said), another


def test_a_previous_address_is_an_address(run_extract: Callable[..., dict[str, object]]) -> None:
    result = run_extract("--url=https://git.invalid/a", "--previous-url=https://me:canary@git.invalid/b")

    assert (result["outcome"], "canary" in str(result)) == ("InvalidInput", False)
    assert str(result["message"]).startswith("--previous-url must hold no user name")
