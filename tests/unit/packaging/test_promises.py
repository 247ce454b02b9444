"""The table of promises names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TABLE = ROOT / "docs" / "transform.md"
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
PROOF = re.compile(r"\[(test_\w+)\]\(\.\./(\S+?)\)")


def test_every_promise_has_a_test_that_is_there() -> None:
    rows = ROW.findall(TABLE.read_text(encoding="utf-8"))

    assert [int(number) for number, *_ in rows] == list(range(1, 35))
    for number, _, proofs in rows:
        found = PROOF.findall(proofs)
        assert found, number
        for name, path in found:
            assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), name
