"""What a person wants to see first of a repository, read from the marts alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import psycopg
from psycopg.rows import class_row
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gitmart.local.exits import ServerError
from gitmart.local.terminal import plain
from gitmart.resources.dbtschedule import LastRun

PEOPLE = 5
MONTHS = 24
BAR = 40  # characters of the longest bar
NAME = 40  # characters of a name that are shown


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """The row of analytics.repository_summary, as far as it is shown."""

    repository_id: int
    repository_name: str
    default_branch: str | None
    commits: int
    all_refs_commits: int
    contributors: int
    absence_factor: int | None
    gini_coefficient: Decimal | None
    lines_added: int
    lines_deleted: int
    active_days: int
    first_day: date | None
    last_day: date | None
    commits_last_90_days: int


@dataclass(frozen=True, slots=True)
class Person:
    """A row of analytics.fct_repository_contributors, as far as it is shown."""

    contributor_name: str
    contributor_kind: str
    commits: int
    commit_share: Decimal | None
    lines_added: int
    lines_deleted: int
    active_days: int


@dataclass(frozen=True, slots=True)
class Month:
    """Commits of the default branch in a month, by its first day."""

    period_start: date
    commits: int


FACTS = """
select repository_id, repository_name, default_branch, commits, all_refs_commits, contributors, absence_factor,
       gini_coefficient, lines_added, lines_deleted, active_days,
       cast(first_commit_at at time zone 'UTC' as date) as first_day,
       cast(last_commit_at at time zone 'UTC' as date) as last_day, commits_last_90_days
from analytics.repository_summary where url = %s
"""
TOP = """
select contributor_name, contributor_kind, commits, commit_share, lines_added, lines_deleted, active_days
from analytics.fct_repository_contributors
where repository_id = %s and commits > 0 order by commit_rank limit %s
"""
ACTIVITY = """
select cast(period_start as date) as period_start, commits from analytics.fct_repository_activity
where repository_id = %s and granularity = 'month' order by period_start
"""


def print_summary(warehouse: str, url: str, run: LastRun | None) -> None:
    """Print the summary of the repository with this address. Raise ServerError if the marts cannot be read."""
    try:
        with psycopg.connect(warehouse) as connection:
            facts = connection.cursor(row_factory=class_row(RepositoryFacts)).execute(FACTS, [url]).fetchone()
            if facts is None:
                raise ServerError(f"the marts do not have {url}: dbt ran, but not on this repository")
            people = connection.cursor(row_factory=class_row(Person)).execute(TOP, [facts.repository_id, PEOPLE])
            top = people.fetchall()
            months = connection.cursor(row_factory=class_row(Month)).execute(ACTIVITY, [facts.repository_id]).fetchall()
    except psycopg.Error as error:
        raise ServerError(f"the marts cannot be read: {str(error).strip()}") from None
    console = _console()
    console.print()
    console.print(_facts_table(facts))
    if top:
        console.print(_people_table(top))
    if months:
        console.print(Text("Commits by month (UTC)", style="bold"))
        for line in chart(months, "█" if "utf" in console.encoding.lower() else "#"):
            console.print(Text(line))
        console.print()
    if run is not None:
        warned = f", {run.warned} warned" if run.warned else ""
        console.print(Text(f"dbt: {run.succeeded or 0} models and tests good{warned}, {run.failed or 0} failed"))
        console.print()


def chart(months: Sequence[Month], bar: str) -> Iterator[str]:
    """Yield a line per month up to the last one with commits, at most MONTHS; silent months are shown as such."""
    commits = {month.period_start: month.commits for month in months}
    shown = list(_months(min(commits), max(commits)))[-MONTHS:]
    most = max(1, *(commits.get(month, 0) for month in shown)) if len(shown) > 1 else max(1, commits[shown[0]])
    for month in shown:
        count = commits.get(month, 0)
        length = max(round(count / most * BAR), 1 if count else 0)
        yield f"  {month:%Y-%m}  {bar * length}{' ' if length else ''}{count:,}"


def _months(first: date, last: date) -> Iterator[date]:
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(number // 12, number % 12 + 1, 1)


def _console(environment: Mapping[str, str] = os.environ) -> Console:
    """Return where to print: no colours in CI or to a file, and lines of a readable width there."""
    plain_output = bool(environment.get("CI")) or not sys.stdout.isatty()
    return Console(
        no_color=plain_output or None,
        force_terminal=False if plain_output else None,
        width=100 if plain_output else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def _facts_table(facts: RepositoryFacts) -> Table:
    table = Table(title=Text(plain(facts.repository_name, NAME), style="bold"), show_header=False, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column()
    branch = plain(facts.default_branch, NAME) if facts.default_branch else "none"
    others = f" ({facts.all_refs_commits:,} on all branches and tags)"
    rows = {
        "commits": f"{facts.commits:,} on the default branch, {branch}{others}",
        "contributors": f"{facts.contributors:,}",
        "first and last commit": f"{facts.first_day} to {facts.last_day}" if facts.first_day else "none",
        "active days": f"{facts.active_days:,}",
        "commits in the last 90 days": f"{facts.commits_last_90_days:,}",
        "lines": f"+{facts.lines_added:,} -{facts.lines_deleted:,}",
        "absence factor": _absence(facts),
        "Gini coefficient": _gini(facts),
    }
    for name, value in rows.items():
        table.add_row(Text(name), Text(value))
    return table


def _absence(facts: RepositoryFacts) -> str:
    if facts.absence_factor is None:
        return "not defined without commits"
    return f"{facts.absence_factor} (the fewest people who together made half of the commits)"


def _gini(facts: RepositoryFacts) -> str:
    if facts.gini_coefficient is None:
        return "not defined without commits"
    return f"{facts.gini_coefficient:.3f} (0: all did as much, near 1: one did it all)"


def _people_table(people: Sequence[Person]) -> Table:
    table = Table(title=Text("Top contributors", style="bold"), title_justify="left")
    table.add_column("name", overflow="ellipsis", max_width=NAME)
    for name in ("commits", "share", "lines added", "lines deleted", "active days"):
        table.add_column(name, justify="right", no_wrap=True)
    for person in people:
        kind = "" if person.contributor_kind == "human" else f" ({person.contributor_kind})"
        share = f"{person.commit_share:.0%}" if person.commit_share is not None else ""
        table.add_row(
            Text(f"{plain(person.contributor_name, NAME)}{kind}"), f"{person.commits:,}", share,
            f"{person.lines_added:,}", f"{person.lines_deleted:,}", f"{person.active_days:,}",
        )  # fmt: skip
    return table
