"""`gitmart check`: what a host has now, in the same words and digest as an extraction, and with nothing of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gitmart.contract.file_classes import FileClass, PathRules
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.check import check
from gitmart.extract.confine import MEMORY, landlock_version
from gitmart.extract.hermetic import hermetic_environment
from gitmart.extract.history import whole_history
from gitmart.extract.settings import Remote, Settings
from gitmart.extract.shape import Shape

ANYWHERE = "--allow-private-addresses"
Globs = tuple[str, ...]

needs_landlock = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")


def both(
    repository: Any, include: Globs = (), exclude: Globs = (), url: str | None = None, paths: PathRules | None = None
) -> str:
    """Return the digest, after an extraction's way to it and a check's have agreed."""
    remote = Remote(parse_repository_url(url or repository.url, allow_file=True), allow_private_addresses=True)
    shape = Shape(include, exclude, paths or PathRules())
    with tempfile.TemporaryDirectory() as folder:
        asked = check(remote, Path(folder), shape)
    with tempfile.TemporaryDirectory() as folder:
        environment = hermetic_environment(remote, Path(folder))
        wishes = Settings(remote, "", Path(folder), shape=shape)
        read = whole_history(wishes, environment, lambda *_: None).refs
    assert (asked.digest, asked.default_branch) == (read.digest, read.default_branch)
    return asked.digest


def run_check(*words: str, **environment: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "gitmart", "check", *words],
        env={**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.count("\n") == 1, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_command_tells_what_an_extraction_tells(host: Any, repository: Any, extraction: Any) -> None:
    repository.commit()
    repository.git("branch", "other")
    repository.git("tag", "-a", "v1", "-m", "one", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="b")
    extraction.kept = {"first_parent_counts", "patch_ids"}
    paths = PathRules(exclude=("a/", "b"), classes=(("*.go", FileClass.GENERATED), ("a=b", FileClass.TESTS)))
    extraction(repository, include=("m*", "o*"), exclude=("x",), paths=paths)

    code, told = run_check(
        f"--url={host.add(repository)}", "--include-branch=o*", "--include-branch=m*", "--exclude-branch=x", ANYWHERE,
        "--exclude-path=b", "--exclude-path=a/", "--path-class=generated=*.go", "--path-class=tests=a=b",
        "--first-parent-counts", "--patch-ids",
    )  # fmt: skip

    assert (code, told["kind"], told["outcome"], told["head"]) == (0, "check", "Succeeded", "main")
    assert told["refsDigest"] == extraction.facts["refsDigest"]


def test_a_look_finds_news_once_a_mailmap_of_the_user_is_taken_away(
    host: Any, repository: Any, extraction: Any
) -> None:
    repository.commit()
    address = f"--url={host.add(repository)}"
    extraction(repository, mailmap=b"Proper <proper@example.org> <one@example.org>\n")
    with_mailmap = extraction.facts["refsDigest"]
    assert run_check(address, ANYWHERE)[1]["refsDigest"] != with_mailmap

    extraction(repository)

    assert run_check(address, ANYWHERE)[1]["refsDigest"] == extraction.facts["refsDigest"] != with_mailmap


def test_whatever_an_extraction_would_bring_changes_the_digest(repository: Any) -> None:
    seen = [both(repository)]  # empty: HEAD leads nowhere
    repository.commit()
    seen.append(both(repository))
    repository.git("branch", "other")
    seen.append(both(repository))
    repository.git("symbolic-ref", "HEAD", "refs/heads/other")
    seen.append(both(repository))
    seen.append(both(repository, include=("m*",)))
    seen.append(both(repository, exclude=("m*",)))
    seen.append(both(repository, include=("m*",), exclude=("x",)))
    seen.append(both(repository, paths=PathRules(exclude=("x",))))
    seen.append(both(repository, paths=PathRules(classes=(("x", FileClass.TESTS),))))
    repository.git("tag", "light")
    seen.append(both(repository))
    repository.git("tag", "-a", "v1", "-m", "one", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="b")
    seen.append(both(repository))
    repository.git("tag", "-f", "-a", "v1", "-m", "two", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="b")
    seen.append(both(repository))
    repository.commit()
    seen.append(both(repository))
    repository.git("checkout", "-q", "--detach", "HEAD")
    repository.commit()  # HEAD points to a commit of no branch
    seen.append(both(repository))

    assert len(set(seen)) == len(seen)


def test_what_does_not_count_does_not_change_the_digest(repository: Any) -> None:
    repository.commit()
    repository.git("branch", "topic")
    before = both(repository, include=("main", "rel*"))

    repository.git("update-ref", "refs/pull/1/head", "HEAD")
    repository.git("update-ref", "refs/notes/commits", "HEAD")
    repository.git("branch", "topic2")
    repository.git("tag", "v1")

    assert both(repository, include=("rel*", "main", "main")) == before


def test_head_may_point_into_the_void_or_beside_the_branches(repository: Any) -> None:
    repository.commit()
    repository.git("symbolic-ref", "HEAD", "refs/heads/nothing")
    nowhere = both(repository)
    repository.git("update-ref", "refs/elsewhere/x", "refs/heads/main")
    repository.git("symbolic-ref", "HEAD", "refs/elsewhere/x")

    assert both(repository) != nowhere


def test_a_host_of_mere_files_agrees(host: Any, repository: Any) -> None:
    repository.commit()
    repository.git("branch", "master")
    repository.git("branch", "a")
    url = host.add(repository)
    head = host.folder / "project.git" / "HEAD"
    seen = []
    for content in ("ref: refs/heads/main", "ref: refs/heads/nothing", repository.git("rev-parse", "main")):
        head.write_text(f"{content}\n", encoding="ascii")
        seen.append(both(repository, url=url))

    assert len(set(seen)) == 3


def test_a_thousand_refs_agree(repository: Any) -> None:
    made = repository.commit()
    lines = "".join(f"create refs/{kind}/n{n} {made}\n" for kind in ("heads", "tags") for n in range(500))
    repository.git("update-ref", "--stdin", stdin=lines.encode())

    both(repository)


NAMES = st.sampled_from(
    [
        b"main",
        b"master",
        b"a/b",
        b"a/c",
        "zweig-ä".encode(),
        b"\xff\xfe",
        b"with'quote",
        b'with"quote',
        b"$(x);&",
        b"-x",
    ]
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    branches=st.dictionaries(NAMES, st.integers(0, 2), max_size=5),
    tags=st.dictionaries(NAMES, st.integers(0, 2), max_size=3),
    head=st.one_of(st.integers(0, 2), NAMES),
    globs=st.lists(st.sampled_from(["m*", "*", "a/*", "[!m]*", "zweig-ä"]), max_size=2),
)
def test_any_refs_agree(
    branches: dict[bytes, int], tags: dict[bytes, int], head: int | bytes, globs: list[str], make_repository: Any
) -> None:
    # From a branch that is yet to be born git goes on guessing, see default_branch().
    assume(head not in tags or head in branches)
    with tempfile.TemporaryDirectory() as folder:
        repository = make_repository(Path(folder, "r").as_posix(), bare=True)
        tree = repository.git("mktree")
        person = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        commits = [repository.git("commit-tree", tree, "-m", str(n), **person) for n in range(3)]
        for kind, refs in (("heads", branches), ("tags", tags)):
            for name, number in refs.items():
                repository.git("update-ref", b"refs/" + kind.encode() + b"/" + name, commits[number])
        if isinstance(head, bytes):
            repository.git("symbolic-ref", "HEAD", b"refs/heads/" + head)
        else:
            repository.git("update-ref", "--no-deref", "HEAD", commits[head])
        both(repository, tuple(globs[:1]), tuple(globs[1:]))


@pytest.mark.parametrize(
    ("path", "code", "outcome", "says"),
    [
        pytest.param("moved", 67, "Moved", "redirect", id="redirect"),
        pytest.param("private", 77, "AuthenticationFailed", "set spec.secretRef", id="credentials wanted"),
        pytest.param("nothing", 66, "NotFound", "nothing", id="not there"),
        pytest.param("broken", 68, "HostUnreachable", "503", id="out of order"),
        pytest.param("silent", 72, "Timeout", "timeout of 2s", id="silent"),
        pytest.param("endless", 85, "LimitExceeded", "64 MiB of refs", id="too much"),
    ],
)
def test_each_refusal_has_its_outcome(path: str, code: int, outcome: str, says: str, host: Any, tmp_path: Path) -> None:
    timeout = "--timeout=2s" if path == "silent" else "--timeout=60s"

    exit_code, told = run_check(f"--url={host.url}/{path}", ANYWHERE, timeout, TMPDIR=str(tmp_path))

    assert (exit_code, told["outcome"]) == (code, outcome), told
    assert says in told["message"]
    assert not list(tmp_path.glob("gitmart-check-*"))
    assert not [process for process in psutil.process_iter(["cmdline"]) if host.url in str(process.info["cmdline"])]


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("--url=https://127.0.0.1/a",), "AddressNotAllowed"),
        (("--url=https://127.0.0.1:1/a", "--allow-network=10.0.0.0/8"), "AddressNotAllowed"),
        (("--url=https://127.0.0.1:1/a", "--allow-network=127.0.0.0/8"), "HostUnreachable"),
        (("--url=file:///etc",), "InvalidInput"),
        (("--url=https://git.invalid/a",), "HostUnreachable"),
    ],
)
def test_what_may_not_be_asked_is_not(words: tuple[str, ...], outcome: str) -> None:
    assert run_check(*words)[1]["outcome"] == outcome


def test_it_starts_without_the_libraries_of_an_extraction() -> None:
    program = "import gitmart.extract.check_command, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert {name.partition(".")[0] for name in done.stdout.split()}.isdisjoint({"git", "psycopg", "asyncio", "ssl"})


@pytest.fixture
def confined(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program after a check's own preparations; it may write in `tmp_path / "own"`."""
    (tmp_path / "own").mkdir()
    (tmp_path / "secret").write_text("canary", encoding="ascii")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        program = (
            "import subprocess, sys; from pathlib import Path; from gitmart.extract.confine import cap, confine\n"
            f"cap(); confine(Path({str(tmp_path / 'own')!r})); sys.exit(subprocess.run(sys.argv[1:]).returncode)"
        )
        return subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)

    return run


