"""Which names a host may give a ref: git itself is asked."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmart.extract.errors import DamagedError
from gitmart.extract.refs import Ref, Refs, is_ref_name, refuse_repeated

ODD = (b".", b"..", b"/", b"//", b".lock", b"@", b"{", b"@{", b"a", b"-", b" ", b"~", b"^", b":", b"?", b"*", b"[", b"]",
       b"\\", b"\x7f", b"\x1b", b"\n", b"\xff", b"\xc2\x9b")  # fmt: skip


@settings(max_examples=100)
@given(st.lists(st.sampled_from(ODD), min_size=1, max_size=4).map(b"".join))
def test_a_name_is_one_that_git_takes(name: bytes) -> None:
    full = b"refs/heads/" + name
    asked = subprocess.run(
        [b"git", b"check-ref-format", full], capture_output=True, check=False, env={"PATH": os.environ["PATH"]}
    )

    assert is_ref_name(full) == (asked.returncode == 0)


@pytest.mark.parametrize(
    "name", [b"refs", b"/refs/heads/a", b"refs/heads/", b"refs/heads/a.lock/b", b"refs/heads/a\0b"]
)
def test_a_name_that_is_none_as_a_whole(name: bytes) -> None:
    assert not is_ref_name(name)


@pytest.mark.parametrize(
    ("name", "secrets", "fine"),
    [
        (b"refs/heads/main", ("main",), True),  # too short to say anything
        (b"refs/heads/main", ("canary-0123456789",), True),
        (b"refs/heads/x-canary-0123456789-y", ("canary-0123456789",), False),
        (b"refs/tags/eC1jYW5hcnktMDEyMzQ1Njc4OQ", ("canary-0123456789",), False),  # in base64
        (b"refs/heads/\xffcanary-0123456789", ("canary-0123456789",), False),
    ],
)
def test_a_ref_that_repeats_a_secret_is_refused(name: bytes, secrets: tuple[str, ...], fine: bool) -> None:
    refs = Refs((Ref(name, b"1" * 40, b"1" * 40),), None, None, "")

    if fine:
        refuse_repeated(refs, secrets)
    else:
        with pytest.raises(DamagedError) as failure:
            refuse_repeated(refs, secrets)
        assert "canary" not in str(failure.value)
