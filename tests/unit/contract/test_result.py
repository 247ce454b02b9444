"""The result of a run fits the kubelet's message, and keeps what matters most."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmart.contract.outcomes import MEANINGS, Outcome
from gitmart.contract.result import RESULT_LIMIT, Result, read_result, write_result

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _result(**facts: object) -> Result:
    return Result("extract", Outcome.SUCCEEDED, "done", AT, AT, facts)


def test_a_small_result_is_told_whole() -> None:
    told = json.loads(_result(commits=3, errors=["one"]).to_json())

    assert (told["commits"], told["errors"], told["outcome"]) == (3, ["one"], "Succeeded")
    assert "truncated" not in told


def test_lists_are_cut_from_their_ends_first() -> None:
    text = _result(commits=3, errors=[f"{number} {'x' * 300}" for number in range(1000)]).to_json()

    told = json.loads(text)
    assert len(text.encode()) <= RESULT_LIMIT
    assert told["errors"][0].startswith("0 ")
    assert (told["commits"], told["truncated"]) == (3, True)


@pytest.mark.parametrize("size", [RESULT_LIMIT - 1, RESULT_LIMIT, RESULT_LIMIT + 1])
def test_the_edge_of_the_limit(size: int) -> None:
    bare = len(_result(note="").to_json().encode())

    text = _result(note="x" * (size - bare)).to_json()

    assert len(text.encode()) <= RESULT_LIMIT
    assert ("truncated" in json.loads(text)) is (size > RESULT_LIMIT)


JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(st.dictionaries(st.text(min_size=1, max_size=9), JSON), st.text())
def test_any_result_fits_and_can_be_read_back(facts: dict[str, object], message: str) -> None:
    reserved = {"version", "kind", "outcome", "message", "startedAt", "finishedAt"}
    result = Result("extract", Outcome.BUG, message, AT, AT, {k: v for k, v in facts.items() if k not in reserved})

    text = result.to_json()

    assert len(text.encode("utf-8", "replace")) <= RESULT_LIMIT
    assert (read_result(text) or {})["outcome"] == "Bug"


@pytest.mark.parametrize(
    "text", ["", "x", "{}", "[]", "null", '{"version":1}', '{"version":2,"outcome":"Succeeded"}', '{"version":1,"outc']
)
def test_what_is_no_result_is_none(text: str) -> None:
    assert read_result(text) is None


def test_a_written_result_replaces_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_text("x" * 10_000, encoding="ascii")

    write_result(_result(), path)

    assert (read_result(path.read_text(encoding="utf-8")) or {})["kind"] == "extract"


def test_every_outcome_has_a_meaning_and_an_exit_code_of_its_own() -> None:
    bad = [meaning.exit_code for meaning in MEANINGS.values() if meaning.exit_code]

    assert set(MEANINGS) == set(Outcome)
    assert len(bad) == len(set(bad))
    assert all(3 <= code < 126 for code in bad)  # 1 and 2 are the interpreter's, 126 on the system's
