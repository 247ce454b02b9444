"""What is asked of a host's API, when, and how much: the pure parts."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gitmart.contract.host_api import METADATA_MEANINGS, MetadataOutcome, Provider, api_of, parse_api_url, provider_of
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.credentials import Credentials
from gitmart.extract.errors import InputError
from gitmart.extract.metadata.asking import Remembered
from gitmart.extract.metadata.due import Due, Looked, due, next_at
from gitmart.extract.metadata.errors import MetadataError
from gitmart.extract.metadata.facts import account, languages_by_percent, languages_by_size
from gitmart.extract.metadata.limits import Budget, RateLimit, is_limited, rate_limit
from gitmart.extract.metadata.settings import Token, add_metadata_options, metadata_of, token_for
from gitmart.extract.settings import MetadataSettings, Remote

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
API = parse_api_url("https://api.github.com")
SETTINGS = MetadataSettings(Provider.GITHUB, API)


def url(text: str) -> Any:
    return parse_repository_url(text, allow_file=True)


# Whose API


@pytest.mark.parametrize(
    ("address", "provider", "api"),
    [
        ("https://github.com/o/r.git", Provider.GITHUB, "https://api.github.com"),
        ("ssh://git@github.com/o/r", Provider.GITHUB, "https://api.github.com"),
        ("ssh://git@ssh.github.com:443/o/r", Provider.GITHUB, "https://api.github.com"),
        ("https://GitHub.com/o/r", Provider.GITHUB, "https://api.github.com"),
        ("https://octo.ghe.com/o/r", Provider.GITHUB, "https://api.octo.ghe.com"),
        ("https://gitlab.com/g/s/r", Provider.GITLAB, "https://gitlab.com/api/v4"),
        ("ssh://git@altssh.gitlab.com:443/g/r", Provider.GITLAB, "https://gitlab.com/api/v4"),
        ("https://github.com.example.org/o/r", None, ""),
        ("https://notgithub.com/o/r", None, ""),
        ("https://gitlab.example.org/github.com/r", None, ""),
        ("https://ghe.com/o/r", None, ""),
        ("file:///srv/github.com/r", None, ""),
    ],
)
def test_a_host_is_known_by_its_name_alone(address: str, provider: Provider | None, api: str) -> None:
    assert provider_of(url(address)) is provider
    if provider is not None:
        assert str(api_of(url(address), provider)) == api


@pytest.mark.parametrize(
    ("provider", "api"),
    [
        (Provider.GITHUB, "https://git.example.org:8443/api/v3"),
        (Provider.GITLAB, "https://git.example.org:8443/api/v4"),
    ],
)
def test_the_api_of_another_host_is_where_its_provider_puts_it(provider: Provider, api: str) -> None:
    assert str(api_of(url("https://git.example.org:8443/o/r"), provider)) == api
    assert ":" not in str(api_of(url("ssh://git@git.example.org:2222/o/r"), provider)).removeprefix("https:")


@pytest.mark.parametrize("text", ["https://h", "https://h/", "https://h:8443/api/v3/", "https://[2001:db8::1]:1/a"])
def test_addresses_of_apis_are_taken_apart_and_put_together_again(text: str) -> None:
    assert str(parse_api_url(text)) == text.rstrip("/")
    assert str(parse_api_url("https://H:443/a")) == "https://h/a"


@pytest.mark.parametrize(
    "text",
    ["", "http://h/", "https://", "https://u:canary@h/", "https://h/a?b", "https://h/a#b", "https://h:0/", "https://h:65536/",
     "https://h/../a", "https://h//a", "https://h/a b", "https://h/%2e", "https://h/\n", "https://" + "h" * 2050],
)  # fmt: skip
def test_other_texts_are_no_addresses_of_apis(text: str) -> None:
    with pytest.raises(ValueError, match="must be the https:// address of an API") as caught:
        parse_api_url(text)

    assert "canary" not in str(caught.value)


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_metadata_options(parser)
    return parser.parse_args(words)


def test_without_the_option_no_api_is_asked() -> None:
    assert metadata_of(parsed(), url("https://github.com/o/r")) is None


@pytest.mark.parametrize(
    ("words", "address", "told"),
    [
        (["--metadata=auto"], "https://git.example.org/o/r", "must be github or gitlab for this host"),
        (["--metadata=github"], "file:///srv/a", "a folder has no host"),
        (["--metadata-api-url=https://h/api"], "https://github.com/o/r", "belongs to --metadata"),
        (["--metadata=auto", "--metadata-api-url=https://h/api"], "https://github.com/o/r", "belongs to a provider"),
    ],
)
def test_options_that_contradict_each_other_are_named(words: list[str], address: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        metadata_of(parsed(*words), url(address))


# The token


@pytest.mark.parametrize(
    ("address", "api", "shown"),
    [
        ("https://github.com/o/r", "https://api.github.com", "t"),
        ("https://git.example.org/o/r", "https://git.example.org/api/v3", "t"),
        ("https://git.example.org:8443/o/r", "https://git.example.org:8443/other", "t"),
        ("https://git.example.org/o/r", "https://git.example.org:8443/api/v3", ""),
        ("https://git.example.org/o/r", "https://api.example.org", ""),
        ("https://github.com/o/r", "https://github.com", ""),
        ("ssh://git@git.example.org/o/r", "https://git.example.org/api/v3", ""),
    ],
)
def test_the_token_of_git_is_shown_to_its_own_host_alone(address: str, api: str, shown: str) -> None:
    settings = MetadataSettings(Provider.GITHUB, parse_api_url(api))
    remote = Remote(url(address), credentials=Credentials("Secret a", token="t"))

    assert token_for(settings, remote, {}).value == shown


def test_a_password_is_shown_to_no_api() -> None:
    remote = Remote(url("https://github.com/o/r"), credentials=Credentials("Secret a", authorization="Basic x"))

    assert token_for(SETTINGS, remote, {}).value == ""


@pytest.mark.parametrize(
    ("content", "outcome"),
    [(None, MetadataOutcome.SECRET_MISSING), ("\n", MetadataOutcome.SECRET_MISSING), ("a b", MetadataOutcome.SECRET_INVALID),
     ("ä", MetadataOutcome.SECRET_INVALID), ("a\nb", MetadataOutcome.SECRET_INVALID)],
)  # fmt: skip
def test_a_secret_without_a_token_is_named(content: str | None, outcome: MetadataOutcome, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "token").write_text(content, encoding="utf-8")
    environment = {
        "GITMART_METADATA_CREDENTIALS_DIR": str(tmp_path), "GITMART_METADATA_CREDENTIALS_SOURCE": "Secret stars",
    }  # fmt: skip

    with pytest.raises(MetadataError, match="Secret stars") as caught:
        token_for(SETTINGS, Remote(url("https://github.com/o/r")), environment)

    assert caught.value.outcome is outcome


def test_a_fingerprint_tells_tokens_apart_and_holds_none() -> None:
    one, other = Token("canary"), Token("canary2")

    assert len({one.fingerprint, other.fingerprint, Token().fingerprint}) == 3
    assert "canary" not in f"{one.fingerprint} {one!r} {one.clean('a canary')}"


# When


def looked(**changes: Any) -> Looked:
    known = {
        "provider": "github", "api_url": str(API), "attempted_at": NOW, "outcome": "Succeeded", "message": "",
        "requests": 3, "pending": 0, "next_at": NOW + DAY, "taken_at": NOW,
    }  # fmt: skip
    return Looked(**(known | changes))


FAILED: dict[str, Any] = {"outcome": "HostUnreachable", "next_at": NOW + HOUR}
NOTHING, ALL = Due(facts=False, contributors=False), Due(facts=True, contributors=True)


@pytest.mark.parametrize(
    ("before", "later", "wanted"),
    [
        pytest.param(None, timedelta(0), ALL, id="never"),
        pytest.param(looked(), 23 * HOUR, NOTHING, id="fresh"),
        pytest.param(looked(), DAY, ALL, id="old"),
        pytest.param(looked(next_at=NOW + 30 * DAY), DAY, ALL, id="the interval was longer"),
        pytest.param(looked(provider="gitlab"), HOUR, ALL, id="another provider"),
        pytest.param(looked(api_url="https://h/api"), HOUR, ALL, id="another API"),
        pytest.param(looked(**FAILED), timedelta(minutes=59), NOTHING, id="just failed"),
        pytest.param(looked(**FAILED, taken_at=None), HOUR, ALL, id="failed"),
        pytest.param(looked(**FAILED, pending=5), HOUR, Due(facts=False, contributors=True), id="failed in people"),
        pytest.param(looked(outcome="Incomplete", next_at=NOW, pending=5), HOUR, Due(facts=False, contributors=True),
                     id="the rest"),
        pytest.param(looked(outcome="RateLimited", next_at=NOW + 300 * DAY, taken_at=None), HOUR, ALL,
                     id="a pause beyond belief"),
        pytest.param(looked(taken_at=NOW + 9 * DAY), HOUR, ALL, id="the clock was set back"),
    ],
)  # fmt: skip
def test_what_is_due_follows_from_what_was_done(before: Looked | None, later: timedelta, wanted: Due) -> None:
    assert due(before, SETTINGS, NOW + later) == wanted


def test_contributors_may_be_left_out() -> None:
    assert due(None, MetadataSettings(Provider.GITHUB, API, contributors=False), NOW) == Due(True, False)


@pytest.mark.parametrize(
    ("outcome", "again", "expected"),
    [
        ("Succeeded", None, NOW - HOUR + DAY),
        ("Incomplete", None, NOW),
        ("Stopped", None, NOW),
        ("RateLimited", NOW + 2 * HOUR, NOW + 2 * HOUR),
        ("NotFound", None, NOW + HOUR),
    ],
)
def test_when_to_ask_again_follows_from_how_it_ended(outcome: str, again: datetime | None, expected: datetime) -> None:
    assert next_at(outcome, again, NOW - HOUR, DAY, NOW) == expected


# How much

EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, RateLimit()),
        ({"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 60)},
         RateLimit(60, 0, NOW + timedelta(minutes=1))),
        ({"ratelimit-limit": "2000", "ratelimit-remaining": "1999", "ratelimit-reset": str(EPOCH)},
         RateLimit(2000, 1999, NOW)),
        ({"x-ratelimit-limit": "-1", "x-ratelimit-remaining": "many", "x-ratelimit-reset": "9" * 15}, RateLimit()),
        ({"x-ratelimit-limit": "٣", "x-ratelimit-remaining": "9" * 400}, RateLimit()),
        ({"retry-after": "90"}, RateLimit(retry_after=NOW + timedelta(seconds=90))),
        ({"retry-after": "9" * 15}, RateLimit(retry_after=NOW + DAY)),
        ({"retry-after": "Sun, 01 Mar 2026 13:00:00 GMT"}, RateLimit(retry_after=NOW + HOUR)),
        ({"retry-after": "soon"}, RateLimit()),
    ],
)  # fmt: skip
def test_limits_are_read_in_the_words_of_both_and_believed_if_they_can_be(
    headers: dict[str, str], expected: RateLimit
) -> None:
    assert rate_limit(headers, NOW) == expected


@pytest.mark.parametrize(
    ("limit", "pause"),
    [
        (RateLimit(), timedelta(minutes=1)),
        (RateLimit(reset=NOW - HOUR), timedelta(minutes=1)),
        (RateLimit(reset=NOW + HOUR), HOUR),
        (RateLimit(reset=NOW + HOUR, retry_after=NOW + 2 * HOUR), 2 * HOUR),
        (RateLimit(reset=NOW + 90 * DAY), DAY),
    ],
)
def test_a_pause_lasts_a_minute_to_a_day(limit: RateLimit, pause: timedelta) -> None:
    assert limit.again(NOW) == NOW + pause


@pytest.mark.parametrize(
    ("status", "limit", "words", "limited"),
    [
        (429, RateLimit(), "", True),
        (403, RateLimit(), "Resource not accessible", False),
        (403, RateLimit(remaining=0), "", True),
        (403, RateLimit(remaining=5), "", False),
        (403, RateLimit(retry_after=NOW), "", True),
        (403, RateLimit(), "You have exceeded a secondary rate limit", True),
        (404, RateLimit(remaining=0), "", False),
    ],
)
def test_a_refusal_for_a_limit_is_told_from_others(status: int, limit: RateLimit, words: str, limited: bool) -> None:
    assert is_limited(status, limit, words) is limited


def test_a_budget_ends_with_its_requests_its_time_and_the_hosts_patience() -> None:
    few, short, limited = Budget(until=10, requests=2), Budget(until=10), Budget(until=10)
    few.spend(0)
    few.spend(9)
    with pytest.raises(MetadataError, match="2 requests of one run") as used_up:
        few.spend(9)
    with pytest.raises(MetadataError, match="time of one run") as late:
        short.spend(10)
    limited.note(RateLimit(5000, 501, NOW + HOUR), NOW)
    limited.spend(0)
    limited.note(RateLimit(5000, 500, NOW + HOUR), NOW)
    with pytest.raises(MetadataError, match="2026-03-01 13:00 UTC") as low:
        limited.spend(0)

    assert used_up.value.outcome is late.value.outcome is MetadataOutcome.INCOMPLETE
    assert (low.value.outcome, low.value.again) == (MetadataOutcome.RATE_LIMITED, NOW + HOUR)
    assert (few.made, short.made, limited.made) == (2, 0, 1)


@pytest.mark.parametrize(
    ("etag", "modified", "headers"),
    [
        ('W/"1"', "Mon", {"If-None-Match": 'W/"1"'}),
        (None, "Mon", {"If-Modified-Since": "Mon"}),
        (None, None, {}),
    ],
)
def test_a_date_only_stands_in_for_a_missing_etag(
    etag: str | None, modified: str | None, headers: dict[str, str]
) -> None:
    assert Remembered("", "", etag, modified).headers == headers


# What is believed


def test_shares_of_languages_are_parts_of_the_code() -> None:
    by_size = languages_by_size({"B": 1, "A": 2, "None of it": 0})
    by_percent = languages_by_percent({"B": 33.3333333, "A": 66, "wrong": 101, "nan": float("nan"), "yes": True})

    assert [(each.name, each.size_bytes, each.share) for each in by_size] == [
        ("A", 2, Decimal("0.666667")), ("B", 1, Decimal("0.333333")), ("None of it", 0, Decimal("0.000000")),
    ]  # fmt: skip
    assert [(each.name, each.size_bytes, each.share) for each in by_percent] == [
        ("A", None, Decimal("0.660000")), ("B", None, Decimal("0.333333")),
    ]  # fmt: skip
    assert languages_by_size({"empty": 0})[0].share is None
    assert languages_by_size(["x"]) == languages_by_percent(None) == ()


@pytest.mark.parametrize("login", ["octocat", "dependabot[bot]", "name_company", "a" * 39])
def test_logins_of_github_are_logins(login: str) -> None:
    found = account({"login": login, "id": 1, "html_url": f"https://github.com/{login}"}, ["github.com"])

    assert found is not None
    assert (found.login, found.account_id) == (login, 1)


@pytest.mark.parametrize("login", ["", "-a", "a b", "a/b", "a\n", "<script>", "é", "a" * 120, None, 5, ["a"]])
def test_other_values_are_none(login: object) -> None:
    assert account({"login": login}, ["github.com"]) is None


@pytest.mark.parametrize(
    ("page", "fine"),
    [
        ("https://github.com/octocat", True),
        ("https://GITHUB.com/octocat", True),
        ("http://github.com/octocat", False),
        ("https://github.com.example.org/octocat", False),
        ("https://github.com@example.org/octocat", False),
        ("javascript:alert(1)", False),
        ("https://[::1", False),
        ("https://github.com/a b", False),
    ],
)
def test_a_profile_is_a_page_of_the_host(page: str, fine: bool) -> None:
    found = account({"login": "octocat", "html_url": page}, ["github.com"])

    assert found is not None
    assert found.profile_url == (page if fine else None)


def test_the_page_lists_every_outcome_as_it_is() -> None:
    page = (Path(__file__).parents[3] / "docs" / "metadata.md").read_text(encoding="utf-8")
    section = page.split("\n## How a look ends\n")[1].split("\n## ")[0]

    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{outcome.value}` | {meaning} |" for outcome, meaning in METADATA_MEANINGS.items()]
    assert set(METADATA_MEANINGS) == set(MetadataOutcome)
