"""What becomes of requests when the warehouse is slow, away or not built, and of those under way at the end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.conftest import Warehouse
from tests.integration.api.holding import held, until, waiting
from tests.integration.api.serving import Served, figure, process_of

from gitmart.warehouse.migrate import migrate

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

SUMMARY = "/analytics/repository/1/summary"


@pytest.fixture(scope="module")
def narrow(sample_warehouse: Warehouse) -> Iterator[Served]:
    """A process with little room: one connection, two answers at a time, a second for each query."""
    with process_of(
        sample_warehouse.url("gitmart_read"),
        *("--connections", "1", "--connection-timeout", "1s", "--statement-timeout", "3s", "--max-requests", "2"),
    ) as served:
        yield served


@pytest.fixture
def client(narrow: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=narrow.address, timeout=30) as client:
        yield client


def test_too_much_at_a_time_is_refused_and_not_queued(
    client: httpx.Client, narrow: Served, sample_warehouse: Warehouse
) -> None:
    with ThreadPoolExecutor() as pool, held(sample_warehouse):
        slow = pool.submit(client.get, f"{SUMMARY}?since=2001-01-01")
        until(lambda: waiting(sample_warehouse) == 1)
        queued = pool.submit(client.get, f"{SUMMARY}?since=2001-01-02")
        until(lambda: figure(narrow, "gitmart_api_answers_in_progress") == 2)
        refused = client.get(f"{SUMMARY}?since=2001-01-03")
        timed_out, without_connection = slow.result(), queued.result()

    assert (refused.status_code, refused.headers["Retry-After"], refused.json()["reason"]) == (503, "1", "busy")
    assert "too many answers are being made" in refused.json()["detail"]
    assert (without_connection.status_code, without_connection.json()["reason"]) == (503, "busy")
    assert "all connections" in without_connection.json()["detail"]
    assert (timed_out.status_code, timed_out.json()["reason"]) == (504, "timeout")
    assert "longer than 3s: ask for less, with since and until" in timed_out.json()["detail"]
    assert client.get(f"{SUMMARY}?since=2001-01-01").status_code == 200, "none of it stays"


def test_the_query_of_a_client_that_went_away_is_cancelled(
    narrow: Served, client: httpx.Client, sample_warehouse: Warehouse
) -> None:
    address = httpx.URL(narrow.address)
    with held(sample_warehouse):
        with socket.create_connection((address.host, address.port or 80)) as leaving:
            leaving.sendall(f"GET {SUMMARY}?since=2001-02-01 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            until(lambda: waiting(sample_warehouse) == 1)
        until(lambda: waiting(sample_warehouse) == 0 and figure(narrow, "gitmart_api_answers_in_progress") == 0)
    narrow.line("request", status=499)
    assert client.get(SUMMARY).status_code == 200


def test_one_of_two_clients_may_go_away(narrow: Served, client: httpx.Client, sample_warehouse: Warehouse) -> None:
    path, address = f"{SUMMARY}?since=2001-03-01", httpx.URL(narrow.address)
    with ThreadPoolExecutor() as pool:
        with held(sample_warehouse):
            host = f"{address.host}:{address.port}"
            with socket.create_connection((address.host, address.port or 80)) as leaving:
                asking = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n"
                leaving.sendall(asking.encode())
                until(lambda: figure(narrow, "gitmart_api_requests_waiting") == 1)
                staying = pool.submit(client.get, path)
                until(lambda: figure(narrow, "gitmart_api_requests_waiting") == 2)
            until(lambda: figure(narrow, "gitmart_api_requests_waiting") == 1)
        assert staying.result().status_code == 200


def test_what_is_under_way_at_the_end_is_answered(sample_warehouse: Warehouse) -> None:
    with process_of(sample_warehouse.url("gitmart_read")) as served, ThreadPoolExecutor() as pool:
        with held(sample_warehouse):
            asking = pool.submit(httpx.get, f"{served.address}{SUMMARY}", timeout=30)
            until(lambda: waiting(sample_warehouse) == 1)
            served.process.terminate()
            until(lambda: httpx.get(f"{served.metrics}/readyz").text == "the process is stopping\n")
            until(lambda: refuses(served.address))
        assert asking.result().status_code == 200
        assert served.process.wait(30) == 0
        served.line("stopped")


def refuses(address: str) -> bool:
    """Whether nothing listens there any more."""
    url = httpx.URL(address)
    try:
        socket.create_connection((url.host, url.port or 80)).close()
    except ConnectionRefusedError:
        return True
    return False


class Way:
    """A way to the server that can be cut off."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._ends: list[socket.socket] = []
        self._listening: socket.socket | None = None
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            self.port = chosen.getsockname()[1]

    def open(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def cut(self) -> None:
        if self._listening is not None:
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._listening = None
        while self._ends:
            with suppress(OSError), closing(self._ends.pop()) as end:
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = listening.accept()
                there = socket.create_connection(self._there)
                self._ends += [here, there]
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def test_a_warehouse_that_is_away_is_said_and_comes_back(sample_warehouse: Warehouse) -> None:
    url = sample_warehouse.url("gitmart_read")
    there = conninfo_to_dict(url)
    way = Way(str(there["host"]), int(there["port"] or 5432))
    with process_of(url.replace(f":{there['port']}/", f":{way.port}/")) as served:
        try:
            away = httpx.get(f"{served.address}{SUMMARY}", timeout=30)
            assert (away.status_code, away.json()["reason"]) == (503, "unreachable")
            assert "PostgreSQL does not answer" in away.json()["detail"]
            assert str(way.port) not in away.text
            assert str(way.port) in served.line(away.json()["detail"])["why"], "the log says where"
            assert httpx.get(f"{served.metrics}/readyz").status_code == 503
            assert httpx.get(f"{served.address}/healthz").status_code == 200
            assert httpx.get(f"{served.address}/openapi.json").status_code == 200

            for _ in range(2):
                way.open()
                until(lambda: httpx.get(f"{served.address}{SUMMARY}", timeout=30).status_code == 200)
                way.cut()
                until(lambda: httpx.get(f"{served.address}{SUMMARY}", timeout=30).status_code == 503)
        finally:
            way.cut()


def test_what_is_lacking_is_said_until_it_is_there(empty_database: Warehouse) -> None:
    with process_of(empty_database.url("gitmart_read"), "--check-interval", "0s") as served:
        empty = httpx.get(f"{served.address}{SUMMARY}")
        assert (empty.status_code, empty.json()["reason"]) == (503, "not_migrated")
        assert "run `gitmart migrate`" in empty.json()["detail"]
        ready = httpx.get(f"{served.metrics}/readyz")
        assert (ready.status_code, "gitmart migrate" in ready.text) == (503, True)

        migrate(empty_database.url("gitmart_owner"))
        bare = httpx.get(f"{served.address}{SUMMARY}")
        assert (bare.status_code, bare.json()["reason"]) == (503, "no_marts")
        assert "run `gitmart transform`" in bare.json()["detail"]
        ready = httpx.get(f"{served.metrics}/readyz")
        assert (ready.status_code, "run `gitmart transform`" in ready.text) == (200, True)
        assert httpx.get(f"{served.address}/analytics/runs").json()["items"] == []
