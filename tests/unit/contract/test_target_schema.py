"""What a schema of dbt's marts may be called."""

from __future__ import annotations

import pytest

from gitmart.contract.target_schema import DEFAULT, LIMIT, may_be_target, schemas_of


@pytest.mark.parametrize(
    ("name", "good"),
    [
        (DEFAULT, True),
        ("_", True),
        ("sales_2026", True),
        ("publicity", True),
        ("pgadmin", True),
        ("staging", True),
        ("s" * LIMIT, True),
        ("s" * (LIMIT + 1), False),
        ("", False),
        ("2026", False),
        ("Sales", False),
        ("sales-eu", False),
        ("sales eu", False),
        ("sales\n", False),
        ("größe", False),
        ('a"b', False),
        ("public", False),
        ("gitmart_staging", False),
        ("dbt_meta", False),
        ("information_schema", False),
        ("pg_catalog", False),
        ("pg_", False),
        # of the target analytics, and of a target x
        ("analytics_staging", False),
        ("analytics_intermediate", False),
        ("x_test_failures", False),
    ],
)
def test_what_a_target_may_be_called(name: str, good: bool) -> None:
    assert may_be_target(name) is good


def test_no_sibling_is_a_target_or_cut_off_by_postgresql() -> None:
    first, *siblings = schemas_of("s" * LIMIT)

    assert may_be_target(first)
    assert not any(may_be_target(each) for each in siblings)
    assert max(map(len, siblings)) <= 63
