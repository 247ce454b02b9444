"""Static tokens, and the sessions that begin with one."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest

from gitmart.api.middleware.sessions import cookie_value, opened, sealed, token_of
from gitmart.api.middleware.tokens import Token, TokenFile, TokensError, digest_of, find, parse_tokens

FIRST, SECOND = "canary-0123456789", "canary-9876543210"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (f"# tokens\n\n  {FIRST}  \n", [("line 3", FIRST)]),
        (f"ci={FIRST}\nada@example.org={SECOND}\n", [("ci", FIRST), ("ada@example.org", SECOND)]),
        ("YWJjZGVmZ2hpamtsbW5v==\n", [("line 1", "YWJjZGVmZ2hpamtsbW5v==")]),
        (f"ci={FIRST}==", [("ci", f"{FIRST}==")]),
    ],
)
def test_a_file_of_tokens(text: str, expected: list[tuple[str, str]]) -> None:
    assert list(parse_tokens(text)) == [Token(name, digest_of(secret)) for name, secret in expected]


@pytest.mark.parametrize(
    "line", ["canary-short", "canary with spaces in it", "ci=canary-short", "x" * 513, "canary-\x7f-0123456789"]
)
def test_a_line_that_is_no_token_is_named_and_not_repeated(line: str) -> None:
    with pytest.raises(TokensError, match="line 2 is no token: write one a line") as error:
        parse_tokens(f"# tokens\n{line}\n")
    assert "canary" not in str(error.value)


def test_only_the_token_itself_is_found() -> None:
    tokens = parse_tokens(f"ci={FIRST}\n{SECOND}")

    assert find(tokens, FIRST) is tokens[0]
    assert find(tokens, SECOND) is tokens[1]
    for other in ("", FIRST[:-1], f"{FIRST} ", f"ci={FIRST}", FIRST.upper(), "\udcff" * 20):
        assert find(tokens, other) is None


class Clock:
    """Every look at the file is due."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 2
        return self.now


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(FIRST)
    file = TokenFile(path, Clock())
    assert find(file.tokens, FIRST)

    path.write_text(f"new={SECOND}")
    assert find(file.tokens, SECOND)
    assert not find(file.tokens, FIRST)

    path.write_text("")
    assert file.tokens == ()


def test_a_mistake_in_the_file_locks_nobody_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "tokens"
    path.write_text(FIRST)
    file = TokenFile(path, Clock())

    for spoil in (lambda: path.write_text("canary-short"), path.unlink, lambda: path.write_bytes(b"\xff" * 20)):
        spoil()
        assert find(file.tokens, FIRST)

    path.write_text(SECOND)
    assert find(file.tokens, SECOND)
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 3
    assert "canary" not in caplog.text


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read: No such file"), ("# none\n", "holds no token")])
def test_a_process_does_not_begin_without_tokens(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "tokens"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TokensError, match=said):
        TokenFile(path)


def test_a_session_is_of_one_token_and_ends() -> None:
    one, other = parse_tokens(f"{FIRST}\n{SECOND}")
    value = cookie_value(one, 1000)

    assert token_of(value, [other, one], 999) is one
    assert token_of(value, [other, one], 1000) is None
    assert token_of(value, [other], 999) is None
    assert FIRST not in value
    assert one.digest.hex() not in value


def test_a_forged_session_is_none() -> None:
    one, other = parse_tokens(f"{FIRST}\n{SECOND}")
    identity, until, signature = cookie_value(one, 1000).split(".")
    foreign = cookie_value(other, 1000).split(".")[2]

    for forged in (f"{identity}.2000.{signature}", f"{identity}.{until}.{foreign}", f"{other.identity}.{until}.{signature}",
                   f"{identity}.{until}.{'0' * 64}", f"{identity}.{until}", "", "ä", f"{identity}.{'9' * 5000}.{signature}"):  # fmt: skip
        assert token_of(forged, [one, other], 0) is None


def test_what_is_sealed_is_opened_with_its_key_for_its_purpose_and_in_time() -> None:
    key, said = b"k" * 64, {"sub": "ada", "groups": ["a"]}
    value = sealed(key, "session", 60, said)

    assert (opened(key, "session", value) or {}).items() >= said.items()
    assert opened(key, "sign-in", value) is None
    assert opened(b"o" * 64, "session", value) is None
    assert opened(key, "session", sealed(key, "session", 0, said)) is None
    head, claims, signature = value.split(".")
    other = sealed(key, "session", 60, said | {"sub": "eve"}).split(".")[1]
    for forged in (f"{head}.{other}.{signature}", f"{head}.{claims}.", f"{head}.{claims}", "", "ä", "a.b.c"):
        assert opened(key, "session", forged) is None
    for algorithm, by in (("none", None), ("HS512", key)):
        assert opened(key, "session", jwt.encode({**said, "aud": "session", "exp": 2**40}, by, algorithm)) is None
