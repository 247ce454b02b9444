"""What `.gitattributes` files say of a path is what `git check-attr` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gitmart.extract.attributes import MOST_WILDCARDS, Attributes, Value, unpack

WANTED = (b"linguist-generated", b"linguist-vendored", b"linguist-documentation")

_PARTS = (b"a", b"b", b"ab", b"docs", b"vendor", b"x.js", b"x.min.js", b"y.py", b"caf\xc3\xa9", b"caf\xe9", b"sp ace",
          b"tab\t", b'quo"te', b"back\\slash", b"[x]", b"*", b"!x", b"#x", b"-", b".gitattributes", b"{a,b}", b"~")  # fmt: skip
_WILD = (b"*", b"**", b"?", b"*.js", b"*a", b"a*b", b"*a*b*", b"[ab]", b"[!a]", b"[^a]*", b"[a-c]?", b"[]a]", b"[[:alpha:]]*",
         b"[[:digit:]-]", b"[[:nope:]]", b"[a", b"\\*", b"\\", b"a\\b", b"a**", b"**b", b"[a-\\]]x", b"[z-a]", b"[/]", b"[\\a]",
         b"x.[jp]*", b"caf?", b"caf??", b"[\xc3]*", b"***", b"**\\", b"[a-]b", b"[--0]", b"[[a]", b"[[:a]b]")  # fmt: skip
_STATES = (b"linguist-generated", b"-linguist-generated", b"!linguist-generated", b"linguist-generated=false",
           b"linguist-vendored", b"linguist-vendored=true", b"-linguist-vendored", b"linguist-documentation",
           b"linguist-documentation=", b"linguist-documentation=a=b", b"-linguist-documentation=x", b"text", b"m1", b"-m1",
           b"m2", b"!m2", b"m1=x", b"binary", b"b@d", b"-", b"=x", b"--x", b"!-x", b"\xff")  # fmt: skip


def mostly(pool: Sequence[bytes], rare: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    return st.integers(0, 7).flatmap(lambda number: st.sampled_from(rare if number == 7 else pool))


_paths = st.lists(mostly(_PARTS[:6], _PARTS), min_size=1, max_size=4).map(b"/".join)
_patterns = st.builds(
    b"%s%s%s".__mod__,
    st.tuples(
        mostly((b"", b"", b"/"), (b"**/", b"!", b"//", b"./", b" ")),
        st.lists(
            mostly(_PARTS[:6], _PARTS) | mostly(_WILD[:10], _PARTS) | st.sampled_from(_WILD), min_size=1, max_size=3
        ).map(b"/".join),
        mostly((b"",), (b"/", b"/*", b"/**", b"\\/", b"**\\/a")),
    ),
)


def quoted(pattern: bytes) -> bytes:
    """Return a pattern as in C, some letters in octal."""
    return b'"' + b"".join(
        b"\\%03o" % letter if letter > 126 or letter < 32 else b"\\" + bytes((letter,)) if letter in b'"\\' else bytes((letter,))
        for letter in pattern
    ) + b'"'  # fmt: skip


_heads = st.one_of(
    _patterns, _patterns, _patterns, _patterns.map(quoted),
    st.sampled_from((b"[attr]m1", b"[attr]m2", b"[attr]m1", b"[attr]", b"[attr] m1", b"[attr]b@d", b"[attr]linguist-vendored", b'"a',
                     b'"a\\q"', b'"a"b', b"#", b"", b"\t", b"[attr]binary")),
)  # fmt: skip
_lines = st.builds(
    b"%s%s%s%s".__mod__,
    st.tuples(
        mostly((b"",), (b" ", b"\t ")),
        _heads,
        mostly((b" ", b"\t"), (b"", b" \r ", b" " * 2040)),
        st.lists(mostly(_STATES[:9], _STATES) | mostly(_STATES[-15:-6], _STATES), min_size=1, max_size=3).map(
            b" ".join
        ),
    ),
)
_files = st.builds(
    b"%s%s".__mod__,
    st.tuples(
        st.lists(_lines, max_size=6).map(b"\n".join),
        mostly((b"\n", b"", b"\r\n"), (b"\0\n* linguist-vendored\n", b"\n\0")),
    ),
)
_trees = st.dictionaries(
    st.sampled_from((b"", b"", b"a/", b"a/b/", b"docs/", b"ab/", b"caf\xe9/")).map(lambda folder: folder + b".gitattributes"),
    _files, min_size=1, max_size=3,
)  # fmt: skip


class Oracle:
    """git, with the files in an index of its own."""

    def __init__(self, repository: Any) -> None:
        self.repository = repository
        self.names: dict[bytes, str] = {}

    def of(self, files: Mapping[bytes, bytes], paths: Sequence[bytes]) -> dict[bytes, dict[bytes, Value]]:
        """Return what git says of each path; what is unspecified is left out."""
        entries = b""
        for path, content in files.items():
            if content not in self.names:
                self.names[content] = self.repository.git("hash-object", "-w", "--stdin", stdin=content)
            entries += b"100644 %s\t%s\0" % (self.names[content].encode(), path)
        (self.repository.git_dir / "index").unlink(missing_ok=True)
        self.repository.git("update-index", "-z", "--index-info", stdin=entries)
        asked = b"".join(path + b"\0" for path in paths)
        said = self.raw("check-attr", "--cached", "-z", "--stdin", *(name.decode() for name in WANTED), stdin=asked)
        fields = said.split(b"\0")[:-1]
        found: dict[bytes, dict[bytes, Value]] = {path: {} for path in paths}
        for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
            if value != b"unspecified":
                found[path][name] = {b"set": True, b"unset": False}.get(value, value)
        return found

    def raw(self, *words: str, stdin: bytes) -> bytes:
        import subprocess

        done = subprocess.run(
            ["git", *words],
            cwd=self.repository.path,
            input=stdin,
            capture_output=True,
            env=self.repository.environment,
            check=True,
        )
        return done.stdout


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    from tests.conftest import Repository

    return Oracle(Repository(tmp_path_factory.mktemp("attributes") / "project"))


@settings(max_examples=60, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(files=_trees, paths=st.lists(_paths, min_size=20, max_size=40, unique=True))
@example(
    files={b".gitattributes": b"foo**/b linguist-vendored\nx/foo** linguist-generated"},
    paths=[b"foox/q/b", b"foo/b", b"x/fooz/q"],
)
@example(
    files={
        b".gitattributes": b"[attr]m1 m2\n[attr]m2 linguist-vendored\n* m1\na -m2\nb linguist-vendored=false\n",
        b"a/.gitattributes": b"[attr]m1 linguist-generated\n/b !linguist-vendored\n",
    },
    paths=[b"x", b"a", b"b", b"a/b", b"a/c/b", b"a/x"],
)
def test_any_files_say_what_git_says(files: dict[bytes, bytes], paths: list[bytes], oracle: Oracle) -> None:
    attributes = Attributes(files, WANTED)

    assert {path: attributes.of(path) for path in paths} == oracle.of(files, paths)
    packed = Attributes(unpack(attributes.pack()), WANTED)
    assert {path: packed.of(path) for path in paths} == {path: attributes.of(path) for path in paths}
    assert packed.pack() == attributes.pack()


def test_a_byte_order_mark_is_no_part_of_the_first_pattern() -> None:
    attributes = Attributes({b".gitattributes": b"\xef\xbb\xbfa linguist-vendored\n"}, WANTED)

    assert attributes.of(b"a") == {b"linguist-vendored": True}


def test_only_so_many_patterns_with_wildcards_count_and_any_number_of_names() -> None:
    lines = [b"%d* linguist-vendored" % number for number in range(MOST_WILDCARDS + 1)]
    names = [b"name%d linguist-vendored" % number for number in range(5 * MOST_WILDCARDS)]
    attributes = Attributes({b".gitattributes": b"\n".join(lines + names)}, WANTED)

    last = MOST_WILDCARDS - 1
    assert attributes.of(b"x/%dx" % last) == {b"linguist-vendored": True}
    assert attributes.of(b"name%d" % (5 * MOST_WILDCARDS - 1)) == {b"linguist-vendored": True}
    lonely = Attributes({b".gitattributes": b"\n".join([*lines[:-1], b"zzz* linguist-vendored"])}, WANTED)
    assert lonely.of(b"zzza") == {}


def test_lines_about_other_things_leave_no_trace() -> None:
    one = Attributes({b".gitattributes": b"*.js text eol=lf\n[attr]m1 -diff\n"}, WANTED)
    other = Attributes({b"docs/.gitattributes": b"# nothing\n"}, WANTED)

    assert one.pack() == other.pack() == b""


def test_no_pattern_takes_exponential_time() -> None:
    pattern = b"*a" * 30 + b"b"
    deep = b"**/a" + b"/**/a" * 30 + b"/b"
    attributes = Attributes(
        {b".gitattributes": b"%s linguist-vendored\n%s linguist-vendored" % (pattern, deep)}, WANTED
    )

    assert attributes.of(b"a" * 400) == {}
    assert attributes.of(b"a/" * 200 + b"c") == {}
    assert attributes.of(b"a/" * 200 + b"b") == {b"linguist-vendored": True}
