"""Who sent a webhook: what the vendors' own pages give as examples, and what must prove nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest

from gitmart.api.hooks import signatures
from gitmart.api.hooks.signatures import TOLERANCE, Claim, Headers, UnprovedError

# The example of GitHub's page "Validating webhook deliveries".
HUB_SECRET, HUB_BODY = "It's a Secret to Everybody", b"Hello, World!"
HUB = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
# The example that the libraries of Standard Webhooks are tested with.
STANDARD_SECRET, STANDARD_BODY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
SENT = 1614265330
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(SENT),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
OTHER = "another secret, long enough"


def test_github_s_own_example_is_proved() -> None:
    claim = signatures.github({"x-hub-signature-256": HUB}, SENT)

    assert claim.proof(HUB_BODY, [HUB_SECRET]) == HUB.removeprefix("sha256=")


@pytest.mark.parametrize("claim_of", [signatures.standard, signatures.gitlab])
def test_the_example_of_standard_webhooks_is_proved(claim_of: Callable[[Headers, float], Claim]) -> None:
    assert claim_of(STANDARD, SENT).proof(STANDARD_BODY, [STANDARD_SECRET]) == STANDARD["webhook-id"]


def test_a_secret_without_a_prefix_is_the_key_itself() -> None:
    made = hmac.digest(OTHER.encode(), b"one.1614265330.{}", hashlib.sha256)
    headers = STANDARD | {"webhook-id": "one", "webhook-signature": f"v1,{base64.b64encode(made).decode()}"}

    assert signatures.standard(headers, SENT).proof(b"{}", [OTHER]) == "one"


@pytest.mark.parametrize(
    ("secrets", "proved"),
    [
        pytest.param([HUB_SECRET], True, id="the one"),
        pytest.param([OTHER, HUB_SECRET], True, id="rotation: the older"),
        pytest.param([HUB_SECRET, OTHER], True, id="rotation: the newer"),
        pytest.param([OTHER], False, id="another"),
        pytest.param([HUB_SECRET + " "], False, id="not quite"),
        pytest.param([], False, id="none"),
    ],
)
def test_any_of_several_secrets_proves(secrets: list[str], proved: bool) -> None:
    claim = signatures.github({"x-hub-signature-256": HUB}, SENT)

    assert (claim.proof(HUB_BODY, secrets) is not None) is proved


@pytest.mark.parametrize("body", [HUB_BODY + b" ", HUB_BODY[:-1], b""])
def test_a_changed_body_is_not_proved(body: bytes) -> None:
    assert signatures.github({"x-hub-signature-256": HUB}, SENT).proof(body, [HUB_SECRET]) is None


@pytest.mark.parametrize(
    "value", ["", "sha1=" + "0" * 40, HUB.removeprefix("sha256="), HUB[:-1], HUB + "0", "sha256=" + "g" * 64, HUB + ", " + HUB]
)  # fmt: skip
def test_github_s_header_has_one_shape(value: str) -> None:
    with pytest.raises(UnprovedError, match="X-Hub-Signature-256 must be"):
        signatures.github({"x-hub-signature-256": value}, SENT)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"webhook-id": ""}, "webhook-id must"),
        ({"webhook-id": "a.b"}, "webhook-id must"),
        ({"webhook-id": "a" * 257}, "webhook-id must"),
        ({"webhook-timestamp": ""}, "webhook-timestamp must"),
        ({"webhook-timestamp": "-1614265330"}, "webhook-timestamp must"),
        ({"webhook-timestamp": "1614265330.5"}, "webhook-timestamp must"),
        ({"webhook-timestamp": "٣"}, "webhook-timestamp must"),
        ({"webhook-timestamp": str(SENT - TOLERANCE - 1)}, "more than 300 seconds away"),
        ({"webhook-timestamp": str(SENT + TOLERANCE + 1)}, "more than 300 seconds away"),
        ({"webhook-signature": ""}, "webhook-signature must"),
        ({"webhook-signature": "v1a,abc v2,abc"}, "webhook-signature must"),
    ],
)
def test_standard_headers_have_one_shape(changed: dict[str, str], message: str) -> None:
    with pytest.raises(UnprovedError, match=message):
        signatures.standard(STANDARD | changed, SENT)


@pytest.mark.parametrize("away", [-TOLERANCE, TOLERANCE])
def test_clocks_may_differ_a_little(away: int) -> None:
    assert signatures.standard(STANDARD, SENT + away).proof(STANDARD_BODY, [STANDARD_SECRET])


@pytest.mark.parametrize(
    ("changed", "proved"),
    [
        ({"webhook-signature": f"v1,AAAA v2,BBBB {STANDARD['webhook-signature']}"}, True),
        ({"webhook-signature": "v1,AAAA"}, False),
        ({"webhook-signature": "v1,!!!"}, False),
        ({"webhook-signature": "v1,ÄÖ"}, False),
        ({"webhook-signature": "v1,AAAA " * signatures.MOST_SIGNATURES + STANDARD["webhook-signature"]}, False),
        ({"webhook-id": "another"}, False),
        ({"webhook-timestamp": str(SENT + 1)}, False),
    ],
)
def test_all_three_headers_are_signed(changed: dict[str, str], proved: bool) -> None:
    claim = signatures.standard(STANDARD | changed, SENT)

    assert (claim.proof(STANDARD_BODY, [OTHER, STANDARD_SECRET]) is not None) is proved


@pytest.mark.parametrize(
    ("given", "proof"),
    [
        pytest.param({"x-gitlab-token": OTHER}, "", id="nothing to know it by"),
        pytest.param({"x-gitlab-token": OTHER, "idempotency-key": "d1"}, "d1", id="GitLab's own key"),
        pytest.param({"x-gitlab-token": OTHER[:-1]}, None, id="wrong"),
        pytest.param({"x-gitlab-token": STANDARD_SECRET}, None, id="a key is never sent"),
    ],
)
def test_gitlab_s_older_token_is_compared(given: dict[str, str], proof: str | None) -> None:
    assert signatures.gitlab(given, SENT).proof(b"anything", [STANDARD_SECRET, OTHER]) == proof


def test_a_wrong_signature_is_not_saved_by_a_right_token() -> None:
    headers = STANDARD | {"webhook-signature": "v1,AAAA", "x-gitlab-token": OTHER}

    assert signatures.gitlab(headers, SENT).proof(STANDARD_BODY, [OTHER, STANDARD_SECRET]) is None


def test_gitlab_must_give_one_of_the_two() -> None:
    with pytest.raises(UnprovedError, match="neither webhook-signature nor X-Gitlab-Token"):
        signatures.gitlab({}, SENT)
