"""What a host has now, without a clone: the digest an extraction of that state would report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitmart.extract.hermetic import hermetic_environment
from gitmart.extract.host import ask, default_branch
from gitmart.extract.refs import digest_of
from gitmart.extract.settings import Remote
from gitmart.extract.shape import Shape


@dataclass(frozen=True, slots=True)
class State:
    """What a host has now. `default_branch` is the full name of the branch HEAD points to."""

    digest: str
    default_branch: bytes | None


def check(remote: Remote, folder: Path, shape: Shape) -> State:
    """Ask the host; raise ExtractError as an extraction would."""
    environment = hermetic_environment(remote, folder)
    answer = ask(remote, environment, folder)
    branch = default_branch(answer)
    selected = ((name, oid) for name, oid in answer.refs.items() if shape.selects(name))
    return State(digest_of(selected, branch or answer.head, shape), branch)
