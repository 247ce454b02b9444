"""Who may ask the real process, and what it tells of whom."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from tests.conftest import Warehouse
from tests.integration.api.holding import until
from tests.integration.api.issuing import Issuer, issuing
from tests.integration.api.serving import Served, command_of, environment_of, figure, process_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

DATA = "/analytics/repositories"
FIRST, SECOND, GREEDY = "canary-first-0123456789", "canary-second-0123456789", "canary-greedy-0123456789"
BURST = 150
PAGE = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def tokens_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the kubelet mounts it: a link to a link, which is swapped when the Secret changes."""
    folder = tmp_path_factory.mktemp("secret")
    mount(folder, f"ci={FIRST}\ngreedy={GREEDY}\n")
    (folder / "tokens").symlink_to("..data/tokens")
    return folder / "tokens"


def mount(folder: Path, content: str) -> None:
    """Change what is mounted, all at once."""
    version = folder / f"..{len(list(folder.iterdir()))}"
    version.mkdir()
    (version / "tokens").write_text(content)
    fresh = folder / "..data_tmp"
    fresh.symlink_to(version.name)
    os.replace(fresh, folder / "..data")  # noqa: PTH105 # rename(2), as the kubelet does


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as server:
        yield server


@pytest.fixture(scope="module")
def guarded(sample_warehouse: Warehouse, tokens_file: Path, issuer: Issuer) -> Iterator[Served]:
    """A process that takes tokens of a file and of an issuer, behind a proxy, for pages of another origin."""
    with process_of(
        sample_warehouse.url("gitmart_read"),
        *("--tokens-file", str(tokens_file), "--oidc-issuer", issuer.address, "--oidc-audience", "gitmart"),
        *("--root-path", "/gitmart", "--cors-origins", "https://grafana.example", "--hsts", "1h"),
        *("--trusted-proxies", "127.0.0.0/8", "--body-limit", "2Ki"),
        *("--rate-limit", "1", "--rate-burst", str(BURST)),  # a slow machine gets few back meanwhile
    ) as served:
        yield served


