"""Signing in at a provider of OpenID Connect over HTTP: there and back, and everything that must not be believed."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.integration.api.hooked import NOWHERE, Hooked, hooked
from tests.integration.api.issuing import Provider, providing
from tests.integration.api.serving import process_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hooks")]

PAGE = {"Accept": "text/html,application/xhtml+xml"}
RUN = "/repositories/team-a/hello/extract"
OBJECT = "/apis/gitmart.dev/v1alpha1/namespaces/team-a/repositories/hello"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def provider(authority: trustme.CA) -> Iterator[Provider]:
    with providing(authority) as made:
        yield made


@pytest.fixture(autouse=True)
def as_usual(provider: Provider) -> None:
    """The provider as it is before each test."""
    provider.claims, provider.error, provider.by_form = {}, "", False
    provider.codes.clear()


def words_for(provider: Provider, authority: trustme.CA, folder: Path, **changed: str) -> list[str]:
    """Return the flags with which browsers sign in at the provider."""
    authority.cert_pem.write_to_path(str(folder / "provider.pem"))
    (folder / "client-secret").write_text(f"{Provider.secret}\n")
    flags = {
        "oidc-issuer": provider.address, "oidc-audience": "gitmart", "oidc-client-id": Provider.id,
        "oidc-client-secret-file": str(folder / "client-secret"), "oidc-ca-file": str(folder / "provider.pem"),
        "trusted-proxies": "127.0.0.0/8", "rate-limit": "0", **changed,
    }  # fmt: skip
    return [f"--{name}={value}" for name, value in flags.items()]


@pytest.fixture(scope="module")
def place(provider: Provider, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooked]:
    """An API where browsers sign in, below a path, and a cluster with something to run."""
    folder = tmp_path_factory.mktemp("signing-in")
    words = words_for(provider, authority, folder, **{"triggers-by": "oidc-group:platform", "root-path": "/gitmart"})
    with hooked(folder, *words) as made:
        made.cluster.put(OBJECT, {"metadata": {"namespace": "team-a"}, "spec": {}})
        yield made


@pytest.fixture
def browser(place: Hooked) -> Iterator[httpx.Client]:
    """What keeps cookies, as a browser does, and goes where it is told one step at a time."""
    with httpx.Client(base_url=f"{place.address}/gitmart", headers=PAGE, timeout=30) as client:
        yield client


@pytest.fixture
def there(authority: trustme.CA) -> Iterator[httpx.Client]:
    """The same at the provider."""
    with httpx.Client(verify=authority_context(authority), timeout=30) as client:
        yield client


def authority_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def sent_back(browser: httpx.Client, there: httpx.Client, following: str = "/files?a=1&b=2") -> str:
    """Begin, sign in at the provider, and return the address that it sends the browser back to."""
    begun = browser.get("/sign-in/provider", params={"next": following})
    assert begun.status_code == 303, begun.text
    return str(there.get(begun.headers["Location"]).headers["Location"])


def alert(answer: httpx.Response) -> str:
    """Return what the page of signing in says was wrong; nobody is signed in by it."""
    [said] = re.findall('<p role="alert">(.*?)</p>', answer.text)
    assert "gitmart_session" not in str(answer.headers.get_list("Set-Cookie"))
    assert "canary" not in answer.text
    return str(said)


def test_a_browser_is_led_to_the_provider_and_back_to_what_it_came_for(
    browser: httpx.Client, there: httpx.Client, provider: Provider, place: Hooked
) -> None:
    refused = browser.get("/files?a=1&b=2")
    assert (refused.status_code, refused.headers["Location"]) == (303, "/gitmart/sign-in?next=%2Ffiles%3Fa%3D1%26b%3D2")
    page = browser.get("/sign-in?next=%2Ffiles%3Fa%3D1%26b%3D2")
    assert f"Sign in at 127.0.0.1:{provider.server_port}" in page.text
    assert "<form" not in page.text, "there are no static tokens"
    [link] = re.findall('<a href="/gitmart(/sign-in/provider[^"]*)">', page.text)

    begun = browser.get(link, headers={"X-Forwarded-Proto": "https"})
    asked = parse_qs(urlsplit(begun.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"https://{urlsplit(place.address).netloc}/gitmart/sign-in/callback"]
    assert (asked["scope"], asked["client_id"], asked["response_type"]) == (["openid"], [provider.id], ["code"])
    cookie = begun.headers["Set-Cookie"]
    for part in ("gitmart_sign_in=", "HttpOnly", "SameSite=lax", "Secure", "Path=/gitmart", "Max-Age=600"):
        assert part in cookie
    browser.cookies.set("gitmart_sign_in", cookie.partition("=")[2].partition(";")[0], path="/gitmart")

    back = urlsplit(there.get(begun.headers["Location"]).headers["Location"])
    done = browser.get(f"/sign-in/callback?{back.query}", headers={"X-Forwarded-Proto": "https"})
    assert (done.status_code, done.headers["Location"]) == (303, "/gitmart/files?a=1&b=2")
    assert done.headers["Cache-Control"] == "no-store"
    [session] = [each for each in done.headers.get_list("Set-Cookie") if each.startswith("gitmart_session=")]
    for part in ("HttpOnly", "SameSite=lax", "Secure", "Path=/gitmart", "Max-Age=43200"):
        assert part in session
    [gone] = [each for each in done.headers.get_list("Set-Cookie") if each.startswith("gitmart_sign_in=")]
    assert "Max-Age=0" in gone

    signed_in = {"Cookie": session.partition(";")[0]}
    assert httpx.get(f"{place.address}/openapi.json", headers=signed_in).status_code == 200
    assert browser.get("/sign-in", headers=signed_in).status_code == 303
    assert place.process.line("request", path="/openapi.json", status=200)["principal"] == "oidc:ada"
    out = browser.post("/sign-out", headers=signed_in)
    assert 'gitmart_session=""' in out.headers["Set-Cookie"]
    assert not [line for line in place.log() if "canary" in line or provider.secret in line]


def test_what_a_provider_s_ways_are_is_heeded(
    provider: Provider, authority: trustme.CA, there: httpx.Client, tmp_path: Path
) -> None:
    """The secret in the form, other scopes, and a redirect URL that is set."""
    back = "https://gitmart.example.org/sign-in/callback"
    words = words_for(provider, authority, tmp_path, **{"oidc-scopes": "openid,groups", "oidc-redirect-url": back})
    provider.by_form = True
    with (
        process_of(NOWHERE, *words) as process,
        httpx.Client(base_url=process.address, headers=PAGE, timeout=30) as browser,
    ):
        sent = sent_back(browser, there)
        assert sent.startswith(f"{back}?")
        assert [code["scope"] for code in provider.codes.values()] == ["openid groups"]
        assert browser.get(f"/sign-in/callback?{urlsplit(sent).query}").headers["Location"] == "/files?a=1&b=2"
        assert browser.get("/openapi.json").status_code == 200


@pytest.mark.parametrize(("groups", "status"), [(["platform", "readers"], 202), (["readers"], 403), (None, 403)])
def test_who_signed_in_may_ask_for_runs_by_a_group(
    browser: httpx.Client, there: httpx.Client, provider: Provider, place: Hooked, groups: object, status: int
) -> None:
    provider.claims = {"groups": groups}
    browser.get(sent_back(browser, there))

    own = {"Origin": place.address}
    assert browser.post(RUN, headers=own).status_code == status
    foreign = browser.post(RUN, headers={"Origin": "https://evil.example", "Accept": "application/json"})
    assert (foreign.status_code, foreign.json()["reason"]) == (403, "origin")


@pytest.mark.parametrize("following", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\nb", ""])
def test_the_way_back_leads_nowhere_else(browser: httpx.Client, there: httpx.Client, following: str) -> None:
    assert browser.get(sent_back(browser, there, following)).headers["Location"] == "/gitmart/"


@pytest.mark.parametrize(
    ("following", "is_remembered"),
    [("/" + "a" * 1997, True), ("/" + "a" * 1998, False), ("/" + "\N{SNOWMAN}" * 1000, False)],
    ids=["just so", "too long", "too long in JSON"],
)
def test_what_is_remembered_on_the_way_fits_into_a_cookie(
    browser: httpx.Client, there: httpx.Client, following: str, is_remembered: bool
) -> None:
    begun = browser.get("/sign-in/provider", params={"next": following})
    assert len(begun.headers["Set-Cookie"].partition(";")[0]) < 4096
    done = browser.get(there.get(begun.headers["Location"]).headers["Location"])
    assert done.headers["Location"] == (f"/gitmart{following}" if is_remembered else "/gitmart/")


def changed(address: str, **parameters: str | None) -> str:
    """Return the address with other parameters."""
    parts = urlsplit(address)
    said = {**dict(parse_qsl(parts.query)), **parameters}
    return parts._replace(query=urlencode({name: value for name, value in said.items() if value is not None})).geturl()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"state": "forged"}, "not begun in this browser"),
        ({"state": None}, "not begun in this browser"),
        ({"code": "canary-code"}, "only once, and not for long"),
        ({"code": None}, "The provider ended this"),
        ({"iss": "https://evil.example"}, "Another provider has answered"),
        ({"error": "access_denied"}, "did not let you in"),
        ({"error": "<b>canary</b>"}, "an error that it has no word for"),
        ({"error": "login_required", "error_description": "canary"}, "ended this: login_required"),
    ],
)
def test_an_answer_that_was_changed_on_its_way_signs_nobody_in(
    browser: httpx.Client, there: httpx.Client, parameters: dict[str, str | None], said: str
) -> None:
    answer = browser.get(changed(sent_back(browser, there), **parameters))

    assert answer.status_code == 403
    assert said in alert(answer)


def test_an_answer_to_another_browser_signs_nobody_in(
    browser: httpx.Client, there: httpx.Client, place: Hooked
) -> None:
    address = sent_back(browser, there)
    for cookie in ("", "gitmart_sign_in=" + jwt.encode({"aud": "sign-in", "state": "a"}, "0" * 32, "HS256")):
        answer = httpx.get(address, headers=PAGE | {"Cookie": cookie})
        assert "not begun in this browser" in alert(answer)
    with httpx.Client(base_url=f"{place.address}/gitmart", headers=PAGE, timeout=30) as other:
        sent_back(other, there)
        assert "not begun in this browser" in alert(other.get(address))


def test_an_answer_counts_once(browser: httpx.Client, there: httpx.Client) -> None:
    address = sent_back(browser, there)
    begun = browser.cookies["gitmart_sign_in"]
    assert browser.get(address).status_code == 303
    browser.cookies.clear()
    assert "not begun in this browser" in alert(browser.get(address))
    browser.cookies.set("gitmart_sign_in", begun, path="/gitmart")
    assert "only once" in alert(browser.get(address)), "with the cookie of before, by the provider"


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "meant for another sign-in"),
        ({"nonce": None}, "meant for another sign-in"),
        ({"aud": "gitmart"}, "not made for the audience"),
        ({"aud": ["gitmart-browser", "other"], "azp": "other"}, "meant for somebody else"),
        ({"iss": "https://evil.example"}, "not of the issuer"),
        ({"exp": 1}, "has expired"),
        ({"sub": None}, "lacks the claim"),
    ],
)
def test_a_token_that_is_not_for_this_sign_in_signs_nobody_in(
    browser: httpx.Client, there: httpx.Client, provider: Provider, claims: dict[str, object], said: str
) -> None:
    provider.claims = claims
    answer = browser.get(sent_back(browser, there))
    assert (answer.status_code, said in alert(answer)) == (403, True), answer.text


def test_a_token_of_another_key_signs_nobody_in(browser: httpx.Client, there: httpx.Client, provider: Provider) -> None:
    own, provider.key = provider.key, rsa.generate_private_key(65537, 2048)
    address = sent_back(browser, there)
    try:
        # The keys of before are known; the provider is not asked again for a key of the same name.
        assert "signature or form is wrong" in alert(browser.get(address))
    finally:
        provider.key = own


def test_a_verifier_of_another_sign_in_is_not_taken(
    browser: httpx.Client, there: httpx.Client, provider: Provider
) -> None:
    address = sent_back(browser, there)
    [asked] = provider.codes.values()
    asked["code_challenge"] = "A" * 43
    assert "only once" in alert(browser.get(address))


def test_no_cookie_passes_for_another(browser: httpx.Client, there: httpx.Client, place: Hooked) -> None:
    sent_back(browser, there)
    begun = browser.cookies["gitmart_sign_in"]
    forged = [
        begun,
        jwt.encode({"aud": "session", "sub": "ada", "groups": [], "exp": int(time.time()) + 600}, "0" * 32, "HS256"),
        jwt.encode({"aud": "session", "sub": "ada", "groups": [], "exp": int(time.time()) + 600}, None, "none"),
    ]
    for value in forged:
        headers = {"Cookie": f"gitmart_session={value}", "Authorization": ""}
        assert httpx.get(f"{place.address}/openapi.json", headers=headers).status_code == 401


def test_a_provider_that_does_not_answer_is_told_in_words(authority: trustme.CA, tmp_path: Path) -> None:
    with providing(authority) as gone:
        words = words_for(gone, authority, tmp_path)
    with process_of(NOWHERE, *words) as process:
        answer = httpx.get(f"{process.address}/sign-in/provider", headers=PAGE)
        assert (answer.status_code, alert(answer)) == (
            503,
            "The provider cannot be reached now. Please try again later.",
        )


def test_a_wrong_secret_is_told_in_words(
    provider: Provider, authority: trustme.CA, there: httpx.Client, tmp_path: Path
) -> None:
    words = words_for(provider, authority, tmp_path)
    (tmp_path / "client-secret").write_text("another-secret-of-a-client")
    with (
        process_of(NOWHERE, *words) as process,
        httpx.Client(base_url=process.address, headers=PAGE, timeout=30) as browser,
    ):
        assert "not by this secret" in alert(browser.get(sent_back(browser, there)))
        assert process.line("a sign-in failed")["why"] == "the provider says invalid_client"


def test_another_secret_ends_all_sessions(
    browser: httpx.Client, there: httpx.Client, provider: Provider, authority: trustme.CA, tmp_path: Path
) -> None:
    browser.get(sent_back(browser, there))
    session = {"Cookie": f"gitmart_session={browser.cookies['gitmart_session']}"}
    words = words_for(provider, authority, tmp_path)
    with process_of(NOWHERE, *words) as replica:
        assert httpx.get(f"{replica.address}/openapi.json", headers=session).status_code == 200
    (tmp_path / "client-secret").write_text("another-secret-of-a-client")
    with process_of(NOWHERE, *words) as renewed:
        assert httpx.get(f"{renewed.address}/openapi.json", headers=session).status_code == 401
