"""Addresses: which are accepted, what they are made of, which are the same repository."""

import re

import pytest

from gitmart.contract.repository_url import (
    LOCAL_RULES,
    NETWORK_RULES,
    RepositoryUrl,
    UrlRule,
    parse_repository_url,
    url_key,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "https://git.example.org/group/name.git",
            RepositoryUrl("https", None, "git.example.org", None, "/group/name.git"),
            id="https",
        ),
        pytest.param(
            "https://Git.Example.ORG:443/Name/",
            RepositoryUrl("https", None, "git.example.org", None, "/Name/"),
            id="host in capitals, default port",
        ),
        pytest.param(
            "ssh://git@git.example.org:2222/~one/name",
            RepositoryUrl("ssh", "git", "git.example.org", 2222, "/~one/name"),
            id="ssh with user and port",
        ),
        pytest.param(
            "https://[2001:DB8::1]:65535/a",
            RepositoryUrl("https", None, "2001:db8::1", 65535, "/a"),
            id="IPv6",
        ),
        pytest.param(
            "https://git.example.org/a@b", RepositoryUrl("https", None, "git.example.org", None, "/a@b"), id="@"
        ),
        pytest.param("file:///srv/my%20git", RepositoryUrl("file", None, "", None, "/srv/my%20git"), id="file"),
    ],
)
def test_an_address_is_taken_apart_and_put_together_again(text: str, expected: RepositoryUrl) -> None:
    url = parse_repository_url(text, allow_file=True)

    assert url == expected
    assert parse_repository_url(str(url), allow_file=True) == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "must start with https:// or ssh://", id="empty"),
        pytest.param("--upload-pack=x", "must start with https:// or ssh://", id="option"),
        pytest.param("ext::sh -c x", "must start with https:// or ssh://", id="ext"),
        pytest.param("http://git.example.org/a", "must start with https:// or ssh://", id="http"),
        pytest.param("HTTPS://git.example.org/a", "must start with https:// or ssh://", id="capital scheme"),
        pytest.param("git@git.example.org:a/b.git", "write git@host:path as ssh://git@host/path", id="scp-like"),
        pytest.param("file:///srv/git", "works in local mode only", id="file"),
        pytest.param("https://git.example.org/a b", "percent-encode", id="space"),
        pytest.param("https://git.example.org/a\n", "percent-encode", id="newline"),
        pytest.param("https://git.example.org/ü", "percent-encode", id="not ASCII"),
        pytest.param("https://git.example.org/a?x=1", "no query", id="query"),
        pytest.param("https://git.example.org/a#x", "no fragment", id="fragment"),
        pytest.param("https://canary@git.example.org/a", "no user name, token or password", id="https user"),
        pytest.param("https://one:canary@git.example.org/a", "no user name, token or password", id="https password"),
        pytest.param("ssh://git:canary@git.example.org/a", "no password", id="ssh password"),
        pytest.param("ssh://-oProxyCommand=x@git.example.org/a", "a user name", id="ssh user as option"),
        pytest.param("ssh://-oProxyCommand=x/a", "must name a host", id="ssh host as option"),
        pytest.param("https:///a", "must name a host", id="no host"),
        pytest.param("https://git.example.org:0/a", "from 1 to 65535", id="port 0"),
        pytest.param("https://git.example.org:65536/a", "from 1 to 65535", id="port too large"),
        pytest.param("https://git.example.org:x/a", "from 1 to 65535", id="port no number"),
        pytest.param("https://git.example.org", "must name a repository", id="no path"),
        pytest.param("https://git.example.org/", "must name a repository", id="empty path"),
        pytest.param("https://git.example.org/.git", "must name a repository", id="only .git"),
        pytest.param("https://git.example.org/a/../b", "no empty, . or .. part", id="dots"),
        pytest.param("https://git.example.org//a", "no empty, . or .. part", id="empty part"),
        pytest.param("https://git.example.org/" + "a" * 2048, "at most 2048 characters", id="too long"),
    ],
)
def test_a_wrong_address_is_told_what_is_allowed_and_not_repeated(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        parse_repository_url(text, allow_file=False)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", ["file://host/a", "file:a", "/srv/git", "file:///", "file:///a/../b", "git@host:a"])
def test_a_local_address_is_an_absolute_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        parse_repository_url(text, allow_file=True)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("https://Git.Example.org:443/Group/Name.git/", "https://git.example.org/Group/Name"),
        ("https://git.example.org:8443/a", "https://git.example.org:8443/a"),
        ("ssh://git@git.example.org:22/a.git", "ssh://git.example.org/a"),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]/a"),
        ("file:///srv/a/.git", "file:///srv/a"),
    ],
)
def test_the_key_leaves_out_what_makes_no_other_repository(text: str, key: str) -> None:
    assert url_key(text) == key
    assert url_key(key) == key


def test_the_name_is_the_last_part_of_the_path() -> None:
    assert parse_repository_url("https://git.example.org/group/name.git/", allow_file=False).name == "name"


@pytest.mark.parametrize("rule", [*NETWORK_RULES, *LOCAL_RULES], ids=lambda rule: rule.message[:40])
def test_each_rule_reads_the_same_in_re2(rule: UrlRule) -> None:
    """RE2 knows no look-around, back-references, named groups of Python's, atomic groups or possessive repeats."""
    assert not re.search(r"\(\?|\\[1-9bBdDsSwWAZ]|[*+?}]\+", rule.pattern)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://git.example.org/group/name.git", "name"),
        ("https://git.example.org/group/two%20words", "two words"),
        ("https://git.example.org/group/caf%C3%A9/", "café"),
        ("https://git.example.org/group/bell%07", "bell%07"),
        ("https://git.example.org/group/nul%00", "nul%00"),
        ("https://git.example.org/group/half%E9", "half\ufffd"),
    ],
)
def test_the_name_is_written_for_people(url: str, name: str) -> None:
    assert parse_repository_url(url, allow_file=False).name == name
