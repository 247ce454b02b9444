"""
Histories drawn at random, over everything git accepts: what may be in a repository, and what may become of it.

A history is a plain value that Hypothesis draws, prints and shrinks. `Life` makes it true, a step at a
time, in a repository of its own. A commit that an earlier step made is never forgotten: a later step may
point a branch at it again, which is what force-pushes, rebases, deleted and re-created branches, late
merges of old branches and commits that come back have in common.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hypothesis import strategies as st
from tests.integration.extract.host import SUBMODULE, Files, Host

REGULAR, EXECUTABLE, LINK = 0o100644, 0o100755, 0o120000


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one file. `source` picks one that exists, counted round and round; there may be none."""

    kind: Literal["write", "delete", "move", "copy", "mode"]
    source: int = 0
    path: bytes = b"file"
    content: bytes = b""
    mode: int = REGULAR


@dataclass(frozen=True, slots=True)
class NewCommit:
    """A commit to make. Parents are counted backwards from the newest commit, 1 the newest; those there are count."""

    parents: tuple[int, ...] = (1,)
    edits: tuple[Edit, ...] = ()
    author: bytes | None = b"Author One <one@example.org> 1700000000 +0130"  # the value of the header's line
    committer: bytes | None = b"Committer <committer@example.org> 1700000060 +0000"
    headers: bytes = b""  # more lines of the header
    message: bytes | None = b"a commit\n"  # None: the header has no end


