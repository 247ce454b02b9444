"""What a collector of OpenLineage hears of real builds, and that nothing it does reaches a run."""

from __future__ import annotations

import signal
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from psycopg.conninfo import conninfo_to_dict
from tests.openlineage.schemas import violations
from tests.openlineage.server import Answer, Server, listening, say

from gitmart.contract.outcomes import Outcome
from gitmart.warehouse.locks import target_lock, try_lock

KEY = "canary-key-0123456789"
SLOW = "{{ config(materialized='table') }} select pg_sleep(600)::text as slept"
SLOW_STATEMENTS = "select pid from pg_stat_activity where state = 'active' and query ~ 'pg_sleep[(]600[)]'"
PROJECT = Path(__file__).parents[3] / "dbt"
TABLES = (
    "select concat_ws('.', table_catalog, table_schema, table_name) from information_schema.tables"
    " where table_schema like 'analytics%' and table_schema <> 'analytics_test_failures'"
)
WARNING = "OpenLineage events were not accepted"


@pytest.fixture
def collector() -> Iterator[Server]:
    with listening() as server:
        yield server


@pytest.fixture
def key(tmp_path: Path) -> Path:
    folder = tmp_path / "key"
    folder.mkdir()
    (folder / "api-key").write_text(f"{KEY}\n", encoding="utf-8")
    return folder


def the_end(process: Any) -> tuple[int, str]:
    """How the run ended; a warning may follow its last line."""
    return process.popen.returncode, process.result["outcome"]


def warnings(process: Any) -> list[dict[str, Any]]:
    return [line for line in process.lines if "OpenLineage" in line["message"]]


def names(datasets: list[dict[str, Any]]) -> set[str]:
    return {each["name"] for each in datasets}


@pytest.mark.own_interpreter
def test_a_good_build_is_told(transform: Any, warehouse: Any, collector: Server, key: Path) -> None:
    process = transform.run(
        "--openlineage-url", collector.url, "--openlineage-namespace", "team-a", "--openlineage-job", "nightly",
        GITMART_OPENLINEAGE_CREDENTIALS_DIR=str(key),
    )  # fmt: skip

    assert process.ended_as(Outcome.SUCCEEDED)
    assert [line for event in collector.heard for line in violations(event)] == []
    assert Counter(event["job"]["name"] for event in collector.heard) == {
        "nightly": 2, "nightly.tiny.per_repository": 2, "nightly.tiny.total": 2, "nightly.tiny.per_repository.test": 2,
    }  # fmt: skip
    assert {event["job"]["namespace"] for event in collector.heard} == {"team-a"}
    assert all(collector.kinds(event["job"]["name"]) == ["START", "COMPLETE"] for event in collector.heard)
    assert (collector.heard[0]["job"]["name"], collector.heard[-1]["job"]["name"]) == ("nightly", "nightly")

    parts = conninfo_to_dict(transform.url)
    database = parts["dbname"]
    [_, built] = collector.of("nightly.tiny.total")
    assert names(built["inputs"]) == {f"{database}.analytics.per_repository"}
    [output] = built["outputs"]
    assert output["name"] == f"{database}.analytics.total"
    assert output["namespace"].startswith("postgres://")
    assert output["namespace"].endswith(f":{parts['port']}")
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 1
    [_, below] = collector.of("nightly.tiny.per_repository")
    assert names(below["inputs"]) == {f"{database}.public.commits"}
    [run, _] = collector.of("nightly")
    assert built["run"]["facets"]["parent"]["run"] == {"runId": run["run"]["runId"]}
    assert built["run"]["facets"]["parent"]["job"] == {"namespace": "team-a", "name": "nightly"}

    [_, tested] = collector.of("nightly.tiny.per_repository.test")
    [table] = tested["inputs"]
    told = table["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(each["assertion"], each["column"], each["success"], each["actual"]) for each in told] == [
        ("not_null", "repository_id", True, "0"), ("unique", "repository_id", True, "0"),
    ]  # fmt: skip

    assert {path for path, _ in collector.asked} == {"/api/v1/lineage"}
    assert {headers["authorization"] for _, headers in collector.asked} == {f"Bearer {KEY}"}
    assert {headers["content-type"] for _, headers in collector.asked} == {"application/json"}
    assert collector.connections == 1


