"""An answer is kept until the marts change, and no longer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.conftest import Repository, Warehouse
from tests.integration.api.holding import building, held, until, waiting
from tests.integration.api.serving import Served, figure, process_of

pytestmark = pytest.mark.slow

SUMMARY = "/analytics/repository/1/summary"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with one commit."""
    made = Repository(tmp_path_factory.mktemp("caching") / "project")
    made.write("a.py", "one\n")
    made.commit()
    return made


@pytest.fixture(scope="module")
def built(shared_warehouse: Warehouse, history: Repository) -> Warehouse:
    """A warehouse with its marts."""
    extract(shared_warehouse, history)
    gitmart("transform", "--no-docs", url=shared_warehouse.url("gitmart_transform"))
    return shared_warehouse


@pytest.fixture(scope="module")
def served(built: Warehouse) -> Iterator[Served]:
    """A process that asks the warehouse for its state before every answer."""
    with process_of(built.url("gitmart_read"), "--check-interval", "0s") as process:
        yield process


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.address, timeout=30) as client:
        yield client


def gitmart(*words: str, url: str) -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "gitmart", *words],
        env={**os.environ, "GITMART_WAREHOUSE_URL": url}, capture_output=True, check=True,
    )  # fmt: skip


def extract(warehouse: Warehouse, history: Repository) -> None:
    gitmart("extract", "--allow-file-urls", "--url", history.url, url=warehouse.url("gitmart_extract"))


def cached(served: Served, result: str) -> float:
    """Return how many requests the cache served so."""
    return figure(served, f'gitmart_api_cache_total{{result="{result}"}}')


def test_every_mart_is_analysed_when_it_is_new(built: Warehouse) -> None:
    passed_over = built.query(
        "select relname from pg_stat_all_tables where schemaname = 'analytics' and analyze_count = 0"
    )
    assert passed_over == []


def test_what_was_asked_is_kept_in_whatever_order_of_parameters(client: httpx.Client, served: Served) -> None:
    first = client.get(f"{SUMMARY}?merges=false&bots=true")
    hits = cached(served, "hit")
    again = client.get(f"{SUMMARY}?bots=true&merges=false")
    head = client.head(f"{SUMMARY}?bots=true&merges=false")

    assert cached(served, "hit") == hits + 2
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", first.headers["ETag"])
    assert head.headers["Content-Length"] == first.headers["Content-Length"]
    other = client.get(f"{SUMMARY}?bots=false&merges=false")
    assert other.headers["ETag"] != first.headers["ETag"]


GZIP, PLAIN = {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}


@pytest.mark.parametrize("path", ["/", "/repositories/1", "/analytics/metrics"])
def test_an_answer_is_the_same_in_either_coding(client: httpx.Client, served: Served, path: str) -> None:
    plain, hits = client.get(path, headers=PLAIN), cached(served, "hit")
    zipped, head, plain_head = (
        client.get(path, headers=GZIP),
        client.head(path, headers=GZIP),
        client.head(path, headers=PLAIN),
    )

    assert cached(served, "hit") == hits + 3, "one answer is kept for both"
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert zipped.content == plain.content
    assert zipped.num_bytes_downloaded < len(plain.content)
    assert int(zipped.headers["Content-Length"]) == zipped.num_bytes_downloaded
    assert zipped.headers["ETag"] == plain.headers["ETag"]
    for answer in (plain, zipped, head, plain_head):
        assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    lengths = [answer.headers["Content-Length"] for answer in (plain, zipped)]
    assert [answer.headers["Content-Length"] for answer in (plain_head, head)] == lengths
    for coding in (GZIP, PLAIN):
        known = client.get(path, headers=coding | {"If-None-Match": zipped.headers["ETag"]})
        assert (known.status_code, known.headers["Vary"]) == (304, "Accept, Accept-Encoding")
        assert "Content-Encoding" not in known.headers


