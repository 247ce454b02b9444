"""Mailmaps are read and applied exactly as git does it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitmart.contract.outcomes import Outcome
from gitmart.extract.errors import ExtractError
from gitmart.extract.head_files import LARGEST
from gitmart.extract.identify import user_mailmap
from gitmart.extract.mailmap import Entry, Mailmap, parse

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1",
               "GIT_CONFIG_GLOBAL": "/dev/null"}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (b"Proper <p@x>", Entry(1, b"Proper", None, None, b"p@x")),
        (b"<p@x> <c@x>", Entry(1, None, b"p@x", None, b"c@x")),
        (b"Proper <p@x> <c@x>", Entry(1, b"Proper", b"p@x", None, b"c@x")),
        (b" Proper Name\t <p@x>  Commit Name  <c@x> # and more", Entry(1, b"Proper Name", b"p@x", b"Commit Name", b"c@x")),
        (b"Proper <p@x> Commit <>", Entry(1, b"Proper", b"p@x", b"Commit", b"")),
        (b"Proper <p@x> # a comment", Entry(1, b"Proper", None, None, b"p@x")),
        (b"Proper <p@x> Commit <c@x", Entry(1, b"Proper", None, None, b"p@x")),
        (b"Proper < p@x >", Entry(1, b"Proper", None, None, b" p@x ")),
        (b"#Proper <p@x>", None),
        (b" #Proper <p@x>", Entry(1, b"#Proper", None, None, b"p@x")),
        (b"Proper <>", None),
        (b"Proper p@x", None),
        (b"> <", None),
        (b"", None),
    ],
)  # fmt: skip
def test_a_line_says_what_git_takes_it_to_say(line: bytes, entry: Entry | None) -> None:
    assert list(parse(line)) == ([] if entry is None else [entry])


def test_lines_are_counted_and_end_at_nul() -> None:
    assert [entry.line for entry in parse(b"# c\nA <a@x>\n\nB <b@x>\r\n\0C <c@x>\n")] == [2, 4]


def test_a_mapping_names_its_lines_and_a_later_one_counts() -> None:
    mailmap = Mailmap(parse(b"A <a@x>\n<b@x> <A@X>\nC <c@x> nAme <a@x>\nD <a@x>\n"))

    assert mailmap.map(b"who", b"a@X") == (b"D", b"b@x", (1, 2, 4))
    assert mailmap.map(b"Name", b"a@x") == (b"C", b"c@x", (3,))
    assert mailmap.map(b"D", b"b@x") is None


# What is drawn collides often: few names and addresses, in either case, and signs where they hurt.
_WORDS = st.sampled_from(
    [b"a", b"A", b"ab", b"Ab", b"b", b" ", b"\t", b"caf\xe9", b"CAF\xc9", b"\xc3\xa9", b"\x0b", b"#", b"\r", b"."]
)
_TEXTS = st.lists(_WORDS, max_size=3).map(b"".join)
_MAILS = st.sampled_from(
    [b"<a@x>", b"<A@X>", b"<ab@x>", b"<a>", b"<>", b"< a@x >", b"<b@x>", b"<", b">", b"<<a@x>", b"<b@x>>"]
)
_LINES = st.one_of(
    st.tuples(_TEXTS, _MAILS, _TEXTS, _MAILS, _TEXTS).map(b"".join),
    st.tuples(_TEXTS, _MAILS).map(b"".join),
    st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"")),
)  # fmt: skip
_NAMES = st.sampled_from([b"a", b"A", b"ab", b"b", b"caf\xe9", b"CAF\xc9", b"\xc3\xa9", b"Nobody"])
_ADDRESSES = st.sampled_from([b"a@x", b"A@X", b"ab@x", b"a", b"", b" a@x ", b"b@x", b"<a@x"])


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("mailmap")
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], env=ENVIRONMENT, check=True)
    return folder


@settings(max_examples=60, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    lines=st.lists(_LINES, max_size=8),
    people=st.lists(st.tuples(_NAMES, _ADDRESSES), min_size=1, max_size=12, unique=True),
)
def test_whatever_a_mailmap_holds_people_are_mapped_as_git_maps_them(
    lines: list[bytes], people: list[tuple[bytes, bytes]], bare: Path
) -> None:
    content = b"\n".join(lines)
    blob = _git(bare, "hash-object", "-w", "--stdin", stdin=content).decode().strip()
    asked = b"".join(name + b" <" + email + b">\n" for name, email in people)

    printed = _git(bare, "-c", f"mailmap.blob={blob}", "check-mailmap", "--stdin", stdin=asked)

    mailmap = Mailmap(parse(content))
    mine = []
    for name, email in people:
        mapped = mailmap.map(name, email) or (name, email)
        mine.append(b"%s <%s>\n" % mapped[:2] if mapped[0] else b"<%s>\n" % mapped[1])
    assert printed == b"".join(mine)


def _git(folder: Path, *words: str, stdin: bytes) -> bytes:
    return subprocess.run(
        ["git", f"--git-dir={folder}", *words], input=stdin, stdout=subprocess.PIPE, env=ENVIRONMENT, check=True
    ).stdout


def test_the_user_s_mailmap_is_a_file_that_the_environment_names(tmp_path: Path) -> None:
    file = tmp_path / "people"
    named = {"GITMART_MAILMAP_FILE": str(file), "GITMART_MAILMAP_SOURCE": "key ours of ConfigMap people"}
    assert user_mailmap({}) is None

    with pytest.raises(ExtractError, match="key ours of ConfigMap people is missing") as missing:
        user_mailmap(named)
    assert missing.value.outcome is Outcome.SECRET_MISSING
    file.write_bytes(b"")
    assert user_mailmap(named) == b""
    file.write_bytes(b"x" * LARGEST)
    assert user_mailmap(named) == b"x" * LARGEST
    file.write_bytes(b"x" * (LARGEST + 1))
    with pytest.raises(ExtractError, match="larger than 1 MiB") as large:
        user_mailmap(named)
    assert large.value.outcome is Outcome.INVALID_INPUT
