"""The API on the sample warehouse. Modules here share a group, so that the sample is made once."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from tests.conftest import Warehouse
from tests.integration.api.serving import served


@pytest.fixture(scope="session")
def address(sample_warehouse: Warehouse) -> Iterator[str]:
    """The address of an API that asks nobody who they are."""
    with served(sample_warehouse.url("gitmart_read"), "--rate-limit=0") as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def ids(sample_warehouse: Warehouse) -> dict[str, int]:
    """The ids of repositories by name, of people by first name."""
    told = sample_warehouse.query(
        "select repository_name, repository_id from analytics.dim_repository"
        " union all select split_part(contributor_name, ' ', 1), contributor_id from analytics.dim_contributor"
    )
    return {str(name): int(str(number)) for name, number in told}
