"""What of a forgotten person is recognised in identities and texts, and what is not: docs/privacy.md, by table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmart.extract.forgotten import NOBODY_FORGOTTEN, TELLING, Forgotten, hashes_of
from gitmart.extract.identity_rules import Rule, describe, forgotten_person, keys_of
from gitmart.extract.mailmap import parse
from gitmart.extract.quarantine import Quarantined, without_forgotten
from gitmart.extract.records import Commit, Moment

WHO = "0123456789abcdef"
PEOPLE = [
    ("Ann Núñez", "Ann.N@example.org"), ("annie", "5+ann-nunez@users.noreply.github.com"),
    ("Ann Núñez", "root@localhost"),
]  # fmt: skip
KEYS = [key for person in PEOPLE for key in keys_of(*person) if key.rule in TELLING]
ANN = Forgotten(b"a key", hashes_of(b"a key", WHO, PEOPLE, ["Ann-Nunez"], KEYS))
NAME, MAIL = f"forgotten-{WHO}", f"{WHO}@forgotten.invalid"


@pytest.mark.parametrize(
    ("name", "email", "is_hers"),
    [
        ("Ann Núñez", "Ann.N@example.org", True),
        ("ANN  NÚÑEZ", "ann.n@EXAMPLE.org", True),
        ("Somebody", "ann.n@example.org", True),  # by the rule email
        ("x", "5+renamed@users.noreply.github.com", True),  # account
        ("x", "ann-nunez@users.noreply.github.com", True),  # username
        ("Ann Núñez", "ann.n@example.net", True),  # name
        ("ann.n@example.org", "list@example.net", True),
        ("via ann.n@example.org", "x", True),
        ("Ann Núñez", "root@localhost", True),
        ("Rob", "root@localhost", False),
        ("Ann Núñez", "another@example.net", False),
        ("Ann Nunez", "root@localhost", False),
        ("annie", "annie@example.net", False),
    ],
)
def test_an_identity_is_recognised_as_a_rule_would_merge_it(name: str, email: str, is_hers: bool) -> None:
    stored = ANN.identity((name.encode(), email.encode()))

    assert (ANN.person_of(name, email) == WHO) == is_hers
    assert (stored != (name.encode(), email.encode())) == is_hers
    if is_hers:
        assert stored[0].decode() == NAME
        assert forgotten_person(stored[1].decode()) == WHO
        assert [key.rule for key in describe(*(text.decode() for text in stored)).keys] == [Rule.FORGOTTEN]
        assert ANN.identity(stored) == stored


def test_identities_stay_apart() -> None:
    stored = {ANN.identity((name.encode(), email.encode())) for name, email in PEOPLE}

    assert len(stored) == len(PEOPLE)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("mail ann.n@example.org, please", f"mail {MAIL}, please"),
        ("(ANN.N@Example.Org)", f"({MAIL})"),
        ("mailto:ann.n@example.org.", f"mailto:{MAIL}."),
        ("'ann.n@example.org'", f"{MAIL}'"),
        ("5+ann-nunez@users.noreply.github.com", MAIL),
        ("Signed-off-by: Ann Núñez <ann.n@example.org>", f"Signed-off-by: {NAME} <{MAIL}>"),
        ('Acked-by: "Núñez, Ann" <ann.n@example.org>', f"Acked-by: {NAME} <{MAIL}>"),
        ("Cc: A. N. van der N. <ann.n@example.org> # v1", f"Cc: {NAME} <{MAIL}> # v1"),
        ("Found by annie <5+ann-nunez@users.noreply.github.com>.", f"Found by {NAME} <{MAIL}>."),
        ("thanks, A. <ann.n@example.org>", f"thanks, {NAME} <{MAIL}>"),
        ("<ann.n@example.org>", f"<{MAIL}>"),
        ("by Ann Núñez <root@localhost>", f"by {NAME} <{MAIL}>"),
        ("by Rob <root@localhost>", None),
        ("so says Ann Núñez.", f"so says {NAME}."),
        ("so says ann\n  nunez", f"so says {NAME}"),
        ("so says ANN.NU\u0301N\u0303EZ", f"so says {NAME}"),
        ("see @ann-nunez and ann-nunez/fix", f"see @{NAME} and {NAME}/fix"),
        ("https://github.com/Ann-Nunez", f"https://github.com/{NAME}"),
        ("ask @annie.", f"ask @{NAME}."),
        ("annie", None),
        ("Ann", None),
        ("Núñez, Ann", None),
        ("AnnNúñez", None),
        ("ann.n at example.org", None),
        ("joann.n@example.org", None),
        ("ann.n@example.org.uk", None),
        ("Ann Núñez <another@example.net>", None),
        ("Joann Núñez", None),
        ("", None),
    ],
)
def test_a_text_is_stored_with_pseudonyms(text: str, stored: str | None) -> None:
    assert ANN.text(text) == (text if stored is None else stored)
    assert ANN.text(ANN.text(text)) == ANN.text(text)
    assert ANN.is_in(text.encode()) == (stored is not None)
    assert NOBODY_FORGOTTEN.message(text.encode()) == text.encode()


@given(st.text(alphabet="ab <>@./\n\"':Ññ\u0303", max_size=60))
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert ANN.text(text) == text
    assert f"{ANN.text(f'{text} ann.n@example.org')}".count("ann.n@example.org") == 0


@pytest.mark.parametrize(
    "piece", ["a", "a@", "@", "<", "<a@b> ", "a-", "a/", "ann ", '"', "n\u0301", "ann.n@", "ann nunez "]
)
def test_a_long_text_takes_time_in_proportion(piece: str) -> None:
    ANN.text(f"ann.n@example.org annie {piece * 100_000}")  # else the test's own timeout ends it


def test_lines_of_mailmaps_that_speak_of_her_are_left_out() -> None:
    lines = b"""Ann <new@example.net> <ann.n@example.org>
Ann <Ann.N@example.org>
A <a@example.org> <b@example.org>
Other <o@example.org> Ann N\xc3\xba\xc3\xb1ez <root@localhost>
Other <o@example.org> Rob <root@localhost>
"""

    assert [entry.line for entry in parse(lines) if not ANN.is_in_mailmap(entry)] == [3, 5]


def test_raw_bytes_that_may_tell_of_her_are_left_out() -> None:
    def kept(author: str, message: bytes, field: str, raw: bytes) -> bytes:
        who = (b"C", b"c@example.org")
        at = Moment(1, 0)
        commit = Commit(b"0", [], (author.encode(), b"x"), at, who, at, message, [], is_utf8=True, size=0)
        [left] = without_forgotten([Quarantined(b"0", field, raw, "reason")], commit, ANN)
        return left.raw

    hers = "ann.n@example.org"
    assert kept(hers, b"", "author name", b"\xff") == b""
    assert kept(hers, b"", "message", b"\xff") == b""
    assert kept(hers, b"", "path", b"\xff") == b"\xff"
    assert kept(hers, b"", "committer", b"\xff") == b"\xff"
    assert kept("Rob", b"ask ann.n@example.org", "message", b"\xff") == b""
    assert kept("Rob", b"", "message", "ask ann.n@example.org".encode("utf-16")) == b""
    assert kept("Rob", b"ask him", "message", b"ask him \xff") == b"ask him \xff"
