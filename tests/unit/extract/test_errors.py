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
        ("Host key verification failed.\nfatal: Could not read from remote repository.", Outcome.HOST_KEY_UNKNOWN),
        ("Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures", Outcome.AUTHENTICATION_FAILED),
        ("remote: ERROR: The project you were looking for could not be found or you don't have permission to view it.", Outcome.NOT_FOUND),
        ("remote: Repository not found.\nfatal: repository 'https://h/a/' not found", Outcome.NOT_FOUND),
        ("fatal: '/x' does not appear to be a git repository", Outcome.NOT_FOUND),
        ("fatal: repository '/x' does not exist", Outcome.NOT_FOUND),
        ("fatal: unable to update url base from redirection:\n  asked for: https://h/a\n   redirect: https://i/b", Outcome.MOVED),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 301", Outcome.MOVED),
        ("fatal: write error: No space left on device", Outcome.DISK_FULL),
        ("fatal: unable to read tree 1234", Outcome.REPOSITORY_DAMAGED),
        ("remote: aborting due to possible repository corruption on the remote side.\nfatal: early EOF", Outcome.REPOSITORY_DAMAGED),
        ("fatal: bad object 1234", Outcome.REPOSITORY_DAMAGED),
        ("fatal: Out of memory, malloc failed (tried to allocate 1152921504606846976 bytes)", Outcome.REPOSITORY_DAMAGED),
        ("something nobody has seen", Outcome.HOST_UNREACHABLE),
        # What a host says is its own claim: it counts where git says nothing, and never about our disk.
        ("remote: No space left on device\nfatal: unable to access 'https://h/': The requested URL returned error: 500", Outcome.HOST_UNREACHABLE),
        ("remote: No space left on device\nfatal: it ended", Outcome.HOST_UNREACHABLE),
        ("remote: No space left\x85fatal: no space left on device\nfatal: it ended", Outcome.HOST_UNREACHABLE),
        ("remote: we redirect all of this\nfatal: unable to access 'https://h/': The requested URL returned error: 404", Outcome.NOT_FOUND),
        ("fatal: remote error: write error: disk quota exceeded", Outcome.HOST_UNREACHABLE),
        ("remote: Access denied\nfatal: the end", Outcome.AUTHENTICATION_FAILED),
    ],
)  # fmt: skip
def test_git_s_words_become_an_outcome(printed: str, outcome: Outcome) -> None:
    assert classify(printed) is outcome


@pytest.mark.parametrize("name", ["redirect", "tls-shallow", "publickey"])
def test_the_words_of_an_address_say_nothing(name: str) -> None:
    url = f"https://git.example.org/{name}.git"

    error = GitError("cloning", f"fatal: unable to access '{url}/': The requested URL returned error: 404", 128, url)

    assert error.outcome is Outcome.NOT_FOUND
    assert url in str(error)


def test_nothing_in_a_message_moves_a_terminal() -> None:
    said = "remote: \x1b]0;pwned\x07\x1b[2Jgone \x9b1A\u202eetihw\x7f\x00\nfatal: \x1b[31mred\n"

    message = str(GitError("cloning", said, 128))

    assert message.isprintable()
    assert message.startswith("cloning: fatal: \N{REPLACEMENT CHARACTER}[31mred / remote: ")


def test_a_host_that_talks_much_does_not_hide_what_git_says() -> None:
    assert "fatal: it is broken" in str(
        GitError("cloning", "remote: all is well\n" * 999 + "remote: x" * 999 + "\nfatal: it is broken\n", 1)
    )


def test_the_message_keeps_what_git_said_and_drops_the_progress() -> None:
    error = GitError(
        "cloning", "Cloning into bare repository 'x'...\rReceiving objects: 5%\nfatal: it is broken\n", 128
    )

    assert str(error) == "cloning: fatal: it is broken"
