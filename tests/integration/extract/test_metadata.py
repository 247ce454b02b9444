"""What a host's API tells beside the history: from a real HTTPS server, mostly through the real process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.integration.extract.rest import GITHUB, Rest, RestHost, send
from tests.integration.extract.test_private_host import LOCAL, Proxy

from gitmart.contract.host_api import MetadataOutcome, Provider, parse_api_url
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.metadata import client
from gitmart.extract.metadata.accounts import Place, Wanted, keep, read_wanted
from gitmart.extract.metadata.facts import Account, CommitAccounts
from gitmart.extract.metadata.look import Subject, look
from gitmart.extract.metadata.store import read_latest
from gitmart.extract.settings import MetadataSettings, Remote

CANARY = "canary_0123456789"
PEOPLE = ("Ada", "Ben", "Cleo", "Dov", "Eva", "Finn")
ALWAYS = "--metadata-interval=0s"

Extract = Callable[..., dict[str, Any]]


@pytest.fixture
def host(repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RestHost]:
    """A host that serves the repository by git and by its API; its certificate is trusted."""
    for name in ("https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    host = RestHost(tmp_path, Rest(repository))
    monkeypatch.setenv("SSL_CERT_FILE", str(host.authority))
    thread = threading.Thread(target=host.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield host
    host.closing.set()
    host.server.shutdown()
    thread.join()
    host.server.server_close()


@pytest.fixture
def address(host: RestHost, repository: Any) -> str:
    """A repository with a commit of each person, in their order; the host knows all but Cleo."""
    for number, name in enumerate(PEOPLE):
        repository.commit(author=f"{name} <{name.lower()}@example.org>")
        if name != "Cleo":
            host.rest.account(f"{name.lower()}@example.org", name.lower(), 100 + number)
    return host.serve(repository)


@contextmanager
def looking(host: RestHost, warehouse: Any, **settings: Any) -> Iterator[Subject]:
    """Yield what a look in this process needs, once the repository was extracted."""
    url = parse_repository_url(f"{host.url}/smart/live.git", allow_file=False)
    wanted = MetadataSettings(Provider.GITHUB, parse_api_url(f"{host.url}/api/v3"), timedelta(0))
    with psycopg.connect(warehouse.url("gitmart_extract"), autocommit=True) as connection:
        remote = Remote(url, allow_private_addresses=True)
        yield Subject(connection, 1, 1, remote, replace(wanted, **settings))


@pytest.fixture
def subject(host: RestHost, address: str, extraction: Any, warehouse: Any, repository: Any) -> Iterator[Subject]:
    """The repository as it was extracted, in this process."""
    extraction(repository)
    with looking(host, warehouse) as subject:
        yield subject


def metadata_of(result: dict[str, Any]) -> dict[str, Any]:
    """Return what a run tells of the look; the run itself must be good."""
    assert (result["exit"], result["outcome"]) == (0, "Succeeded"), result
    told: dict[str, Any] = result["metadata"]
    return told


def snapshots(warehouse: Any, columns: str = "*") -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = warehouse.query(f"select {columns} from repository_snapshots order by taken_on")
    return rows


def test_what_github_tells_is_kept_over_time(
    host: RestHost, address: str, repository: Any, run_extract: Extract, warehouse: Any
) -> None:
    rest = host.rest
    words = (f"--url={address}", "--metadata=github", *LOCAL)
    first = metadata_of(run_extract(*words))

    base = "/api/v3/repos/smart/live"
    assert rest.paths[:3] == [base, f"{base}/pulls?state=open&per_page=1", f"{base}/languages"]
    assert all("authorization" not in asked.headers for asked in rest.asked)
    assert all(asked.headers["user-agent"].startswith("gitmart/") for asked in rest.asked)
    assert (first["outcome"], first["pending"], first["requests"]) == ("Succeeded", 0, len(rest.asked))
    assert snapshots(
        warehouse,
        "provider, host_id, full_name, stars, forks, watchers, open_issues, open_pull_requests, size_bytes,"
        " license_spdx, default_branch, visibility, is_archived, is_fork, parent_full_name, run_number,"
        " taken_at = last_seen_at, taken_on = (taken_at at time zone 'UTC')::date",
    ) == [
        ("github", 4711, "smart/live", 80, 9, 42, 9, 3, 110592, "MIT", "main", "public", False, True, "origin/live", 1,
         True, True)
    ]  # fmt: skip
    assert warehouse.query("select topic from repository_topics order by position") == [("git",), ("analytics",)]
    assert warehouse.query("select language, size_bytes, share from repository_languages order by 1") == [
        ("Python", 750, Decimal("0.750000")),
        ("Shell", 250, Decimal("0.250000")),
    ]
    assert warehouse.query("select host_id from repositories") == [(4711,)]
    assert warehouse.query("select name, username, profile_url from contributors order by 1") == [
        ("Ada", "ada", "https://localhost/ada"), ("Ben", "ben", "https://localhost/ben"), ("Cleo", None, None),
        ("Committer", None, None), *((name, name.lower(), f"https://localhost/{name.lower()}") for name in PEOPLE[3:]),
    ]  # fmt: skip
    assert warehouse.query(
        "select name, host, login, account_id, source from contributor_accounts join contributors"
        " on id = contributor_id where name in ('Ada', 'Cleo', 'Committer') order by 1"
    ) == [
        ("Ada", "localhost", "ada", 100, "author"), ("Cleo", "localhost", None, None, "author"),
        ("Committer", "localhost", None, None, "committer"),
    ]  # fmt: skip

    # A run within the interval asks nothing and tells how the last look went.
    rest.forget()
    assert metadata_of(run_extract(*words)) == first
    assert rest.asked == []

    # Nothing new: the host says so, and nobody is asked for again, whether it knew them or not.
    before = snapshots(warehouse, "last_seen_at")
    with looking(host, warehouse) as subject:
        assert look(subject)["outcome"] == "Succeeded"
    assert [("if-none-match" in asked.headers) for asked in rest.asked] == [True, False, True]
    assert snapshots(warehouse, "count(*) over (), taken_at < last_seen_at") == [(1, True)]
    assert snapshots(warehouse, "last_seen_at") > before

    # News of the same day take the place of what was said before; the parts that are unchanged stay.
    rest.github |= {"stargazers_count": 81, "topics": ["git"]}
    rest.pulls = 0
    repository.commit(author="Gil <gil@example.org>")
    rest.account("gil@example.org", "gil", 200)
    metadata_of(run_extract(*words, ALWAYS))
    assert snapshots(warehouse, "stars, open_issues, open_pull_requests, run_number") == [(81, 12, 0, 3)]
    assert warehouse.query("select topic from repository_topics") == [("git",)]
    assert warehouse.query("select count(*) from repository_languages") == [(2,)]
    assert warehouse.query("select username from contributors where name = 'Gil'") == [("gil",)]

    # News of another day stand beside it.
    warehouse.query("update repository_snapshots set taken_on = taken_on - 1, taken_at = taken_at - interval '1 day'")
    rest.languages = {"Python": 1000}
    with looking(host, warehouse) as subject:
        assert look(subject)["outcome"] == "Succeeded"
    assert snapshots(warehouse, "stars") == [(81,), (81,)]
    assert warehouse.query("select count(*), count(distinct snapshot_id) from repository_languages") == [(3, 2)]


def test_a_rate_limit_in_the_middle_is_obeyed_and_the_rest_comes_later(
    host: RestHost, address: str, run_extract: Extract, warehouse: Any
) -> None:
    # Who is asked for first has made the first commit, whose history tells of nobody besides its own people.
    rest = host.rest
    rest.limit, rest.remaining = 60, 12  # 3 for the repository, 3 for people, then 6 are left to others
    words = (f"--url={address}", "--metadata=github", *LOCAL)

    limited = metadata_of(run_extract(*words))

    assert (limited["outcome"], limited["requests"]) == ("RateLimited", 6)
    assert 0 < limited["pending"] < len(PEOPLE)
    assert datetime.fromisoformat(limited["nextTime"]) > datetime.now(UTC) + timedelta(minutes=20)
    known = warehouse.query("select count(*) from contributor_accounts")

    rest.forget()
    with looking(host, warehouse) as subject:
        assert look(subject) == limited
    assert rest.asked == []  # it is obeyed by later runs, too

    warehouse.query("update repository_metadata set next_at = now()")
    rest.limit = None
    done = metadata_of(run_extract(*words))
    assert (done["outcome"], done["pending"]) == ("Succeeded", 0)
    assert all("/commits?" in path for path in rest.paths)  # what is known of the repository is fresh enough
    assert len(rest.paths) == limited["pending"]
    assert known < warehouse.query("select count(*) from contributor_accounts")
    assert warehouse.query("select count(*) from contributors where username is null") == [(2,)]


def test_a_renamed_repository_is_followed_on_its_host(host: RestHost, subject: Subject, warehouse: Any) -> None:
    host.rest.github["full_name"] = "new/name"

    assert look(subject)["outcome"] == "Succeeded"

    assert host.rest.paths[:3] == [
        "/api/v3/repos/smart/live", "/api/v3/repositories/4711", "/api/v3/repos/new/name/pulls?state=open&per_page=1",
    ]  # fmt: skip
    assert snapshots(warehouse, "host_id, full_name, open_issues") == [(4711, "new/name", 9)]
    assert warehouse.query("select count(*) from contributors where username is not null") == [(5,)]


def test_what_gitlab_tells_is_kept(host: RestHost, subject: Subject, warehouse: Any) -> None:
    settings = replace(subject.settings, provider=Provider.GITLAB, api=parse_api_url(f"{host.url}/api/v4"))

    told = look(replace(subject, settings=settings))

    assert host.rest.paths == [
        "/api/v4/projects/smart%2Flive?license=true&statistics=true",
        "/api/v4/projects/815/languages",
        "/api/v4/projects/815/merge_requests?state=opened&per_page=1",
    ]
    assert "GitLab tells no logins" in str(told["message"])
    assert snapshots(
        warehouse, "provider, host_id, full_name, stars, forks, watchers, open_issues, open_pull_requests, size_bytes,"
        " license_spdx, visibility, is_archived, is_fork"
    ) == [("gitlab", 815, "smart/live", 7, 3, None, 5, 0, 1000, "BSD-3-Clause", "internal", True, False)]  # fmt: skip
    assert warehouse.query("select language, size_bytes, share from repository_languages order by 1") == [
        ("C", None, Decimal("0.333100")), ("Ruby", None, Decimal("0.666900")),
    ]  # fmt: skip
    assert warehouse.query("select count(*) from contributor_accounts") == [(0,)]


def test_the_token_opens_the_api_and_is_seen_nowhere_else(
    host: RestHost, address: str, run_extract: Extract, warehouse: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "secret").mkdir()
    monkeypatch.setenv("GITMART_METADATA_CREDENTIALS_DIR", str(tmp_path / "secret"))
    monkeypatch.setenv("GITMART_METADATA_CREDENTIALS_SOURCE", "Secret stars in namespace default")
    host.watched = CANARY
    words = (f"--url={address}", "--metadata=github", ALWAYS, *LOCAL)
    (tmp_path / "secret/token").write_text(f"{CANARY}\n", encoding="ascii")
    host.rest.accepted = "another"
    refused = run_extract(*words)
    assert metadata_of(refused)["outcome"] == "AuthenticationFailed"
    assert "Bad credentials Bearer *****" in refused["metadata"]["message"]

    # It repeats the token in what it tells, and leads on to another host.
    host.rest.accepted = CANARY
    warehouse.query("update repository_metadata set next_at = now()")
    host.rest.github |= {"default_branch": CANARY, "topics": [CANARY]}
    fine = run_extract(*words)
    assert metadata_of(fine)["outcome"] == "Succeeded"

    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        place = f"https://localhost:{other.getsockname()[1]}/{CANARY}"
        host.rest.odd["/repos/smart/live"] = lambda handler: send(handler, 301, headers={"Location": place})
        moved = run_extract(*words)
        assert metadata_of(moved)["outcome"] == "Moved"
        with pytest.raises(BlockingIOError):  # nobody has come
            other.accept()

    assert {asked.headers["authorization"] for asked in host.rest.asked} == {f"Bearer {CANARY}"}
    assert CANARY not in json.dumps([refused, fine, moved])
    assert host.leaks == []
    for (table,) in warehouse.query("select tablename from pg_tables where schemaname = 'public'"):
        assert CANARY not in str(warehouse.query(f"select * from {table}")), table


def test_an_address_that_nobody_allowed_is_not_asked_and_the_history_is_stored(
    address: str, run_extract: Extract, warehouse: Any
) -> None:
    result = run_extract(
        f"--url={address}", "--metadata=github", "--metadata-api-url=https://169.254.169.254/api/v3", *LOCAL
    )

    assert metadata_of(result)["outcome"] == "AddressNotAllowed"
    assert warehouse.query("select state, state_message from repositories") == [("completed", None)]
    assert warehouse.query("select count(*) from commits") == [(6,)]


def test_the_api_is_reached_through_the_proxy(
    host: RestHost, address: str, run_extract: Extract, monkeypatch: Any
) -> None:
    proxy = Proxy(host.server.server_port)
    thread = threading.Thread(target=proxy.serve)
    thread.start()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://anna:secret@"))
    try:
        told = metadata_of(run_extract(f"--url={address}", "--metadata=github"))  # the proxy decides about addresses
    finally:
        proxy.server.shutdown(socket.SHUT_RDWR)
        proxy.server.close()
        thread.join()

    assert told["outcome"] == "Succeeded"
    assert host.rest.asked
    assert {heard.split(" HTTP/")[0] for heard in proxy.heard} == {f"CONNECT localhost:{host.server.server_port}"}
    assert "Proxy-Authorization: Basic YW5uYTpzZWNyZXQ=" in proxy.heard[-1]


def test_a_run_that_is_stopped_while_it_asks_is_good(
    host: RestHost, address: str, warehouse: Any, tmp_path: Path
) -> None:
    asked = threading.Event()

    def wait(handler: Any) -> None:
        asked.set()
        host.closing.wait()

    host.rest.odd["/languages"] = wait
    result_file = tmp_path / "result.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "gitmart", "extract", f"--url={address}", "--metadata=github", *LOCAL,
         f"--result-file={result_file}"],
        env={**os.environ, "GITMART_WAREHOUSE_URL": warehouse.url("gitmart_extract")}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert asked.wait(60)
    process.send_signal(signal.SIGTERM)

    assert process.wait(60) == 0
    result = json.loads(result_file.read_text(encoding="utf-8"))
    assert (result["outcome"], result["metadata"]["outcome"]) == ("Succeeded", "Stopped")
    assert warehouse.query("select state from repositories") == [("completed",)]
    assert warehouse.query("select outcome from repository_metadata") == [("Stopped",)]
    assert snapshots(warehouse) == []  # facts are kept whole or not at all


def say(status: int, body: Any = b"", **headers: str) -> Callable[[Any], None]:
    return lambda handler: send(handler, status, body, {name.replace("_", "-"): text for name, text in headers.items()})


def drip(handler: Any) -> None:
    """Send a byte of a header now and then, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.closing.wait(0.05):
        handler.wfile.write(b"X")
        handler.wfile.flush()