def test_what_is_not_kept_is_compressed_and_what_gets_no_smaller_is_not(client: httpx.Client, served: Served) -> None:
    [style] = re.findall(r'href="(/assets/style[^"]*)"', client.get("/").text)
    for path in (style, "/openapi.json"):
        plain, zipped = client.get(path, headers=PLAIN), client.get(path, headers=GZIP)
        assert (plain.headers.get("Content-Encoding"), zipped.headers["Content-Encoding"]) == (None, "gzip")
        assert zipped.content == plain.content
    for form in ("parquet", "arrow"):
        answer = client.get(f"/analytics/hours?format={form}", headers=GZIP)
        assert (answer.status_code, "Content-Encoding" in answer.headers) == (200, False)
    figures = httpx.get(f"{served.metrics}/metrics", headers=GZIP)
    assert "Content-Encoding" not in figures.headers, "asked for beside the process, every few seconds"


def test_an_answer_that_is_known_is_not_sent_again(client: httpx.Client) -> None:
    tag = client.get(SUMMARY).headers["ETag"]
    known = client.get(SUMMARY, headers={"If-None-Match": tag})

    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", tag)
    assert client.get(SUMMARY, headers={"If-None-Match": '"another"'}).status_code == 200


def test_each_format_is_an_answer_of_its_own(client: httpx.Client) -> None:
    path = "/analytics/repositories"
    tables = [client.get(path, headers={"Accept": kind}) for kind in ("application/json", "text/csv")]
    by_name = client.get(f"{path}?format=csv")

    assert [table.headers["Content-Type"].partition(";")[0] for table in tables] == ["application/json", "text/csv"]
    assert by_name.text == tables[1].text
    assert len({answer.headers["ETag"] for answer in (*tables, by_name)}) == 3


def test_errors_and_runs_are_not_kept(client: httpx.Client) -> None:
    for path in ("/analytics/repository/99/summary", f"{SUMMARY}?merges=maybe", "/analytics/runs"):
        answer = client.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers


def test_a_change_is_seen_with_the_next_answer(
    client: httpx.Client, built: Warehouse, history: Repository, served: Served
) -> None:
    before = client.get(SUMMARY)
    history.commit("another")
    extract(built, history)
    raw = client.get(SUMMARY, headers={"If-None-Match": before.headers["ETag"]})
    assert raw.status_code == 304, "an extraction alone changes no mart"

    gitmart("transform", "--no-docs", url=built.url("gitmart_transform"))
    after = client.get(SUMMARY, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.json()["commits"] == before.json()["commits"] + 1
    assert after.headers["ETag"] != before.headers["ETag"]
    assert "Last-Modified" in after.headers


def test_while_a_build_runs_nothing_new_is_kept(client: httpx.Client, built: Warehouse) -> None:
    kept = client.get(SUMMARY)
    with building(built):
        assert client.get(SUMMARY, headers={"If-None-Match": kept.headers["ETag"]}).status_code == 304
        assert client.get(SUMMARY).headers["ETag"] == kept.headers["ETag"], "made before it began"
        meanwhile = client.get(f"{SUMMARY}?since=2001-01-01")
        assert (meanwhile.status_code, meanwhile.headers["Cache-Control"]) == (200, "no-store")
    assert client.get(SUMMARY).headers["ETag"] == kept.headers["ETag"], "it has changed nothing"
    assert "ETag" in client.get(f"{SUMMARY}?since=2001-01-01").headers


def test_an_answer_that_a_build_overtook_is_not_kept(client: httpx.Client, built: Warehouse) -> None:
    path = f"{SUMMARY}?since=2002-01-01"
    with ThreadPoolExecutor() as pool:
        with held(built):
            asking = pool.submit(client.get, path)
            until(lambda: waiting(built) == 1)
            # A table that is new, and no run that tells of it: as dbt by hand would leave it.
            built.query("create table analytics.of_a_build ()")
        answer = asking.result()
    built.query("drop table analytics.of_a_build")

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "ETag" in client.get(path).headers


def test_what_many_ask_for_at_a_time_is_made_once(client: httpx.Client, built: Warehouse, served: Served) -> None:
    shared = cached(served, "shared")
    with ThreadPoolExecutor(8) as pool:
        with held(built):
            asking = [pool.submit(client.get, f"{SUMMARY}?since=2003-01-01") for _ in range(8)]
            until(lambda: figure(served, "gitmart_api_requests_waiting") == 8)
            until(lambda: waiting(built) > 0)
            assert waiting(built) == 1
        answers = [each.result() for each in asking]

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert cached(served, "shared") == shared + 7
