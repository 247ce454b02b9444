"""Which repository `gitmart local demo` is about: from what a person types to an address."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from gitmart.contract.repository_url import RepositoryUrl, parse_repository_url
from gitmart.local.exits import LocalError

NAME_LIMIT = 40  # characters of a resource's name; 47 are allowed, and a suffix may follow


def address(text: str | None) -> RepositoryUrl:
    """Return the address of a URL, a path, or (None or nothing) gitmart's own checkout. Raise LocalError."""
    if not text:
        return _own()
    path = Path(text).expanduser()
    if "://" not in text and path.exists():
        return _of_path(path)
    if "://" not in text and ":" not in text:
        raise LocalError(f"{text!r} is neither a folder here nor a URL: write a path, or https://host/group/name.git")
    try:
        url = parse_repository_url(text, allow_file=True)
    except ValueError as error:
        raise LocalError(f"the repository's address {error}") from None
    return _of_path(Path(os.fsdecode(unquote_to_bytes(url.path)))) if url.scheme == "file" else url


def resource_name(url: RepositoryUrl) -> str:
    """Return the repository's name as a resource can have it: a-z, 0-9 and -."""
    name = re.sub(r"[^a-z0-9]+", "-", os.fsdecode(unquote_to_bytes(url.name)).lower()).strip("-")
    return name[:NAME_LIMIT].strip("-") or "repository"


def _own() -> RepositoryUrl:
    package = Path(__file__).resolve().parents[1]
    top = package.parents[1]
    if not (top / ".git").exists() or package.parent.name != "operator":
        raise LocalError("this gitmart was not installed from a checkout: name a repository with --repo")
    return _of_path(top)


def _of_path(path: Path) -> RepositoryUrl:
    """Return the address of the repository that holds the folder."""
    if not path.is_dir():
        raise LocalError(f"{path} is not a folder: name the folder of a git repository")
    facts = _git(path, "--is-bare-repository", "--is-inside-work-tree", "--is-shallow-repository", "--absolute-git-dir")
    bare, inside, shallow, git_folder = facts.split("\n", 3)
    if shallow == "true":
        raise LocalError(f"{path} is a shallow clone, its history is cut off: run `git fetch --unshallow` there first")
    top = _git(path, "--show-toplevel") if bare == "false" and inside == "true" else git_folder
    return RepositoryUrl("file", None, "", None, quote_from_bytes(os.fsencode(top)))


def _git(path: Path, *questions: str) -> str:
    # A hook's GIT_DIR and the like would point git elsewhere.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(path), "rev-parse", *questions]
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError:
        raise LocalError("git is not installed, or not on the PATH") from None
    if done.returncode != 0:
        said = os.fsdecode(done.stderr).strip().splitlines()
        raise LocalError(f"{path} is not a git repository that can be read: {said[0] if said else 'git failed'}")
    return os.fsdecode(done.stdout).removesuffix("\n")
