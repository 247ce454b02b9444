"""
Errors of an extraction, each with the outcome that the run ends with.

ExtractError
├── InputError          an option or a setting is wrong
├── SecretError         what a Secret holds cannot be used
├── GitError            git failed; the outcome comes from what it printed
└── DamagedError        git printed something that cannot be true of a whole history
"""

from __future__ import annotations

import re

from gitmart.contract.outcomes import Outcome


class ExtractError(Exception):
    """The run ends; `outcome` says as what, the text is for people."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


class InputError(ExtractError):
    """An option, a URL or a setting is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Outcome.INVALID_INPUT)


class SecretError(ExtractError):
    """What a Secret holds cannot be used; the text names its keys, never a value."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Outcome.SECRET_INVALID)


class DamagedError(ExtractError):
    """The history cannot be read whole."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Outcome.REPOSITORY_DAMAGED)


# What git and its helpers print, most specific first. git has no codes for these; the texts are
# those of git 2.39 to 2.52, libcurl and OpenSSH, in the C locale.
_TEXTS = (
    (Outcome.DISK_FULL, r"no space left on device|disk quota exceeded|write error|cannot allocate pack"),
    (Outcome.MOVED, r"redirect|returned error: 30[12378]"),
    (
        Outcome.AUTHENTICATION_FAILED,
        (
            r"authentication failed|could not read (username|password)|permission denied|publickey"
            r"|returned error: 40[13]|host key verification failed|access denied|invalid credentials"
        ),
    ),
    # Before the network's complaints: a damaged source hangs up on us as well.
    (
        Outcome.REPOSITORY_DAMAGED,
        r"repository corruption|bad object|missing (blob|tree|commit)|unable to read (tree|[0-9a-f]{40})|inflate|shallow",
    ),
    (
        Outcome.HOST_UNREACHABLE,
        (
            r"could not resolve|couldn't resolve|name or service not known|failed to connect|couldn't connect"
            r"|connection (refused|reset|timed out|closed)|timed out|network is unreachable|no route to host"
            r"|returned error: (429|5\d\d)|ssl|tls|certificate|rpc failed|early eof|hung up|unexpected disconnect"
        ),
    ),
    (
        Outcome.NOT_FOUND,
        (
            r"repository .*not found|not found|does not (exist|appear to be a git repository)|returned error: 404"
            r"|no such (file or directory|device or address)|not a git repository"
        ),
    ),
    (
        Outcome.REPOSITORY_DAMAGED,
        r"missing|corrupt|unable to (read|parse)|bad pack|invalid|index-pack|dubious ownership",
    ),
)


class GitError(ExtractError):
    """git failed. The text is git's own last words."""

    def __init__(self, doing: str, printed: str, exit_code: int) -> None:
        words = _essence(printed) or f"git exited with code {exit_code}"
        super().__init__(f"{doing}: {words}", classify(printed))


def classify(printed: str) -> Outcome:
    """Return the outcome that git's messages speak of; HostUnreachable, which is tried again, when they do not tell."""
    text = "\n".join(line for line in printed.lower().splitlines() if not line.startswith("cloning into"))
    for outcome, pattern in _TEXTS:
        if re.search(pattern, text):
            return outcome
    return Outcome.HOST_UNREACHABLE


def _essence(printed: str) -> str:
    """Return the lines that say what went wrong, without progress and politeness, at most 500 characters."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", printed) if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("fatal:", "error:", "remote:", "ssh:"))] or lines[-2:]
    return " / ".join(dict.fromkeys(telling))[:500]
