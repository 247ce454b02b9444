"""
The state folder: everything local mode keeps, in one place that can be moved, and deleted by `reset`.

    version       marks the folder as ours
    .gitignore    keeps it out of the repository it may lie in
    lock          held by the command that changes things
    objects/      one JSON file per resource, as Kubernetes would show it
    postgres/     the embedded server: data, passwords, log
    manifests/    what `gitmart local demo` wrote
    logs/         what the workers said, one file per resource
    work/         clones and dbt's files
    secrets/      connection URLs for the workers that run now
    runs/         what a follower started and how it ended; see gitmart.local.runs
    requests/     runs that people asked for and no follower has seen yet
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gitmart.local import locks
from gitmart.local.exits import StateError
from gitmart.local.postgres import EmbeddedPostgres

VERSION = "1"
VARIABLE = "GITMART_STATE"
_FOLDERS = ("objects", "postgres", "manifests", "logs", "work", "secrets", "runs", "requests")


def default_folder(environment: Mapping[str, str]) -> Path:
    """Return $GITMART_STATE, else gitmart in $XDG_STATE_HOME, else ~/.local/state/gitmart. Raise StateError."""
    if chosen := environment.get(VARIABLE):
        return Path(chosen)
    # The XDG specification: a relative path is invalid and to be ignored.
    if (base := environment.get("XDG_STATE_HOME", "")).startswith("/"):
        return Path(base) / "gitmart"
    try:
        return Path.home() / ".local" / "state" / "gitmart"
    except RuntimeError:
        raise StateError(f"there is no home folder: name a state folder with --state or {VARIABLE}") from None


@dataclass(frozen=True, slots=True)
class State:
    """A state folder; `path` is absolute."""

    path: Path

    @classmethod
    def at(cls, path: Path | None, environment: Mapping[str, str] = os.environ) -> State:
        """Return the state folder of `--state`, or the default one. Nothing is made yet."""
        return cls((path or default_folder(environment)).expanduser().absolute())

    def folder(self, name: str) -> Path:
        """Return one of the folders listed above."""
        return self.path / name

    @property
    def server(self) -> EmbeddedPostgres:
        """The embedded PostgreSQL of this state."""
        return EmbeddedPostgres(self.folder("postgres"))

    def exists(self) -> bool:
        """Whether this is a state folder that was used before."""
        return (self.path / "version").is_file()

    def prepare(self) -> None:
        """Make the folder, or check that it is ours. Raise StateError."""
        try:
            # As root PostgreSQL may have to run as another user, who must get through to its own folder.
            self.path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            self._check_version()
            for name in _FOLDERS:
                self.folder(name).mkdir(mode=0o700, exist_ok=True)
            for name, text in ((".gitignore", "*\n"), ("version", f"{VERSION}\n")):
                if not (self.path / name).exists():
                    write_file(self.path / name, text)
        except OSError as error:
            raise unusable(self.path, error) from None

    def require(self) -> None:
        """Raise StateError unless the folder was used before."""
        if not self.exists():
            raise StateError(f"{self.path} holds no gitmart state: start with `gitmart local up -f FILE`")
        self._check_version()

    def _check_version(self) -> None:
        marker = self.path / "version"
        if not marker.exists():
            # A killed start may have left our empty folders.
            if foreign := sorted({entry.name for entry in self.path.iterdir()} - {*_FOLDERS, ".gitignore"}):
                raise StateError(
                    f"{self.path} is not a state folder of gitmart (it holds {foreign[0]}): "
                    "name an empty or a new folder"
                )
        elif (found := marker.read_text(encoding="utf-8").strip()) not in (VERSION, ""):
            raise StateError(f"{self.path} is of state version {found[:20]}, this gitmart knows {VERSION}")

    @contextmanager
    def locked(self, purpose: str) -> Iterator[int]:
        """Hold the folder's lock while changing things; say on stderr whom we wait for. Yields its descriptor."""
        with ExitStack() as stack:
            try:
                label = f"{purpose} (process {os.getpid()})"
                descriptor = stack.enter_context(locks.held(self.path / "lock", label, _say_waiting))
            except locks.LockError as error:
                raise StateError(str(error)) from None
            except OSError as error:
                raise unusable(self.path, error) from None
            yield descriptor

    def delete(self) -> None:
        """Delete what is ours in the folder, and the folder if nothing else is in it. The server must be stopped."""
        try:
            for name in _FOLDERS:
                if self.folder(name).exists():
                    shutil.rmtree(self.folder(name))
            for name in (".gitignore", "lock", "version"):
                (self.path / name).unlink(missing_ok=True)
            with suppress(OSError):  # something of the user's is in it
                self.path.rmdir()
        except OSError as error:
            raise unusable(self.path, error) from None


def write_file(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file at once: readers, and whoever comes after a crash, see all of it or what was before."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _say_waiting(holder: str) -> None:
    sys.stderr.write(f"waiting for another command on this state folder: {holder}\n")


def unusable(path: Path, error: OSError) -> StateError:
    """Return the error that tells why the folder cannot be used."""
    at = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
    return StateError(f"the state folder {path} cannot be used: {error.strerror or error}{at}; choose one with --state")
