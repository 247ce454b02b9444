"""State folders of their own, repositories to extract, and the command run as people run it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from gitmart.local.objects import Objects
from gitmart.local.postgres import EmbeddedPostgres
from gitmart.local.state import State
from gitmart.resources.manifests import AnyResource
from gitmart.resources.repository import Repository
from gitmart.warehouse.migrate import migrate

HERMETIC = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


class Command(subprocess.Popen[str]):
    """A command that does not outlive a test which fails beside it: the test would wait for it without end."""

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *rest)


@dataclass(frozen=True, slots=True)
class Local:
    """`gitmart local` on one state folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> State:
        return State.at(self.folder)

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start a command; who asked for it waits for it."""
        command = [sys.executable, "-m", "gitmart", "local", *map(str, words), "--state", str(self.folder)]
        return Command(
            command,
            env={**os.environ, **HERMETIC, "CI": "1", **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # Whoever runs the tests in the background may have SIGINT ignored, and so would the command.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *words: str | Path, code: int = 0) -> str:
        """Run a command, expect its exit code, and return its stdout and stderr."""
        with self.start(*words) as process:
            out, err = process.communicate()
        assert process.returncode == code, f"{words}: exit code {process.returncode}\n{out}\n{err}"
        return out + err


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a migrated warehouse, stopped; made once because initdb takes seconds."""
    made = EmbeddedPostgres(tmp_path_factory.mktemp("cluster") / "postgres", durable=False)
    made.start()
    try:
        migrate(made.url("gitmart_owner"))
    finally:
        made.stop()
    yield made.folder
    shutil.rmtree(made.folder)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    """A state folder with a name that is hard on programs."""
    made = Local(tmp_path / 'state of `x` "é"')
    yield made
    if made.state.exists():
        made.state.server.stop()
    shutil.rmtree(made.folder, ignore_errors=True)  # pytest keeps folders; these are large


@pytest.fixture
def ready(local: Local, cluster: Path) -> Local:
    """A state folder whose server has its tables, so that `up` need not make them."""
    local.state.prepare()
    shutil.copytree(cluster, local.state.folder("postgres"), dirs_exist_ok=True)
    return local


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository: three commits of two authors, a branch and a tag."""
    folder = tmp_path / "sample répo"
    git(folder.parent, "init", "-q", "-b", "main", str(folder))
    for number, author in enumerate(("One", "Two", "One")):
        commit(folder, number, author)
    git(folder, "branch", "other", "HEAD~1")
    git(folder, "tag", "v1")
    return folder


def commit(folder: Path, number: int, author: str) -> None:
    """Add a commit by a neutral author, one day after the one before."""
    (folder / "file.txt").write_text("line\n" * (number + 1), encoding="utf-8")
    git(folder, "add", "file.txt")
    date = f"2026-01-{number + 1:02}T12:00:00+00:00"
    identity = {"NAME": f"Author {author}", "EMAIL": f"{author.lower()}@example.org", "DATE": date}
    environment = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in identity.items()}
    git(folder, "commit", "-q", "-m", f"commit {number}", environment=environment)


def git(folder: Path, *words: str, environment: dict[str, str] | None = None) -> str:
    """Run git away from everybody's configuration and return its stdout."""
    done = subprocess.run(
        ["git", *words], cwd=folder, env={**os.environ, **HERMETIC, **(environment or {})}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a manifest of a Repository, or of a DbtSchedule without an address."""

    def write(name: str, address: Path | str | None = None, **spec: object) -> Path:
        import yaml

        kind = "Repository" if address is not None else "DbtSchedule"
        if isinstance(address, Path):
            spec["url"] = address.as_uri()
        elif address is not None:
            spec["url"] = address
        else:
            spec.setdefault("schedule", "0 */6 * * *")
        document = {"apiVersion": "gitmart.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        path = tmp_path / f"{kind}-{name}.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    return write


def stored(local: Local, name: str, kind: type[AnyResource] = Repository) -> dict[str, Any]:
    """Return the object with the name, as it stands in the state folder."""
    found = Objects(local.state.folder("objects")).all(kind)
    return next(resource.to_dict() for resource in found if resource.metadata.name == name)


def conditions(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return status and reason of each condition."""
    found = document["status"]["conditions"]
    return {condition["type"]: (condition["status"], condition["reason"]) for condition in found}


_SERVER = """
import http.server, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem")
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Host:
    """A git host with a trusted certificate, on this machine."""

    folder: Path
    url: str

    def publish(self, repository: Path) -> str:
        """Serve the repository as it is now, and return its address."""
        shutil.rmtree(self.folder / "one.git", ignore_errors=True)
        git(self.folder, "clone", "-q", "--bare", str(repository), "one.git")
        git(self.folder, "--git-dir=one.git", "update-server-info")
        return f"{self.url}/one.git"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The host runs in a process of its own: one with threads must not start workers."""
    folder = tmp_path / "host"
    folder.mkdir()
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    for name in ("https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        yield Host(folder, f"https://localhost:{server.stdout.readline().strip()}")
        server.terminate()
