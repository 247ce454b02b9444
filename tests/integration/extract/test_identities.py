"""Who is who: merged by stated rules, explained, undone by users, and the same whatever came before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.extract.conftest import Extraction

from gitmart.cli import main
from gitmart.extract import settle as settling
from gitmart.extract.purge import find, purge
from gitmart.warehouse.connections import connect

Check = Callable[[Any], None]

PEOPLE = """
    select c.name, c.email, p.name, p.email, c.kind from contributors c
    join contributors p on p.id = coalesce(c.canonical_id, c.id) order by 1, 2"""
MERGES = """
    select a.name, a.email, b.name, b.email, m.rule, m.confidence, m.evidence, r.name
    from identity_merges m join contributors a on a.id = m.from_id join contributors b on b.id = m.to_id
    left join repositories r on r.id = m.repository_id where undone_at is null order by 1, 2, 3, 4, 5, 8"""


class Identities:
    """A warehouse's identities, and the command that speaks of them."""

    def __init__(self, warehouse: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.warehouse, self.capsys = warehouse, capsys
        monkeypatch.setenv("GITMART_WAREHOUSE_URL", warehouse.url("gitmart_extract"))

    def __call__(self, *words: str, code: int = 0) -> str:
        """Run the command, check that what it left is what settling everybody leaves, and return what it printed."""
        self.capsys.readouterr()
        assert main(["identities", *words]) == code
        self.check()
        printed = self.capsys.readouterr()
        return str(printed.out if code == 0 else printed.err)

    def state(self) -> tuple[object, ...]:
        return self.warehouse.query(PEOPLE), self.warehouse.query(MERGES)

    def check(self) -> None:
        """Assert that settling everybody from what is there changes nothing, and that chains are flat."""
        before = self.state()
        with connect(self.warehouse.url("gitmart_extract"), application_name="test") as connection:
            settling.lock_identities(connection)
            settling.settle_all(connection)
        assert self.state() == before
        assert (
            self.warehouse.query(
                """select * from contributors c join contributors p on p.id = c.canonical_id
               where p.canonical_id is not null or c.canonical_id = c.id"""
            )
            == []
        )

    def people(self) -> dict[str, str]:
        """Return identity -> who stands for the person, where that is another one."""
        return {
            f"{name} <{email}>": f"{of} <{mail}>"
            for name, email, of, mail, _ in self.warehouse.query(PEOPLE)
            if (name, email) != (of, mail)
        }

    def rules(self) -> set[tuple[object, object]]:
        """Return the e-mail of each identity that was merged, and the rule."""
        return {(row[1], row[4]) for row in self.warehouse.query(MERGES)}


@pytest.fixture
def identities(warehouse: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Identities:
    return Identities(warehouse, capsys, monkeypatch)


def _commits(repo: Any, *people: str) -> None:
    """Make a commit by each."""
    tree = repo.git("write-tree")
    parent = repo.git("rev-parse", "--verify", "-q", "HEAD") if (repo.git_dir / "refs/heads/main").exists() else None
    for author in people:
        repo.clock += 60
        lines = [f"tree {tree}", *([f"parent {parent}"] if parent else []), f"author {author} {repo.clock} +0000",
                 f"committer C <c@example.com> {repo.clock} +0000", "", "by somebody"]  # fmt: skip
        parent = repo.commit_object("\n".join(lines).encode())


PAIRS = (
    # one, other, the rule that ties them, or None
    ("Ann Lee <ann@work.example.org>", "ann <ANN@Work.Example.Org>", "email"),
    ("Bob <bob@home.example.org>", "Bob <bob@office.example.org>", None),
    ("Cleo Fox <cleo.fox@a.example.org>", "Cleo  fox <Cleo.Fox+git@b.example.org>", "name"),
    ("Dan Poe <dan@a.example.org>", "Dan Poe <poe@b.example.org>", None),
    ("Eva Sun <me@a.example.org>", "Eva Sun <me@b.example.org>", None),
    ("Root <root@localhost>", "Somebody <root@localhost>", None),
    ("Gil <1+gil@users.noreply.github.com>", "Gil <1+gilbert@users.noreply.github.com>", "account"),
    ("Hal <hal@users.noreply.github.com>", "H <2+HAL@users.noreply.github.com>", "username"),
    ("Ida <3+ida@users.noreply.github.com>", "Ida <4+ida@users.noreply.github.com>", None),
    ("Jon <5-jon@users.noreply.gitlab.com>", "J <5-jonny@users.noreply.gitlab.com>", "account"),
    ("Kim <6+kim@users.noreply.git.example.org>", "Kim <6+kim@users.noreply.github.com>", None),
    ("Lea Roe <7+lroe@users.noreply.github.com>", "Lea Roe <lroe@example.org>", "name"),
    ("Claude <noreply@anthropic.com>", "Claude Opus <NoReply@anthropic.com>", "agent"),
    ("dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>", "dependabot[bot] <support@dependabot.com>", "agent"),
)  # fmt: skip


def test_identities_are_merged_by_the_rules_and_no_others(
    repository: Any, extraction: Any, identities: Identities
) -> None:
    _commits(repository, *(who for pair in PAIRS for who in pair[:2]))

    extraction(repository)

    identities.check()
    people = identities.people()
    for one, other, rule in PAIRS:
        assert (people.get(one, one) == people.get(other, other)) == (rule is not None), (one, other)
    merged = identities.warehouse.query(MERGES)
    found = {frozenset((f"{row[0]} <{row[1]}>", f"{row[2]} <{row[3]}>")): (row[4], row[5]) for row in merged}
    for one, other, rule in PAIRS:
        assert rule in (None, found.get(frozenset((one, other)), ("",))[0])
    assert len(people) == sum(rule is not None for *_, rule in PAIRS)
    kinds = {f"{row[0]} <{row[1]}>": row[4] for row in identities.warehouse.query(PEOPLE)}
    assert (kinds["Claude <noreply@anthropic.com>"], kinds[PAIRS[-1][0]], kinds["Ann Lee <ann@work.example.org>"]) == (
        "assistant", "bot", "human",
    )  # fmt: skip
    [told] = identities.warehouse.query("select username, profile_url from contributors where email like '5-jon@%%'")
    assert told == ("jon", "https://gitlab.com/jon")


MAILMAP = "Proper Name <proper@example.org> <one@example.org>\n"


def test_a_mailmap_counts_as_long_as_head_has_it(
    repository: Any, extraction: Any, fresh_extraction: Any, identities: Identities, assert_equals_git: Check
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    fresh = [0]

    def run(people: dict[str, str], fetch: str = "incremental", mailmap: bytes | None = None) -> None:
        extraction(repository, mailmap=mailmap)
        assert (extraction.facts["fetch"], extraction.facts.get("fetchReason")) == (fetch, None)
        identities.check()
        assert identities.people() == people
        if mailmap is None:  # git is asked with the repository's own alone
            assert_equals_git(repository)
        # A fresh extraction knows those alone who are there now.
        fresh[0] += 1
        for table in ("identity_merges", "mailmap_entries", "repositories", "contributors"):
            fresh_extraction.warehouse.query(f"truncate {table} cascade")
        fresh_extraction.warehouse.query(
            "truncate commits, commit_parents, commit_files, commit_trailers, extraction_runs cascade"
        )
        fresh_extraction(repository, mailmap=mailmap)
        assert fresh_extraction.warehouse.query(MERGES) == identities.warehouse.query(MERGES)
        there = {row[:2] for row in fresh_extraction.warehouse.query(PEOPLE)}
        assert [row for row in identities.warehouse.query(PEOPLE) if row[:2] in there] == (
            fresh_extraction.warehouse.query(PEOPLE)
        )

    one, two, proper = "Author One <one@example.org>", "A. One <ONE@example.org>", "Proper Name <proper@example.org>"
    repository.write("file", "1\n")
    repository.commit(author=one)
    run({}, "full")
    repository.write(".mailmap", MAILMAP)
    repository.commit(author="Author Two <two@example.org>")
    run({one: proper})
    # Somebody new whom the mailmap knows, while HEAD, and so the mailmap, stays.
    repository.git("checkout", "-q", "-b", "side")
    repository.write("other", "1\n")
    repository.commit(author=two)
    repository.git("checkout", "-q", "main")
    run({one: proper, two: proper})
    # The user's outranks it, and only where it speaks.
    user = b"# mine\nMy Word <mine@example.org> Author One <one@example.org>\n"
    run(
        {one: "My Word <mine@example.org>", two: "My Word <mine@example.org>", proper: "My Word <mine@example.org>"},
        mailmap=user,
    )
    assert ("one@example.org", "user_mailmap") in identities.rules()
    run({one: proper, two: proper})
    # The line moves, and goes.
    repository.write(".mailmap", "# a comment\n" + MAILMAP)
    repository.commit(author=one)
    run({one: proper, two: proper})
    blob = repository.git("rev-parse", "HEAD:.mailmap")
    assert {row[6] for row in identities.warehouse.query(MERGES) if row[4] == "mailmap"} == {
        f".mailmap {blob[:12]} line 2"
    }
    assert identities.warehouse.query("select mailmap from extraction_runs order by run_number desc limit 1") == [
        (blob,)
    ]
    repository.git("rm", "-q", ".mailmap")
    repository.commit(author=one)
    run({two: one})
    assert identities.rules() == {("ONE@example.org", "email")}
    assert identities.warehouse.query(
        "select distinct undone_by from identity_merges where rule = 'mailmap' and undone_at is not null"
    ) == [("withdrawn",)]
    # Whoever ties two others ties them no more once their commits have vanished.
    repository.git("branch", "-q", "-D", "side")
    run({})


def test_a_name_and_the_bytes_that_are_stored_as_it_are_one_for_a_mailmap(
    repository: Any, extraction: Any, identities: Identities, assert_equals_git: Check
) -> None:
    repository.write(".mailmap", b"Proper <proper@example.org> caf\xe9 <one@example.org>\n")
    repository.git("add", ".mailmap")
    tree = repository.git("write-tree")
    repository.git("symbolic-ref", "HEAD", "refs/heads/branch0")
    for number, name in enumerate((rb"caf\xe9", b"caf\xe9")):
        raw = b"tree %s\nauthor %s <one@example.org> 1700000000 +0000\ncommitter C <c@example.org> 1700000000 +0000\n\n"
        repository.commit_object(raw % (tree.encode(), name), f"refs/heads/branch{number}")

        extraction(repository)

        assert identities.people() == {r"caf\xe9 <one@example.org>": "Proper <proper@example.org>"}
        assert_equals_git(repository)


def test_a_mailmap_speaks_of_the_people_of_its_own_repository_alone(
    make_repository: Any, extraction: Any, identities: Identities
) -> None:
    first, second = make_repository("first"), make_repository("second")
    _commits(second, "Author One <one@example.org>", "Stranger <far@example.org>")
    extraction(second)
    first.write(".mailmap", MAILMAP + "Grabbed <grab@example.org> <far@example.org>\n")
    first.commit()

    extraction(first)

    identities.check()
    assert identities.people() == {"Author One <one@example.org>": "Proper Name <proper@example.org>"}
    assert [row[7] for row in identities.warehouse.query(MERGES)] == ["first"]
    with connect(identities.warehouse.url("gitmart_extract"), application_name="t", autocommit=True) as connection:
        purge(connection, find(connection, "first"))
    identities.check()
    assert identities.people() == {}


def test_a_user_has_the_last_word(repository: Any, extraction: Any, identities: Identities) -> None:
    _commits(repository, "Ann Lee <team@example.org>", "Bob Ray <team@example.org>", "Ann Lee <ann@example.net>")
    extraction(repository)
    ann, bob, home = "Ann Lee <team@example.org>", "Bob Ray <team@example.org>", "Ann Lee <ann@example.net>"
    assert identities.people() == {bob: ann}
    assert "by email (0.95): email team@example.org, since" in identities("show", bob)

    identities("split", bob, "--reason", "a shared mailbox")

    assert identities.people() == {}
    repository.write(".mailmap", "Ann Lee <team@example.org> <team@example.org>\n")
    repository.commit(author=bob)
    extraction(repository)
    identities.check()
    assert identities.people() == {}  # not redone, whatever a rule or a mailmap says
    identities("merge", ann, home)
    assert identities.people() == {ann: home}
    assert "because: a shared mailbox" in identities("history")
    assert "(user)" in identities("history", bob)
    identities("undo", "1")
    assert identities.people() == {ann: home, bob: home}
    assert identities("list", "--merged").splitlines()[-1] == "1 people, 3 identities"
    identities("split", ann)  # the user's own merge goes with it
    assert identities.people() == {}
    identities("undo", "99", code=64)

    identities("kind", home, "bot")
    assert identities("list", "--kind", "bot").splitlines()[-1] == "1 people, 1 identities"
    identities("kind", home, "human")
    extraction(repository)
    assert identities("list", "--kind", "bot").splitlines()[-1] == "0 people, 0 identities"


def test_names_that_mean_several_are_refused_with_a_list(
    repository: Any, extraction: Any, identities: Identities
) -> None:
    _commits(repository, "Ann Lee <a@example.org>", "Ann Lee <b@example.org>")
    extraction(repository)

    assert "means 2 identities" in identities("split", "ann lee", code=64)
    assert "means 2 people" in identities("show", "ann lee", code=64)
    assert "no identity has" in identities("show", "nobody", code=64)
    assert "is one identity" in identities("merge", "a@example.org", "A@example.org", code=64)


def test_rules_below_the_threshold_merge_nobody(repository: Any, extraction: Any, identities: Identities) -> None:
    _commits(repository, *PAIRS[0][:2], *PAIRS[2][:2])
    extraction(repository)
    assert len(identities.people()) == 2
    assert identities("threshold").strip() == "0.80"

    identities("threshold", "0.9")
    assert {rule for _, rule in identities.rules()} == {"email"}
    identities("threshold", "1")
    assert identities.people() == {}
    identities("threshold", "0")
    assert len(identities.people()) == 2


def test_two_extractions_that_merge_the_same_people_wait_for_each_other(
    make_repository: Any, warehouse: Any, identities: Identities, tmp_path: Path
) -> None:
    people = [f"Name {n % 7} <P{n % 5}@example.org>" for n in range(40)]
    repositories = [make_repository(name) for name in ("first", "second")]
    for repository, order in zip(repositories, (people, people[::-1]), strict=True):
        repository.write(
            ".mailmap", "".join(f"Proper {n} <proper{n}@example.org> <p{n}@example.org>\n" for n in range(3))
        )
        repository.commit()
        _commits(repository, *order)
    failed: list[BaseException] = []

    def extract(repository: Any) -> None:
        try:
            Extraction(warehouse, tmp_path / repository.path.name)(repository)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=extract, args=[repository]) for repository in repositories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    identities.check()
    assert len(set(identities.people().values())) == 5
    assert warehouse.query(
        "select count(*) from identity_merges where undone_at is not null and undone_by = 'user'"
    ) == [(0,)]
