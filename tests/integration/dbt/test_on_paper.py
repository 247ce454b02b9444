"""The page on which a small repository is counted by hand: the marts say the same, figure by figure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "metrics-on-paper.md"
FUNCTIONS = {path.stem for path in (PAGE.parents[1] / "dbt" / "functions").glob("*.sql")}
CHANGE = re.compile(r"(\S+) \+(\d+) -(\d+)")
COMMITTED = re.compile(r"committed on (\S+)")


def tables() -> dict[str, list[dict[str, str]]]:
    """Return the rows of the page's tables by the heading above each."""
    found: dict[str, list[dict[str, str]]] = {}
    heading, names = "", None
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading, names = line[3:], None
        elif line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if names is None:
                names = cells
            else:
                found.setdefault(heading, []).append(dict(zip(names, cells, strict=True)))
    return found


TABLES = tables()


def make(repository: Any) -> None:
    """Make the repository that the first table tells of."""
    made: dict[str, str] = {}
    contents: dict[str, dict[str, list[str]]] = {"": {}}
    for row in TABLES["The commits"]:
        parents = row["parents"].split()
        files = {name: list(text) for name, text in contents[parents[0] if parents else ""].items()}
        for name, added, deleted in CHANGE.findall(row["changes"]):
            kept = files.get(name, [])[int(deleted) :]
            files[name] = kept + [f"{row['#']}.{number}\n" for number in range(int(added))]
        if len(parents) > 1:  # the merge has what the branch brought
            files = {name: list(text) for name, text in contents[parents[1]].items()}
        contents[row["#"]] = files
        repository.git("read-tree", "--empty")
        for name, text in files.items():
            blob = repository.git("hash-object", "-w", "--stdin", stdin="".join(text).encode())
            repository.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
        subject, _, trailer = row["message"].partition(" / ")
        committed = COMMITTED.search(subject)
        mail = f"{row['author'].split()[0].split('[')[0].lower()}@example.org"
        made[row["#"]] = repository.git(
            "commit-tree", repository.git("write-tree"), *(word for each in parents for word in ("-p", made[each])),
            stdin=f"{subject}\n\n{trailer}\n".encode(),
            GIT_AUTHOR_NAME=row["author"], GIT_AUTHOR_EMAIL=mail, GIT_AUTHOR_DATE=row["author date"],
            GIT_COMMITTER_NAME="Host", GIT_COMMITTER_EMAIL="host@example.org",
            GIT_COMMITTER_DATE=f"{committed[1]} 12:00 +0000" if committed else row["author date"],
        )  # fmt: skip
    repository.git("update-ref", "refs/heads/main", made["13"])
    repository.git("update-ref", "refs/heads/open", made["11"])
    for row in TABLES["The tags"]:
        repository.git("update-ref", f"refs/tags/{row['tag']}", made[row["#"]])


def gitmart(url: str, *words: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "PG", "GITMART_"))}
    done = subprocess.run(
        [sys.executable, "-m", "gitmart", *words],
        env={**kept, "GITMART_WAREHOUSE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_figure_on_paper_is_that_of_the_marts(repository: Any, warehouse: Any) -> None:
    make(repository)
    gitmart(warehouse.url("gitmart_extract"), "extract", "--url", repository.url, "--allow-file-urls")
    gitmart(warehouse.url("gitmart_transform"), "transform", "--no-docs")

    with psycopg.connect(warehouse.url("gitmart_read")) as connection:

        def built(columns: list[str], rest: str) -> list[list[str]]:
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            query = sql.SQL("select {} from analytics.").format(names) + sql.SQL(rest)  # type: ignore[arg-type]
            return [[str(value) for value in row] for row in connection.execute(query)]

        def on_paper(heading: str) -> tuple[list[str], list[list[str]]]:
            rows = TABLES[heading]
            return list(rows[0]), [list(row.values()) for row in rows]

        summary = {row["column"].strip("`"): row["value"] for row in TABLES["repository_summary"]}
        [found] = built(list(summary), "repository_summary")
        assert dict(zip(summary, found, strict=True)) == summary
        columns, rows = on_paper("fct_repository_contributors")
        assert built(columns, "fct_repository_contributors order by contributor_name") == rows
        for length in ("month", "week"):
            columns, rows = on_paper(f"fct_repository_activity by {length}")
            assert built(columns, f"fct_repository_activity where granularity = '{length}' order by 1") == rows
        for mart, order in (("fct_releases", "released_on"), ("dim_branch", "branch_name")):
            columns, rows = on_paper(mart)
            assert built(columns, f"{mart} order by {order}") == rows
        calls = [heading.strip("`") for heading in TABLES if heading.startswith("`")]
        assert {call.partition("(")[0] for call in calls} == FUNCTIONS
        for call in calls:
            columns, rows = on_paper(f"`{call}`")
            assert sorted(built(columns, call)) == sorted(rows), call
        _, rows = on_paper("fct_contributions by role")
        counted = connection.execute(
            "select contribution_role, count(*)::text, count(distinct contributor_id)::text"
            " from analytics.fct_contributions group by 1 order by 1"
        )
        assert [list(row) for row in counted] == rows
