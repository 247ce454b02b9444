"""Extractions into a warehouse of the test's own, and two ways to look at what came of them."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
import trustme

from gitmart.contract.file_classes import PathRules
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.git import Git
from gitmart.extract.merge import Totals
from gitmart.extract.progress import Lines
from gitmart.extract.run import extract
from gitmart.extract.settings import Limits, Remote, Settings
from gitmart.extract.shape import Shape
from gitmart.extract.source import DiffTree, Source
from gitmart.extract.work import Run

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"

TABLES = ("commits", "commit_parents", "commit_files", "commit_trailers", "contributors", "refs", "removed_commits", "quarantine",
          "repository_contributors")  # fmt: skip


@dataclass
class Extraction:
    """A way to extract into one warehouse."""

    warehouse: Any
    work_dir: Path
    runs: int = 0
    facts: dict[str, object] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()  # what of Shape is asked for
    cache: Path | None = None

    def __call__(
        self,
        repository: Any,
        *,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        limits: Limits | None = None,
        paths: PathRules = PathRules(),  # noqa: B008 # frozen
        mailmap: bytes | None = None,
        previous: Any = None,
        reporter: type[Lines] = Lines,
        source: Callable[[Git, Shape], Source] = DiffTree,
    ) -> Totals:
        """Extract and return the totals; `previous` is the repository whose address it had before."""
        self.runs += 1
        folder = self.work_dir / f"run{self.runs}"
        folder.mkdir(parents=True)
        settings = Settings(
            remote=Remote(parse_repository_url(repository.url, allow_file=True), allow_private_addresses=True),
            warehouse=self.warehouse.url("gitmart_extract"),
            work_dir=folder,
            shape=Shape(include, exclude, paths, **dict.fromkeys(self.kept, True)),
            workers=2,
            limits=limits or Limits(),
            mailmap=mailmap,
            cache_dir=self.cache,
            previous_url=parse_repository_url(previous.url, allow_file=True) if previous is not None else None,
        )
        run = Run(settings, reporter(), source)
        try:
            return extract(run)
        finally:
            self.facts = run.facts

    def natural(self, repository: Any) -> dict[str, list[tuple[object, ...]]]:
        """Return everything about a repository that a fresh extraction would give again."""
        with psycopg.connect(self.warehouse.url("postgres")) as connection:
            key = parse_repository_url(repository.url, allow_file=True).key
            rows: dict[str, list[tuple[object, ...]]] = load_comparison().natural(connection, key)
            return rows

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Return every row of every table with data, ids and run numbers too."""
        return {name: self.warehouse.query(f"select * from {name} order by 1, 2, 3") for name in TABLES}


@pytest.fixture
def extraction(warehouse: Any, tmp_path: Path) -> Extraction:
    return Extraction(warehouse, tmp_path / "work")


@pytest.fixture
def fresh_extraction(second_warehouse: Any, tmp_path: Path) -> Extraction:
    """An extraction into a second, empty warehouse."""
    return Extraction(second_warehouse, tmp_path / "fresh")


@pytest.fixture(scope="session")
def comparison() -> ModuleType:
    """The script that compares a warehouse with git and imports nothing of gitmart."""
    return load_comparison()


@functools.cache
def load_comparison() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare_with_git", CAMPAIGNS / "compare_with_git.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def assert_equals_git(
    extraction: Extraction, comparison: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Any], None]:
    """Assert that the warehouse holds, row by row, what git prints."""

    def check(repository: Any) -> None:
        monkeypatch.setenv("GITMART_WAREHOUSE_URL", extraction.warehouse.url("gitmart_transform"))
        key = parse_repository_url(repository.url, allow_file=True).key
        options = [f"--{name.replace('_', '-')}" for name in extraction.kept]
        monkeypatch.setattr("sys.argv", ["compare", str(repository.git_dir), "--url-key", key, *options])
        assert comparison.main() == 0

    return check


@pytest.fixture(autouse=True)
def no_git_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do to the test's own process what the command does to its own at the start."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


