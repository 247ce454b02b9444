"""Addresses as the state of pages, and how figures are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import QueryParams

from gitmart.api.pages import words
from gitmart.api.pages.choices import RepositoryView, SeriesView, choices, says, times
from gitmart.api.pages.prose import prose
from gitmart.api.pages.series import span
from gitmart.api.pages.state import chosen, link, parameters
from gitmart.api.queries.trends import Granularity


def test_a_form_that_is_sent_as_it_stands_chooses_nothing() -> None:
    sent = QueryParams("since=&until=&granularity=&merges=true&bots=true&refs=default_branch&measure=commits")

    assert chosen(RepositoryView, sent) == RepositoryView()


def test_an_address_holds_what_was_chosen_and_nothing_else() -> None:
    view = chosen(RepositoryView, QueryParams("merges=false&classes=tests&classes=source&since=2024-01-01&bots=true"))

    assert link("/here", view) == "/here?classes=tests&classes=source&merges=false&since=2024-01-01"
    assert chosen(RepositoryView, QueryParams(link("", view)[1:])) == view
    assert parameters(view, ("since", "classes")) == [("merges", "false")]
    assert link("/here", RepositoryView()) == "/here"
    assert link("/here", None, q="a&b=ü", page=2, none=None) == "/here?q=a%26b%3D%C3%BC&page=2"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("since=soon", "since"), ("mergs=false", "mergs"), ("classes=code", "classes"), ("granularity=hour", "granularity")],
)  # fmt: skip
def test_what_cannot_be_chosen_is_named(query: str, parameter: str) -> None:
    with pytest.raises(RequestValidationError) as raised:
        chosen(RepositoryView, QueryParams(query))

    assert raised.value.errors()[0]["loc"][:2] == ("query", parameter)


def test_what_was_chosen_is_said_in_a_sentence_and_marked_in_the_form() -> None:
    view = chosen(RepositoryView, QueryParams("merges=false&bots=false&since=2024-01-01&dates=committed"))

    assert says(view) == (
        "Commits of the default branch, without merges, of people alone, by the committer's date, since 2024-01-01."
    )
    marked = {choice.name: [option.value for option in choice.options if option.is_chosen] for choice in choices(view)}
    assert marked == {
        "granularity": [""], "merges": ["false"], "bots": ["false"], "refs": ["default_branch"],
        "dates": ["committed"], "count_once": [""], "measure": ["commits"], "of_whom": ["contributor"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("days", "expected"),
    [(1, "day"), (62, "day"), (63, "week"), (500, "week"), (501, "month"), (3653, "month"), (3654, "quarter"), (40_000, "year")],
)  # fmt: skip
def test_the_length_of_periods_fits_the_time(days: int, expected: str) -> None:
    first = date(1900, 1, 1)
    assert RepositoryView().granularity_for(first, date.fromordinal(first.toordinal() + days)) == expected
    assert RepositoryView(granularity=Granularity.DAY).granularity_for(first, date(2024, 1, 1)) == "day"


def test_a_long_time_is_cut_and_that_is_said() -> None:
    of = span(date(1, 1, 1), date(2024, 1, 31), Granularity.DAY, starts_whole=False, is_over=True)

    assert len(of.periods) == 400
    assert of.is_cut
    assert "Shown are the last 400 days" in of.notes[0]
    assert all(period.is_whole for period in of.periods)


def test_the_period_that_is_going_on_is_not_whole() -> None:
    of = span(date(2024, 1, 10), date(2024, 3, 31), Granularity.MONTH, starts_whole=True, is_over=False)

    assert [period.is_whole for period in of.periods] == [True, True, False]
    assert of.notes == ["Shaded: Mar 2024 counts up to 2024-03-31 alone; do not read its column as a fall."]


@pytest.mark.parametrize(
    ("part", "expected"),
    [(None, "–"), (0, "0%"), (0.004, "< 1%"), (0.01, "1%"), (0.555, "56%"), (0.996, "> 99%"), (1, "100%")],
)
def test_no_part_is_rounded_to_nothing_or_to_all(part: float | None, expected: str) -> None:
    assert words.percent(part) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "–"), (0.04, "0.0 s"), (9.96, "10.0 s"), (59.4, "59 s"), (61, "1 min 1 s"), (3_725, "1 h 2 min")],
)
def test_durations_are_written_in_two_units_at_most(seconds: float | None, expected: str) -> None:
    assert words.duration(seconds) == expected


@pytest.mark.parametrize(
    ("merges", "counted_in", "expected"),
    [
        pytest.param(0, True, "no merge among them", id="none"),
        pytest.param(1, True, "1 of them a merge", id="one"),
        pytest.param(1_200, True, "1,200 of them merges", id="many"),
        pytest.param(0, False, "merges left out", id="left-out"),
    ],
)
def test_merges_are_told_in_words(merges: int, counted_in: bool, expected: str) -> None:
    assert words.merges_among(merges, counted_in) == expected


def test_an_outcome_has_a_meaning_unless_it_is_of_another_version() -> None:
    assert words.meaning("DataFailed") == "dbt ran; a model or a test of severity error failed."
    assert [words.meaning(outcome) for outcome in (None, "ResultLost", "OfTheFuture")] == ["", "", ""]


def test_times_to_choose_end_with_the_last_day_that_is_known() -> None:
    view = SeriesView(bots=False, since=date(2022, 1, 1), until=date(2022, 12, 31))
    offered = times("/repositories/1", view, date(2024, 3, 1))
    assert [(time.words, time.address, time.is_chosen) for time in offered] == [
        ("all time", "/repositories/1?bots=false", False),
        ("the last 365 days", "/repositories/1?bots=false&since=2023-03-03", False),
        ("the last 90 days", "/repositories/1?bots=false&since=2023-12-03", False),
    ]
    shown = times("/repositories/1", SeriesView(since=date(2023, 12, 3)), date(2024, 3, 1))
    assert [time.is_chosen for time in shown] == [False, False, True]
    assert times("/repositories/1", view, date.min + timedelta(days=1)) == []


def test_counts_and_moments() -> None:
    assert words.counted(1, "person", "people") == "1 person"
    assert words.counted(1_200, "commit") == "1,200 commits"
    assert words.number(None) == "–"
    noon = datetime(2024, 5, 6, 12, 30, tzinfo=UTC)
    assert words.when(noon) == '<time datetime="2024-05-06T12:30:00+00:00">2024-05-06 12:30 UTC</time>'
    assert words.when(date(2024, 5, 6)) == '<time datetime="2024-05-06">2024-05-06</time>'


def test_prose_has_links_and_code_and_nothing_else_of_html() -> None:
    assert prose("<b> `a<b` [CHAOSS](https://chaoss.community/) and [rules](identity.md) [x](javascript:alert)") == (
        '&lt;b&gt; <code>a&lt;b</code> <a href="https://chaoss.community/" rel="noreferrer">CHAOSS</a> and rules x'
    )
