"""The class of a file: by default, by what attributes say, by what the Repository says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmart.contract.file_classes import (
    GLOB_LENGTH,
    FileClass,
    PathRules,
    check_glob,
    format_path_class,
    parse_path_class,
)
from gitmart.extract.classes import Classes
from gitmart.extract.default_classes import DEFAULT_CLASSES, RULES, rules_digest
from gitmart.extract.globs import FirstMatch, Glob

PATHS = {
    "source": (
        "main.py", "src/kopf/reactor.go", "a/contest.java", "latest.kt", "vendor", "docs", "history.py", "data.json",
        "mydocs/x.c", "src/tests.py", "protest.py", "deep/man/x.c", "lib/deps/x.c", "tools/x.c", "x", "a/README/x.c",
    ),
    "generated": (
        "package-lock.json", "web/yarn.lock", "Cargo.lock", "go.sum", "poetry.lock", "uv.lock", "app.min.js",
        "a/app.min.css", "x.js.map", "api/v1/x.pb.go", "x_pb2.py", "x_pb2_grpc.pyi", "zz_generated.deepcopy.go",
        "A.Designer.cs", "types.gen.ts", "dist/x.js", "tests/__snapshots__/a.snap", "docs/package-lock.json",
        "vendor/a/go.sum", ".idea/a.xml", "Carthage/Build/x", "ios/.pnp.cjs",
    ),
    "vendored": (
        "vendor/github.com/x/y.go", "a/vendor/x/README.md", "node_modules/x/test/a.js", "third_party/x.c", "gradlew",
        "a/gradle/wrapper/x.properties", "gradle/wrapper/gradle-wrapper.jar", "configure", "js/jquery-3.1.js",
        "src/_vendor/x.py", "deps/x.c", "Pods/x.m",
    ),
    "documentation": (
        "README.md", "README", "readme.txt", "src/notes.rst", "docs/conf.py", "a/docs/img.svg", "LICENSE", "LICENSE-MIT",
        "examples/01/x.py", "man/x.1", "CHANGELOG", "tests/README.md", "DOC/x", "COPYING.LESSER",
    ),
    "tests": (
        "tests/test_x.py", "src/x_test.go", "test_a.py", "a/b.test.tsx", "src/test/java/A.java", "AppTest.java", "x_spec.rb",
        "conftest.py", "pkg/testdata/x.yaml", "Tests/x.swift", "e2e/a.ts", "spec/models/x.rb", "__tests__/x.js",
    ),
    "configuration": (
        "pyproject.toml", "setup.cfg", ".github/workflows/ci.yml", "Dockerfile", "Makefile", "package.json", "a/pom.xml",
        ".gitignore", ".eslintrc.json", ".prettierrc", "k8s/x.yaml", "requirements-dev.txt", "go.mod", "tsconfig.app.json",
        ".github/x.py", "CMakeLists.txt", "build.gradle.kts", ".env.local",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in PATHS.items() for path in paths])
def test_default_rules(name: str, path: str) -> None:
    assert Classes(PathRules(), {}).class_of(path.encode()) is FileClass(name)


def test_no_default_rule_is_hidden_by_one_of_another_class() -> None:
    classes = Classes(PathRules(), {})

    def example(glob: str) -> bytes:
        path = glob.replace("[0-9]", "3").replace("**/", "folder/").replace("*", "x").lstrip("/")
        return (path + "file" if path.endswith("/") else path).encode()

    found = {glob: classes.class_of(example(glob)) for glob, _ in RULES}
    assert found == dict(RULES)


def test_default_rules_are_well_formed_and_none_is_there_twice() -> None:
    assert [glob for glob, count in Counter(glob for glob, _ in RULES).items() if count > 1] == []
    assert [check_glob(glob) for glob, _ in RULES] == [glob for glob, _ in RULES]
    assert all(group.source and group.about for group in DEFAULT_CLASSES)


def test_the_page_on_file_classes_lists_the_rules() -> None:
    page = (Path(__file__).parents[3] / "docs" / "file-classes.md").read_text(encoding="utf-8")

    rows = page.partition("## The rules for all repositories")[2].split("|---|---|---|---|\n")[1].splitlines()
    assert rows == [
        f"| {group.file_class.value} | {group.about} | {' '.join(f'`{glob}`' for glob in group.globs)} | {group.source} |"
        for group in DEFAULT_CLASSES
    ]
    assert all(f"| `{known.value}` | `{known.code}` |" in page for known in FileClass)


ATTRIBUTES = b"""
*.c linguist-generated
gen/*.c -linguist-generated
*.js linguist-vendored=true linguist-documentation
vendor/mine/** linguist-vendored=false
docs/** -linguist-documentation
*.lock !linguist-generated
yarn.lock linguist-generated=no
*.md linguist-documentation=false
caf\xe9/* linguist-generated
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/x.c", FileClass.GENERATED),
        ("tests/x.c", FileClass.GENERATED),  # outranks a default rule of another class
        ("gen/x.c", FileClass.SOURCE),
        ("x.js", FileClass.VENDORED),  # of two that hold, vendored comes first
        ("vendor/mine/x.c", FileClass.GENERATED),
        ("vendor/mine/x.py", FileClass.SOURCE),  # no longer vendored
        ("vendor/mine/x_test.go", FileClass.TESTS),  # the other default rules stay
        ("docs/test_x.py", FileClass.TESTS),
        ("Cargo.lock", FileClass.GENERATED),  # unspecified: as if nothing was said
        ("yarn.lock", FileClass.GENERATED),  # any text but false is true
        ("README.md", FileClass.SOURCE),
        ("caf\\xe9/x", FileClass.GENERATED),  # the warehouse's way to write a byte that is no UTF-8
        ("deep/below/x.py", FileClass.SOURCE),
    ],
)
def test_attributes_outrank_default_rules(path: str, expected: FileClass) -> None:
    assert Classes(PathRules(), {b".gitattributes": ATTRIBUTES}).class_of(path.encode()) is expected


def test_a_repository_outranks_attributes_and_the_first_rule_counts() -> None:
    rules = PathRules(
        exclude=("attic/", "*.svg"),
        classes=(("api/keep.c", FileClass.SOURCE), ("/api/", FileClass.VENDORED), ("*.c", FileClass.TESTS)),
    )
    classes = Classes(rules, {b".gitattributes": b"* linguist-generated\n"})

    found = {path: classes.class_of(path.encode()).value for path in (
        "api/keep.c", "api/x.c", "x/api/x.c", "x/attic/y/z.c", "api/a.svg", "attic", "x.py",
    )}  # fmt: skip
    assert found == {
        "api/keep.c": "source", "api/x.c": "vendored", "x/api/x.c": "tests", "x/attic/y/z.c": "excluded",
        "api/a.svg": "excluded", "attic": "generated", "x.py": "generated",
    }  # fmt: skip


def test_each_class_has_a_letter_of_its_own() -> None:
    assert Counter(known.code for known in FileClass) == Counter("stdcgvx")
    assert Classes(PathRules(), {}).of(b"a/README") == b"d"


def test_the_digest_changes_with_whatever_may_change_a_class() -> None:
    files = {b".gitattributes": b"*.c linguist-generated\n"}
    digests = [
        Classes(rules, attributes).digest
        for rules, attributes in (
            (PathRules(), {}),
            (PathRules(), files),
            (PathRules(), {b"a/.gitattributes": files[b".gitattributes"]}),
            (PathRules(), {b".gitattributes": b"*.c -linguist-generated\n"}),
            (PathRules(exclude=("a",)), files),
            (PathRules(classes=(("a", FileClass.TESTS), ("*", FileClass.SOURCE))), files),
            (PathRules(classes=(("*", FileClass.SOURCE), ("a", FileClass.TESTS))), files),
        )
    ]

    assert len(set(digests)) == len(digests)
    noise = {
        b".gitattributes": b"# a comment\n*.py text\n  *.c linguist-generated\n",
        b"b/.gitattributes": b"* -diff\n",
    }
    assert Classes(PathRules(), noise).digest == digests[1]
    assert rules_digest(PathRules(exclude=("a", "b"))) == rules_digest(PathRules(exclude=("b", "a", "a")))


@pytest.mark.parametrize(
    "glob", ["*.gen.go", "docs/api/**", "vendor/", "/a/b/", "[!a]b", "[]a]", "a b", "café/*", "-x", "a=b"]
)
def test_patterns_that_are_accepted(glob: str) -> None:
    assert check_glob(glob) == glob
    assert parse_path_class(format_path_class(glob, FileClass.TESTS)) == (glob, FileClass.TESTS)
    assert Glob.parse(glob.encode() + b"**" if glob.endswith("/") else glob.encode()) is not None


@pytest.mark.parametrize(
    "glob", ["", "/", "//a", "!a", "a\\b", "[a", "[!]", "a[]", "a\n", "a\0", "x" * (GLOB_LENGTH + 1)]
)
def test_patterns_that_are_refused(glob: str) -> None:
    with pytest.raises(ValueError, match="must be a pattern of paths as in"):
        check_glob(glob)


@pytest.mark.parametrize("text", ["", "*.go", "test=*.go", "excluded=*.go", "Tests=*.go"])
def test_a_class_that_is_none_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"with one of source, tests, documentation, configuration, generated, vendored$"
    ):
        parse_path_class(text)


_texts = st.text("ab./*?", min_size=1, max_size=5)


@settings(max_examples=300)
@given(st.lists(_texts, max_size=8), st.lists(st.text("ab.", min_size=1, max_size=4), min_size=1, max_size=4))
def test_many_rules_are_the_first_of_each(globs: list[str], parts: list[str]) -> None:
    path = "/".join(parts).encode()

    def matches(glob: str) -> bool:
        if glob.endswith("/"):
            glob = ("" if "/" in glob[:-1] else "**/") + glob + "**"
        parsed = Glob.parse(glob.encode())
        return parsed is not None and parsed.matches(path, path.rpartition(b"/")[2])

    expected = next((number for number, glob in enumerate(globs) if matches(glob)), None)

    assert FirstMatch([(glob, number) for number, glob in enumerate(globs)]).find(path) == expected
