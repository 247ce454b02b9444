"""Addresses of OpenLineage collectors, and names of namespaces."""

from __future__ import annotations

import pytest

from gitmart.contract.openlineage import (
    NAMESPACE_MESSAGE,
    URL_MESSAGE,
    CollectorUrl,
    parse_collector_url,
    parse_namespace,
)


@pytest.mark.parametrize(
    ("text", "url", "written"),
    [
        (
            "http://marquez.lineage.svc:5000",
            CollectorUrl("http", "marquez.lineage.svc", 5000, "/api/v1/lineage"),
            "http://marquez.lineage.svc:5000/api/v1/lineage",
        ),
        (
            "https://Lineage.example.org/",
            CollectorUrl("https", "lineage.example.org", 443, "/api/v1/lineage"),
            "https://lineage.example.org/api/v1/lineage",
        ),
        (
            "https://lineage.example.org:443/openapi/lineage/",
            CollectorUrl("https", "lineage.example.org", 443, "/openapi/lineage"),
            "https://lineage.example.org/openapi/lineage",
        ),
        (
            "http://[fd00::1]:80",
            CollectorUrl("http", "fd00::1", 80, "/api/v1/lineage"),
            "http://[fd00::1]/api/v1/lineage",
        ),
        ("https://[fd00::1]:8443/a", CollectorUrl("https", "fd00::1", 8443, "/a"), "https://[fd00::1]:8443/a"),
    ],
)
def test_an_address_is_taken_apart_and_written_again(text: str, url: CollectorUrl, written: str) -> None:
    assert parse_collector_url(text) == url
    assert str(url) == written
    assert parse_collector_url(written) == url


@pytest.mark.parametrize(
    "text",
    [
        "", "marquez:5000", "ftp://a", "HTTP://a", "http://", "http://a b", "http://user:password@a", "http://a?b=c",
        "http://a#b", "http://a/../b", "http://a:0", "http://a:65536", "http://a/\n", "http://a//b", f"http://{'a' * 2048}",
    ],
)  # fmt: skip
def test_other_addresses_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 # its text is compared below
        parse_collector_url(text)

    assert str(refused.value) == URL_MESSAGE


@pytest.mark.parametrize("text", ["a", "team-a", "https://example.org/a_b.c", "9"])
def test_a_namespace(text: str) -> None:
    assert parse_namespace(text) == text


@pytest.mark.parametrize("text", ["", "-a", "a b", "a\n", "é", "a" * 257])
def test_what_is_no_namespace(text: str) -> None:
    with pytest.raises(ValueError, match=NAMESPACE_MESSAGE):
        parse_namespace(text)
