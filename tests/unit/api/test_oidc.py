"""Which bearer tokens of OpenID Connect are believed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gitmart.api.middleware.oidc import KEYS_LAST, PAUSE, InvalidTokenError, IssuerError, Verifier, groups_of

ISSUER, AUDIENCE = "https://id.example/realm", "gitmart"
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
PUBLIC_PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def described(kind: Any, key: Any, **members: str) -> dict[str, Any]:
    return {**json.loads(kind.to_jwk(key.public_key())), **members}


class Issuer:
    """Answers with documents; `asked` are the addresses."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keys = [
            described(RSAAlgorithm, RSA, kid="rsa", use="sig"),
            described(ECAlgorithm, EC, kid="ec", alg="ES256"),
            described(OKPAlgorithm, ED, kid="ed"),
            described(RSAAlgorithm, OTHER, kid="for-encryption", use="enc"),
            {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "shared"},
        ]
        self.about: dict[str, Any] = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        self.is_down = False

    def fetch(self, url: str) -> Mapping[str, Any]:
        self.asked.append(url)
        if self.is_down:
            raise OSError("down")
        return {"keys": self.keys} if url.endswith("/keys") else self.about


def token(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "rsa", **claims: object) -> str:
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 600, **claims}
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(kept, key, algorithm, headers={"kid": kid} if kid else {})


