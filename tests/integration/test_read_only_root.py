"""
Every worker as its pod runs it: a read-only root, a user without an entry in passwd, no home, /tmp alone to write.

The root is made read-only in a mount namespace of the test's own, so this needs Linux and root.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

USER = "10001"  # the image's

# /proc and /dev stay: a container's own are writable too. dac_read_search lets the user find an interpreter
# in a home of root's; it permits no writing.
SCRIPT = """
set -eu
mount -t tmpfs -o mode=1777 tmpfs "$TMPDIR"
mount -t tmpfs -o mode=1777 tmpfs "$WORK"
awk '{ print $5 }' /proc/self/mountinfo | while read -r point; do
    case "$point" in /proc*|/dev*|/sys*|"$TMPDIR"|"$WORK") ;; *) mount -o remount,bind,ro "$point" ;; esac
done
if touch "$OUTSIDE/file" 2>/dev/null; then echo "the root is not read-only" >&2; exit 1; fi
cd /
setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups --inh-caps +dac_read_search \
    --ambient-caps +dac_read_search -- "$@" || code=$?
find "$TMPDIR" "$WORK" -mindepth 1 >&2
exit "${code:-0}"
"""

Confined = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="gitmart-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def confined(folder: Path) -> Confined:
    """Run a subcommand of gitmart on a read-only root; what it leaves is printed after its own words."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("a mount namespace of one's own needs root, unshare(1) and setpriv(1)")
    for name in ("tmp", "work", "outside"):
        (folder / name).mkdir()

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh",
             sys.executable, "-m", "gitmart", *words],
            env={
                "PATH": os.environ["PATH"], "HOME": "/nonexistent", "USER_ID": USER, "TMPDIR": str(folder / "tmp"),
                "WORK": str(folder / "work"), "OUTSIDE": str(folder / "outside"), **environment,
            },
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if "unshare failed" in done.stderr or "mount:" in done.stderr:
            pytest.skip(f"this machine does not let root mount: {done.stderr.strip()}")
        return done

    return run


@pytest.fixture
def address(tmp_path: Path, repository: Any) -> Iterator[tuple[str, str]]:
    """A repository with a commit at an HTTPS host, and the certificate of the host's authority."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    repository.commit()
    repository.git("clone", "-q", "--bare", str(repository.path), str(tmp_path / "host" / "a.git"))
    repository.git(f"--git-dir={tmp_path / 'host' / 'a.git'}", "update-server-info")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "host")))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://localhost:{server.server_port}/a.git", authority.cert_pem.bytes().decode("ascii")
    server.shutdown()
    thread.join()
    server.server_close()


def last_line(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the last line of the log, which must be the last thing printed: nothing was left behind."""
    line: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return line


def test_extract(confined: Confined, address: tuple[str, str], warehouse: Any, folder: Path) -> None:
    url, authority = address

    done = confined(
        "extract", f"--url={url}", f"--work-dir={folder / 'work'}", "--allow-network=127.0.0.0/8",
        "--allow-network=::1", GITMART_WAREHOUSE_URL=warehouse.url("gitmart_extract"), GITMART_GIT_CA=authority,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert last_line(done)["commits"] == 1


def test_check(confined: Confined, address: tuple[str, str]) -> None:
    url, authority = address

    done = confined("check", f"--url={url}", "--allow-private-addresses", GITMART_GIT_CA=authority)

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["head"] == "main"
    assert done.stderr == ""


def test_migrate(confined: Confined, empty_database: Any) -> None:
    done = confined("migrate", GITMART_WAREHOUSE_URL=empty_database.url("gitmart_owner"))

    assert done.returncode == 0, done.stderr
    assert last_line(done)["outcome"] == "Succeeded"


@pytest.mark.slow
def test_transform(confined: Confined, warehouse: Any) -> None:
    done = confined("transform", "--threads=2", GITMART_WAREHOUSE_URL=warehouse.url("gitmart_transform"))

    assert done.returncode == 0, done.stderr
    assert last_line(done)["outcome"] == "Succeeded"
