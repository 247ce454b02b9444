"""What git prints, and the outcome it stands for."""

from __future__ import annotations

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.extract.errors import GitError, classify


@pytest.mark.parametrize(
    ("printed", "outcome"),
    [
        ("fatal: unable to access 'https://h/': Could not resolve host: h", Outcome.HOST_UNREACHABLE),
        ("fatal: unable to access 'https://h/': Failed to connect to h port 443: Connection refused", Outcome.HOST_UNREACHABLE),
        ("fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate", Outcome.HOST_UNREACHABLE),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 503", Outcome.HOST_UNREACHABLE),
        ("error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output", Outcome.HOST_UNREACHABLE),
        ("ssh: connect to host h port 22: Connection timed out\nfatal: Could not read from remote repository.", Outcome.HOST_UNREACHABLE),
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", Outcome.AUTHENTICATION_FAILED),
        ("remote: Invalid username or token.\nfatal: Authentication failed for 'https://h/'", Outcome.AUTHENTICATION_FAILED),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 403", Outcome.AUTHENTICATION_FAILED),
        ("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", Outcome.AUTHENTICATION_FAILED),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", Outcome.AUTHENTICATION_FAILED),
        ("remote: Repository not found.\nfatal: repository 'https://h/a/' not found", Outcome.NOT_FOUND),
        ("fatal: '/x' does not appear to be a git repository", Outcome.NOT_FOUND),
        ("fatal: repository '/x' does not exist", Outcome.NOT_FOUND),
        ("fatal: unable to update url base from redirection:\n  asked for: https://h/a\n   redirect: https://i/b", Outcome.MOVED),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 301", Outcome.MOVED),
        ("fatal: write error: No space left on device", Outcome.DISK_FULL),
        ("fatal: unable to read tree 1234", Outcome.REPOSITORY_DAMAGED),
        ("remote: aborting due to possible repository corruption on the remote side.\nfatal: early EOF", Outcome.REPOSITORY_DAMAGED),
        ("fatal: bad object 1234", Outcome.REPOSITORY_DAMAGED),
        ("something nobody has seen", Outcome.HOST_UNREACHABLE),
    ],
)  # fmt: skip
def test_git_s_words_become_an_outcome(printed: str, outcome: Outcome) -> None:
    assert classify(printed) is outcome


def test_the_message_keeps_what_git_said_and_drops_the_progress() -> None:
    error = GitError(
        "cloning", "Cloning into bare repository 'x'...\rReceiving objects: 5%\nfatal: it is broken\n", 128
    )

    assert str(error) == "cloning: fatal: it is broken"
