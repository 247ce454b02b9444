"""`gitmart local dashboard` and its like: served until somebody stops it, on this machine alone."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import httpx
import pytest

from gitmart.local.dashboard import is_wanted

from .conftest import Local, commit, git


def address_of(process: Popen[str], stream: str) -> str:
    """Return the address that a command prints."""
    lines = process.stdout if stream == "out" else process.stderr
    assert lines is not None
    for line in lines:
        if "ashboard: http" in line:
            return line.split("dashboard: ", 1)[-1].split("Dashboard: ")[-1].split()[0]
    raise AssertionError(f"it ended with {process.wait()} and no address")


@pytest.mark.slow
def test_the_demo_ends_by_serving_the_dashboard(ready: Local, tmp_path: Path) -> None:
    repository = tmp_path / "it's <b>bold"
    git(tmp_path, "init", "-q", "-b", "main", str(repository))
    for number, author in enumerate(("One", "Two", "One")):
        commit(repository, number, author)

    with ready.start("demo", repository, "--dashboard") as process:
        address = address_of(process, "out")
        assert address.startswith("http://127.0.0.1:")
        page = httpx.get(address, headers={"Accept": "text/html"})
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()

    assert page.status_code == 200
    assert "it&#39;s &lt;b&gt;bold" in page.text
    assert process.returncode == 0, said
    assert not list(ready.state.folder("secrets").iterdir())
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    # The server goes on, and so does the dashboard if it is asked for; a second one finds a port of its own.
    with ready.start("dashboard") as first, ready.start("dashboard") as second:
        addresses = {address_of(first, "out"), address_of(second, "out")}
        assert len(addresses) == 2
        assert all(httpx.get(each).status_code == 200 for each in addresses)
        for process in (first, second):
            process.send_signal(signal.SIGTERM)
        for process in (first, second):
            process.communicate()
        assert (first.returncode, second.returncode) == (0, 0)


@pytest.mark.slow
def test_up_serves_the_dashboard_while_it_follows(
    ready: Local, manifest: Callable[..., Path], repository: Path
) -> None:
    with ready.start("up", "--dashboard", "-f", manifest("one", repository, suspend=True)) as process:
        address = address_of(process, "err")
        page = httpx.get(address, headers={"Accept": "text/html"})
        process.send_signal(signal.SIGTERM)
        process.communicate()

    assert process.returncode == 0
    assert page.status_code == 503
    assert "There are no marts yet" in page.text


def test_without_a_server_there_is_no_dashboard(ready: Local) -> None:
    assert "the server is down" in ready.run("dashboard", code=69)


def test_once_and_a_dashboard_exclude_each_other(local: Local, tmp_path: Path) -> None:
    assert "use one of them" in local.run("up", "--once", "--dashboard", "-f", tmp_path, code=64)


@pytest.mark.parametrize(
    ("asked", "is_terminal", "ci", "expected"),
    [
        (None, True, "", True),
        (None, True, "1", False),
        (None, False, "", False),
        (True, False, "1", True),
        (False, True, "", False),
    ],
)
def test_it_is_served_to_a_person_who_looks_on(
    asked: bool | None, is_terminal: bool, ci: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    monkeypatch.setenv("CI", ci)
    assert is_wanted(asked) is expected
