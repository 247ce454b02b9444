"""Which nodes a run that goes on still has to build, and what makes it begin anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitmart.transform.dbt import Node
from gitmart.transform.resume import digest_of_files, to_build

CHILDREN = {"raw": ["a"], "a": ["b", "test_a"], "b": ["c", "test_b"], "c": [], "test_a": [], "test_b": [], "alone": []}
ALL = ("a", "b", "c", "test_a", "test_b", "alone")


@pytest.mark.parametrize(
    ("done", "rest"),
    [
        pytest.param([], ALL, id="nothing was done"),
        pytest.param(ALL, (), id="all was done"),
        pytest.param(["a", "test_a"], ("b", "c", "test_b", "alone"), id="the rest"),
        pytest.param(["a", "b", "c", "test_b", "alone"], ("test_a",), id="a test alone"),
        pytest.param(
            ["b", "c", "test_b", "test_a", "alone"], ("a", "b", "c", "test_a", "test_b"), id="what stands on it"
        ),
        pytest.param(["a", "b", "test_a", "test_b", "gone"], ("c", "alone"), id="a node that is no more"),
    ],
)
def test_what_is_left_is_what_is_not_done_and_what_stands_on_it(done: list[str], rest: tuple[str, ...]) -> None:
    selected = [Node(name, "model", ("project", name)) for name in ALL]

    assert tuple(node.unique_id for node in to_build(selected, done, CHILDREN)) == rest


def test_what_is_not_selected_is_not_built_though_it_stands_on_what_is() -> None:
    selected = [Node("a", "model", ("project", "a"))]

    assert [node.unique_id for node in to_build(selected, [], CHILDREN)] == ["a"]


def test_a_node_is_named_with_its_kind() -> None:
    node = Node("model.gitmart.x", "model", ("gitmart", "marts", "x"))

    assert node.selector == "fqn:gitmart.marts.x,resource_type:model"


def test_files_count_by_name_and_content_and_what_runs_write_does_not(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.sql").write_text("select 1", encoding="utf-8")
    first = digest_of_files(tmp_path)

    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text("{}", encoding="utf-8")
    assert digest_of_files(tmp_path) == first
    (tmp_path / "models" / "logs").mkdir()
    (tmp_path / "models" / "logs" / "c.sql").write_text("select 3", encoding="utf-8")
    assert digest_of_files(tmp_path) != first  # a model may be in a folder of that name
    (tmp_path / "models" / "logs" / "c.sql").unlink()
    assert digest_of_files(tmp_path) == first
    (tmp_path / "models" / "a.sql").rename(tmp_path / "models" / "b.sql")
    second = digest_of_files(tmp_path)
    (tmp_path / "models" / "b.sql").write_text("select 2", encoding="utf-8")
    assert len({first, second, digest_of_files(tmp_path)}) == 3
