"""The page of a repository, compared with SQL on the marts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page
from tests.browser.conftest import Visit
from tests.browser.reading import figure, number, rows
from tests.conftest import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

COUNTED = "in_default_branch and repository_id = %s"
COMMITS = "analytics.fct_commits join analytics.dim_contributor using (contributor_id)"


def test_figures_are_what_the_mart_says(visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse) -> None:
    page = visit(f"/repositories/{ids['garden']}")

    [(commits, people, factor, added, last)] = sample_warehouse.query(
        "select commits, contributors, absence_factor, lines_added, cast(last_commit_at at time zone 'UTC' as date)"
        " from analytics.repository_summary where repository_id = %s",
        ids["garden"],
    )
    assert number(figure(page, "Commits")) == commits
    assert number(figure(page, "People")) == people
    assert number(figure(page, "Half of the commits by")) == factor
    assert number(figure(page, "Lines").lstrip("+")) == added
    assert page.locator(".stats time").first.get_attribute("datetime") == str(last)


def test_series_are_what_sql_says_and_have_no_gaps(
    visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse
) -> None:
    page = visit(f"/repositories/{ids['garden']}?granularity=month")

    expected = dict(
        sample_warehouse.query(
            "select to_char(commit_day, 'Mon YYYY'), count(*) from analytics.fct_commits"
            f" where {COUNTED} and commit_day is not null group by 1",
            ids["garden"],
        )
    )
    shown = [(month.removesuffix(" (in part)"), number(count)) for month, count in rows(page, "#commits-table")]
    assert {month: count for month, count in shown if count} == expected
    months = [month for month, _ in shown]
    assert months[:3] == ["Jan 2022", "Feb 2022", "Mar 2022"]
    assert len(set(months)) == len(months) > 24
    # A column for each month with commits, as high as its number: the axis begins at 0.
    heights = [float(bar.rstrip("%")) for bar in page.locator("#commits .marks g.s0 rect").evaluate_all(
        "bars => bars.map(bar => bar.getAttribute('height'))"
    )]  # fmt: skip
    counts = [count for _, count in shown if count]
    assert [round(height / heights[0] * counts[0]) for height in heights] == counts

    people = {
        month.removesuffix(" (in part)"): (number(old) + number(new), number(new))
        for month, old, new in rows(page, "#people-table")
    }
    firsts = sample_warehouse.query(
        "with mine as (select contributor_id, commit_day from analytics.fct_commits"
        f" where {COUNTED} and commit_day is not null)"
        " select to_char(commit_day, 'Mon YYYY'), count(distinct contributor_id), count(distinct contributor_id)"
        " filter (where date_trunc('month', commit_day) = (select date_trunc('month', min(other.commit_day))"
        " from mine as other where other.contributor_id = mine.contributor_id)) from mine group by 1",
        ids["garden"],
    )
    assert {month: (both, new) for month, (both, new) in people.items() if both} == {
        month: (both, new) for month, both, new in firsts
    }


def test_concentration_people_days_and_hours_are_what_sql_says(
    visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse
) -> None:
    page = visit(f"/repositories/{ids['garden']}?until=2022-12-31")

    people = sample_warehouse.query(
        f"select contributor_name, count(*) from {COMMITS}"
        f" where {COUNTED} and commit_day <= '2022-12-31' group by 1 order by 2 desc",
        ids["garden"],
    )
    top = [(cells[0].removesuffix(" bot"), number(cells[2])) for cells in rows(page, "[aria-labelledby=top-title]")]
    assert sorted(top) == sorted(people)
    counts = [int(str(count)) for _, count in people]
    factor = next(k for k in range(1, len(counts) + 1) if 2 * sum(counts[:k]) >= sum(counts))
    says = page.locator("#concentration .says").text_content() or ""
    assert says.startswith(f"{factor} of {len(counts)} people made half of the commits")
    gini = sum((2 * i - len(counts) - 1) * x for i, x in enumerate(sorted(counts), 1)) / (len(counts) * sum(counts))
    assert f"Gini coefficient {gini:.2f}" in says
    curve = rows(page, "#concentration-table")
    assert [number(cells[0]) for cells in curve] == list(range(1, len(counts) + 1))
    assert curve[0][2] == f"{100 * counts[0] / sum(counts):.0f}%"
    assert curve[-1][2] == "100%"

    days = sample_warehouse.query(
        f"select to_char(commit_day, 'YYYY-MM-DD'), count(*) from analytics.fct_commits where {COUNTED}"
        " and commit_day between '2021-12-27' and '2022-12-31' group by 1 order by 1 desc",
        ids["garden"],
    )
    assert [(day, number(count)) for day, count in rows(page, "#calendar-table")] == days
    hours = sample_warehouse.query(
        "select author_local_weekday, author_local_hour, count(*) from analytics.fct_commits"
        f" where {COUNTED} and commit_day <= '2022-12-31' group by 1, 2",
        ids["garden"],
    )
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    assert {when: number(count) for when, count in rows(page, "#hours-table")} == {
        f"{names[int(str(weekday)) - 1]} {hour}:00": count for weekday, hour, count in hours
    }
    assert page.locator("#hours circle").count() == len(hours)


def test_switches_change_the_numbers_as_sql_says(
    visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse
) -> None:
    page = visit(f"/repositories/{ids['garden']}")
    page.locator("#choose summary").click()
    page.get_by_label("From (UTC day)").fill("2022-06-01")
    page.get_by_label("Merges").select_option("do not count")
    page.get_by_label("Bots and assistants").select_option("do not count")
    page.get_by_label("Date of").select_option("the committer")
    page.get_by_label("tests").check()
    page.get_by_label("source").check()
    page.get_by_role("button", name="Count again").click()
    page.wait_for_url("**since=2022-06-01**")

    [(commits, people, added)] = sample_warehouse.query(
        "select count(*), count(distinct contributor_id), sum(source_lines_added + tests_lines_added)"
        f" from {COMMITS} where {COUNTED}"
        " and not is_merge and contributor_kind = 'human' and committed_day >= '2022-06-01'",
        ids["garden"],
    )
    assert number(figure(page, "Commits")) == commits
    assert number(figure(page, "People")) == people
    assert number(figure(page, "Lines").lstrip("+")) == added
    assert sum(number(count) for _, count in rows(page, "#commits-table")) == commits
    # The address is the state: whoever opens it sees the same.
    again = visit(page.url.removeprefix(page.url.split("/repositories")[0]))
    assert again.locator(".stats").text_content() == page.locator(".stats").text_content()
    page.get_by_role("link", name="Back to the defaults").click()
    page.wait_for_url(f"**/repositories/{ids['garden']}")


def test_a_period_that_is_not_over_is_told(visit: Visit, ids: dict[str, int]) -> None:
    page = visit(f"/repositories/{ids['garden']}?since=2022-01-15&until=2022-06-20&granularity=month")
    assert page.locator("#commits .partial").count() == 2
    notes = " ".join(page.locator("#commits .note").all_text_contents())
    assert "Jun 2022 counts up to 2022-06-20 alone" in notes
    assert "Jan 2022 does not count from its first day on" in notes

    whole = visit(f"/repositories/{ids['garden']}?since=2022-02-01&until=2022-05-31&granularity=month")
    assert whole.locator("#commits .partial").count() == 0


def test_links_lead_to_the_same_numbers(visit: Visit, ids: dict[str, int]) -> None:
    page = visit(f"/repositories/{ids['garden']}?merges=false&granularity=month")
    for link in page.locator(".data a").all():
        answer = page.request.get(link.get_attribute("href") or "")
        assert answer.ok, f"{answer.url}: {answer.text()}"
    csv = page.request.get(page.locator("#commits .data a").first.get_attribute("href") or "").text().splitlines()
    at = csv[0].split(",").index("commits")
    shown = [count for _, count in rows(page, "#commits-table") if count != "0"]
    assert [line.split(",")[at] for line in csv[1:]] == shown


def test_how_a_chart_is_counted_stands_below_it(visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse) -> None:
    page = visit(f"/repositories/{ids['garden']}")
    about = page.locator("#concentration details").first
    assert not about.locator(".inner").is_visible()
    about.locator("summary").click()
    assert about.locator("dt").all_text_contents() == [
        "Absence factor (bus factor)",
        "Gini coefficient",
        "Largest share",
    ]
    assert "most active contributors made at least half" in (about.locator("dd").first.text_content() or "")


def test_the_keyboard_reaches_and_reads_everything(visit: Visit, ids: dict[str, int]) -> None:
    page = visit(f"/repositories/{ids['garden']}?granularity=month")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # unfolds or folds what counts
    plot = page.locator("#commits .plot")
    for _ in range(40):
        page.keyboard.press("Tab")
        if plot.evaluate("plot => plot === document.activeElement"):
            break
    page.keyboard.press("Home")
    [(first, count), (second, next_count), *_] = rows(page, "#commits-table")
    tip = plot.get_by_role("status")
    assert tip.text_content() == f"{first}: commits {count}"
    page.keyboard.press("ArrowRight")
    assert tip.text_content() == f"{second}: commits {next_count}"
    page.keyboard.press("Escape")
    assert not tip.is_visible()


def focused(page: Page) -> str:
    text: str = page.evaluate("document.activeElement.textContent")
    return re.sub(r"\s+", " ", text).strip()


def test_a_repository_without_commits_says_so(visit: Visit, ids: dict[str, int]) -> None:
    page = visit(f"/repositories/{ids['empty']}")
    assert "has no commit on its default branch yet" in (page.locator("main").text_content() or "")
    none = visit(f"/repositories/{ids['garden']}?until=1999-12-31")
    assert "No commit counts by this choice" in (none.locator("main").text_content() or "")


def test_quality_is_what_the_warehouse_says_and_is_brought_up_to_date(
    visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse
) -> None:
    page = visit(f"/repositories/{ids['shed']}")
    quality = page.locator("#quality")
    [(finished, new)] = sample_warehouse.query(
        "select to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), new_commits"
        " from public.extraction_runs where repository_id = %s",
        ids["shed"],
    )
    [cells] = rows(page, "#quality")
    assert (cells[0], number(cells[2])) == (f"{finished} UTC", new)
    [(passed,)] = sample_warehouse.query("select passed from dbt_meta.runs order by id desc limit 1")
    assert quality.get_by_text(f"All {passed} of the last build passed").is_visible()
    assert quality.get_by_text("Nothing: every value was stored as git has it").is_visible()

    sample_warehouse.query("update public.repositories set state = 'in_progress' where id = %s", ids["shed"])
    sample_warehouse.query(
        "insert into public.quarantine (repository_id, field, raw, reason, changed_run)"
        " values (%s, 'author_date', '\\xff', 'not a <b>date</b>', 1)",
        ids["shed"],
    )
    try:
        quality.get_by_text("Being read since").wait_for()
        quality.get_by_text("1 value could not be stored as they are").wait_for()
        assert quality.get_by_text("author_date: 1, not a <b>date</b>").is_visible()
        other = visit("/runs")
        assert other.get_by_text("1 repository is being read").is_visible()
    finally:
        sample_warehouse.query("update public.repositories set state = 'completed' where id = %s", ids["shed"])
        sample_warehouse.query("delete from public.quarantine where repository_id = %s", ids["shed"])


def test_files_that_change_most_are_those_of_the_mart(
    visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse
) -> None:
    page = visit(f"/repositories/{ids['garden']}?bots=false&since=2022-06-01")
    page.locator("#files-table").wait_for()  # comes after the rest
    expected = sample_warehouse.query(
        "select path, count(distinct commit_id) from analytics.fct_file_changes"
        " join analytics.fct_commits using (repository_id, commit_id) join analytics.dim_contributor using (contributor_id)"
        f" where {COUNTED} and contributor_kind = 'human' and commit_day >= '2022-06-01'"
        " group by path order by 2 desc, 1 limit 8",
        ids["garden"],
    )
    assert sorted(number(row[1]) for row in rows(page, "#files-table")) == sorted(count for _, count in expected)

    page.get_by_role("link", name="More of them").click()
    page.wait_for_url("**/files?**")
    shown = {row[0].split()[0]: number(row[1]) for row in rows(page, "#files-table")}
    assert {path: shown[str(path)] for path, _ in expected} == dict(expected)
    page.get_by_label("Directories at most").select_option("1")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**depth=1**")
    directories = {row[0]: number(row[1]) for row in rows(page, "#directories-table")}
    [(tests,)] = sample_warehouse.query(
        "select count(distinct commit_id) from analytics.fct_file_changes"
        " join analytics.fct_commits using (repository_id, commit_id) join analytics.dim_contributor using (contributor_id)"
        f" where {COUNTED} and contributor_kind = 'human' and commit_day >= '2022-06-01' and path like 'tests/%%'",
        ids["garden"],
    )
    assert directories["tests/"] == tests
    for link in page.locator(".data a").all():
        answer = page.request.get(link.get_attribute("href") or "")
        assert answer.ok, f"{answer.url}: {answer.text()}"


def test_files_that_change_together_are_those_of_sql(
    visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse
) -> None:
    page = visit(f"/repositories/{ids['garden']}/files?bots=false")
    page.get_by_label("Pairs of files that at least").fill("3")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**at_least_together=3**")

    expected = sample_warehouse.query(
        "with changes as (select path, commit_id from analytics.fct_file_changes as f"
        " join analytics.fct_commits as c using (repository_id, commit_id)"
        " join analytics.dim_contributor using (contributor_id)"
        f" where {COUNTED} and contributor_kind = 'human'),"
        " files as (select path, count(*) as commits from changes group by path)"
        " select a.path, x.commits, b.path, y.commits, count(*),"
        " round(100.0 * count(*) / least(x.commits, y.commits))"
        " from changes as a join changes as b on a.commit_id = b.commit_id and a.path < b.path"
        " join files as x on x.path = a.path join files as y on y.path = b.path"
        " group by 1, 2, 3, 4 having count(*) >= 3",
        ids["garden"],
    )
    shown = rows(page, "#pairs-table")
    assert len(expected) > 1
    assert sorted(shown) == sorted(
        [f"{path} {commits} commits", f"{other} {of_other} commits", f"{together}", f"{degree}%"]
        for path, commits, other, of_other, together, degree in expected
    )
    assert [number(row[2]) for row in shown] == sorted((number(row[2]) for row in shown), reverse=True)
    link = page.get_by_role("link", name="CSV of pairs of files").get_attribute("href") or ""
    header, *lines = page.request.get(link).text().splitlines()
    at = header.split(",").index("commits_together")
    assert [line.split(",")[at] for line in lines] == [row[2] for row in shown]
    # What was chosen beside the switches stays when these change.
    page.get_by_label("Bots and assistants").select_option("count")
    page.get_by_role("button", name="Count again").click()
    page.wait_for_url("**/files?at_least_together=3**")


def test_no_two_files_changed_together_is_told(visit: Visit, ids: dict[str, int]) -> None:
    page = visit(f"/repositories/{ids['garden']}/files?at_least_together=900")
    assert "No two files were changed together by at least 900 commits that count." in (
        page.locator("main").text_content() or ""
    )


def test_concentration_of_organisations_says_of_what_it_is_a_share(
    visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse
) -> None:
    page = visit(f"/repositories/{ids['garden']}?of_whom=organization&bots=false")
    [(theirs, everything)] = sample_warehouse.query(
        "select sum(commits) filter (where organization is not null), sum(commits)"
        " from analytics.organization_activity(repository => %s, bots => false)",
        ids["garden"],
    )
    text = page.locator("#concentration").text_content() or ""
    assert re.search(r"made half of the commits of organisations \(elephant factor \d+\)", text)
    assert f"{theirs} of {everything} commits are of organisations" in text


def test_a_repository_that_was_never_read_is_not_told_as_empty(
    visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse
) -> None:
    [(state, read)] = sample_warehouse.query(
        "select state, last_processed_at from analytics.dim_repository where repository_id = %s", ids["empty"]
    )
    change = "update analytics.dim_repository set state = %s, last_processed_at = %s where repository_id = %s"
    for now, words in (("pending", "has not been read so far"), ("failed", "could not be read so far")):
        sample_warehouse.query(change, now, None, ids["empty"])
        try:
            page = visit(f"/repositories/{ids['empty']}?granularity={'day' if now == 'failed' else 'year'}")
        finally:
            sample_warehouse.query(change, state, read, ids["empty"])
        assert words in (page.locator("main").text_content() or "")
        assert page.locator(".stats").count() == 0


def test_a_time_is_chosen_with_a_click(visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse) -> None:
    page = visit(f"/repositories/{ids['garden']}?merges=false&until=2023-01-01")
    [(since,)] = sample_warehouse.query(
        "select to_char(last_processed_at at time zone 'UTC' - interval '364 days', 'YYYY-MM-DD')"
        " from analytics.dim_repository where repository_id = %s",
        ids["garden"],
    )
    page.get_by_role("link", name="the last 365 days").click()
    page.wait_for_url(f"**/repositories/{ids['garden']}?merges=false&since={since}")
    assert page.get_by_role("link", name="the last 365 days").get_attribute("aria-current") == "true"
