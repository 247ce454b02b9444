"""Webhooks over HTTP: what is asked of the cluster, and what is refused. A process of its own answers."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import httpx
import pytest
from aiohttp import web
from tests.integration.api.hooked import (
    LIST,
    SECRET,
    SIGNING_TOKEN,
    Hooked,
    hooked,
    hub,
    push_of,
    replica_of,
    standard,
)
from tests.unit.handlers.api_server import TOKEN, refusal

from gitmart.api.hooks.bodies import LIMIT
from gitmart.api.hooks.gathering import LONGEST
from gitmart.api.hooks.kubernetes import ATTEMPTS
from gitmart.api.hooks.signatures import TOLERANCE, key_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hooks")]

KEY = key_of(SIGNING_TOKEN)
TWICE = "https://github.com/octocat/twice.git"
SPARE = 250  # Repositories, so that a list of them has three pages


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooked]:
    """The API and its cluster, with Repositories for all tests: a new one would be unknown for some seconds."""
    with hooked(tmp_path_factory.mktemp("hooks")) as made:
        made.repository(TWICE)
        made.repository(TWICE.removesuffix(".git"), "team-b")
        for number in range(SPARE):
            made.repository(f"https://github.com/octocat/hello-{number}.git")
        yield made


@pytest.fixture
def hello(place: Hooked) -> Iterator[str]:
    """The address of a Repository that no test has used."""
    place.cluster.requests.clear()
    yield place.spare()
    place.cluster.trouble.clear()


def asked(count: int = 1) -> dict[str, Any]:
    return {"result": "asked", "repositories": count}


def test_a_push_at_github_asks_for_a_run_once(place: Hooked, hello: str) -> None:
    body = push_of(hello)

    answers = [place.send("github", body, hub(body, **{"X-GitHub-Delivery": str(number)})) for number in range(2)]

    assert [(each.status_code, each.json()["result"]) for each in answers] == [(202, "asked"), (200, "repeated")]
    assert answers[0].json() == asked()
    assert place.writes(hello) == place.writes() == 1
    told = place.told("a run is asked for")
    assert (told[-1]["kind"], told[-1]["token"]) == ("repositories", place.token(hello))


def test_each_replica_acts_once_on_what_is_sent_to_all(place: Hooked, hello: str) -> None:
    """What a replay to another pod costs is one write: the annotation holds one value, so at most one run follows."""
    body = push_of(hello)
    headers = hub(body, **{"X-GitHub-Delivery": "sent to all"})
    with replica_of(place) as other:
        answers = [each.send("github", body, headers).json()["result"] for each in (place, other, place, other)]

    assert answers == ["asked", "asked", "repeated", "repeated"]
    assert place.writes(hello) == place.writes() == 2


def test_each_push_has_a_token_of_its_own(place: Hooked, hello: str) -> None:
    tokens = set()
    for _ in range(2):
        body = push_of(hello)
        assert place.send("github", body, hub(body)).json() == asked()
        tokens.add(place.token(hello))

    assert len(tokens) == 2


@pytest.mark.parametrize(
    ("sender", "spelling", "headers"),
    [
        ("gitlab", "https://GitHub.com/OctoCat/", lambda body: standard(body, KEY)),
        ("gitlab", "https://github.com/octocat/", lambda _: {"X-Gitlab-Token": SECRET}),
        ("github", "https://github.com:443/octocat/", lambda body: hub(body, "an-older-secret-of-the-hooks")),
    ],
    ids=["gitlab signed", "gitlab token", "older secret"],
)
def test_each_sender_s_proof_is_taken(place: Hooked, hello: str, sender: str, spelling: str, headers: Any) -> None:
    body = push_of(hello.replace("https://github.com/octocat/", spelling).removesuffix(".git"))

    answer = place.send(sender, body, headers(body))

    assert (answer.status_code, answer.json()) == (202, asked())
    assert place.writes(hello) == 1


def test_a_generic_message_counts_once_however_often_it_is_sent(place: Hooked, hello: str) -> None:
    body = json.dumps({"url": hello}).encode()
    key = SECRET.encode()

    answers = [place.send("generic", body, standard(body, key, identity="one", late=late)) for late in (2, 1, 0)]

    assert [each.json()["result"] for each in answers] == ["asked", "repeated", "repeated"]
    assert place.writes(hello) == 1


def test_the_manual_s_own_shell_is_understood(place: Hooked, hello: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
    (block,) = (each for each in re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE) if "dgst" in each)
    shell = block.replace("https://git.example.org/group/name.git", hello)

    done = subprocess.run(
        ["bash", "-euc", shell],
        env=os.environ | {"SECRET": SECRET, "GITMART": place.address},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, json.loads(done.stdout)) == (0, asked()), done.stderr


def test_a_form_of_github_is_understood(place: Hooked, hello: str) -> None:
    body = urlencode({"payload": push_of(hello).decode()}).encode()

    answer = place.send("github", body, hub(body, **{"content-type": "application/x-www-form-urlencoded"}))

    assert answer.json() == asked()


def test_all_repositories_with_the_address_are_asked(place: Hooked) -> None:
    place.cluster.requests.clear()
    body = push_of(TWICE)

    assert place.send("github", body, hub(body)).json() == asked(2)
    assert place.writes() == 2


def test_an_unknown_repository_is_accepted_and_nothing_is_written(place: Hooked, hello: str) -> None:
    body = push_of("https://github.com/octocat/unknown.git")

    answer = place.send("github", body, hub(body))

    assert (answer.status_code, answer.json()) == (202, asked(0))
    assert place.writes() == 0


@pytest.mark.parametrize("event", ["ping", "issues", ""])
def test_other_events_are_received_and_ignored(place: Hooked, hello: str, event: str) -> None:
    body = b'{"zen": "Keep it logically awesome."}'

    answer = place.send("github", body, hub(body, **{"X-GitHub-Event": event}))

    assert (answer.status_code, answer.json()["result"]) == (200, "ignored")
    assert place.cluster.requests == []


FORGED = {
    "no signature": ("github", lambda _: {"X-GitHub-Event": "push"}),
    "another secret": ("github", lambda body: hub(body, "not-the-secret-of-the-hooks")),
    "another body": ("github", lambda body: hub(body + b" ")),
    "gitlab's secret": ("github", lambda body: hub(body, SIGNING_TOKEN)),
    "a token for a signature": ("github", lambda _: {"X-Gitlab-Token": SECRET}),
    "wrong token": ("gitlab", lambda _: {"X-Gitlab-Token": SECRET + "x"}),
    "signing token sent": ("gitlab", lambda _: {"X-Gitlab-Token": SIGNING_TOKEN}),
    "wrong key": ("generic", lambda body: standard(body, KEY)),
    "too old": ("generic", lambda body: standard(body, SECRET.encode(), late=TOLERANCE + 5)),
    "from the future": ("gitlab", lambda body: standard(body, KEY, late=-TOLERANCE - 5)),
    "another id": ("generic", lambda body: standard(body, SECRET.encode()) | {"webhook-id": "another"}),
}


@pytest.mark.parametrize("name", FORGED)
def test_who_proves_nothing_is_told_nothing(place: Hooked, hello: str, name: str) -> None:
    sender, headers = FORGED[name]
    told = []
    for url in (hello, "https://github.com/octocat/unknown.git"):
        body = json.dumps({"url": url}).encode() if sender == "generic" else push_of(url)
        answer = place.send(sender, body, headers(body))
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        told.append(answer.text)

    assert told[0] == told[1]
    assert place.cluster.requests == []


@pytest.mark.parametrize(
    ("changed", "body", "status", "detail"),
    [
        ({"content-type": "text/plain"}, None, 415, "Content-Type must be application/json or application/x-www-form"),
        ({"content-type": ""}, None, 415, "Content-Type must be"),
        ({}, b"{", 400, "the body is no JSON in UTF-8"),
        ({}, b"[]", 400, "must be a JSON object"),
        ({}, b"{}", 400, "repository.clone_url must be"),
        ({}, b" " * (LIMIT + 1), 413, f"at most {LIMIT} bytes"),
    ],
)
def test_what_is_malformed_is_named(
    place: Hooked, hello: str, changed: dict[str, str], body: bytes | None, status: int, detail: str
) -> None:
    body = push_of(hello) if body is None else body

    answer = place.send("github", body, hub(body) | changed)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]
    assert place.cluster.requests == []


def test_a_body_without_a_length_is_cut_off_where_it_is_too_large(place: Hooked, hello: str) -> None:
    """The sender never ends: only a limit that counts while it reads can answer."""
    with socket.create_connection(("127.0.0.1", urlsplit(place.address).port or 0)) as connection:
        connection.settimeout(30)
        signature = hub(b"")["X-Hub-Signature-256"]
        connection.sendall(
            f"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Hub-Signature-256: {signature}"
            "\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(LIMIT // 0x10000 + 1):
            connection.sendall(part)
        answer = connection.recv(65536).decode()

    assert answer.startswith("HTTP/1.1 413 ")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_taken(place: Hooked, method: str) -> None:
    answer = httpx.request(method, f"{place.address}/hooks/github")

    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")


def test_secrets_are_read_when_they_are_needed(place: Hooked, hello: str) -> None:
    file, newer = place.secrets / "generic", "a-newer-secret-of-the-hooks"
    body = json.dumps({"url": hello}).encode()
    before = file.read_text()

    assert place.send("generic", body, standard(body, newer.encode())).status_code == 401
    try:
        file.write_text(f"{SECRET}\n{newer}\nshort\n")
        assert place.send("generic", body, standard(body, newer.encode())).status_code == 202
        file.write_text(newer)
        assert place.send("generic", body, standard(body, SECRET.encode())).status_code == 401
        file.unlink()
        assert place.send("generic", body, standard(body, newer.encode())).status_code == 401
    finally:
        file.write_text(before)
    assert {line.get("reason") for line in place.told("a secret cannot be used")} == {"it is shorter than 16 bytes"}


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        pytest.param(lambda: refusal(403, "Forbidden", "may not patch"), 403, id="forbidden"),
        pytest.param(lambda: refusal(409, "Conflict", "modified"), 409, id="conflict"),
        pytest.param(lambda: refusal(429, "TooManyRequests", "later", {"Retry-After": "3"}), 429, id="busy"),
        pytest.param(lambda: refusal(500, "InternalError", "oh"), 503, id="failing"),
        pytest.param(lambda: None, 503, id="hanging up"),
        pytest.param(lambda: web.Response(text="<html>"), 503, id="no API server"),
    ],
)
def test_trouble_of_the_cluster_is_told_and_the_delivery_may_come_again(
    place: Hooked, hello: str, trouble: Callable[[], web.Response | None], status: int
) -> None:
    body = push_of(hello)
    place.cluster.trouble[:] = [trouble() for _ in range(2 * ATTEMPTS)]  # aiohttp repeats some by itself

    failed = place.send("github", body, hub(body))
    place.cluster.trouble.clear()
    again = place.send("github", body, hub(body))

    assert (failed.status_code, failed.headers["content-type"]) == (status, "application/problem+json")
    assert ("Retry-After" in failed.headers) is (status in (429, 503))
    assert again.json() == asked()
    assert place.writes(hello) >= 1


def test_one_failure_of_the_cluster_is_not_noticed(place: Hooked, hello: str) -> None:
    body = push_of(hello)
    place.cluster.trouble[:] = [None]

    assert place.send("github", body, hub(body)).json() == asked()


def test_the_service_account_s_token_is_read_again(place: Hooked, hello: str) -> None:
    body = push_of(hello)
    try:
        (place.account / "token").write_text("expired")
        assert place.send("github", body, hub(body)).status_code == 503
        (place.account / "token").write_text(TOKEN)
        assert place.send("github", body, hub(body)).json() == asked()
    finally:
        (place.account / "token").write_text(TOKEN)


def test_a_long_list_of_repositories_is_read_page_by_page(tmp_path: Path) -> None:
    with hooked(tmp_path) as fresh:
        for number in range(SPARE):
            fresh.repository(f"https://github.com/octocat/hello-{number}.git")
        wanted = fresh.spare()
        body = push_of(wanted)

        assert fresh.send("github", body, hub(body)).json() == asked()
        assert [query["limit"] for _, path, query in fresh.cluster.requests if path == LIST] == ["100"] * 3


def test_a_repository_that_is_gone_is_no_failure(place: Hooked, hello: str) -> None:
    del place.cluster.objects[place.paths[hello]]
    body = push_of(hello)

    assert place.send("github", body, hub(body)).json() == asked(0)


def test_in_some_namespaces_alone_only_these_are_listed(tmp_path: Path) -> None:
    with hooked(tmp_path, GITMART_WATCH_NAMESPACES="team-a, team-b") as limited:
        for namespace in ("team-a", "team-b", "team-c"):
            limited.repository(TWICE, namespace)
        body = push_of(TWICE)

        assert limited.send("github", body, hub(body)).json() == asked(2)
        lists = [path for method, path, _ in limited.cluster.requests if method == "GET"]
        assert lists == [f"/apis/gitmart.dev/v1alpha1/namespaces/{each}/repositories" for each in ("team-a", "team-b")]


def test_a_burst_is_one_request(place: Hooked, hello: str) -> None:
    """A thousand pushes; how many requests they become is bounded by how long they take to come."""
    began = time.monotonic()

    async def send_all() -> list[int]:
        connector = aiohttp.TCPConnector(limit=100)
        async with aiohttp.ClientSession(place.address, connector=connector) as client:

            async def one() -> int:
                body = push_of(hello)
                headers = hub(body) | {"content-type": "application/json"}
                async with client.post("/hooks/github", data=body, headers=headers) as answer:
                    return answer.status

            return await asyncio.gather(*(one() for _ in range(1000)))

    codes = asyncio.run(send_all())
    ended = time.monotonic()

    assert set(codes) == {202}
    assert 1 <= place.writes(hello) <= math.ceil((ended - began) / LONGEST) + 1


def test_no_secret_is_logged(place: Hooked, hello: str) -> None:
    body = push_of(hello)
    for headers in ({"X-Gitlab-Token": SECRET}, {"X-Gitlab-Token": SECRET + "x"}, standard(body + b" ", KEY)):
        place.send("gitlab", body, headers)
    log = "".join(place.log())

    assert "a webhook was refused" in log
    assert not [word for word in (SECRET, SIGNING_TOKEN, TOKEN, "an-older-secret") if word in log]


def test_without_secrets_or_a_cluster_there_are_no_webhooks(tmp_path: Path) -> None:
    body = push_of(TWICE)
    with hooked(tmp_path, GITMART_API_HOOK_SECRETS="") as bare:
        answer = bare.send("github", body, hub(body))

    assert (answer.status_code, answer.json()["detail"]) == (404, "webhooks are not set up here")