@dataclass(frozen=True, slots=True)
class NewRef:
    """Where a ref is to point. `target` is counted backwards from the newest commit, 1 the newest; 0: nowhere."""

    name: bytes
    target: int
    kind: Literal["commit", "tree", "blob"] = "commit"  # of the commit; other kinds for tags alone
    annotations: tuple[bytes, ...] = ()  # a tag object each, one around the other: the lines after `tag`


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to the repository between two extractions."""

    commits: tuple[NewCommit, ...] = ()
    refs: tuple[NewRef, ...] = ()
    advances: bytes | None = b"refs/heads/main"  # the branch that takes the newest commit
    head: bytes | int | None = None  # a ref, or a commit as in NewRef; None: as before
    grafts: tuple[tuple[int, int], ...] = ()  # commits that seem to have one more parent, an older one


@dataclass(frozen=True, slots=True)
class History:
    """
    A repository's life.

    `fork`: the refs of a second repository that borrows the objects of the first. `kept`: whether extractions are
    asked for everything that is optional, later: from the last step on.
    """

    steps: tuple[Step, ...]
    sha256: bool = False
    has_alias: bool = False
    fork: tuple[NewRef, ...] = ()
    kept: Literal["never", "always", "later"] = "never"


@dataclass(slots=True)
class Made:
    """A commit that was made, and the tree it has."""

    name: str
    parents: list[str]
    tree: str
    files: Files
    blob: str


@dataclass(slots=True)
class Life:
    """Makes a history true."""

    host: Host
    commits: list[Made] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    refs: dict[bytes, str] = field(default_factory=dict)

    @classmethod
    def of(cls, history: History, path: Path) -> Life:
        """Return the life of an empty repository."""
        life = cls(Host(path, "sha256" if history.sha256 else "sha1"))
        if history.has_alias:
            life.host.set_alias("refs/heads/alias", b"refs/heads/main")
        return life

    def take(self, step: Step) -> None:
        """Let a step happen."""
        for commit in step.commits:
            self._commit(commit)
        if step.commits and step.advances is not None:
            self._point(NewRef(step.advances, 1))
        for ref in step.refs:
            self._point(ref)
        self.host.set_refs(self.refs)
        if isinstance(step.head, bytes):
            self.host.set_head(step.head)
        elif isinstance(step.head, int) and (made := self._at(step.head)) is not None:
            self.host.set_head(made.name.encode())
        for child, parent in ((self._at(child), self._at(parent)) for child, parent in step.grafts if child < parent):
            if child is not None and parent is not None:  # git cannot clone from a host that hides true parents
                self.host.set_graft(child.name, [*child.parents, parent.name])

    def fork(self, refs: tuple[NewRef, ...], path: Path) -> Host:
        """Return a repository with refs of its own to the same commits."""
        fork = Life(Host(path, self.host.algorithm, lender=self.host), self.commits, self.contents)
        fork.take(Step(refs=refs))
        return fork.host

    def _at(self, back: int) -> Made | None:
        return self.commits[-back] if 1 <= back <= len(self.commits) else None

    def _commit(self, new: NewCommit) -> None:
        parents = [made for made in map(self._at, new.parents) if made is not None]
        files = dict(parents[0].files) if parents else {}
        for edit in new.edits:
            self._edit(files, edit)
        tree = self.host.add_tree(files)
        lines = [b"tree " + tree.encode(), *(b"parent " + parent.name.encode() for parent in parents)]
        lines += [b"author " + new.author] if new.author is not None else []
        lines += [b"committer " + new.committer] if new.committer is not None else []
        head = b"\n".join(lines) + b"\n" + new.headers
        name = self.host.add("commit", head if new.message is None else head + b"\n" + new.message)
        self.commits.append(Made(name, [parent.name for parent in parents], tree, files, self._blob(b"of a tag\n")))

    def _blob(self, content: bytes) -> str:
        name = self.host.add("blob", content)
        self.contents[name] = content
        return name

    def _edit(self, files: Files, edit: Edit) -> None:
        there = sorted(files)
        if edit.kind == "write":
            name = "1" * (64 if self.host.algorithm == "sha256" else 40)
            _put(files, edit.path, (edit.mode, name if edit.mode == SUBMODULE else self._blob(edit.content)))
        elif there:
            chosen = there[edit.source % len(there)]
            mode, name = files[chosen]
            if edit.kind in {"delete", "move"}:
                del files[chosen]
            if edit.kind == "mode" and mode in {REGULAR, EXECUTABLE}:
                files[chosen] = (REGULAR + EXECUTABLE - mode, name)
            if edit.kind in {"move", "copy"}:
                if mode != SUBMODULE and edit.content:
                    name = self._blob(self.contents[name] + edit.content)
                _put(files, edit.path, (mode, name))

    def _point(self, new: NewRef) -> None:
        made = self._at(new.target)
        if made is None or any(_exclude_each_other(new.name, name) for name in self.refs):
            self.refs.pop(new.name, None)
            return
        kind, target = new.kind, {"commit": made.name, "tree": made.tree, "blob": made.blob}[new.kind]
        for annotation in new.annotations:
            content = b"object %s\ntype %s\ntag t\n%s" % (target.encode(), str(kind).encode(), annotation)
            kind, target = "tag", self.host.add("tag", content)  # type: ignore[assignment]
        self.refs[new.name] = target


def _put(files: Files, path: bytes, entry: tuple[int, str]) -> None:
    """Put a file in the place of whatever is in its way: a file where a folder must be, or a folder."""
    for other in [other for other in files if _exclude_each_other(path, other)]:
        del files[other]
    files[path] = entry


def _exclude_each_other(one: bytes, other: bytes) -> bool:
    return one.startswith(other + b"/") or other.startswith(one + b"/")


# What is drawn. Pools hold what has broken something somewhere; the rest is any bytes.

_NAMES = (b"Author One", b"", b"A", b"caf\xc3\xa9", b"caf\xe9", b"caf\\xe9", b"'\"|,;\\", b"tab\there", b"cr\rhere",
          b"\x01\x1e\x1f", b"dependabot[bot]", b" . ,", b"x" * 300, b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80",
          b"\xef\xbf\xbd", b"%an%x00", b"nul\0nul")  # fmt: skip
_MAILS = (b"one@example.org", b"", b"no-at", b"a b c", b"1+octo@users.noreply.github.com", b"caf\xe9@x", b" x ", b"<x",
          b"X@Example.ORG")  # fmt: skip
_DATES = (b"1700000000 +0000", b"1700000100 -0800", b"0 +0000", b"1 +0130", b" 0 +0100", b"00 +0000", b"0 -0000",
          b"0 +000000", b"4102444800 +0000", b"253402300799 +0000", b"253402300800 +0130", b"1234567890 +051800",
          b"4293918671 -13068837", b"1234567890 +0099", b"1234567890 -2400", b"1234567890 +2401",
          b"-1234567890 +0000", b"", b"soon", b"1234567890", b"1234567890 0100", b"9223372036854775807 +0130",
          b"9223372036854775808 +0000", b"18446744073709551615 +0100", b"18446744073709551616 -0100",
          b"99999999999999999999 +0000", b"1700000000 +99999999999", b"1700000000 +0000 more",
          b"1700000000\t+0200", b"1700000000 +1", b"1700000000 -0030")  # fmt: skip
_MESSAGES = (b"", b"\n", b"\n\nleading", b"cr\r\nlf\r\n", b"a | b \x01 \x1e \x1f", b"no end", b"ends\n\n\n", b" \n \n",
             b"ends in a tab\t", b"caf\xc3\xa9\n", b"caf\xe9\n", b"\xed\xa0\x80", b"-", b":100644 100644 a b M\n",
             b"1\t1\tpath", b"x\n\nSigned-off-by: A <a@x>\n", b"\xff\xfe\0\0", b"before\0after\n", b"\0", b"\0\0\n",
             b"caf\xe9\0\xe9", b"\\x00", b"diff --git a/x b/x\n", b"x" * 20_000)  # fmt: skip
_TRAILERS = (b"Co-authored-by: Two <two@example.org>", b"co-authored-by : Two <two@example.org>", b" folded", b"#",
             b"Signed-off-by: caf\xe9 <one@example.org>", b"Fixes: 0123", b"Key: value\r", b"words", b"",
             b"Reviewed-by: \"Author One\" <one@example.org> # all", b"Conflicts:", b"\tfile", b"---",
             b"Assisted-by: Tool:model", b"(cherry picked from commit 0123)", b"Co-authored-by: A <a\xa0@x>",
             b"Caf\xc3\xa9: no <a@x>", b"Co-authored-by: <a@x> B <b@x>", b"Blamed-on: A <a@x>", b"x" * 300 + b": long")  # fmt: skip
_HEADERS = (b"encoding ISO-8859-1\n", b"encoding no-such\n", b"encoding UTF-8\n", b"encoding CP1252\n",
            b"encoding EUC-JP\n", b"encoding UTF-7\n", b"encoding UTF-16\n", b"encoding \n", b"encoding  latin1 \n",
            b"gpgsig -----BEGIN\n \n line\n -----END\n", b"mergetag object 1\n type commit\n", b"author Two <2> 2 +0000\n",
            b"odd\n", b"encoding KOI8-R\nencoding UTF-8\n", b"HG:extra amend_source:1%0a\n")  # fmt: skip
_PARTS = (b"file", b"other", b"folder", b"tab\there", b"tab at the end\t", b"line\nfeed", b'quote"d', b"caf\xc3\xa9",
          b"caf\xe9", b"caf\xe8", b"-dash", b"--", b"back\\slash", b" ", b":colon", b"*", b"a => b", b"{a => b}", b"...",
          b".gitattributes", b".mailmap", b"vendor", b"docs", b"tests", b"x.min.js", b"\xff\xfe", b"\x7f", b"\r", b"HEAD", b"x" * 200)  # fmt: skip
_BRANCHES = (b"main", b"dev", b"old", b"release/1", b"release/2", b"HEAD", b"-x", b"0" * 40, b"refs/heads/main",
             b"odd/n\xc3\xa4me,with;signs'\"", b"caf\xe9", b"\xff", b"a'b", b"@", b"main/x", b"v1", b"x" * 200)  # fmt: skip
_TAGS = tuple(
    b"refs/tags/" + name for name in (b"v1", b"v2", b"main", b"HEAD", b"-x", b"caf\xe9", b"deep/v1", b"f" * 40)
)
_ANNOTATIONS = (b"tagger T <t@x> 1700000000 +0000\n\na tag\n", b"\n", b"tagger caf\xe9\n\n\xe9\0")
_LINES = b"".join(b"line %d\n" % number for number in range(40))
_CONTENTS = (b"", b"one\n", b"no end", _LINES, _LINES[:150], _LINES[100:], b"\0binary", bytes(range(256)), b"cr\r\nlf\r",
             b"* -diff\n", b"\xe9\n" * 30, b"A <a@x> B <b@x>\n", b"\n" * 50)  # fmt: skip
_OTHERS = (
    b"refs/notes/commits",
    b"refs/pull/1/head",
    b"refs/remotes/origin/main",
    b"refs/stash",
    b"refs/x/y",
    b"refs/tags/head",
)


def _or_any(pool: tuple[bytes, ...], without: bytes = b"", size: int = 12) -> st.SearchStrategy[bytes]:
    """Return something of the pool mostly, any bytes now and then."""
    free = st.lists(st.sampled_from(sorted(set(range(256)) - set(without))), min_size=1, max_size=size).map(bytes)
    return st.integers(0, 9).flatmap(lambda number: free if number == 9 else st.sampled_from(pool))


def _mostly(
    usual: st.SearchStrategy[bytes | None], rare: st.SearchStrategy[bytes | None]
) -> st.SearchStrategy[bytes | None]:
    return st.integers(0, 19).flatmap(lambda number: rare if number == 19 else usual)


_idents: st.SearchStrategy[bytes | None] = st.one_of(
    st.just(NewCommit().author),
    st.builds(b"%s <%s> %s".__mod__, st.tuples(
        _or_any(_NAMES, b"\n"), _or_any(_MAILS, b"\n"), _or_any(_DATES, b"\n") | st.integers(0, 1 << 34).map(b"%d +0100".__mod__)
    )),
)  # fmt: skip
_odd_idents = st.sampled_from((None, b"", b"C c@x", b"C <c@x", b"C c@x> 1 +0000", b"<> 5 +0000", b">< 1 +0000"))
_paths = st.lists(_or_any(_PARTS, b"/\0", 4), min_size=1, max_size=3).map(b"/".join)
_contents = _or_any(_CONTENTS, size=60)
# What repositories say of their files.
_said_of_paths = st.builds(
    b"%s %s\n".__mod__,
    st.tuples(
        st.sampled_from((b"*", b"*", b"file", b"*e*", b"vendor/**", b"/docs/*", b"**/tests/**", b"x.*", b"caf\xe9", b"[of]*", b"[attr]m")),
        st.sampled_from((b"linguist-generated", b"-linguist-vendored", b"linguist-documentation", b"linguist-vendored=true",
                         b"!linguist-generated", b"-linguist-documentation linguist-vendored", b"m", b"text")),
    ),
)  # fmt: skip
_attributes = st.builds(
    Edit,
    st.just("write"),
    path=st.sampled_from((b".gitattributes", b".gitattributes", b"folder/.gitattributes")),
    content=st.lists(_said_of_paths, min_size=1, max_size=4).map(b"".join),
    mode=st.sampled_from((REGULAR, REGULAR, REGULAR, EXECUTABLE, LINK)),
)
_MAILMAPS = (
    b"Proper <proper@example.org> <ONE@example.org>\n<q@x> caf\xe9 <one@example.org>\nX <x@example.org>\n",
    b"# none\ncaf\xe9 <caf\xe9@y> <caf\xe9@x>\nNobody <> <no-at>\nNo At <no@x> <no-at>\nA <one@example.org> <x@example.org>\n",
    b"One <one@example.org>\n\0Two <one@example.org>\n",
)
_mailmaps = st.builds(
    Edit, st.just("write"), st.just(0), st.just(b".mailmap"), st.sampled_from(_MAILMAPS),
    st.sampled_from((REGULAR, REGULAR, EXECUTABLE, LINK)),
)  # fmt: skip
_usual_edits = st.builds(
    Edit,
    st.sampled_from(("write", "write", "write", "delete", "move", "move", "copy", "mode")),
    st.integers(0, 5),
    _paths,
    _contents,
    st.sampled_from((REGULAR, REGULAR, REGULAR, EXECUTABLE, LINK, SUBMODULE)),
)
_edits = st.integers(0, 9).flatmap(
    lambda number: {7: _mailmaps, 8: _attributes, 9: _attributes}.get(number, _usual_edits)
)
_backs = st.integers(1, 4) | st.integers(1, 30)
_parents = st.one_of(
    st.just((1,)), st.just((1,)), st.just(()), st.lists(_backs, min_size=1, max_size=5).map(tuple)
)  # octopus merges, and one parent twice
_messages = st.lists(st.sampled_from(_TRAILERS), max_size=5).map(
    lambda lines: b"\n".join((b"a commit", b"", *lines, b""))
)
_commits = st.builds(
    NewCommit,
    _parents,
    st.lists(_edits, max_size=4).map(tuple),
    _mostly(_idents, _odd_idents),
    _mostly(_idents, _odd_idents),
    _mostly(st.just(b""), st.lists(st.sampled_from(_HEADERS), max_size=2).map(b"".join)) | st.sampled_from(_HEADERS),
    _mostly(_or_any(_MESSAGES, size=40) | _messages, st.none()),
)
_branches = st.sampled_from(_BRANCHES[:3]) | st.sampled_from(_BRANCHES)
_targets = st.integers(0, 4) | st.integers(0, 40)
_branch_refs = st.builds(NewRef, _branches.map(b"refs/heads/".__add__), _targets)
_annotations = st.lists(st.sampled_from(_ANNOTATIONS), max_size=3).map(tuple)
_tag_refs = st.builds(NewRef, st.sampled_from(_TAGS), _targets, st.just("commit"), _annotations)
# Of other names: of a HEAD that points to a branch yet to be born, git's clone makes a tag of that name, and
# gives up when that leads to no commit.
_odd_tag_refs = st.builds(
    NewRef,
    st.sampled_from((b"refs/tags/odd", b"refs/tags/odder/caf\xe9")),
    _targets,
    st.sampled_from(("tree", "blob")),
    _annotations,
)
_other_refs = st.builds(NewRef, st.sampled_from(_OTHERS), _targets)
_refs = st.lists(_branch_refs | _branch_refs | _tag_refs | _odd_tag_refs | _other_refs, max_size=4).map(tuple)
_heads = st.one_of(
    st.none(), st.none(), _branches.map(b"refs/heads/".__add__), _backs,
    st.sampled_from((b"refs/heads/nowhere", b"refs/tags/head", b"refs/pull/1/head")),
)  # fmt: skip
_steps = st.builds(
    Step,
    st.lists(_commits, max_size=6).map(tuple),
    _refs,
    st.sampled_from((b"refs/heads/main", b"refs/heads/main", b"refs/heads/dev", None)),
    _heads,
    st.integers(0, 9).flatmap(
        lambda number: st.lists(st.tuples(_backs, _backs), max_size=2).map(tuple) if number == 9 else st.just(())
    ),
)


def histories(most_steps: int) -> st.SearchStrategy[History]:
    """Return what draws histories of one to so many steps."""
    return st.builds(
        History,
        st.lists(_steps, min_size=1, max_size=most_steps).map(tuple),
        st.integers(0, 3).map(lambda number: number == 3),
        st.integers(0, 9).map(lambda number: number == 9),
        st.integers(0, 3).flatmap(lambda number: _refs if number == 3 else st.just(())),
        st.sampled_from(("never", "always", "always", "later")),
    )
