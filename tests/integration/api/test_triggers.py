"""Runs on request over HTTP: who may ask, and what is asked of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from tests.integration.api.hooked import ANNOTATION, NOWHERE, Hooked, hooked
from tests.integration.api.issuing import Issuer, issuing
from tests.integration.api.serving import process_of
from tests.unit.handlers.api_server import refusal

from gitmart.api.hooks.kubernetes import ATTEMPTS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hooks")]

READER, DEPLOYER = "a-token-of-a-reader", "a-token-of-a-deployer"
REPOSITORY, SCHEDULE = "/repositories/team-a/hello/extract", "/dbtschedules/team-a/analytics/run"
PATHS = {
    REPOSITORY: "/apis/gitmart.dev/v1alpha1/namespaces/team-a/repositories/hello",
    SCHEDULE: "/apis/gitmart.dev/v1alpha1/namespaces/team-a/dbtschedules/analytics",
}


def tokens_in(folder: Path) -> Path:
    """Write a file with the tokens of two."""
    file = folder / "tokens"
    file.write_text(f"reader={READER}\ndeployer={DEPLOYER}\n")
    return file


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as server:
        yield server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Hooked]:
    """An API that some may ask for runs, of tokens and of an issuer, and a cluster with something to run."""
    folder = tmp_path_factory.mktemp("triggers")
    with hooked(
        folder, f"--tokens-file={tokens_in(folder)}", f"--oidc-issuer={issuer.address}", "--oidc-audience=gitmart",
        "--oidc-groups-claim=realm_access.roles", "--triggers-by=deployer,oidc:someone,oidc-group:Platform Team",
    ) as made:  # fmt: skip
        yield made


@pytest.fixture(autouse=True)
def objects(place: Hooked) -> None:
    """What there is to run, as if nobody had asked."""
    place.cluster.trouble.clear()
    place.cluster.requests.clear()
    for path in PATHS.values():
        place.cluster.put(path, {"metadata": {"namespace": "team-a"}, "spec": {}})


def ask(place: Hooked, path: str, token: str | None = DEPLOYER) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.post(place.address + path, headers=headers, timeout=30)


@pytest.mark.parametrize("path", PATHS)
def test_a_run_is_asked_for_and_the_answer_names_it(place: Hooked, path: str) -> None:
    first, second = ask(place, path), ask(place, path)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["token"] != second.json()["token"]
    metadata = place.cluster.objects[PATHS[path]]["metadata"]
    assert metadata["annotations"] == {ANNOTATION: second.json()["token"]}


@pytest.mark.parametrize(
    ("token", "status", "detail"),
    [
        (None, 401, "a token is needed"),
        ("x" * 20, 401, "neither a static token nor a JSON Web Token"),
        (READER, 403, "'reader' may not ask for runs"),
    ],
)
def test_who_may_read_need_not_be_let_ask(place: Hooked, token: str | None, status: int, detail: str) -> None:
    answer = ask(place, REPOSITORY, token)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]
    assert place.cluster.requests == []


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 403),
        ({"sub": "someone"}, 202),
        ({"realm_access": {"roles": ["readers", "Platform Team"]}}, 202),
        ({"realm_access": {"roles": "Platform Team"}}, 202),
        ({"realm_access": {"roles": ["platform team", "Platform", "oidc:someone", "deployer", "*"]}}, 403),
        ({"groups": ["Platform Team"], "roles": ["Platform Team"]}, 403),
        ({"sub": "oidc-group:Platform Team"}, 403),
        ({"sub": "deployer"}, 403),
        ({"exp": 1, "realm_access": {"roles": ["Platform Team"]}}, 401),
        ({"aud": "another", "realm_access": {"roles": ["Platform Team"]}}, 401),
    ],
)
def test_a_group_of_the_issuer_may_be_let_ask(
    place: Hooked, issuer: Issuer, claims: dict[str, object], status: int
) -> None:
    answer = ask(place, REPOSITORY, issuer.token(**claims))

    assert answer.status_code == status, answer.text
    assert bool([method for method, _, _ in place.cluster.requests if method == "PATCH"]) is (status == 202)


def test_a_claim_that_somebody_else_signed_lets_nobody_ask(place: Hooked, issuer: Issuer) -> None:
    with issuing() as other:
        forged = other.token(iss=issuer.address, sub="someone")
    assert ask(place, REPOSITORY, forged).status_code == 401
    assert place.cluster.requests == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/repositories/team-a/unknown/extract", 404),
        ("/repositories/team-a/..%2f..%2fsecrets/extract", 404),
        ("/repositories/team-a/a%3Fdry/extract", 422),
        ("/repositories/Team/a/extract", 422),
        (f"/repositories/{'a' * 64}/a/extract", 422),
        ("/dbtschedules/team-a/hello/run", 404),
    ],
)
def test_a_name_that_is_none_is_refused(place: Hooked, path: str, status: int) -> None:
    answer = ask(place, path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert not [path for method, path, _ in place.cluster.requests if "secrets" in path]


@pytest.mark.parametrize(
    ("trouble", "status", "detail"),
    [
        (lambda: refusal(403, "Forbidden", "may not patch"), 403, "does not let gitmart's API do this: may not patch"),
        (lambda: refusal(409, "Conflict", "modified"), 409, "the cluster says: modified"),
        (lambda: refusal(429, "TooManyRequests", "later", {"Retry-After": "3"}), 429, "busy"),
        (lambda: refusal(503, "Unavailable", "no"), 503, "HTTP 503"),
        (lambda: None, 503, "does not answer"),
    ],
)
def test_trouble_of_the_cluster_is_told(
    place: Hooked, trouble: Callable[[], web.Response | None], status: int, detail: str
) -> None:
    place.cluster.trouble[:] = [trouble() for _ in range(2 * ATTEMPTS)]

    answer = ask(place, SCHEDULE)

    assert answer.status_code == status
    assert detail in answer.json()["detail"]


def test_outside_of_a_cluster_nothing_can_be_asked_for(tmp_path: Path) -> None:
    words = (f"--tokens-file={tokens_in(tmp_path)}", "--triggers-by=*")
    with process_of(NOWHERE, *words, KUBERNETES_SERVICE_HOST="") as process:
        answer = httpx.post(process.address + REPOSITORY, headers={"Authorization": f"Bearer {READER}"})

    assert answer.status_code == 404
    assert "`gitmart local run KIND NAME`" in answer.json()["detail"]


def test_nobody_in_particular_may_ask_for_runs(tmp_path: Path) -> None:
    with hooked(tmp_path, "--triggers-by=*") as open_to_all:
        answer = ask(open_to_all, REPOSITORY, None)
        described = httpx.get(f"{open_to_all.address}/openapi.json").json()

    assert (answer.status_code, open_to_all.cluster.requests) == (403, [])
    assert {"/hooks/github", "/hooks/gitlab", "/hooks/generic"} <= set(described["paths"])
    told = described["paths"]["/repositories/{namespace}/{name}/extract"]["post"]["responses"]
    assert {"202", "403", "404", "409", "422", "429", "503"} <= set(told)


def test_who_asked_for_a_run_is_told_in_the_log(place: Hooked) -> None:
    token = ask(place, REPOSITORY).json()["token"]

    told = place.told("a run is asked for")
    assert (told[-1]["token"], told[-1]["by"]) == (token, "deployer")
    assert not [line for line in place.log() if DEPLOYER in line or READER in line]
