"""The questions and the dashboard for Metabase: every query on the sample warehouse, and how load.py brings them in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain, combinations, product
from pathlib import Path
from string import Template
from typing import Any

import pytest
from tests.integration.bi.conftest import Answer, Ask
from tests.integration.bi.metabase import KEY, Metabase, serving

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

FOLDER = Path(__file__).parents[3] / "bi" / "metabase"
CONTENT: dict[str, Any] = json.loads((FOLDER / "gitmart.json").read_text(encoding="utf-8"))
QUESTIONS = {question["name"]: question for question in CONTENT["questions"]}
DASHBOARD = CONTENT["dashboard"]
LITERALS = {"kind": "'human'", "since": "date '2022-06-01'", "until": "date '2023-06-30'"}
TIMES = {"month": "date", "day": "date"}


def sql_of(name: str, **chosen: str) -> str:
    """Return a query as Metabase sends it: what stands in [[ ]] only where all its variables are chosen."""
    text = Template("\n".join(QUESTIONS[name]["sql"])).substitute(schema="analytics")

    def optional(found: re.Match[str]) -> str:
        return found[1] if set(re.findall(r"{{(\w+)}}", found[1])) <= set(chosen) else ""

    return re.sub(r"{{(\w+)}}", lambda found: chosen[found[1]], re.sub(r"\[\[(.*?)\]\]", optional, text))


def variables_of(name: str) -> list[str]:
    """Return the variables of a query."""
    return sorted(set(re.findall(r"{{(\w+)}}", " ".join(QUESTIONS[name]["sql"]))))


@pytest.fixture
def garden(ask: Ask) -> str:
    """The address of the repository with most in it, as a literal."""
    [(url,)] = ask("select repository_url from analytics.bi_repositories where repository_name = 'garden'").rows
    return f"'{url}'"


class TestForm:
    """What load.py takes for granted."""

    def test_names_are_unique_and_lead_somewhere(self) -> None:
        shown = [card["question"] for card in DASHBOARD["cards"]]
        offered = [
            filter_["values"]["question"] for filter_ in DASHBOARD["filters"] if "question" in filter_.get("values", ())
        ]

        assert len(QUESTIONS) == len(CONTENT["questions"])
        assert sorted(shown + offered) == sorted(QUESTIONS)
        assert {filter_["variable"] for filter_ in DASHBOARD["filters"]} == set(CONTENT["variables"])
        assert {name for question in QUESTIONS for name in variables_of(question)} == set(CONTENT["variables"])
        assert all(question["description"] for question in QUESTIONS.values())

    def test_cards_have_places_of_their_own(self) -> None:
        cells = [
            cell
            for card in DASHBOARD["cards"]
            for cell in product(
                range(card["row"], card["row"] + card["size_y"]), range(card["col"], card["col"] + card["size_x"])
            )
        ]

        assert len(set(cells)) == len(cells)
        assert max(column for _, column in cells) < 24

    def test_the_kinds_of_contributors_are_all_offered(self, ask: Ask) -> None:
        [kinds] = [each["values"] for each in DASHBOARD["filters"] if each["variable"] == "kind"]

        assert ask("select distinct contributor_kind from analytics.bi_contributors").rows
        assert {row[0] for row in ask("select distinct contributor_kind from analytics.bi_contributors").rows} <= set(
            kinds
        )


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_query_gives_what_its_chart_shows(name: str, ask: Ask, garden: str) -> None:
    """Whatever is chosen of its variables."""
    literals = LITERALS | {"repository": garden}
    settings = QUESTIONS[name]["visualization_settings"]
    names = variables_of(name)
    chosen = chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))

    for choice in chosen:
        found = ask(sql_of(name, **{variable: literals[variable] for variable in choice}))

        assert set(settings.get("graph.dimensions", ()) + settings.get("graph.metrics", ())) <= set(found.columns)
        assert found.rows, choice
        for column, kind in zip(found.columns, found.types, strict=True):
            assert kind == TIMES.get(column.lower(), kind)


def total(found: Answer, column: str) -> Any:
    return sum(row[column] for row in found.as_dicts())  # type: ignore[misc]


def test_figures_are_those_of_the_marts(ask: Ask, garden: str) -> None:
    [summary] = ask(
        "select commits, contributors, repository_id from analytics.repository_summary where repository_name = 'garden'"
    ).rows
    commits, contributors, repository = summary

    assert ask(sql_of("Commits", repository=garden)).rows == [(commits,)]
    assert ask(sql_of("Contributors", repository=garden)).rows == [(contributors,)]
    assert total(ask(sql_of("Commits by month", repository=garden)), "Commits") == commits
    assert total(ask(sql_of("Hours of the day", repository=garden)), "Commits") == commits
    assert len(ask(sql_of("Hours of the day", repository=garden, since="date '2999-01-01'")).rows) == 24
    assert total(ask(sql_of("Most active contributors", repository=garden)), "Commits") == commits
    months = ask(sql_of("Contributors, new and returning", repository=garden)).rows
    assert (
        months
        == ask(
            "select period_start, new_contributors, returning_contributors from analytics.fct_repository_activity"
            f" where repository_id = {repository} and granularity = 'month' and commits > 0 order by 1"
        ).rows
    )
    [depending] = ask(sql_of("On whom each repository depends", repository=garden)).as_dicts()
    expected = ask(
        "select contributor_name, commit_share from analytics.fct_repository_contributors"
        f" where repository_id = {repository} order by commit_rank limit 2"
    ).rows
    assert depending["Most active"] == ", ".join(name for name, _ in expected)
    assert depending["Share of both"] == sum(share for _, share in expected)


def test_files_are_those_of_the_function(ask: Ask, garden: str) -> None:
    shown = ask(sql_of("Most changed files", repository=garden)).as_dicts()

    expected = ask(
        "select path, commits, contributors, lines_added, lines_deleted, last_day from analytics.file_hotspots("
        "repository => (select repository_id from analytics.dim_repository where repository_name = 'garden'))"
    ).rows
    keys = ("File", "Commits", "Contributors", "Lines added", "Lines deleted", "Last day")
    assert sorted(tuple(row[key] for key in keys) for row in shown) == sorted(expected)
    assert expected


def test_a_filter_chooses(ask: Ask, garden: str) -> None:
    [(of_bots,)] = ask(sql_of("Commits", repository=garden, kind="'bot'")).rows
    [(of_2022,)] = ask(sql_of("Commits", repository=garden, since="date '2022-01-01'", until="date '2022-12-31'")).rows

    assert ask(
        "select count(*) filter (where contributor_kind = 'bot'), count(*) filter (where commit_day < '2023-01-01')"
        " from analytics.bi_commits where repository_name = 'garden'"
    ).rows == [(of_bots, of_2022)]
    assert of_bots > 0


@pytest.fixture
def metabase() -> Iterator[Metabase]:
    with serving() as served:
        yield served


def load(metabase: Metabase, *words: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    """Run load.py; the key is in no output of it."""
    done = subprocess.run(
        [sys.executable, "-I", FOLDER / "load.py", "--url", metabase.url, *words],
        env={"PATH": os.environ["PATH"], "METABASE_API_KEY": key},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_everything_is_made(metabase: Metabase) -> None:
    done = load(metabase)

    assert (done.returncode, done.stderr) == (0, "")
    [collection] = metabase.things["collection"].values()
    [dashboard] = metabase.things["dashboard"].values()
    cards = {card["name"]: card for card in metabase.things["card"].values()}
    assert done.stdout == f"{len(QUESTIONS)} questions and the dashboard {metabase.url}/dashboard/{dashboard['id']}\n"
    assert collection["name"] == "gitmart"
    assert set(cards) == set(QUESTIONS)
    assert {card["collection_id"] for card in [*cards.values(), dashboard]} == {collection["id"]}
    assert {card["dataset_query"]["database"] for card in cards.values()} == {7}
    parameters = {parameter["id"]: parameter for parameter in dashboard["parameters"]}
    assert [each["slug"] for each in parameters.values()] == list(CONTENT["variables"])
    offered = parameters["gitmart-repository"]["values_source_config"]
    assert offered["card_id"] == cards["Addresses of repositories"]["id"]
    for shown, place in zip(dashboard["dashcards"], DASHBOARD["cards"], strict=True):
        card = cards[place["question"]]
        tags = card["dataset_query"]["native"]["template-tags"]
        assert shown["card_id"] == card["id"]
        assert {key: shown[key] for key in ("row", "col", "size_x", "size_y")} == {
            key: place[key] for key in ("row", "col", "size_x", "size_y")
        }
        assert {mapping["target"][1][1] for mapping in shown["parameter_mappings"]} == set(tags)
        assert {mapping["parameter_id"] for mapping in shown["parameter_mappings"]} <= set(parameters)
        assert {mapping["card_id"] for mapping in shown["parameter_mappings"]} <= {card["id"]}
        assert sorted(tags) == variables_of(place["question"])


def test_a_second_run_changes_and_makes_nothing_anew(metabase: Metabase) -> None:
    """What somebody else has put there stays: a card, a filter, a tab, and settings of ours on the dashboard."""
    load(metabase)
    [dashboard] = metabase.things["dashboard"].values()
    before = {kind: set(things) for kind, things in metabase.things.items()}
    placed = [card["id"] for card in dashboard["dashcards"]]
    own = {"id": 900, "card_id": 800, "row": 50, "col": 0, "size_x": 4, "size_y": 4, "dashboard_tab_id": 3}
    dashboard["dashcards"] = [*dashboard["dashcards"], own]
    dashboard["dashcards"][0]["visualization_settings"] = {"card.title": "All commits"}
    dashboard["parameters"].append({"id": "own", "type": "string/="})
    dashboard["tabs"] = [{"id": 3, "name": "Overview", "position": 0}]
    for card in metabase.things["card"].values():
        card["description"] = "what it was long ago"
    metabase.asked.clear()

    done = load(metabase)

    assert done.returncode == 0
    assert {method for method, _, _ in metabase.asked} == {"GET", "PUT"}
    assert {kind: set(things) for kind, things in metabase.things.items()} == before
    assert [card["id"] for card in dashboard["dashcards"]] == [*placed, 900]
    assert dashboard["dashcards"][-1] == own
    assert dashboard["dashcards"][0]["visualization_settings"] == {"card.title": "All commits"}
    assert [parameter["id"] for parameter in dashboard["parameters"]][-1] == "own"
    assert dashboard["tabs"] == [{"id": 3, "name": "Overview"}]
    assert all(card["description"] != "what it was long ago" for card in metabase.things["card"].values())


def test_another_schema_and_database_are_read(metabase: Metabase) -> None:
    metabase.databases.append({"id": 9, "name": "Warehouse of marts"})

    done = load(metabase, "--schema", "marts_of_team", "--database", "Warehouse of marts")

    assert done.returncode == 0
    for card in metabase.things["card"].values():
        query = card["dataset_query"]["native"]["query"]
        assert card["dataset_query"]["database"] == 9
        assert "marts_of_team." in query
        assert "analytics" not in query


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        pytest.param("/api/database", (403, {}, "You don't have permissions to do that."),
                     "GET /api/database: 403 Forbidden: You don't have permissions to do that.", id="forbidden"),
        pytest.param("/api/card", (400, {}, '{"errors":{"name":"too long"}}'),
                     'POST /api/card: 400 Bad Request: {"errors":{"name":"too long"}}', id="refused"),
        pytest.param("/api/collection", (302, {"Location": "https://elsewhere.example/"}, ""),
                     "GET /api/collection: 302 Found: https://elsewhere.example/", id="redirected"),
        pytest.param("/api/database", (200, {}, "<html>"), "GET /api/database: the answer is no JSON", id="no JSON"),
        pytest.param("/api/database", (200, {}, '{"a": 1}'), "GET /api/database: the answer is no list", id="no list"),
        pytest.param("/api/dashboard", (200, {}, "[]"), "POST /api/dashboard: the answer tells no id", id="no id"),
        pytest.param("/api/card", (500, {}, f"no such key: {KEY}"), "POST /api/card: 500 Internal Server Error: no such key: …",
                     id="the key comes back"),
    ],
)  # fmt: skip
def test_an_error_tells_its_place_and_what_metabase_says(
    metabase: Metabase, path: str, answer: tuple[int, dict[str, str], str], expected: str
) -> None:
    metabase.answers[path] = answer

    done = load(metabase)

    assert done.returncode == 1
    assert done.stderr.startswith(f"load.py: {expected}")


def test_who_has_no_right_key_is_told(metabase: Metabase) -> None:
    done = load(metabase, key="another")

    assert (done.returncode, done.stderr) == (1, "load.py: GET /api/database: 401 Unauthorized: Unauthenticated\n")


def test_a_database_that_is_not_there_is_told(metabase: Metabase) -> None:
    done = load(metabase, "--database", "warehouse")

    assert done.stderr == (
        "load.py: there is no database named 'warehouse' that the key may see: there are 'gitmart'\n"
    )  # fmt: skip
    assert metabase.asked == [("GET", "/api/database", None)]


def test_two_of_one_name_are_told(metabase: Metabase) -> None:
    load(metabase)
    [first, *_] = metabase.things["card"].values()
    metabase.things["card"][700] = {**first, "id": 700}

    done = load(metabase)

    assert done.returncode == 1
    assert f"there are 2 questions named 'Commits' (ids {first['id']}, 700)" in done.stderr


def test_nobody_there_is_told(metabase: Metabase) -> None:
    with serving() as gone:
        pass

    done = load(gone)

    assert done.returncode == 1
    assert re.match(rf"load.py: GET /api/database: {gone.url} does not answer: .*refused", done.stderr)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["--url", "metabase.example"], "--url is metabase.example: it must begin with", id="no scheme"),
        pytest.param(["--url", "file:///etc/passwd"], "--url is file:///etc/passwd: it must begin with", id="a file"),
        pytest.param(["--schema", "a; drop"], "--schema is a; drop: it must be small letters", id="no schema"),
        pytest.param(["--api-key", ""], "there is no API key: set METABASE_API_KEY", id="no key"),
    ],
)
def test_a_wrong_word_is_told(metabase: Metabase, words: list[str], expected: str) -> None:
    done = load(metabase, *words)

    assert done.returncode == 2
    assert expected in done.stderr
    assert metabase.asked == []