@pytest.mark.slow
def test_our_own_project_is_told_whole(transform: Any, warehouse: Any, collector: Server) -> None:
    process = transform.run("--project-dir", str(PROJECT), "--openlineage-url", collector.url)

    assert process.ended_as(Outcome.SUCCEEDED)
    assert [line for event in collector.heard for line in violations(event)] == []
    written = {output["name"] for event in collector.heard for output in event["outputs"]}
    assert written == {name for (name,) in warehouse.query(TABLES)}
    assert Counter(collector.kinds(name)[-1] for name in {event["job"]["name"] for event in collector.heard}) == {
        "COMPLETE": len(collector.heard) // 2
    }
    [_, built] = collector.of("analytics.gitmart.fct_commits")
    [table] = built["outputs"]
    assert {"name", "type", "description"} <= table["facets"]["schema"]["fields"][0].keys()
    assert collector.of("analytics.gitmart.raw.repositories.test")  # of a source


def test_no_secret_and_no_value_of_a_row_is_told(transform: Any, collector: Server, key: Path) -> None:
    transform.project.model(
        "bad",
        "{{ config(materialized='table') }} select 'ada@example.org'::text::int as x, '{{ env_var(\"K\") }}' as k",
    )
    (transform.project.folder / "models" / "columns.yml").write_text(
        f"models: [{{name: total, columns: [{{name: commit_count, description: never {KEY}}}]}}]", encoding="utf-8"
    )
    password = str(conninfo_to_dict(transform.url).get("password") or "")

    process = transform.run(
        "--openlineage-url", collector.url, GITMART_OPENLINEAGE_CREDENTIALS_DIR=str(key), K=KEY
    )  # fmt: skip

    assert process.ended_as(Outcome.DATA_FAILED)
    assert "ada@example.org" in process.errors  # the log does have it
    sent = b"\n".join(collector.raw)
    assert b"Database Error in model bad (models/bad.sql)" in sent
    assert b"never *****" in sent
    for secret in ("ada@example.org", KEY, password):
        assert not secret or secret.encode() not in sent
    assert KEY not in process.errors + process.result_file.read_text(encoding="utf-8")


