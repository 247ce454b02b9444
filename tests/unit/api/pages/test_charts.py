"""Where the marks of charts stand."""

from __future__ import annotations

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmart.api.pages.charts.calendar import WEEKS, calendar, level_bounds
from gitmart.api.pages.charts.columns import columns, sparkline
from gitmart.api.pages.charts.curve import Point, concentration_curve
from gitmart.api.pages.charts.hours import GREATEST, hour_dots
from gitmart.api.pages.charts.periods import Period, filled, name, periods, x_axis
from gitmart.api.pages.charts.scales import count_ticks, short, y_axis
from gitmart.api.queries.trends import Granularity


@pytest.mark.parametrize(
    ("maximum", "expected"),
    [
        pytest.param(0, [0, 1], id="nothing"),
        pytest.param(1, [0, 1], id="one"),
        pytest.param(5, [0, 1, 2, 3, 4, 5], id="five"),
        pytest.param(6, [0, 2, 4, 6], id="six"),
        pytest.param(11, [0, 5, 10, 15], id="eleven"),
        pytest.param(129, [0, 50, 100, 150], id="hundreds"),
        pytest.param(1000, [0, 200, 400, 600, 800, 1000], id="exact"),
    ],
)
def test_an_axis_of_counts_has_few_round_marks(maximum: int, expected: list[int]) -> None:
    assert count_ticks(maximum) == expected


@given(st.integers(0, 10**12), st.integers(2, 8))
def test_an_axis_begins_at_0_and_ends_at_or_just_above_the_maximum(maximum: int, most: int) -> None:
    ticks = count_ticks(maximum, most)

    assert ticks[0] == 0
    assert ticks[-1] >= maximum
    assert len(ticks) <= most + 1 or ticks == [0, 1]
    assert maximum == 0 or ticks[-2] < maximum
    assert len({after - before for before, after in itertools.pairwise(ticks)}) == 1


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0"), (950, "950"), (1500, "1.5k"), (20_000, "20k"), (3_000_000, "3M"), (2 * 10**9, "2G")],
)
def test_counts_on_an_axis_are_short(number: int, expected: str) -> None:
    assert short(number) == expected


def test_marks_of_an_upright_axis_go_from_bottom_to_top() -> None:
    assert [(tick.at, tick.text) for tick in y_axis([0, 5, 10])] == [(100, "0"), (50, "5"), (0, "10")]


def test_columns_stand_on_each_other_and_nothing_is_drawn_of_nothing() -> None:
    drawn = columns([[1, 0], [3, 4]])

    places = [[tuple(map(round, (bar.x, bar.y, bar.width, bar.height))) for bar in bars] for bars in drawn.series]
    assert places == [[(5, 75, 40, 25)], [(5, 0, 40, 75), (55, 0, 40, 100)]]


def test_a_sparkline_is_as_high_as_its_highest() -> None:
    assert [bar.height for bar in sparkline([2, 0, 4])] == [50, 100]
    assert sparkline([]) == []
    assert sparkline([0, 0]) == []


@pytest.mark.parametrize(
    ("first", "last", "granularity", "starts"),
    [
        pytest.param("2024-02-28", "2024-03-01", "day", ["2024-02-28", "2024-02-29", "2024-03-01"], id="leap-day"),
        pytest.param("2024-01-03", "2024-01-15", "week", ["2024-01-01", "2024-01-08", "2024-01-15"], id="weeks"),
        pytest.param("2023-11-30", "2024-01-01", "month", ["2023-11-01", "2023-12-01", "2024-01-01"], id="months"),
        pytest.param("2023-11-30", "2024-04-01", "quarter", ["2023-10-01", "2024-01-01", "2024-04-01"], id="quarters"),
        pytest.param("2022-12-31", "2024-01-01", "year", ["2022-01-01", "2023-01-01", "2024-01-01"], id="years"),
        pytest.param("9999-12-30", "9999-12-31", "day", ["9999-12-30", "9999-12-31"], id="end-of-time"),
        pytest.param("2024-01-02", "2024-01-01", "day", [], id="backwards"),
    ],
)
def test_periods_leave_out_none(first: str, last: str, granularity: str, starts: list[str]) -> None:
    found = periods(date.fromisoformat(first), date.fromisoformat(last), Granularity(granularity))

    assert [each.start.isoformat() for each in found] == starts


def test_a_period_is_whole_if_all_of_it_is_known() -> None:
    found = periods(date(2024, 1, 2), date(2024, 3, 30), Granularity.MONTH)

    assert [each.is_whole for each in found] == [False, True, False]
    assert filled(found, {date(2024, 2, 1): 7}) == [0, 7, 0]


