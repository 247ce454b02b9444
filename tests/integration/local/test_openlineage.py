"""OpenLineage events in local mode: the same field, with a key of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.openlineage.schemas import violations
from tests.openlineage.server import listening

from .conftest import Local

Manifest = Callable[..., Path]


@pytest.mark.slow
def test_a_collector_hears_of_a_run(ready: Local, manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "api-key").write_text("key-of-mine", encoding="utf-8")
    local = replace(ready, environment={**ready.environment, "GITMART_OPENLINEAGE_CREDENTIALS_DIR": str(tmp_path)})
    with listening() as collector:
        schedule = manifest("analytics", openLineage={"url": collector.url}, select=["stg_commits"])

        said = local.run("up", "--once", "-f", schedule)

    assert "ok     dbtschedule/analytics: Succeeded" in said
    assert [line for event in collector.heard for line in violations(event)] == []
    assert collector.kinds("analytics") == ["START", "COMPLETE"]
    assert collector.kinds("analytics.gitmart.stg_commits") == ["START", "COMPLETE"]
    assert {event["job"]["namespace"] for event in collector.heard} == {"default"}
    assert {headers["authorization"] for _, headers in collector.asked} == {"Bearer key-of-mine"}
