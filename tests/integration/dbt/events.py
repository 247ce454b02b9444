"""What may become of raw tables between two builds, in histories drawn at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gitmart.extract.purge import find, purge

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Raw, Run

PEOPLE = 4
LETTERS = "ssstdcgvx"  # of classes of files
PATHS = ("README", "src/a.py", "src/b.py", "src/core/c.py", "src/core/d.py", "src/old.py => src/core/e.py")


class History:
    """Random histories of a few repositories, with few days and people, so that commits often share both."""

    def __init__(self, raw: Raw, seed: int) -> None:
        self.raw = raw
        self.random = random.Random(seed)
        self.people = [raw.person(f"person-{n}", "human" if n else "assistant") for n in range(PEOPLE)]
        self.repositories = [raw.repository(f"repository-{number}") for number in range(2)]
        self.names = 0
        self.told: list[str] = []
        for repository in self.repositories:
            with raw.run(repository) as run:
                for _ in range(6):
                    self.add(run)
                self.move_refs(run)

    def add(self, run: Run, date: str | None = "", **other: Any) -> None:
        self.names += 1
        name = f"{run.repository}-{self.names}"
        author = self.random.choice(self.people)
        lines = (self.random.randrange(3), self.random.randrange(3))
        letter = self.random.choice(LETTERS)
        other.setdefault("committed", self.day())
        patch = None if other.get("merge") or self.random.random() < 0.3 else f"patch-{self.random.randrange(5)}"
        date, zone = self.day() if date == "" else date, self.random.choice((0, 330, -480, None))
        paths = self.random.sample(PATHS, self.random.randrange(1, 4))
        run.add(name, author, date, lines=lines, file_class=letter, patch=patch, zone=zone, paths=paths, **other)
        for _ in range(self.random.randrange(3)):
            kind = self.random.choice(("co_author", "reviewer", "assistant", "fix"))
            run.credit(name, kind, None if kind == "fix" else self.random.choice([*self.people, None]))

    def move_refs(self, run: Run) -> None:
        """Let the branches and tags be others."""
        self.raw.query("delete from refs where repository_id = %s returning 1", run.repository)
        tags = (f"tags/v{self.random.randrange(3)}.{number}.0" for number in range(self.random.randrange(1, 4)))
        for ref in ("heads/main", f"heads/{self.names}", *tags):
            [name, *_] = self.some(run.repository) or ["nowhere"]
            run.point(ref, name)

    def day(self) -> str:
        return f"2024-05-0{self.random.randrange(1, 5)} {self.random.randrange(24):02}:00+00"

    def some(self, repository: int, condition: str = "true") -> list[str]:
        hashes = self.raw.hashes(repository, condition)
        return self.random.sample(hashes, min(len(hashes), self.random.randrange(1, 4)))

    def happen(self, event: Callable[[History, int], None]) -> None:
        self.told.append(event.__name__)
        event(self, self.random.choice(self.repositories))


def commits_of_known_days(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run)
        history.add(run, merge=True)


def a_late_commit(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run, "1999-12-31 23:59:59+00")


def commits_from_the_future(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run, "2999-01-01 00:00+00", committed=history.day())
        history.add(run, "2999-01-01 00:00+00", committed="2999-01-01 00:00+00")


def a_commit_without_a_date(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run, None)


def a_commit_beside_the_default_branch(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.add(run, in_default_branch=False)


def commits_vanish(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.remove(*history.some(repository))


def a_whole_day_vanishes(history: History, repository: int) -> None:
    first = "commit_date < (select min(commit_date) + interval '1 day' from commits)"
    with history.raw.run(repository) as run:
        run.remove(*history.raw.hashes(repository, first))


def the_commits_of_the_newest_run_vanish(history: History, repository: int) -> None:
    newest = f"changed_run = (select max(changed_run) from commits where repository_id = {repository})"
    with history.raw.run(repository) as run:
        run.remove(*history.raw.hashes(repository, newest))


def everything_vanishes(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.remove(*history.raw.hashes(repository))


def history_is_rewritten(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.remove(*history.some(repository))
        history.add(run)


def vanished_commits_return(history: History, repository: int) -> None:
    """Some on another day: what their raw bytes were taken for may change from version to version."""
    gone = history.raw.query(
        "select commit_hash, max(contributor_id) from removed_commits where repository_id = %s and commit_hash not in"
        " (select commit_hash from commits where repository_id = %s) group by 1 order by 1",
        repository, repository,
    )  # fmt: skip
    with history.raw.run(repository) as run:
        for name, author in gone[:3]:
            run.add(name, author, history.day())
            history.raw.query(
                "update commits set commit_hash = %s where changed_run = %s and commit_hash ="
                " left(encode(sha256(cast(%s as bytea)), 'hex'), 40) returning 1",
                name,
                run.number,
                name,
            )


def commits_go_and_return_between_two_builds(history: History, repository: int) -> None:
    commits_vanish(history, repository)
    vanished_commits_return(history, repository)


def commits_enter_and_leave_the_default_branch(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.flip(*history.some(repository))


def two_identities_turn_out_to_be_one_person(history: History, repository: int) -> None:
    one, other = history.random.sample(history.people, 2)
    history.raw.query("update contributors set canonical_id = null where canonical_id = %s returning 1", one)
    history.raw.join(other, None)
    history.raw.join(one, other)


def identities_are_told_apart(history: History, repository: int) -> None:
    for person in history.people:
        history.raw.join(person, None)


def files_turn_out_to_be_of_another_class(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        run.reclass(history.random.choice(LETTERS), *history.some(repository))


def a_repository_comes(history: History, repository: int) -> None:
    history.repositories.append(history.raw.repository(f"repository-{len(history.repositories)}"))
    commits_of_known_days(history, history.repositories[-1])


def an_empty_repository_comes(history: History, repository: int) -> None:
    nothing_happens(history, history.raw.repository(f"empty-{len(history.told)}"))


def a_repository_is_purged(history: History, repository: int) -> None:
    purge_it(history.raw, repository)
    position = history.repositories.index(repository)
    history.repositories[position] = history.raw.repository(f"repository-{position}")
    commits_of_known_days(history, history.repositories[position])


def purge_it(raw: Raw, repository: int) -> None:
    [(url,)] = raw.query("select url from repositories where id = %s", repository)
    purge(raw.connection, find(raw.connection, url))


def the_host_tells_something_new(history: History, repository: int) -> None:
    day = f"2024-06-{len(history.told) + 1:02}"
    history.raw.snapshot(repository, day, history.random.randrange(3), Python="0.5", Shell="0.5")
    history.raw.query("update contributors set username = %s where id = %s returning 1", day, history.people[0])


def patch_ids_are_switched_off(history: History, repository: int) -> None:
    """All rows are read anew then."""
    with history.raw.run(repository) as run:
        history.raw.query(
            "update commits set patch_id = null, changed_run = %s where repository_id = %s returning 1",
            run.number, repository,
        )  # fmt: skip


def branches_and_tags_move(history: History, repository: int) -> None:
    with history.raw.run(repository) as run:
        history.move_refs(run)


def nothing_happens(history: History, repository: int) -> None:
    with history.raw.run(repository):
        pass


EVENTS = [
    commits_of_known_days, a_late_commit, commits_from_the_future, a_commit_without_a_date,
    a_commit_beside_the_default_branch, commits_vanish, a_whole_day_vanishes, the_commits_of_the_newest_run_vanish,
    everything_vanishes, history_is_rewritten, vanished_commits_return, commits_go_and_return_between_two_builds,
    commits_enter_and_leave_the_default_branch, two_identities_turn_out_to_be_one_person, identities_are_told_apart,
    files_turn_out_to_be_of_another_class,
    a_repository_comes, an_empty_repository_comes, a_repository_is_purged, the_host_tells_something_new,
    patch_ids_are_switched_off, branches_and_tags_move, nothing_happens,
]  # fmt: skip
