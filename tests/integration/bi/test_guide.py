"""The guide to BI tools: everything on the page that can be run is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tests.conftest import Warehouse
from tests.integration.bi.conftest import Ask
from tests.integration.bi.grafana import dashboards

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

PAGE = (Path(__file__).parents[3] / "docs" / "bi.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


QUESTIONS = [block for block in blocks("sql") if block.startswith("select")]
[ADMINISTRATION] = [block for block in blocks("sql") if not block.startswith("select")]


@pytest.mark.parametrize("question", QUESTIONS, ids=range(len(QUESTIONS)))
def test_a_question_has_an_answer(question: str, ask: Ask) -> None:
    assert ask(question).rows


def test_the_example_of_a_variable_runs_with_and_without_it(ask: Ask) -> None:
    """Metabase leaves out what stands in [[ ]], or puts the value into it."""
    [example] = re.findall(r"`(from [^`]*\[\[[^`]*)`", PAGE)
    filled = re.sub(r"\[\[(.*?)\]\]", r"\1", example).replace("{{since}}", "date '2023-01-01'")

    empty = re.sub(r"\[\[.*?\]\]", "", example)

    [everything, later] = (ask(f"select sum(commits) {each}").rows[0][0] for each in (empty, filled))
    assert 0 < later < everything


def test_both_most_active_are_named(ask: Ask) -> None:
    [question] = [each for each in QUESTIONS if "share_of_both" in each]

    found = {row[0]: row for row in ask(question).rows}

    expected = ask(
        "select contributor_name, commit_share from analytics.fct_repository_contributors join analytics.dim_repository"
        " using (repository_id) where repository_name = 'garden' order by commit_rank limit 2"
    ).rows
    assert found["garden"][3] == ", ".join(name for name, _ in expected)
    assert found["garden"][4] == sum(share for _, share in expected)


def test_a_role_of_its_own_reads_the_marts_and_no_more(sample_warehouse: Warehouse) -> None:
    """Made by an administrator, and taken away again: roles belong to the whole server."""
    name = "bi_tool_of_a_test"
    with psycopg.connect(sample_warehouse.url("postgres"), autocommit=True) as administrator:
        try:
            administrator.execute(ADMINISTRATION.replace("grafana", name).encode())
            url = make_conninfo(sample_warehouse.url("gitmart_read"), user=name, password="choose-one")
            with psycopg.connect(url, autocommit=True) as tool:
                assert tool.execute("select count(*) from analytics.dim_repository").fetchall() == [(4,)]
                assert tool.execute("select count(*) > 0 from analytics.bi_commits").fetchall() == [(True,)]
                assert tool.execute("select count(*) > 0 from dbt_meta.runs").fetchall() == [(True,)]
                assert tool.execute("show statement_timeout").fetchall() == [("1min",)]
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    tool.execute("select 1 from public.commits")
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    tool.execute("create temporary table own (a int)")
        finally:
            administrator.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


def test_the_url_can_say_the_timeout(sample_warehouse: Warehouse) -> None:
    [option] = re.findall(r"/gitmart\?(options=\S+?)`", PAGE)

    with psycopg.connect(f"{sample_warehouse.url('gitmart_read')}?{option}") as reader:
        assert reader.execute("show statement_timeout").fetchall() == [("1min",)]


def test_the_data_source_is_of_the_type_that_dashboards_ask_for() -> None:
    found: list[dict[str, Any]] = [yaml.safe_load(block) for block in blocks("yaml")]
    [[source]] = [each["datasources"] for each in found if "datasources" in each]

    assert {board.variables["datasource"]["query"] for board in dashboards().values()} == {source["type"]}