@pytest.mark.parametrize(
    ("start", "granularity", "expected"),
    [
        ("2024-01-01", "year", "2024"),
        ("2024-10-01", "quarter", "Q4 2024"),
        ("2024-05-01", "month", "May 2024"),
        ("2024-05-06", "week", "week of 2024-05-06"),
        ("2024-05-06", "day", "2024-05-06"),
    ],
)
def test_periods_have_names(start: str, granularity: str, expected: str) -> None:
    assert name(date.fromisoformat(start), Granularity(granularity)) == expected


@pytest.mark.parametrize(
    ("first", "last", "granularity", "expected"),
    [
        pytest.param("2022-03-01", "2024-02-01", "month", ["2023", "2024"], id="years"),
        pytest.param("2024-01-15", "2024-03-20", "week", ["Feb 2024", "Mar 2024"], id="months"),
        pytest.param("2024-01-01", "2024-01-03", "day", ["2024-01-01", "2024-01-02", "2024-01-03"], id="days"),
        pytest.param("1990-01-01", "2024-01-01", "year", ["1990", "1995", "2000", "2005", "2010", "2015", "2020"], id="many"),
    ],
)  # fmt: skip
def test_an_axis_of_time_has_at_most_eight_marks(first: str, last: str, granularity: str, expected: list[str]) -> None:
    kind = Granularity(granularity)
    found = x_axis(periods(date.fromisoformat(first), date.fromisoformat(last), kind), kind)

    assert [tick.text for tick in found] == expected


def test_a_mark_stands_below_the_middle_of_its_column() -> None:
    of = [Period(date(year, 1, 1), date(year, 12, 31), True) for year in (2020, 2021)]

    assert [tick.at for tick in x_axis(of, Granularity.YEAR)] == [25, 75]


def test_the_curve_begins_with_the_most_active_and_shows_where_half_is_made() -> None:
    # Of four people one made 7 of 10 commits, the others one each.
    drawn = concentration_curve([(0.25, 0.1), (0.5, 0.2), (0.75, 0.3), (1, 1)], 4, 1)

    assert [(round(point.x), round(point.y)) for point in drawn.points] == [
        (0, 100),
        (25, 30),
        (50, 20),
        (75, 10),
        (100, 0),
    ]
    assert drawn.half == Point(25, 30)
    assert drawn.path == "M0.00 100.00L25.00 30.00L50.00 20.00L75.00 10.00L100.00 0.00"


def test_where_half_is_made_never_stands_below_half() -> None:
    """The line between two points of a thinned curve passes below what these few made."""
    drawn = concentration_curve([(0.5, 0.2), (1, 1)], 4, 1)

    assert drawn.half == Point(25, 50)
    assert drawn.points == [Point(0, 100), Point(25, 50), Point(50, 20), Point(100, 0)]


def test_a_curve_keeps_each_of_the_most_active_and_one_of_a_hundredth_of_the_others() -> None:
    everybody = 2000
    lorenz = [(number / everybody, number / everybody) for number in range(1, everybody + 1)]
    drawn = concentration_curve(lorenz, everybody, 1000)

    assert [round(point.x * everybody / 100) for point in drawn.points[:52]] == [*range(51), 70]
    assert len(drawn.points) <= 50 + 1 + 100
    assert drawn.points[-1] == Point(100, 0)
    assert drawn.half == Point(50, 50)


def test_a_curve_of_nobody_has_no_half() -> None:
    assert concentration_curve([], 0, None).half is None


def test_a_calendar_ends_with_its_last_day() -> None:
    drawn = calendar({date(2024, 5, 8): 3, date(2024, 5, 1): 1, date(2020, 1, 1): 9}, date(2024, 5, 8))

    assert drawn.days[-1].day == date(2024, 5, 8)
    assert (drawn.days[-1].column, drawn.days[-1].row) == (WEEKS - 1, 2)
    assert drawn.days[0].day.weekday() == 0
    assert [day.commits for day in drawn.days if day.commits] == [1, 3]
    assert drawn.levels == [(1, 2), (3, None)]
    assert [day.level for day in drawn.days if day.commits] == [1, 2]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([4, 4, 4], [1, 4], id="all-alike"),
        pytest.param([1, 1, 1, 1], [1], id="all-one"),
        pytest.param([1, 2, 3, 4, 5, 6, 7, 8], [1, 3, 5, 7], id="quarters"),
    ],
)
def test_levels_hold_about_equally_many_days(counts: list[int], expected: list[int]) -> None:
    assert level_bounds(counts) == expected


def test_the_area_of_a_dot_is_its_commits() -> None:
    large, small = hour_dots({(1, 9): 16, (7, 23): 4})

    assert (large.weekday, large.hour, large.radius) == (0, 9, GREATEST)
    assert (small.weekday, small.hour, small.radius) == (6, 23, GREATEST / 2)
    assert hour_dots({}) == []