class Host:
    """An HTTPS host with a folder of bare repositories, and some answers that are no repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "host"
        self.folder.mkdir()
        self.authority = folder / "ca.pem"
        self.asked: list[str] = []
        self.accepted: set[str] = set()  # values of Authorization that /members/ lets in
        self.banned = ""  # one that is known and may not read it
        self.watched = ""  # a text that no process may have in its arguments or environment
        self.leaks: list[str] = []
        self.old_protocol = False  # whether the smart side speaks version 0 alone
        self.closing = threading.Event()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}"

    def add(self, repository: Any, name: str = "project.git") -> str:
        """Serve a bare clone of the repository and return its address."""
        repository.git("clone", "-q", "--bare", str(repository.path), str(self.folder / name))
        repository.git(f"--git-dir={self.folder / name}", "update-server-info")
        return f"{self.url}/{name}"

    def serve(self, repository: Any, name: str = "live") -> str:
        """Serve the repository itself by `git http-backend` and return its address."""
        (self.folder / f"{name}.git").symlink_to(repository.git_dir)
        return f"{self.url}/smart/{name}.git"

    def look_for_leaks(self) -> None:
        """Note the processes that show what is watched for to everybody on the machine."""
        for process in Path("/proc").glob("[0-9]*"):
            for kind in ("cmdline", "environ"):
                try:
                    shown = (process / kind).read_bytes()
                except OSError:
                    continue
                if self.watched.encode() in shown:
                    self.leaks.append(f"{kind}: {shown!r}")

    def _handler(host) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805 # `self` is the handler's below
        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *words: Any, **options: Any) -> None:
                super().__init__(*words, directory=str(host.folder), **options)

            def do_GET(self) -> None:
                host.asked.append(self.path)
                if host.watched:
                    host.look_for_leaks()
                shown = self.headers.get("Authorization", "")
                match self.path.split("/")[1]:
                    case "moved":
                        self.answer(301, Location=self.path.replace("/moved/", "/project.git/"))
                    case "private":
                        self.answer(401, **{"WWW-Authenticate": 'Basic realm="members"'})
                    case "members" if shown not in host.accepted:
                        said = f"no entry with {shown}".encode()  # a host may repeat what it was sent
                        self.answer(
                            403 if shown == host.banned else 401, said, **{"WWW-Authenticate": 'Basic realm="members"'}
                        )
                    case "broken":
                        self.send_error(503)
                    case "silent":
                        host.closing.wait()
                    case "smart":
                        self.backend()
                    case "endless":
                        self.answer(200, b"".join(b"%040x\trefs/heads/%0200x\n" % (n, n) for n in range(280_000)))
                    case _:
                        super().do_GET()

            def do_POST(self) -> None:
                host.asked.append(self.path)
                self.backend()

            def backend(self) -> None:
                """Let git answer, which is a CGI program (RFC 3875)."""
                path, _, query = self.path.removeprefix("/smart").partition("?")
                length = self.headers.get("Content-Length")
                environment = {
                    "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
                    "GIT_PROJECT_ROOT": str(host.folder), "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command,
                    "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_LENGTH": length or "",
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_ADDR": "127.0.0.1",
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "HTTP_GIT_PROTOCOL": "" if host.old_protocol else self.headers.get("Git-Protocol", ""),
                }  # fmt: skip
                done = subprocess.run(
                    ["git", "http-backend"], input=self.rfile.read(int(length or 0)), stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, env=environment, check=False,
                )  # fmt: skip
                head, _, body = done.stdout.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
                self.answer(int(headers.pop("Status", "200").split()[0]), body, **headers)

            def answer(self, code: int, said: bytes = b"", **headers: str) -> None:
                self.send_response(code)
                for name, value in {"Content-Type": "text/plain", **headers, "Content-Length": str(len(said))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *words: Any) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def private_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host on this machine whose authority nobody trusts yet, and no proxy in the environment."""
    for name in ("https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    host = Host(tmp_path)
    thread = threading.Thread(target=host.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield host
    host.closing.set()
    host.server.shutdown()
    thread.join()
    host.server.server_close()


@pytest.fixture
def host(private_host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host on this machine; its certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(private_host.authority))
    return private_host


@pytest.fixture
def run_extract(warehouse: Any, tmp_path: Path) -> Callable[..., dict[str, object]]:
    """Run the command and return its result, the exit code and what it printed besides."""

    def run(*words: str, url: str | None = None, **environment: str) -> dict[str, object]:
        result_file = tmp_path / "result.json"
        result_file.unlink(missing_ok=True)
        work_dir = tmp_path / "work"
        work_dir.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "gitmart", "extract", "--result-file", str(result_file), "--work-dir", str(work_dir), *words],
            env={**os.environ, "GITMART_WAREHOUSE_URL": url or warehouse.url("gitmart_extract"), **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert list(work_dir.iterdir()) == []
        result = json.loads(result_file.read_text(encoding="utf-8")) if result_file.exists() else {}
        return {**result, "exit": done.returncode, "printed": done.stderr}

    return run
