"""An evil host: each mischief ends as documented, changes no row, leaves nothing behind and brings no secret out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import trustme
from tests.integration.extract.hostile.conftest import Scene, compare, grow
from tests.integration.extract.hostile.server import context
from tests.integration.extract.hostile.stories import BASIC, HARMLESS, STORIES, Story, refuse

from gitmart.contract.outcomes import Outcome

pytestmark = pytest.mark.xdist_group("hostile")  # one host and warehouse for all


WAYS = [(story, way) for story in STORIES for way in ("first", "second") if way == "first" or story.incremental]


@pytest.mark.parametrize(("story", "way"), WAYS, ids=lambda part: part if isinstance(part, str) else part.name)
def test_each_mischief_has_its_end(story: Story, way: str, honest: Scene) -> None:
    before = honest.rows()
    honest.server.behave(**story.mischief)

    told = honest.extract(honest.new() if way == "first" else honest.known, *story.words, lowered=story.lowered)

    assert told.result["outcome"] == story.outcome, f"{told.message}\n{told.printed}"
    assert told.exit_code == Outcome(story.outcome).exit_code
    assert story.says in told.message
    assert honest.rows() == before
    assert honest.query("select count(*) from pg_tables where schemaname = 'gitmart_staging'") == [(0,)]


@pytest.mark.parametrize("story", HARMLESS, ids=lambda story: story.name)
def test_what_is_odd_changes_no_row(story: Story, honest: Scene) -> None:
    url = honest.new()
    grow(honest.repository, 1)
    honest.server.behave(**story.mischief)

    for expected in ("full", "incremental"):
        told = honest.extract(url, *story.words)

        assert (told.result["outcome"], told.result["fetch"]) == ("Succeeded", expected), told.printed
        compare(honest, url)
        grow(honest.repository, 1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("another.example.org", {}, id="name"),
        pytest.param("localhost", {"not_after": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}, id="expired"),
        pytest.param("localhost", None, id="authority"),
    ],
)
def test_a_host_that_cannot_prove_who_it_is_gets_no_request(
    name: str, options: dict[str, Any] | None, honest: Scene
) -> None:
    authority = trustme.CA() if options is None else honest.server.authority
    before = honest.rows()
    honest.server.context = context(authority, name, **(options or {}))

    told = honest.extract(honest.known)

    assert (told.result["outcome"], told.exit_code) == ("HostUnreachable", 68), told.message
    assert honest.server.asked == []
    assert honest.rows() == before


@pytest.mark.parametrize("code", [401, 403])
def test_a_host_that_wants_credentials_and_gets_none_is_told_apart(code: int, honest: Scene) -> None:
    honest.server.behave(can=refuse(code, **BASIC))

    told = honest.extract(honest.new(), shown=False)

    assert told.result["outcome"] == "AuthenticationFailed"
    assert "set spec.secretRef" in told.message


def test_a_name_that_leads_elsewhere_a_moment_later_changes_nothing(honest: Scene) -> None:
    """The address that was looked at is the one that git uses: it never asks for the name again."""
    name = "rebound.example.org"
    honest.server.context = context(honest.server.authority, name)

    told = honest.extract(f"https://{name}:{honest.server.port}/a.git", names={name: "127.0.0.1"})

    assert told.result["outcome"] == "Succeeded", told.message
    assert len(honest.server.asked) > 1
