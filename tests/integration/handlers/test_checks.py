"""Checks in child processes: the real `gitmart check`, and small programs that misbehave."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme

from gitmart.controller.runs import Run
from gitmart.handlers.checks import COMMAND, OUTPUT_LIMIT, CheckOptions, Checks
from gitmart.handlers.settings import Settings, configure
from gitmart.resources.repository import Repository

GOOD = json.dumps({"version": 1, "kind": "check", "outcome": "Succeeded", "message": "fine", "refsDigest": "abc"})
URL = "https://git.example.org/team/project"


def options(script: str = "", **changes: Any) -> CheckOptions:
    """Options of checks by a Python program, or the real one."""
    command = (sys.executable, "-I", "-c", f"import os, signal, subprocess, sys, time\n{script}") if script else COMMAND
    known = CheckOptions(4, timedelta(seconds=30), (), {"PATH": os.environ["PATH"]}, command)
    return dataclasses.replace(known, **changes)


def ask(chosen: CheckOptions, url: str = URL, *globs: list[str]) -> Run:
    return asyncio.run(Checks(chosen).ask(url, *globs))


def told(run: Run) -> tuple[str | None, str]:
    return run.text("outcome"), run.text("message") or ""


def test_the_real_check_of_a_repository(repository: Any) -> None:
    repository.commit()
    outcomes: list[str] = []
    checks = Checks(options(command=(*COMMAND, "--allow-file-urls")), outcomes.append)

    run = asyncio.run(checks.ask(repository.url))

    assert (run.exit_code, run.text("outcome"), run.text("head")) == (0, "Succeeded", "main")
    assert run.text("refsDigest")
    assert run.finished_at >= run.started_at
    assert outcomes == ["Succeeded"]


def test_the_real_check_refuses_what_is_private() -> None:
    assert ask(options(), "https://127.0.0.1:1/a").exit_code == 84
    assert ask(options(networks=("127.0.0.0/8",)), "https://127.0.0.1:1/a").exit_code == 68


def test_the_child_is_asked_for_what_the_repository_wants() -> None:
    script = f"import json\nprint(json.dumps({GOOD} | {{'words': sys.argv[1:]}}))"
    repository = Repository.parse(
        {
            "apiVersion": "gitmart.dev/v1alpha1",
            "kind": "Repository",
            "metadata": {"name": "project", "namespace": "team"},
            "spec": {
                "url": URL,
                "branches": {"include": ["main", "release/*"], "exclude": ["wip/*"]},
                "patchIds": True,
            },
        }
    )
    chosen = options(script, networks=("10.0.0.0/8",), timeout=timedelta(seconds=90))

    run = asyncio.run(Checks(chosen)(repository))

    assert run.result is not None
    assert run.result["words"] == [
        f"--url={URL}", "--timeout=1m30s", "--include-branch=main", "--include-branch=release/*", "--exclude-branch=wip/*",
        "--patch-ids",
        "--allow-network=10.0.0.0/8",
    ]  # fmt: skip


def test_the_child_gets_nothing_of_the_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.crt")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("GITMART_SECRET", "canary")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/operator.pem")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    settings = _settings(GITMART_GIT_PROXY="http://proxy:3128", GITMART_GIT_CA_FILE=str(tmp_path / "ca.crt"))
    script = (
        f"import json\nprint(json.dumps({GOOD} | {{'variables': dict(os.environ), 'stdin': sys.stdin.read(), "
        "'descriptors': sorted(os.listdir('/proc/self/fd')), 'leader': os.getsid(0) == os.getpid()}))"
    )
    inherited = os.open(__file__, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        run = ask(dataclasses.replace(CheckOptions.of(settings), command=options(script).command))
    finally:
        os.close(inherited)

    assert run.result is not None
    assert run.result["variables"] == {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": "/etc/ssl/operator.pem",
        "HTTPS_PROXY": "http://proxy:3128",
        "GITMART_GIT_CA": settings.git_ca,
    } | _added_by_python(run.result["variables"])
    assert run.result["descriptors"] == ["0", "1", "2", "3"]  # the last is that of the listing
    assert (run.result["stdin"], run.result["leader"]) == ("", True)


def _added_by_python(variables: Any) -> dict[str, str]:
    return {name: text for name, text in variables.items() if name == "LC_CTYPE"}


def _settings(**environment: str) -> Settings:
    import argparse

    parser = argparse.ArgumentParser()
    configure(parser)
    return Settings.of(parser.parse_args([]), {"GITMART_IMAGE": "gitmart:1", **environment})


@pytest.mark.parametrize(
    ("script", "outcome", "message"),
    [
        pytest.param("pass", "Bug", "ended with exit code 0 and left no result", id="nothing"),
        pytest.param("print('<html>')", "Bug", "exit code 0 and left no result", id="no JSON"),
        pytest.param("sys.exit(3)", "Bug", "ended with exit code 3", id="a crash"),
        pytest.param("os.kill(os.getpid(), 9)", "Bug", "was killed by signal 9", id="killed"),
        pytest.param(f"print({GOOD!r}); sys.exit(68)", "Bug", "ended with exit code 68", id="contradiction"),
        pytest.param(f"print('x' * {OUTPUT_LIMIT + 1})", "Bug", "printed more than 64 KiB", id="too much"),
        pytest.param("while True: os.write(1, b'x' * 4096)", "Bug", "printed more than 64 KiB", id="endless"),
        pytest.param(
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: os.write(1, b'x' * 65536)",
            "Bug",
            "printed more than 64 KiB",
            id="endless and stubborn",
        ),
    ],
)
def test_a_child_that_misbehaves_becomes_an_outcome(script: str, outcome: str, message: str) -> None:
    run = ask(options(script))

    assert told(run)[0] == outcome
    assert message in told(run)[1]
    assert run.exit_code == 70


def test_a_talkative_log_holds_nobody_up() -> None:
    run = ask(options(f"sys.stderr.write('x' * 3_000_000)\nprint({GOOD!r})"))

    assert run.text("refsDigest") == "abc"


def test_what_it_said_is_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    run = ask(options("sys.stderr.write('Traceback: boom'); sys.exit(1)"))

    assert "boom" not in told(run)[1]
    assert [vars(record)["stderr"] for record in caplog.records] == ["Traceback: boom"]


def test_a_command_that_is_not_there() -> None:
    assert "cannot be started: [Errno 2]" in told(ask(options(command=("/nonexistent/gitmart",))))[1]


def test_a_url_that_no_process_can_be_given() -> None:
    assert "cannot be started" in told(ask(options("pass"), "https://host/\0"))[1]


STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(15, 1); time.sleep(600)'],
                         start_new_session=True)
with open(FILE + '.new', 'w') as file: file.write(f'{os.getpid()} {child.pid}')
os.rename(FILE + '.new', FILE)
time.sleep(600)
"""
ORPHANING = """
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
with open(FILE, 'w') as file: file.write(f'{os.getpid()} {child.pid}')
"""