def cut(handler: Any) -> None:
    """Hang up in the middle."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"id": 1')
    handler.close_connection = True


def garbage(handler: Any) -> None:
    handler.wfile.write(b"\x00\xff\r\n\r\n" * 10)
    handler.close_connection = True


ODD: dict[str, tuple[Callable[[Any], None], MetadataOutcome]] = {
    "401": (say(401, {"message": "Bad credentials"}), MetadataOutcome.AUTHENTICATION_FAILED),
    "403": (say(403, {"message": "Resource not accessible"}), MetadataOutcome.AUTHENTICATION_FAILED),
    "403 that is a limit": (say(403, {"message": "secondary rate limit"}), MetadataOutcome.RATE_LIMITED),
    "403 with a pause": (say(403, Retry_After="120"), MetadataOutcome.RATE_LIMITED),
    "404": (say(404, {"message": "Not Found"}), MetadataOutcome.NOT_FOUND),
    "410": (say(410), MetadataOutcome.BAD_ANSWER),
    "429": (say(429, b"<html>", Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"), MetadataOutcome.RATE_LIMITED),
    "500": (say(500, {"message": ["no", "text"]}), MetadataOutcome.HOST_UNREACHABLE),
    "503": (say(503, b"\xff\xfe", Retry_After="-5"), MetadataOutcome.HOST_UNREACHABLE),
    "304 unasked": (say(304), MetadataOutcome.BAD_ANSWER),
    "no JSON": (say(200, b"<html>"), MetadataOutcome.BAD_ANSWER),
    "nothing": (say(200), MetadataOutcome.BAD_ANSWER),
    "deep": (say(200, b"[" * 500_000), MetadataOutcome.BAD_ANSWER),
    "a number of a million digits": (say(200, b'{"id": 1' + b"0" * 1_000_000 + b"}"), MetadataOutcome.BAD_ANSWER),
    "huge": (say(200, b" " * (3 << 20)), MetadataOutcome.BAD_ANSWER),
    "a list": (say(200, [GITHUB]), MetadataOutcome.BAD_ANSWER),
    "another thing": (say(200, {"id": "4711"}), MetadataOutcome.BAD_ANSWER),
    "redirect without an end": (say(302, Location="/api/v3/repos/smart/live"), MetadataOutcome.MOVED),
    "redirect to nowhere": (say(301), MetadataOutcome.MOVED),
    "redirect to http": (say(301, Location="http://localhost/api/v3/repos/a/b"), MetadataOutcome.MOVED),
    "redirect elsewhere": (say(307, Location="//localhost:1/x"), MetadataOutcome.MOVED),
    "redirect to an address of no form": (say(301, Location="https://[::1/"), MetadataOutcome.MOVED),
    "slow": (drip, MetadataOutcome.HOST_UNREACHABLE),
    "cut": (cut, MetadataOutcome.HOST_UNREACHABLE),
    "garbage": (garbage, MetadataOutcome.HOST_UNREACHABLE),
}


def test_whatever_a_host_answers_ends_as_an_outcome_and_changes_nothing(
    host: RestHost, subject: Subject, warehouse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.server.closing = host.closing  # type: ignore[attr-defined]
    assert look(subject)["outcome"] == "Succeeded"
    before = snapshots(warehouse), warehouse.query("select * from contributors order by id")
    monkeypatch.setattr(client, "MOST_SECONDS", 1.0)

    ended = {}
    for name, (answer, _) in ODD.items():
        host.rest.odd["/repos/smart/live"] = answer
        warehouse.query("update repository_metadata set next_at = now()")
        warehouse.query("delete from host_answers")
        ended[name] = look(subject)["outcome"]

    assert ended == {name: outcome.value for name, (_, outcome) in ODD.items()}
    assert (snapshots(warehouse), warehouse.query("select * from contributors order by id")) == before
    pauses = warehouse.query("select next_at > now(), next_at < now() + interval '25 hours' from repository_metadata")
    assert pauses == [(False, True)] or pauses == [(True, True)]


def test_what_cannot_be_believed_is_null(host: RestHost, subject: Subject, warehouse: Any) -> None:
    evil = {
        "full_name": "../../etc", "stargazers_count": -1, "forks_count": "9", "subscribers_count": True,
        "open_issues_count": 10**30, "size": 1.5, "license": "MIT", "topics": ["ok", 7, "a\0b", "x" * 999, "ok"],
        "archived": "no", "fork": None, "visibility": "pub\ud800lic", "default_branch": ["main"], "parent": {},
    }  # fmt: skip
    host.rest.odd["/repos/smart/live"] = say(200, {"id": 5, **evil})
    host.rest.odd["/languages"] = say(200, {"A": 1, "B": -1, "C": "x", "D\n": 5, "E": True, "F": 10**400})
    host.rest.odd["/pulls"] = say(200, {"message": "no list"}, Link='<https://x/?page=9e9>; rel="last"')
    host.rest.accounts = {
        "ada@example.org": {"login": "ada'; drop", "id": 1},
        "ben@example.org": {"login": "ben", "id": "1", "html_url": "javascript:alert(1)"},
        "cleo@example.org": {"login": "cleo", "id": 3, "html_url": "https://elsewhere.example.org/cleo"},
        "dov@example.org": {"login": ["dov"]},
        "eva@example.org": {"login": "eva", "id": -3, "html_url": "https://localhost@elsewhere.example.org/eva"},
        "finn@example.org": "finn",  # type: ignore[dict-item]
    }

    told = look(subject)

    assert told["outcome"] == "Succeeded", told
    latest = read_latest(subject.connection, 1)
    assert latest is not None
    known = {name: value for name in GITHUB_COLUMNS if (value := getattr(latest.facts, name)) is not None}
    assert known == {"host_id": 5, "full_name": "../../etc"}
    assert (latest.facts.topics, [each.name for each in latest.facts.languages]) == (("ok",), ["A"])
    assert warehouse.query("select username, profile_url from contributors where username is not null order by 1") == [
        ("ben", None), ("cleo", None), ("eva", None),
    ]  # fmt: skip


GITHUB_COLUMNS = (
    "host_id", "full_name", "stars", "forks", "watchers", "open_issues", "open_pull_requests", "size_bytes",
    "license_spdx", "default_branch", "visibility", "is_archived", "is_fork", "parent_full_name",
)  # fmt: skip


def test_a_part_that_is_refused_is_unknown_and_one_that_fails_leaves_all_for_later(
    host: RestHost, subject: Subject, warehouse: Any
) -> None:
    host.rest.odd |= {"/pulls": say(403, {"message": "no"}), "/languages": say(404)}
    assert look(subject)["outcome"] == "Succeeded"
    assert snapshots(warehouse, "stars, open_issues, open_pull_requests") == [(80, None, None)]
    assert warehouse.query("select count(*) from repository_languages") == [(0,)]

    host.rest.github["stargazers_count"] = 99
    host.rest.odd = {"/languages": say(502)}
    assert look(subject)["outcome"] == "HostUnreachable"
    assert snapshots(warehouse, "stars") == [(80,)]

    host.rest.odd = {}
    assert look(subject)["outcome"] == "Succeeded"
    assert snapshots(warehouse, "stars, open_issues, open_pull_requests") == [(99, 9, 3)]
    assert warehouse.query("select count(*) from repository_languages") == [(2,)]


def test_a_secret_that_is_not_there_is_told_and_awaited(
    host: RestHost, subject: Subject, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("GITMART_METADATA_CREDENTIALS_DIR", str(tmp_path / "secret"))
    monkeypatch.setenv("GITMART_METADATA_CREDENTIALS_SOURCE", "Secret stars in namespace default")

    told = look(subject)

    assert told["outcome"] == "SecretMissing"
    assert str(told["message"]).startswith("Secret stars in namespace default is missing")
    assert host.rest.asked == []


def test_an_api_that_was_never_read_is_due_whatever_another_one_told(host: RestHost, subject: Subject) -> None:
    daily = replace(subject.settings, interval=timedelta(days=1))
    assert look(replace(subject, settings=daily))["outcome"] == "Succeeded"
    other = replace(daily, provider=Provider.GITLAB, api=parse_api_url(f"{host.url}/api/v4"))
    host.rest.odd["/projects/smart%2Flive"] = say(500)
    assert look(replace(subject, settings=other))["outcome"] == "HostUnreachable"
    host.rest.odd = {}
    subject.connection.execute("update repository_metadata set next_at = now()")
    host.rest.forget()

    assert look(replace(subject, settings=other))["outcome"] == "Succeeded"
    assert len(host.rest.asked) == 3


def test_another_token_gets_no_condition_of_the_first(host: RestHost, subject: Subject, monkeypatch: Any) -> None:
    assert look(subject)["outcome"] == "Succeeded"
    host.rest.forget()
    folder = host.folder / "secret"
    folder.mkdir()
    (folder / "token").write_text(CANARY, encoding="ascii")
    monkeypatch.setenv("GITMART_METADATA_CREDENTIALS_DIR", str(folder))

    assert look(subject)["outcome"] == "Succeeded"
    assert [("if-none-match" in each.headers, "if-modified-since" in each.headers) for each in host.rest.asked] == [
        (False, False)
    ] * 3


def test_a_look_that_fails_in_our_own_house_ends_as_an_outcome(subject: Subject, warehouse: Any) -> None:
    warehouse.query("revoke insert on repository_snapshots from gitmart_extract")

    assert look(subject)["outcome"] == "Failed"
    assert warehouse.query("select outcome, message from repository_metadata") == [
        ("Failed", "InsufficientPrivilege"),
    ]  # fmt: skip

    subject.connection.close()
    assert look(subject)["outcome"] == "Failed"


def test_who_has_a_name_by_mail_is_not_asked_for_and_one_of_several_hosts_gives_it(
    subject: Subject, warehouse: Any
) -> None:
    now = datetime.now(UTC)
    warehouse.query("update contributors set username = 'from-mail' where name = 'Ada'")
    ids: dict[str, int] = {
        str(name): int(str(key)) for name, key in warehouse.query("select name, id from contributors")
    }
    here = Place(1, "git.example.org", "github")
    wanted = read_wanted(subject.connection, here, now)
    assert set(wanted) == set(ids.values()) - {ids["Ada"]}
    assert next(iter(wanted.values())).side == "committer"  # of six commits

    def tell(place: Place, name: str, login: str | None) -> None:
        person = Wanted(ids[name], "author", "a" * 40)
        [(commit,)] = warehouse.query("select commit_hash from commits where contributor_id = %s", ids[name])
        account = Account(login, 1, f"https://{place.host}/{login}") if login else None
        keep(subject.connection, place, person, {person.id: person}, [CommitAccounts(str(commit), account, None)], now)

    def username(name: str) -> object:
        return warehouse.query("select username from contributors where name = %s", name)[0][0]

    tell(here, "Ben", "ben-at-work")
    tell(here, "Cleo", None)
    assert (username("Ben"), username("Cleo")) == ("ben-at-work", None)
    tell(replace(here, host="github.com"), "Ben", "ben")
    assert username("Ben") == "ben"
    tell(replace(here, host="a.example.org"), "Ben", "b")
    assert username("Ben") == "ben"
    tell(replace(here, host="github.com"), "Ben", None)  # the account is gone
    assert username("Ben") == "b"
    tell(here, "Ada", "ada-at-work")
    assert username("Ada") == "from-mail"

    assert ids["Cleo"] not in read_wanted(subject.connection, here, now + timedelta(days=29))
    late = read_wanted(subject.connection, here, now + timedelta(days=31))
    assert ids["Cleo"] in late
    assert ids["Ben"] not in late
    assert list(late)[-1] == ids["Cleo"]  # who was never asked for comes first
    assert ids["Ben"] in read_wanted(subject.connection, here, now + timedelta(days=181))
