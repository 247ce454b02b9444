"""What webhooks say: shapes of the vendors' own examples, shortened, and others."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from gitmart.api.hooks import deliveries
from gitmart.api.hooks.deliveries import FORM, JSON, DeliveryError, document_of, keys_of, match_key

GITHUB = {
    "ref": "refs/heads/main",
    "repository": {
        "full_name": "Codertocat/Hello-World",
        "git_url": "git://github.com/Codertocat/Hello-World.git",
        "ssh_url": "git@github.com:Codertocat/Hello-World.git",
        "clone_url": "https://github.com/Codertocat/Hello-World.git",
    },
}
GITLAB = {
    "object_kind": "push",
    "event_name": "push",
    "project": {
        "git_ssh_url": "git@example.com:mike/diaspora.git",
        "git_http_url": "http://example.com/mike/diaspora.git",
    },
}
HELLO = frozenset({"https://github.com/codertocat/hello-world", "ssh://github.com/codertocat/hello-world"})


@pytest.mark.parametrize("event", ["push", "create", "delete"])
def test_github_names_a_repository_by_both_addresses(event: str) -> None:
    addresses = deliveries.github({"x-github-event": event}, GITHUB)

    assert addresses is not None
    assert keys_of(addresses) == HELLO


@pytest.mark.parametrize("headers", [{}, {"x-github-event": "ping"}, {"x-github-event": "issues"}])
def test_other_events_of_github_are_none_of_ours(headers: dict[str, str]) -> None:
    assert deliveries.github(headers, {"zen": "Keep it logically awesome."}) is None


@pytest.mark.parametrize(
    "kinds",
    [
        {},
        {"object_kind": "tag_push", "event_name": "tag_push"},
        {"object_kind": None, "event_name": "repository_update"},  # of a system hook
    ],
)
def test_gitlab_names_a_project(kinds: dict[str, Any]) -> None:
    addresses = deliveries.gitlab({}, GITLAB | kinds)

    assert addresses is not None
    assert keys_of(addresses) == {"ssh://example.com/mike/diaspora"}  # without TLS nothing is read


@pytest.mark.parametrize("kind", ["merge_request", "issue", None])
def test_other_events_of_gitlab_are_none_of_ours(kind: str | None) -> None:
    assert deliveries.gitlab({}, GITLAB | {"object_kind": kind, "event_name": kind}) is None


def test_a_message_of_one_s_own_names_an_address() -> None:
    assert deliveries.generic({}, {"url": "https://git.example.org/a/b.git"}) == ["https://git.example.org/a/b.git"]


@pytest.mark.parametrize(
    ("read", "document", "field"),
    [
        (deliveries.generic, {}, "url must be"),
        (deliveries.generic, {"url": ["https://git.example.org/a"]}, "url must be"),
        (deliveries.github, {}, "repository.clone_url must be"),
        (deliveries.github, {"repository": "a"}, "repository.clone_url must be"),
        (deliveries.github, {"repository": {"clone_url": 5}}, "repository.clone_url must be"),
        (deliveries.gitlab, {"object_kind": "push"}, "project.git_http_url must be"),
    ],
)
def test_a_missing_address_is_named(read: Any, document: dict[str, Any], field: str) -> None:
    with pytest.raises(DeliveryError, match=field):
        read({"x-github-event": "push"}, document)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://Example.org:443/Group/Name.git/", "https://example.org/group/name"),
        ("https://example.org:8443/a/b", "https://example.org:8443/a/b"),
        ("git@example.org:group/name.git", "ssh://example.org/group/name"),
        ("example.org:group/name.git", "ssh://example.org/group/name"),
        ("git@example.org:/srv/name.git", "ssh://example.org/srv/name"),
        ("git@[2001:db8::1]:group/name", "ssh://[2001:db8::1]/group/name"),
        ("ssh://git@example.org:2222/group/name.git", "ssh://example.org:2222/group/name"),
        ("http://example.org/group/name.git", None),
        ("git://example.org/group/name.git", None),
        ("file:///etc/passwd", None),
        ("https://user:password@example.org/a", None),
        ("https://example.org/a b", None),
        ("git@example.org:../../a", None),
        ("git@example.org:" + "a" * 3000, None),
        ("", None),
    ],
)
def test_addresses_of_one_repository_have_one_key(address: str, key: str | None) -> None:
    assert match_key(address) == key


def test_a_form_holds_json() -> None:
    body = urlencode({"payload": json.dumps(GITHUB)}).encode()

    assert document_of(body, FORM) == GITHUB == document_of(json.dumps(GITHUB).encode(), JSON)


@pytest.mark.parametrize(
    ("body", "media_type", "message"),
    [
        (b"", JSON, "no JSON"),
        (b"\xff", JSON, "no JSON"),
        (b"{", JSON, "no JSON"),
        (b"[" * 100_000, JSON, "no JSON"),
        (b"1" * 5000, JSON, "no JSON"),  # longer than Python reads a number
        (b"[]", JSON, "must be a JSON object"),
        (b"payload=%7B", FORM, "no JSON"),
        (b"other=1", FORM, "one field payload"),
        (b"payload=%7B%7D&payload=%7B%7D", FORM, "one field payload"),
        (b"a=1&" * 20, FORM, "no JSON"),
    ],
)
def test_a_body_that_is_no_object_is_refused(body: bytes, media_type: str, message: str) -> None:
    with pytest.raises(DeliveryError, match=message):
        document_of(body, media_type)
