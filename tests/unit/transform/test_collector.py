"""Which collectors are called, and what the options say."""

from __future__ import annotations

import argparse
import ipaddress
from pathlib import Path

import pytest

from gitmart.contract.openlineage import CollectorUrl, parse_collector_url
from gitmart.transform.collector import (
    CollectorError,
    CollectorSettings,
    add_collector_options,
    collector_of,
    refuse,
)
from gitmart.warehouse.errors import SettingError


@pytest.mark.parametrize(
    ("scheme", "address", "why"),
    [
        ("http", "10.0.0.1", ""),
        ("http", "127.0.0.1", ""),
        ("http", "::1", ""),
        ("http", "fd00::1", ""),
        ("http", "100.64.0.1", ""),
        ("http", "9.9.9.9", "public"),
        ("http", "2620:fe::fe", "public"),
        ("http", "::ffff:9.9.9.9", "public"),
        ("https", "9.9.9.9", ""),
        ("https", "10.0.0.1", ""),
        ("https", "169.254.169.254", "no collector"),
        ("http", "169.254.169.254", "no collector"),
        ("http", "::ffff:169.254.169.254", "no collector"),
        ("http", "64:ff9b::a9fe:a9fe", "no collector"),
        ("http", "fe80::1", "no collector"),
        ("http", "0.0.0.0", "no collector"),  # noqa: S104 # nothing is bound
        ("https", "224.0.0.1", "no collector"),
    ],
)
def test_http_stays_inside_and_nothing_goes_to_link_local_addresses(scheme: str, address: str, why: str) -> None:
    url = CollectorUrl(scheme, "collector.example.org", 443, "/")
    if not why:
        refuse(url, ipaddress.ip_address(address))
        return
    with pytest.raises(CollectorError, match=why):
        refuse(url, ipaddress.ip_address(address))


def settings_of(*words: str, **environment: str) -> CollectorSettings | None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_collector_options(parser)
    return collector_of(parser.parse_args(words), environment, "analytics")


def test_without_an_address_nobody_is_told() -> None:
    assert settings_of(GITMART_OPENLINEAGE_CREDENTIALS_DIR="/key") is None


def test_what_the_options_and_variables_say() -> None:
    url = parse_collector_url("http://a")
    assert settings_of("--openlineage-url", "http://a") == CollectorSettings(
        url, "gitmart", "analytics", None, "the folder named by GITMART_OPENLINEAGE_CREDENTIALS_DIR (None)"
    )
    told = settings_of(
        "--openlineage-url", "http://a", "--openlineage-namespace", "n", "--openlineage-job", "j",
        GITMART_OPENLINEAGE_CREDENTIALS_DIR="/key", GITMART_OPENLINEAGE_CREDENTIALS_SOURCE="Secret s",
    )  # fmt: skip
    assert told == CollectorSettings(url, "n", "j", Path("/key"), "Secret s")


@pytest.mark.parametrize("words", [("--openlineage-namespace", "a"), ("--openlineage-job", "a")])
def test_names_without_an_address_are_refused(words: tuple[str, str]) -> None:
    with pytest.raises(SettingError, match="give --openlineage-url too"):
        settings_of(*words)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--openlineage-url", "marquez:5000"), "--openlineage-url: must be the https:// address"),
        (("--openlineage-url", "http://a", "--openlineage-namespace", "a b"), "--openlineage-namespace: must be a namespace"),
        (("--openlineage-url", "http://a", "--openlineage-job", ""), "--openlineage-job: must be a namespace"),
    ],
)  # fmt: skip
def test_an_option_that_is_wrong_is_named(words: tuple[str, ...], why: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=why):
        settings_of(*words)