@needs_landlock
@pytest.mark.parametrize(
    "script",
    [
        "cat {folder}/secret",
        "ls {folder}",
        "cat /proc/1/environ",
        "echo x > {folder}/new",
        "rm {folder}/secret",
        "echo x > /etc/gitmart-test",
        "ln {folder}/secret {folder}/own/link && cat {folder}/own/link",
        "mv {folder}/secret {folder}/own/secret",
    ],
)
def test_a_child_reaches_nothing_outside(script: str, confined: Any, tmp_path: Path) -> None:
    done = confined("sh", "-c", script.format(folder=tmp_path))

    assert done.returncode != 0
    assert "canary" not in done.stdout
    assert (tmp_path / "secret").read_text(encoding="ascii") == "canary"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "secret"]


def test_a_child_works_in_its_own_folder(confined: Any, tmp_path: Path) -> None:
    done = confined("sh", "-c", f"cd {tmp_path}/own && mkdir a && echo x > a/b && mv a/b c && cat c && git --version")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("x\ngit version")


def test_a_child_has_its_limits() -> None:
    program = "import subprocess, sys; from gitmart.extract.confine import cap; cap(); subprocess.run(sys.argv[1:])"
    script = "ulimit -v; ulimit -c; grep NoNewPrivs /proc/self/status"
    done = subprocess.run(
        [sys.executable, "-c", program, "sh", "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == [str(MEMORY // 1024), "0", "NoNewPrivs:\t1"]


@needs_landlock
def test_the_command_confines_itself(host: Any, tmp_path: Path) -> None:
    foreign = tmp_path / "bin"
    foreign.mkdir()
    (foreign / "git").write_text("#!/bin/sh\necho canary\n", encoding="ascii")
    (foreign / "git").chmod(0o755)

    _, told = run_check(f"--url={host.url}/x", ANYWHERE, PATH=str(foreign))

    assert "Permission denied" in told["message"]
