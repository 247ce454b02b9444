"""What the catalogue of a BI tool, or of psql, tells of what gitmart_read may read."""

from __future__ import annotations

import pytest
from tests.integration.bi.conftest import Ask

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]


def test_every_mart_and_every_column_of_it_has_a_comment(ask: Ask) -> None:
    described = ask(
        "select relname, attname, obj_description(pg_class.oid, 'pg_class'), col_description(attrelid, attnum)"
        " from pg_class join pg_attribute on attrelid = pg_class.oid"
        " where relnamespace = 'analytics'::regnamespace and relkind in ('r', 'v') and attnum > 0 and not attisdropped"
    ).rows

    assert len(described) > 250
    assert [row[:2] for row in described if not row[2] or not row[3]] == []


def test_every_function_has_a_comment(ask: Ask) -> None:
    described = dict(
        ask(
            "select proname, obj_description(oid, 'pg_proc') from pg_proc where pronamespace = 'analytics'::regnamespace"
        ).rows
    )

    assert described["concentration"] == "On how few the work rests. Always one row."
    assert [name for name, comment in described.items() if not comment] == []


def test_everything_in_the_history_of_runs_has_a_comment(ask: Ask) -> None:
    described = ask(
        "select relname, obj_description(oid, 'pg_class') from pg_class"
        " where relnamespace = 'dbt_meta'::regnamespace and relkind in ('r', 'v')"
    ).rows

    assert len(described) == 11
    assert [name for name, comment in described if not comment] == []
