"""A hostile host, a warehouse that knows its repository, and the command, whatever the host does."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest
import trustme
from tests.campaigns import compare_with_git
from tests.conftest import Repository
from tests.integration.extract.hostile.server import Server

from gitmart.contract.repository_url import parse_repository_url

TOKEN = "canary+/7Kanari-0123456789"  # the test's own
USER = "canaryuser"
HEADER = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
# In pieces that are long enough to say something, whatever stands beside them.
SPELLINGS = (
    TOKEN, quote(TOKEN, safe=""), quote(TOKEN, safe="").lower(), HEADER, HEADER[16:32],
    *(base64.b64encode(b"\0" * shift + TOKEN.encode()).decode()[8:28] for shift in range(3)),
)  # fmt: skip
TABLES = ("repositories", "extraction_runs", "commits", "commit_parents", "commit_files", "contributors", "refs",
          "removed_commits", "quarantine", "repository_contributors")  # fmt: skip
DATA = TABLES[2:]


@dataclass(frozen=True, slots=True)
class Told:
    """What a run told: its exit code, its result, and everything that it printed."""

    exit_code: int
    result: dict[str, Any]
    printed: str

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self.result.get("message"))


@dataclass
class Zygote:
    """Runs `gitmart extract` in processes of their own."""

    process: subprocess.Popen[str]
    folder: Path
    runs: int = 0

    def run(
        self, words: list[str], environment: dict[str, str], lowered: dict[str, object], names: dict[str, str]
    ) -> Told:
        """Run it once; assert that it left neither a process nor a file."""
        self.runs += 1
        work_dir, printed = self.folder / f"work{self.runs}", self.folder / f"printed{self.runs}"
        result_file = self.folder / f"result{self.runs}.json"
        work_dir.mkdir()
        asked = {
            "words": ["extract", f"--work-dir={work_dir}", f"--result-file={result_file}", *words],
            "environment": environment, "printed": str(printed), "lowered": lowered, "names": names,
        }  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        assert list(work_dir.iterdir()) == []
        assert processes_in(work_dir) == []
        text = result_file.read_text(encoding="utf-8")
        said = printed.read_text(encoding="utf-8", errors="surrogateescape")
        for spelling in SPELLINGS:
            assert spelling not in text
            assert spelling not in said
        result = json.loads(text)
        assert str(result["message"]).isprintable()
        assert "\x1b" not in said
        return Told(code, result, said)


def processes_in(folder: Path) -> list[list[str]]:
    """Return the arguments of the processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in process.cwd() or any(str(folder) in word for word in process.cmdline()):
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    folder = tmp_path_factory.mktemp("runs")
    script = Path(__file__).with_name("zygote.py")
    process = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield Zygote(process, folder)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait() == 0
    assert process.stdout is not None
    process.stdout.close()


@dataclass
class Scene:
    """A host with a repository, and a warehouse. `known` is an address that was extracted before more was committed."""

    server: Server
    elsewhere: Server  # another host, which nobody may be led to
    repository: Repository
    warehouse: Any
    look: psycopg.Connection[tuple[object, ...]]
    zygote: Zygote
    credentials: Path
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    @property
    def known(self) -> str:
        """The address whose first commits are in the warehouse."""
        return f"{self.server.url}/known.git"

    def new(self) -> str:
        """Return an address of the same repository that no run has seen."""
        return f"{self.server.url}/new{next(self.numbers)}.git"

    def extract(
        self,
        url: str,
        *words: str,
        shown: bool = True,
        lowered: dict[str, object] | None = None,
        names: dict[str, str] | None = None,
    ) -> Told:
        """Extract an address; with credentials unless told otherwise. `names` are hosts that it alone can resolve."""
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment |= {
            "GITMART_WAREHOUSE_URL": self.warehouse.url("gitmart_extract"),
            "SSL_CERT_FILE": str(self.credentials.parent / "ca.pem"),
        }
        if shown:
            environment["GITMART_CREDENTIALS_DIR"] = str(self.credentials)
        told = self.zygote.run(
            [f"--url={url}", "--allow-network=127.0.0.0/8", "--allow-network=::1/128", "--workers=1", *words],
            environment,
            lowered or {},
            names or {},
        )
        assert self.elsewhere.connections == 0, "the host led us elsewhere"
        for table in TABLES:
            rows = str(self.query(f"select t::text from {table} as t"))
            for spelling in SPELLINGS:
                assert spelling not in rows, table
        return told

    def rows(self, tables: tuple[str, ...] = DATA) -> dict[str, list[tuple[object, ...]]]:
        """Return what is in the warehouse."""
        return {name: self.query(f"select * from {name} order by 1, 2, 3") for name in tables}

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Return what a statement finds in the warehouse."""
        return self.look.execute(statement.encode()).fetchall()


@pytest.fixture(scope="module")
def scene(shared_warehouse: Any, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    (folder / "credentials").mkdir()
    (folder / "credentials/username").write_text(USER, encoding="utf-8")
    (folder / "credentials/token").write_text(TOKEN, encoding="utf-8")
    repository = Repository(folder / "origin")
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    grow(repository, 3)
    server, elsewhere = Server(repository.git_dir, authority), Server(repository.git_dir, authority)
    look = psycopg.connect(shared_warehouse.url("postgres"), autocommit=True)
    server.elsewhere_port = elsewhere.port
    found = Scene(server, elsewhere, repository, shared_warehouse, look, zygote, folder / "credentials")
    try:
        first = found.extract(found.known)
        assert first.result["outcome"] == "Succeeded", first
        grow(repository, 3)
        yield found
    finally:
        look.close()
        server.close()
        elsewhere.close()


@pytest.fixture
def honest(scene: Scene) -> Iterator[Scene]:
    """The scene, with hosts that know no mischief yet."""
    scene.server.behave()
    scene.elsewhere.behave()
    yield scene
    scene.server.closing.set()


def grow(repository: Repository, count: int) -> None:
    """Commit, days apart, so that a date cuts between."""
    for number in range(count):
        repository.clock += 86_400
        repository.write(f"folder/file{number}.txt", "".join(f"{line * repository.clock}\n" for line in range(200)))
        repository.commit(f"commit {number}", author=f"Author {number} <{number}@example.org>")


def compare(scene: Scene, url: str) -> None:
    """Assert that the warehouse holds, row by row, what git prints."""
    with psycopg.connect(scene.warehouse.url("gitmart_transform"), autocommit=True) as connection:
        key = parse_repository_url(url, allow_file=False).key
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            wrong = compare_with_git.compare(connection, scene.repository.git_dir, key)
    assert not wrong, said.getvalue()