def test_a_failing_build_is_told(transform: Any, collector: Server) -> None:
    transform.project.model("bad", "{{ config(materialized='table') }} select 1/0 as x from {{ ref('total') }}")
    transform.project.model("above", "{{ config(materialized='table') }} select x from {{ ref('bad') }}")
    (transform.project.folder / "models" / "tests.yml").write_text(
        "models: [{name: total, columns: [{name: commit_count, data_tests: ['null']}]}]", encoding="utf-8"
    )
    macros = transform.project.folder / "macros"
    macros.mkdir()
    (macros / "null.sql").write_text(
        "{% test null(model, column_name) %} select 1 from {{ model }} where {{ column_name }} is not null"
        " {{ config(severity='warn') }} {% endtest %}",
        encoding="utf-8",
    )

    process = transform.run("--openlineage-url", f"{collector.url}/of/mine")

    assert process.ended_as(Outcome.DATA_FAILED)
    assert [line for event in collector.heard for line in violations(event)] == []
    assert collector.kinds("analytics") == ["START", "FAIL"]
    assert collector.kinds("analytics.tiny.total") == ["START", "COMPLETE"]
    assert collector.kinds("analytics.tiny.bad") == ["START", "FAIL"]
    assert collector.kinds("analytics.tiny.above") == ["START", "ABORT"]
    assert collector.kinds("analytics.tiny.total.test") == ["START", "COMPLETE"]
    [_, tested] = collector.of("analytics.tiny.total.test")
    [assertion] = tested["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (assertion["assertion"], assertion["success"], assertion["severity"]) == ("null", False, "warn")
    [_, end] = collector.of("analytics")
    assert end["run"]["facets"]["errorMessage"]["message"].startswith("DataFailed: ")
    assert {event["job"]["namespace"] for event in collector.heard} == {"gitmart"}
    assert {path for path, _ in collector.asked} == {"/of/mine"}
    assert "authorization" not in collector.asked[0][1]


def test_a_cancelled_build_is_told(transform: Any, until: Any, collector: Server) -> None:
    transform.project.model("slow", SLOW)
    process = transform.start("--threads", "2", "--openlineage-url", collector.url)
    until(SLOW_STATEMENTS)

    process.send(signal.SIGTERM)

    assert process.ended_as(Outcome.CANCELLED)
    assert [line for event in collector.heard for line in violations(event)] == []
    assert collector.kinds("analytics") == ["START", "ABORT"]
    assert collector.kinds("analytics.tiny.slow") == ["START", "ABORT"]
    [_, end] = collector.of("analytics.tiny.slow")
    assert end["run"]["facets"]["errorMessage"]["message"] == "stopped before it ended"


def test_a_run_that_does_not_get_to_build_is_told(transform: Any, collector: Server) -> None:
    (transform.project.folder / "models" / "broken.sql").write_text("{{ no", encoding="utf-8")

    assert transform.run("--openlineage-url", collector.url).ended_as(Outcome.PROJECT_ERROR)

    assert [event["eventType"] for event in collector.heard] == ["START", "FAIL"]


def test_a_run_that_is_skipped_is_told(transform: Any, collector: Server) -> None:
    with psycopg.connect(transform.url, autocommit=True) as other:
        assert try_lock(other, target_lock("analytics"))

        process = transform.run("--lock-timeout", "0s", "--openlineage-url", collector.url)

    assert process.ended_as(Outcome.SKIPPED)
    assert [line for event in collector.heard for line in violations(event)] == []
    assert [event["eventType"] for event in collector.heard] == ["START", "ABORT"]


def hang(handler: Any) -> None:
    handler.server.over.wait(60)


def trickle(handler: Any) -> None:
    """Send a byte of a header now and then, and take the event in the end: whoever waits for each of them, waits long."""
    handler.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nX: ")
    for _ in range(50):
        if handler.server.over.wait(0.5):
            break
        handler.wfile.write(b"x")
    handler.wfile.write(b"\r\n\r\n")


def hang_up(handler: Any) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def endless(handler: Any) -> None:
    handler.send_response(500)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while not handler.server.over.is_set():
        handler.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")


@pytest.mark.parametrize(
    ("answer", "why", "asked"),
    [
        pytest.param(say(500), "127.0.0.1 answered 500", 3, id="500"),
        pytest.param(say(401), "127.0.0.1 answered 401", 3, id="401"),
        pytest.param(
            say(307, Location="/elsewhere"), "127.0.0.1 redirects (307), which is not followed", 3, id="redirect"
        ),
        pytest.param(hang_up, "127.0.0.1 could not be asked: ", None, id="hangs up"),
        pytest.param(endless, "127.0.0.1 answered 500", 3, id="endless"),
        pytest.param(hang, "127.0.0.1 could not be asked: timed out", None, id="hangs"),
        pytest.param(trickle, "127.0.0.1 took longer than 10 seconds", 1, id="trickles"),
    ],
)
def test_nothing_that_a_collector_does_reaches_the_run(
    transform: Any, collector: Server, answer: Answer, why: str, asked: int | None
) -> None:
    collector.answer = answer

    process = transform.run("--openlineage-url", collector.url)

    assert the_end(process) == (0, "Succeeded")
    [warning] = warnings(process)
    assert (warning["level"], warning["message"], warning["events"], warning["of"]) == ("warning", WARNING, 8, 8)
    assert warning["why"].startswith(why)
    assert asked is None or len(collector.asked) == asked  # it is not asked for ever


def test_a_collector_that_comes_back_hears_the_rest(transform: Any, collector: Server) -> None:
    replies = iter([500, 503, 201, 500])

    def answer(handler: Any) -> None:
        say(next(replies, 201))(handler)

    collector.answer = answer

    process = transform.run("--openlineage-url", collector.url)

    [warning] = warnings(process)
    assert (warning["events"], warning["of"], len(collector.heard)) == (3, 8, 8)


def test_a_connection_that_rested_too_long_is_made_again(transform: Any, collector: Server) -> None:
    def answer(handler: Any) -> None:
        say(201)(handler)
        handler.close_connection = True  # without saying so

    collector.answer = answer

    assert transform.run("--openlineage-url", collector.url).ended_as(Outcome.SUCCEEDED)
    assert collector.connections == len(collector.heard) == 8


def test_nobody_listens(transform: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    process = transform.run("--openlineage-url", f"http://127.0.0.1:{port}")

    assert the_end(process) == (0, "Succeeded")
    [warning] = warnings(process)
    assert "Connection refused" in warning["why"]


@pytest.fixture
def authority(collector: Server) -> trustme.CA:
    """Let the collector speak TLS, with a certificate of an authority of its own."""
    made = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("localhost").configure_cert(context)
    collector.socket = context.wrap_socket(collector.socket, server_side=True, do_handshake_on_connect=False)
    return made


def test_an_authority_of_its_own_is_trusted_if_it_is_given(
    transform: Any, collector: Server, authority: trustme.CA, key: Path
) -> None:
    (key / "ca.crt").write_bytes(authority.cert_pem.bytes())
    url = f"https://localhost:{collector.port}"

    good = transform.run("--openlineage-url", url, GITMART_OPENLINEAGE_CREDENTIALS_DIR=str(key))

    assert good.ended_as(Outcome.SUCCEEDED)
    assert len(collector.heard) == 8
    (key / "ca.crt").unlink()
    unknown = transform.run("--openlineage-url", url, GITMART_OPENLINEAGE_CREDENTIALS_DIR=str(key))
    assert the_end(unknown) == (0, "Succeeded")
    assert len(collector.heard) == 8
    assert "certificate verify failed" in warnings(unknown)[0]["why"]


def test_a_certificate_of_another_host_is_refused(
    transform: Any, collector: Server, authority: trustme.CA, key: Path
) -> None:
    (key / "ca.crt").write_bytes(authority.cert_pem.bytes())

    process = transform.run(
        "--openlineage-url", f"https://127.0.0.1:{collector.port}", GITMART_OPENLINEAGE_CREDENTIALS_DIR=str(key)
    )

    assert the_end(process) == (0, "Succeeded")
    assert collector.heard == []
    assert "certificate is not valid for '127.0.0.1'" in warnings(process)[0]["why"]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "Secret lineage in namespace team is missing or empty: allowed are the keys api-key and ca.crt"),
        ({"api-key": "a b"}, "key api-key of Secret lineage in namespace team holds a space or a non-ASCII character"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told(
    transform: Any, collector: Server, tmp_path: Path, files: dict[str, str], why: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    folder = tmp_path if files else tmp_path / "nowhere"

    process = transform.run(
        "--openlineage-url", collector.url,
        GITMART_OPENLINEAGE_CREDENTIALS_DIR=str(folder),
        GITMART_OPENLINEAGE_CREDENTIALS_SOURCE="Secret lineage in namespace team",
    )  # fmt: skip

    assert the_end(process) == (0, "Succeeded")
    assert collector.heard == []
    assert warnings(process)[0]["why"].startswith(why)
