"""Trailers, parsed as git parses them: tables of awkward messages, and messages drawn at random."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.extract.host import Host

from gitmart.extract import trailers
from gitmart.extract.loader import as_utf8
from gitmart.extract.records import Commit, Moment
from gitmart.extract.trailers import KINDS, Trailer, person_of, trailers_of

ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
IDENT = b"A <a@example.org> 1700000000 +0000"
SCISSORS = b"# ------------------------ >8 ------------------------\n"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host(tmp_path_factory.mktemp("trailers") / "messages.git", "sha1")


def read_by_git(host: Host, messages: Sequence[bytes]) -> list[list[tuple[bytes, bytes]]]:
    """Return key and value of each trailer of each message, as git prints them."""
    tree = host.add("tree", b"").encode()
    names = [
        host.add("commit", b"tree %s\nauthor %s\ncommitter %s\n\n%s" % (tree, IDENT, IDENT, message))
        for message in messages
    ]
    printed = subprocess.run(
        ["git", f"--git-dir={host.path}", "log", "--no-walk=unsorted", "--stdin", "-z", "--encoding=UTF-8",
         "--format=%(trailers:only,unfold)%x01"],
        input="".join(f"{name}\n" for name in names).encode(), capture_output=True, env=ENVIRONMENT, check=True,
    ).stdout  # fmt: skip
    listed = dict(zip(dict.fromkeys(names), printed.removesuffix(b"\1\0").split(b"\1\0"), strict=True))
    return [
        [(key, value.removeprefix(b" ")) for key, _, value in (line.partition(b":") for line in lines if line)]
        for lines in (listed[name].split(b"\n") for name in names)
    ]


def read_by_us(message: bytes) -> list[tuple[bytes, bytes]]:
    return [(trailer.key, trailer.value) for trailer in trailers_of(message)]


def lower(found: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(key.lower(), value) for key, value in found]


MESSAGES = {
    "none": b"subject\n\nbody\n",
    "one": b"subject\n\nSigned-off-by: A <a@x>\n",
    "no line feed at the end": b"subject\n\nSigned-off-by: A <a@x>",
    "the subject is none": b"Signed-off-by: A <a@x>\n",
    "nor after an empty line": b"\n\nSigned-off-by: A <a@x>\n",
    "nor the first paragraph": b"key: value\nother: value\n",
    "folded": b"s\n\nKey: one\n two\n\tthree\n  \nNext: four\n",
    "all folds": b"s\n\nKey:\n  \n one  \n  two  \n",
    "a value of nothing": b"s\n\nKey:\nOther: \n",
    "no space": b"s\n\nkey:value\n",
    "space before the colon": b"s\n\nkey : value\nkey\t: value\n",
    "two words are no key": b"s\n\nBREAKING CHANGE: x\n",
    "but do not spoil a block with a sign-off": b"s\n\nBREAKING CHANGE: x\nSigned-off-by: A <a@x>\n",
    "a quarter suffices with a sign-off": b"s\n\nprose\nmore\nagain\nSigned-off-by: A <a@x>\n",
    "less does not": b"s\n\nprose\nmore\nagain\nand so on\nSigned-off-by: A <a@x>\n",
    "without a sign-off all must be": b"s\n\nprose\nAcked-by: A <a@x>\nAcked-by: B <b@x>\nAcked-by: C <c@x>\n",
    "cherry-picked": b"s\n\nwords\n(cherry picked from commit 0123)\nKey: value\n",
    "cherry-picked alone": b"s\n\n(cherry picked from commit 0123)\n",
    "a link is none": b"s\n\nhttps://example.org/x\n",
    "only the last paragraph": b"s\n\nAcked-by: A <a@x>\n\nTested-by: B <b@x>\n",
    "a last paragraph of prose": b"s\n\nAcked-by: A <a@x>\n\nwords\n",
    "a divider divides nothing": b"s\n\nAcked-by: A <a@x>\n---\n file | 2 +-\n",
    "a divider on its own": b"s\n\nbody\n\n---\n\nAcked-by: A <a@x>\n",
    "a divider within the block": b"s\n\nSigned-off-by: A <a@x>\n--- \nAcked-by: B <b@x>\n",
    "comments": b"s\n\nAcked-by: A <a@x>\n# a comment\nTested-by: B <b@x>\n# last\n\n",
    "comment and continuation": b"s\n\nAcked-by: A <a@x>\n# a comment\n continued\nTested-by: B <b@x>\n",
    "a comment first": b"# c\ns\n\nAcked-by: A <a@x>\n",
    "conflicts": b"s\n\nAcked-by: A <a@x>\n\nConflicts:\n\tfile\n\tother\n",
    "conflicts first": b"Conflicts:\n\tfile\n\nAcked-by: A <a@x>\n\n\tfile\n",
    "conflicts that go on": b"s\n\nAcked-by: A <a@x>\n\nConflicts:\n\tfile\nwords\n",
    "scissors": b"s\n\nAcked-by: A <a@x>\n" + SCISSORS + b"Tested-by: B <b@x>\n",
    "scissors first": SCISSORS + b"s\n\nTested-by: B <b@x>\n",
    "carriage returns": b"s\r\n\r\nAcked-by: A <a@x>\r\n continued\r\nTested-by: B <b@x>\r\n",
    "vertical tabs are no space": b"s\n\x0b\nAcked-by: A <a@x>\n",
    "blank lines of spaces": b"s\n \t \nAcked-by: A <a@x>\n \n\t\n",
    "not UTF-8": b"s\n\nAcked-by: caf\xe9 <a@x>\ncaf\xe9: no\n",
    "a key beyond ASCII": "s\n\nGeprüft-von: A <a@x>\n".encode(),
    "several colons": b"s\n\nLink: https://example.org:80/x\n",
    "a fold before any key": b"s\n\n folded\nAcked-by: A <a@x>\n",
    "a fold after prose": b"s\n\nprose\n folded\nSigned-off-by: A <a@x>\n",
    "empty": b"",
    "one letter": b"a",
    "only a colon": b"s\n\n: value\n",
    "dashes": b"s\n\n--: value\n-: value\n",
}


def test_awkward_messages_are_read_as_git_reads_them(host: Host) -> None:
    expected = dict(zip(MESSAGES, map(lower, read_by_git(host, list(MESSAGES.values()))), strict=True))

    assert {name: read_by_us(message) for name, message in MESSAGES.items()} == expected
    assert sum(map(bool, expected.values())) > 20, "git itself finds some"


_LINES = st.sampled_from((
    b"", b"", b"", b" ", b"\t", b"\r", b"prose", b"more prose: not a key", b"Signed-off-by: A <a@x>",
    b"Signed-off-by:none", b"(cherry picked from commit 12)", b"Key: value", b"Key: value\r", b"key : v", b"k\t:v",
    b" continued", b"\tcontinued", b"# comment", b"#", b"Conflicts:", b"\tconflict", b"---", b"--- ", b"-- : x",
    SCISSORS[:-1], b":", b"Caf\xe9: x", b"Key: caf\xe9", b"Fixes: 1234 (\"a\")", b"\x0b", b"  ", b"BREAKING CHANGE: x",
))  # fmt: skip
_ANY = st.lists(st.sampled_from(sorted({*b" \t\r\n:#-aZ9(\x0b\xe9"})), max_size=8).map(bytes)
_MESSAGES = st.lists(_LINES | _LINES | _ANY, max_size=10).map(b"\n".join) | st.lists(_LINES, max_size=8).map(
    lambda lines: b"subject\n\n" + b"\n".join(lines) + b"\n"
)


@settings(max_examples=50, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(messages=st.lists(_MESSAGES, min_size=20, max_size=40))
def test_any_message_is_read_as_git_reads_it(messages: list[bytes], host: Host) -> None:
    for message, expected in zip(messages, read_by_git(host, messages), strict=True):
        assert read_by_us(message) == lower(expected), message


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_cleaning_a_message_cleans_its_trailers(message: bytes) -> None:
    # The loader parses what it stores, git what was committed.
    nobody = (b"", b"")
    commit = Commit(b"", [], nobody, Moment(0, 0), nobody, Moment(0, 0), message, [], False, 0)
    cleaned = [(key, value.decode("utf-8", "backslashreplace").encode()) for key, value in read_by_us(message)]

    assert read_by_us(as_utf8(commit).message) == cleaned


def test_a_message_of_endless_trailers_has_a_bound() -> None:
    found = trailers_of(b"s\n\n" + b"a: b\n" * (trailers.MOST + 5))

    assert len(found) == trailers.MOST


@pytest.mark.parametrize(
    ("line", "kind", "person"),
    [
        (b"Co-authored-by: A B <a@x>", "co_author", (b"A B", b"a@x")),
        (b"CO-AUTHORED-BY: A B <a@x>", "co_author", (b"A B", b"a@x")),
        (b"Co-developed-by: \"A, B\" <a@x>", "co_author", (b"A, B", b"a@x")),
        (b"Signed-off-by: A <a@x> # v4.1", "signer", (b"A", b"a@x")),
        (b"Reviewed-by: A <a@x> (in part)", "reviewer", (b"A", b"a@x")),
        (b"Acked-by: A < a@x >", "acker", (b"A", b"a@x")),
        (b"Tested-by: A <a@x>, B <b@x>", "tester", (b"A", b"a@x")),
        (b"Reported-and-tested-by: A <a@x>", "reporter", (b"A", b"a@x")),
        (b"Suggested-by: A", "suggester", None),
        (b"Helped-by: <a@x>", "helper", None),
        (b"Mentored-by: A <no address>", "mentor", None),
        (b"Cc: stable@vger.example", "cc", None),
        (b"Cc: List <list@vger.example>", "cc", (b"List", b"list@vger.example")),
        (b"Fixes: 0123456789ab (\"mail: A <a@x>\")", "fix", None),
        (b"Assisted-by: Tool:model-1 [linter]", "assistant", None),
        (b"Assisted-by: A <a@x>", "assistant", (b"A", b"a@x")),
        (b"Change-Id: I0123", "other", None),
        (b"Blamed-on: A <a@x>", "other", (b"A", b"a@x")),
        (b"Blamed-on: A <a@x> and others", "other", None),
        (b"Blamed-on: see A <a@x> <b@x>", "other", None),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)  # fmt: skip
def test_a_trailer_says_what_of_whom(line: bytes, kind: str, person: Any) -> None:
    (found,) = trailers_of(b"s\n\n" + line + b"\n")

    assert (found.kind, person_of(found)) == (kind, person)


def test_each_key_gives_one_kind() -> None:
    keys = [key for keys in trailers.KEYS_BY_KIND.values() for key in keys.split()]

    assert len(keys) == len(set(keys))
    assert all(trailers_of(f"s\n\n{key}: x\n".encode()) == [Trailer(key.encode(), kind, b"x")]
               for kind, keys in trailers.KEYS_BY_KIND.items() for key in keys.split())  # fmt: skip


def test_the_documentation_lists_every_kind_and_key() -> None:
    page = (Path(__file__).parents[3] / "docs" / "trailers.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| `")]
    documented = {kind.strip("`"): keys.replace("`", "").replace(",", " ") for kind, _, keys in rows}

    assert documented == {
        **{kind: "  ".join(keys.split()) for kind, keys in trailers.KEYS_BY_KIND.items()}, "other": "any other"
    }  # fmt: skip
    assert set(documented) == set(KINDS)