class Clock:
    """Seconds that a test moves on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def verifier(issuer: Issuer, clock: Clock | None = None) -> Verifier:
    return Verifier(ISSUER, AUDIENCE, ("RS256", "ES256", "EdDSA"), issuer.fetch, clock or Clock())


def subject(shown: str, issuer: Issuer | None = None) -> str:
    return str(asyncio.run(verifier(issuer or Issuer()).claims(shown))["sub"])


# Made when they are shown: how long other tests take changes no token.
@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(lambda: token(), id="RSA"),
        pytest.param(lambda: token(EC, "ES256", "ec"), id="EC"),
        pytest.param(lambda: token(ED, "EdDSA", "ed"), id="Ed25519"),
        pytest.param(lambda: token(aud=["other", AUDIENCE]), id="several audiences"),
        pytest.param(lambda: token(exp=int(time.time()) - 5), id="clocks differ by less than the leeway"),
    ],
)
def test_a_token_of_the_issuer_is_believed(shown: Callable[[], str]) -> None:
    assert subject(shown()) == "ada"


def unsigned() -> str:
    return jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": int(time.time()) + 600}, None, "none")


def signed_with_the_public_key() -> str:
    """A token whose HMAC key is the public key, which a careless verifier would take."""
    import base64
    import hmac
    from hashlib import sha256

    def encoded(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    _, claims, _ = token().encode().split(b".")
    signed = encoded(b'{"alg":"HS256","kid":"rsa"}') + b"." + claims
    return (signed + b"." + encoded(hmac.new(PUBLIC_PEM, signed, sha256).digest())).decode()


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        pytest.param(lambda: "canary", "neither a static token nor a JSON Web Token", id="none"),
        pytest.param(lambda: "canary." * 4000, "more than 16384 characters", id="endless"),
        pytest.param(unsigned, "not signed with one of RS256, ES256, EdDSA", id="unsigned"),
        pytest.param(signed_with_the_public_key, "not signed with one of", id="HMAC of the public key"),
        pytest.param(lambda: token(algorithm="RS512"), "not signed with one of", id="not in the list"),
        pytest.param(lambda: token(EC, "ES256", "rsa"), "not signed in the way of the key", id="another kind of key"),
        pytest.param(lambda: token(OTHER), "signature or form is wrong", id="another key"),
        pytest.param(lambda: token(OTHER, kid="for-encryption"), "key that the issuer does not have", id="encryption"),
        pytest.param(lambda: token(kid="nobody's"), "key that the issuer does not have", id="unknown key"),
        pytest.param(lambda: token(kid=None), "key that the issuer does not have", id="no key named, of several"),
        pytest.param(lambda: token(exp=1), "has expired", id="expired"),
        pytest.param(lambda: token(exp=None), "lacks the claim 'exp'", id="for ever"),
        pytest.param(lambda: token(nbf=int(time.time()) + 600), "not valid yet", id="not yet"),
        pytest.param(lambda: token(aud="other"), "not made for the audience 'gitmart'", id="another audience"),
        pytest.param(lambda: token(aud=None), "lacks the claim 'aud'", id="no audience"),
        pytest.param(lambda: token(iss="https://evil.example"), "not of the issuer", id="another issuer"),
        pytest.param(lambda: token(iss=None), "lacks the claim 'iss'", id="no issuer"),
        pytest.param(lambda: token(sub=None), "lacks the claim 'sub'", id="nobody"),
        pytest.param(lambda: token()[:-3] + "AAA", "signature or form is wrong", id="tampered"),
    ],
)
def test_another_token_is_refused(shown: Callable[[], str], said: str) -> None:
    with pytest.raises(InvalidTokenError, match=said) as error:
        subject(shown())
    assert "canary" not in str(error.value)


def test_keys_are_read_once_and_again_for_one_that_is_unknown_but_not_again_and_again() -> None:
    async def run() -> None:
        issuer, clock = Issuer(), Clock()
        checked = verifier(issuer, clock)
        assert [said["sub"] for said in await asyncio.gather(*(checked.claims(token()) for _ in range(5)))] == [
            "ada"
        ] * 5
        assert issuer.asked == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]

        issuer.keys = [described(RSAAlgorithm, OTHER, kid="new")]
        for _ in range(5):
            with pytest.raises(InvalidTokenError):
                await checked.claims(token(OTHER, kid="new"))
        assert len(issuer.asked) == 2
        clock.now += PAUSE
        assert (await checked.claims(token(OTHER, kid="new")))["sub"] == "ada"
        with pytest.raises(InvalidTokenError):
            await checked.claims(token())
        assert len(issuer.asked) == 4

        assert (await checked.claims(token(OTHER, kid=None)))["sub"] == "ada", "there is one key alone"
        clock.now += KEYS_LAST
        assert (await checked.claims(token(OTHER, kid="new")))["sub"] == "ada"
        assert len(issuer.asked) == 6

    asyncio.run(run())


def test_an_issuer_that_is_down_takes_no_keys_away() -> None:
    async def run() -> None:
        issuer, clock = Issuer(), Clock()
        issuer.is_down = True
        checked = verifier(issuer, clock)
        with pytest.raises(IssuerError, match="/realm cannot be read"):
            await checked.claims(token())
        issuer.is_down = False
        clock.now += PAUSE
        assert (await checked.claims(token()))["sub"] == "ada"
        issuer.is_down = True
        clock.now += KEYS_LAST
        assert (await checked.claims(token()))["sub"] == "ada"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("about", "keys"),
    [
        pytest.param({"issuer": "https://id.example/other"}, None, id="another issuer"),
        pytest.param({"jwks_uri": "http://id.example/keys"}, None, id="keys in the clear"),
        pytest.param({"jwks_uri": "file:///keys"}, None, id="keys of a file"),
        pytest.param({}, [], id="no keys"),
        pytest.param({}, "none", id="no list of keys"),
    ],
)
def test_an_issuer_that_is_wrong_gives_no_keys(about: dict[str, Any], keys: Any) -> None:
    issuer = Issuer()
    issuer.about |= about
    issuer.keys = issuer.keys if keys is None else keys
    with pytest.raises(IssuerError):
        subject(token(), issuer)


@pytest.mark.parametrize(
    ("claims", "name", "groups"),
    [
        ({"groups": ["a", "b c"]}, "groups", {"a", "b c"}),
        ({"groups": "a b"}, "groups", {"a b"}),
        ({"scope": "read runs"}, "scope", {"read", "runs"}),
        ({"scp": "read runs"}, "scp", {"read", "runs"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({"resource_access": {"gitmart": {"roles": ["a"]}}}, "resource_access.gitmart.roles", {"a"}),
        ({"https://id.example/roles": ["a"]}, "https://id.example/roles", {"a"}),
        ({"a.b": ["whole"], "a": {"b": ["within"]}}, "a.b", {"whole"}),
        ({"groups": ["a", 1, None, ["b"], {"c": "d"}]}, "groups", {"a"}),
        ({"groups": {"a": True}}, "groups", set()),
        ({"groups": None}, "groups", set()),
        ({"groups": "a"}, "groups.b", set()),
        ({}, "groups", set()),
    ],
)
def test_groups_are_texts_of_one_claim(claims: dict[str, Any], name: str, groups: set[str]) -> None:
    assert groups_of(claims, name) == groups
