"""The state folder: where it is, whose it is, what is deleted."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from gitmart.local import locks
from gitmart.local.exits import StateError
from gitmart.local.state import State, default_folder, write_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({"GITMART_STATE": "here", "XDG_STATE_HOME": "/x"}, Path("here"), id="own-variable"),
        pytest.param({"XDG_STATE_HOME": "/x"}, Path("/x/gitmart"), id="xdg"),
        pytest.param({"XDG_STATE_HOME": "x"}, Path.home() / ".local/state/gitmart", id="relative-xdg-is-ignored"),
        pytest.param({}, Path.home() / ".local/state/gitmart", id="home"),
    ],
)
def test_the_default_folder(environment: dict[str, str], expected: Path) -> None:
    assert default_folder(environment) == expected


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("", encoding="utf-8")

    with pytest.raises(StateError, match=r"not a state folder of gitmart \(it holds thesis.txt\)"):
        State.at(tmp_path).prepare()
    with pytest.raises(StateError, match="holds no gitmart state"):
        State.at(tmp_path).require()
    assert names(tmp_path) == ["thesis.txt"]


def test_a_preparation_killed_half_way_is_completed(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()

    State.at(tmp_path).prepare()

    assert State.at(tmp_path).exists()


def test_a_newer_state_is_refused(tmp_path: Path) -> None:
    State.at(tmp_path).prepare()
    (tmp_path / "version").write_text("2\n", encoding="utf-8")

    with pytest.raises(StateError, match="is of state version 2, this gitmart knows 1"):
        State.at(tmp_path).prepare()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(StateError, match=r"file/state cannot be used: Not a directory.*choose one with --state"):
        State.at(tmp_path / "file" / "state").prepare()


def test_delete_keeps_what_is_not_ours(tmp_path: Path) -> None:
    state = State.at(tmp_path / "state")
    state.prepare()
    (state.path / "notes.txt").write_text("", encoding="utf-8")

    state.delete()

    assert names(state.path) == ["notes.txt"]


def test_delete_removes_a_folder_that_is_all_ours(tmp_path: Path) -> None:
    state = State.at(tmp_path / "state")
    state.prepare()

    state.delete()

    assert not state.path.exists()


def test_git_does_not_see_the_folder(tmp_path: Path) -> None:
    State.at(tmp_path).prepare()

    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "object.json"
    write_file(path, "old")

    with pytest.raises(UnicodeEncodeError):
        write_file(path, "new \ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["object.json"]


def test_the_lock_names_its_holder_to_who_waits(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    told: list[str] = []
    first = ExitStack()
    first.enter_context(locks.held(path, "the first", told.append))

    def let_go(holder: str) -> None:
        told.append(holder)
        first.close()

    with locks.held(path, "the second", let_go):
        assert told == ["the first"]
        assert locks.is_locked(path)
    assert not locks.is_locked(path)