def _gone(pids: Path) -> bool:
    """Whether the processes named in the file have ended, within a bounded time."""
    for pid in map(int, pids.read_text().split()):
        deadline = time.monotonic() + 10
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return True


@pytest.mark.parametrize("script", [pytest.param(STUBBORN, id="stubborn"), pytest.param(ORPHANING, id="orphaning")])
def test_a_child_that_does_not_end_is_ended_with_all_it_started(script: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    chosen = options(f"FILE = {str(pids)!r}\n{script}", timeout=timedelta(seconds=1), overtime=timedelta(0))

    run = ask(chosen)

    assert told(run) == ("Timeout", "the check did not end within its timeout of 1s")
    assert _gone(pids)


def test_one_that_got_away_with_the_pipes_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"""
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)
with open({str(pid)!r}, 'w') as file: file.write(str(child.pid))
"""
    chosen = options(script, timeout=timedelta(seconds=1), overtime=timedelta(0))

    run = ask(chosen)

    assert told(run)[0] == "Timeout"
    stray = psutil.Process(int(pid.read_text()))
    assert stray.is_running()
    stray.kill()


def test_a_cancelled_check_leaves_no_process(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    outcomes: list[str] = []

    async def main() -> None:
        checks = Checks(options(f"FILE = {str(pids)!r}\n{STUBBORN}"), outcomes.append)
        asking = asyncio.create_task(checks.ask(URL))
        await _until(pids.exists)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(main())
    assert _gone(pids)
    assert outcomes == []


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


def test_no_more_than_so_many_at_a_time(tmp_path: Path) -> None:
    script = f"""
mine = os.path.join({str(tmp_path)!r}, f'running-{{os.getpid()}}')
open(mine, 'w').close()
time.sleep(0.2)
most = len([name for name in os.listdir({str(tmp_path)!r}) if name.startswith('running-')])
os.remove(mine)
import json
print(json.dumps({GOOD} | {{'most': most}}))
"""

    async def main() -> list[Run]:
        checks = Checks(options(script, at_a_time=2))
        return await asyncio.gather(*(checks.ask(URL) for _ in range(6)))

    counts = [run.number("most") for run in asyncio.run(main())]
    assert len(counts) == 6
    assert all(count is not None and 1 <= count <= 2 for count in counts)
