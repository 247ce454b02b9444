"""
Errors of an extraction, each with the outcome that the run ends with.

ExtractError
├── InputError          an option or a setting is wrong
├── SecretError         what a Secret holds cannot be used
├── GitError            git failed; the outcome comes from what it printed
├── DamagedError        git printed something that cannot be true of a whole history
└── LimitError          the repository or its host goes beyond a limit
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


class LimitError(ExtractError):
    """The repository is larger than a limit allows, or its host sends more than anybody reads."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Outcome.LIMIT_EXCEEDED)


# What git and its helpers print, most specific first. git has no codes for these; the texts are
# those of git 2.39 to 2.52, libcurl and OpenSSH, in the C locale.
_TEXTS = (
    (Outcome.DISK_FULL, r"no space left on device|disk quota exceeded|write error|cannot allocate pack"),
    (Outcome.MOVED, r"from redirection|returned error: 30[12378]"),
    (Outcome.HOST_KEY_UNKNOWN, r"host key verification failed"),
    (
        Outcome.AUTHENTICATION_FAILED,
        (
            r"authentication failed|could not read (username|password)|permission denied|publickey"
            r"|returned error: 40[13]|too many authentication failures|access denied|invalid credentials"
        ),
    ),
    # Before the network's complaints: a damaged source hangs up on us as well.
    (
        Outcome.REPOSITORY_DAMAGED,
        (
            r"repository corruption|bad object|missing (blob|tree|commit)|unable to read (tree|[0-9a-f]{40})|inflate"
            r"|shallow|not our ref|unable to find [0-9a-f]{40}|did not send all necessary objects"
            r"|out of memory"  # for an object that says it is larger than any memory
        ),
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
            r"repository .*not found|not found|could not be found|does not (exist|appear to be a git repository)|returned error: 404"
            r"|no such (file or directory|device or address)|not a git repository"
        ),
    ),
    (
        Outcome.REPOSITORY_DAMAGED,
        r"missing|corrupt|unable to (read|parse)|bad pack|invalid|index-pack|dubious ownership",
    ),
)


# What a host says comes after this word, and may say anything. Of that, git's own server says these.
_REMOTE = "remote:"
_OF_GIT_S_SERVER = re.compile(r"possible repository corruption", re.IGNORECASE)
_OF_GIT = ("fatal:", "error:", "ssh:")
_PROGRESS = re.compile(r"remote: (Enumerating|Counting|Compressing|Finding|Total|Reusing)\b.*\d")
_MOST_CHARACTERS = 500  # of git's words in a message
# Control characters of ASCII and Latin-1, and those that turn the direction of writing around.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class GitError(ExtractError):
    """git failed. The text is git's own last words; `about` is the address, whose words say nothing of what failed."""

    def __init__(self, doing: str, printed: str, exit_code: int, about: str = "") -> None:
        words = _essence(printed) or f"git exited with code {exit_code}"
        super().__init__(f"{doing}: {words}", classify(printed.replace(about, "") if about else printed))


def classify(printed: str) -> Outcome:
    """
    Return the outcome that git's messages speak of; HostUnreachable, which is tried again, when they do not tell.

    git's own words count, and those of the host when git's say nothing. What a host says of a disk is not ours.
    """
    own: list[str] = []
    remote: list[str] = []
    for line in printed.lower().split("\n"):
        if line.startswith("cloning into"):
            continue
        said_by_host = line.startswith(_REMOTE) and not _OF_GIT_S_SERVER.search(line)
        (remote if said_by_host or "fatal: remote error:" in line else own).append(line)
    for lines, outcomes in ((own, _TEXTS), (remote, _TEXTS[1:])):
        text = "\n".join(lines)
        for outcome, pattern in outcomes:
            if re.search(pattern, text):
                return outcome
    return Outcome.HOST_UNREACHABLE


def printable(text: str) -> str:
    """Return the text with a mark in the place of what a terminal obeys: escapes, line feeds, turns of direction."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _essence(printed: str) -> str:
    """Return the lines that say what went wrong, git's first, without progress and politeness, on one line."""
    lines = [printable(line.strip()) for line in re.split(r"[\r\n]+", printed) if line.strip()]
    lines = [line for line in lines if not _PROGRESS.match(line)]
    own = [line for line in lines if line.lower().startswith(_OF_GIT)]
    remote = [line for line in lines if line.lower().startswith(_REMOTE)]
    return " / ".join(dict.fromkeys(own + remote or lines[-2:]))[:_MOST_CHARACTERS]