@pytest.fixture
def client(guarded: Served) -> Iterator[httpx.Client]:
    """A client of it, of an address of its own: no test uses up what another one may ask."""
    address = f"192.0.2.{os.urandom(1)[0]}"
    with httpx.Client(base_url=guarded.address, headers={"X-Forwarded-For": address}, timeout=30) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("canary-wrong-0123456789"), {"Authorization": f"Basic {FIRST}"}, {"Authorization": "Bearer"},
     {"Cookie": "gitmart_session=0123456789abcdef.99999999999." + "0" * 64}, {"Cookie": "gitmart_session=\""}],
    ids=["none", "wrong", "another scheme", "empty", "forged session", "broken cookie"],
)  # fmt: skip
def test_without_a_right_token_there_is_no_answer(client: httpx.Client, headers: dict[str, str]) -> None:
    assert client.get(DATA, headers=bearer(FIRST)).status_code == 200, "so that an answer is kept"
    for path in (DATA, "/openapi.json", "/nowhere"):
        response = client.get(path, headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="gitmart"')
        assert response.headers["Content-Type"] == "application/problem+json"
        assert "garden" not in response.text


def test_an_answer_that_is_kept_is_given_to_nobody_without_a_token(client: httpx.Client) -> None:
    first = client.get(DATA, headers=bearer(FIRST))
    tag = first.headers["ETag"]

    assert client.get(DATA, headers=bearer(FIRST) | {"If-None-Match": tag}).status_code == 304
    assert client.get(DATA, headers={"If-None-Match": tag}).status_code == 401


def test_a_token_of_the_issuer_is_taken(client: httpx.Client, issuer: Issuer) -> None:
    assert client.get(DATA, headers=bearer(issuer.token())).status_code == 200
    expired = client.get(DATA, headers=bearer(issuer.token(exp=1)))
    assert (expired.status_code, expired.json()["detail"]) == (401, "the token has expired")
    assert 'error="invalid_token"' in expired.headers["WWW-Authenticate"]


def test_probes_ask_for_no_token(client: httpx.Client, guarded: Served) -> None:
    for address in (guarded.address, guarded.metrics):
        assert [httpx.get(f"{address}/{path}").text for path in ("healthz", "readyz")] == ["ok\n", "ok\n"]
    assert client.get("/metrics").status_code == 401, "figures are on a port of their own"


def test_a_browser_signs_in_and_out(client: httpx.Client) -> None:
    asked = client.get(f"{DATA}?limit=1", headers=PAGE)
    assert asked.status_code == 303
    page = client.get(asked.headers["Location"].removeprefix("/gitmart"), headers=PAGE)
    assert page.status_code == 200
    assert 'action="/gitmart/sign-in"' in page.text
    assert "style-src 'sha256-" in page.headers["Content-Security-Policy"]
    [there] = re.findall('name="next" value="([^"]*)"', page.text)

    wrong = client.post("/sign-in", data={"token": "canary-wrong-0123456789", "next": there})
    assert (wrong.status_code, "set-cookie" in wrong.headers, "canary" in wrong.text) == (403, False, False)
    assert "none of the tokens" in wrong.text

    right = client.post("/sign-in", data={"token": FIRST, "next": there}, headers={"X-Forwarded-Proto": "https"})
    assert (right.status_code, right.headers["Location"]) == (303, f"/gitmart{DATA}?limit=1")
    cookie = right.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Secure", "Path=/gitmart", "Max-Age=43200"):
        assert part in cookie
    assert "canary" not in cookie

    session = {"Cookie": cookie.partition(";")[0]}
    client.cookies.clear()
    assert client.get(DATA, headers=session).status_code == 200
    foreign = client.post("/analytics/nothing", headers=session | {"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["reason"]) == (403, "origin")
    own = client.post("/analytics/nothing", headers=session | {"Origin": str(client.base_url).rstrip("/")})
    assert own.status_code == 404
    assert client.get("/sign-in", headers=session).status_code == 303

    out = client.post("/sign-out", headers=session)
    assert 'gitmart_session=""' in out.headers["Set-Cookie"]


def test_a_browser_that_comes_by_a_link_shows_its_cookie_once_more(client: httpx.Client) -> None:
    by_link = PAGE | {"Sec-Fetch-Site": "cross-site"}
    page = client.get("/sign-in?next=%2Fa%3Fb%3D1", headers=by_link).text
    assert '<meta http-equiv="refresh" content="0; url=/gitmart/sign-in?again=1&amp;next=%2Fa%3Fb%3D1">' in page
    assert "http-equiv" not in client.get("/sign-in?again=1", headers=by_link).text


@pytest.mark.parametrize("there", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\nb", ""])
def test_signing_in_leads_nowhere_else(client: httpx.Client, there: str) -> None:
    done = client.post("/sign-in", data={"token": FIRST, "next": there})
    assert done.headers["Location"] == "/gitmart/"


def test_a_changed_secret_counts_without_a_restart(guarded: Served, client: httpx.Client, tokens_file: Path) -> None:
    session = client.post("/sign-in", data={"token": FIRST}).headers["Set-Cookie"].partition(";")[0]
    client.cookies.clear()
    mount(tokens_file.parent, f"ci={SECOND}\n")
    try:
        until(lambda: client.get("/openapi.json", headers=bearer(SECOND)).status_code == 200)
        assert client.get(DATA, headers=bearer(FIRST)).status_code == 401
        assert client.get(DATA, headers={"Cookie": session}).status_code == 401
    finally:
        mount(tokens_file.parent, f"ci={FIRST}\ngreedy={GREEDY}\n")
    until(lambda: client.get("/openapi.json", headers=bearer(FIRST)).status_code == 200)


def until_refused(client: httpx.Client, token: str, status: int) -> tuple[list[httpx.Response], httpx.Response]:
    """Ask until it is too often; return the answers before, and the refusal."""
    answers = []
    while (answer := client.get("/openapi.json", headers=bearer(token))).status_code == status:
        answers.append(answer)
        assert len(answers) < 2 * BURST
    return answers, answer


@pytest.mark.parametrize("path", [DATA, "/openapi.json", "/docs/dbt", "/nowhere"])
def test_a_head_leaves_its_connection_for_what_follows(guarded: Served, path: str) -> None:
    """http.client sees what is on the connection; what asked for a head reads no body, even if there is one."""
    asking = HTTPConnection(guarded.address.partition("//")[2], timeout=30)
    try:
        asking.connect()
        connected = asking.sock
        for method in ("HEAD", "HEAD", "GET"):
            asking.request(method, path, headers=bearer(FIRST) | {"X-Forwarded-For": "192.0.2.77"})
            answer = asking.getresponse()
            assert (answer.status, answer.will_close) == (404 if path == "/nowhere" else 200, False)
            assert bool(answer.read()) is (method == "GET")
            assert asking.sock is connected
    finally:
        asking.close()
    assert not [line for line in guarded.lines if line["message"] == "a request failed"]


def test_who_asks_too_often_waits(client: httpx.Client, guarded: Served) -> None:
    answers, refused = until_refused(client, GREEDY, 200)

    assert len(answers) >= BURST
    assert answers[0].headers["RateLimit-Policy"] == '"client";q=1;w=60'
    assert answers[0].headers["RateLimit"] == f'"client";r={BURST - 1}'
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json()["detail"].startswith("too many requests: come back in")
    assert client.get("/openapi.json", headers=bearer(FIRST)).status_code == 200, "another client is another"
    assert figure(guarded, 'gitmart_api_refused_total{reason="rate"}') >= 1


def test_each_process_counts_for_itself(
    guarded: Served, client: httpx.Client, sample_warehouse: Warehouse, tokens_file: Path
) -> None:
    words = ("--tokens-file", str(tokens_file), "--rate-limit", "1", "--rate-burst", "3")
    url = sample_warehouse.url("gitmart_read")
    with process_of(url, *words) as one, process_of(url, *words) as other:
        for each in (one, other):
            statuses = [httpx.get(f"{each.address}/openapi.json", headers=bearer(FIRST)).status_code for _ in range(4)]
            assert statuses == [200, 200, 200, 429], "as often as if there were no other"


def test_what_is_wrong_counts_too(guarded: Served) -> None:
    with httpx.Client(base_url=guarded.address, headers={"X-Forwarded-For": "198.51.100.7"}, timeout=30) as client:
        answers, refused = until_refused(client, "canary-wrong-0123456789", 401)
    assert (len(answers) >= BURST, refused.status_code) == (True, 429)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_body_that_is_too_large_is_not_read(client: httpx.Client, is_told: bool) -> None:
    body = b"x" * 2049
    response = client.post("/sign-in", content=body if is_told else iter([body[:2000], body[2000:]]))

    assert (response.status_code, response.headers["Content-Type"]) == (413, "application/problem+json")
    assert response.json()["detail"] == "the body of the request is too large: at most 2Ki are allowed"


def test_scripts_of_allowed_origins_alone_may_ask(client: httpx.Client) -> None:
    asking = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    allowed = client.options(DATA, headers=asking | {"Origin": "https://grafana.example"})
    refused = client.options(DATA, headers=asking | {"Origin": "https://evil.example"})

    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://grafana.example"
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    assert refused.status_code == 400
    assert "Access-Control-Allow-Origin" not in refused.headers
    got = client.get(DATA, headers=bearer(FIRST) | {"Origin": "https://grafana.example"})
    assert got.headers["Access-Control-Allow-Origin"] == "https://grafana.example"


def test_every_answer_has_the_headers_of_security(client: httpx.Client) -> None:
    for path, headers in ((DATA, bearer(FIRST)), (DATA, {}), ("/healthz", {}), ("/nowhere", bearer(FIRST))):
        said = client.get(path, headers=headers).headers
        assert said["X-Content-Type-Options"] == "nosniff"
        assert said["Referrer-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in said["Content-Security-Policy"]
        assert said["Strict-Transport-Security"] == "max-age=3600"


@pytest.mark.parametrize("prefix", ["", "/gitmart"])
def test_a_proxy_may_strip_the_root_path_or_not(client: httpx.Client, prefix: str) -> None:
    assert client.get(f"{prefix}{DATA}", headers=bearer(FIRST)).status_code == 200
    assert client.get(f"{prefix}/nowhere", headers=bearer(FIRST)).status_code == 404


def test_the_description_says_that_a_token_is_needed(client: httpx.Client) -> None:
    said = client.get("/openapi.json", headers=bearer(FIRST)).json()
    assert said["security"] == [{"token": []}]
    assert said["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_the_log_tells_of_each_request_and_of_no_token(client: httpx.Client, guarded: Served) -> None:
    client.get(f"{DATA}?limit=2&token={FIRST}", headers=bearer(FIRST))
    client.get("/analytics/repository/77777/summary", headers=bearer(FIRST) | {"X-Forwarded-For": "203.0.113.9"})

    line = guarded.line("request", path="/analytics/repository/77777/summary")
    assert line.items() >= {
        "method": "GET", "route": "/analytics/repository/{repository}/summary", "status": 404,
        "client": "203.0.113.9", "principal": "token:ci", "cache": "miss",
    }.items()  # fmt: skip
    assert "canary" not in "".join(guarded.text)


def test_figures_have_templates_and_no_paths(client: httpx.Client, guarded: Served) -> None:
    for number in range(3):
        client.get(f"/analytics/repository/{1000 + number}/summary", headers=bearer(FIRST))
        client.get(f"/nowhere/{1000 + number}", headers=bearer(FIRST))

    def told() -> str:
        return httpx.get(f"{guarded.metrics}/metrics").text

    wanted = 'gitmart_api_requests_total{method="GET",route="/analytics/repository/{repository}/summary",status="404"}'
    until(lambda: wanted in told())
    text = told()
    assert 'route="unmatched",status="404"' in text
    assert "/nowhere" not in text
    assert "1000" not in text
    assert "gitmart_api_warehouse_ready 1.0" in text
    assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nobody is told who may ask: give --tokens-file"),
        (["--tokens-file", "/nowhere/tokens"], "--tokens-file: /nowhere/tokens cannot be read"),
        (["--no-authentication", "--connections", "0"], "--connections: '0' is not possible"),
    ],
)
def test_a_wrong_setting_ends_the_process(sample_warehouse: Warehouse, words: list[str], said: str) -> None:
    ended = subprocess.run(
        command_of(words), env=environment_of(sample_warehouse.url("gitmart_read")), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 64
    assert said in ended.stderr
