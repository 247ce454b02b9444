"""Flags and variables of `gitmart operator`, and the page of the manual."""

from __future__ import annotations

import argparse
import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from gitmart.contract.settings import SettingsError
from gitmart.handlers.settings import TABLE, Settings, configure

PAGE = Path(__file__).parents[3] / "docs" / "operator-settings.md"
IMAGE = "registry.example.org/gitmart:0.1.0"


def settings_of(*words: str, **environment: str) -> Settings:
    parser = argparse.ArgumentParser(exit_on_error=False)
    configure(parser)
    return Settings.of(parser.parse_args(words), {"GITMART_IMAGE": IMAGE, **environment})


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.crt"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def test_defaults() -> None:
    assert settings_of() == Settings(
        image=IMAGE,
        image_pull_policy="IfNotPresent",
        image_pull_secrets=(),
        watch_namespaces=(),
        max_extractions=4,
        max_extractions_per_host=2,
        checks=True,
        check_timeout=timedelta(seconds=30),
        max_checks=4,
        concurrency=10,
        resync=timedelta(minutes=10),
        allowed_networks=(),
        git_ca="",
        git_proxy="",
        git_no_proxy="",
        health_port=8080,
        http_port=8081,
        log_level="info",
    )


@pytest.mark.parametrize(
    ("variable", "text", "attribute", "value"),
    [
        ("GITMART_IMAGE_PULL_SECRETS", "ocir, other.example", "image_pull_secrets", ("ocir", "other.example")),
        ("GITMART_WATCH_NAMESPACES", "team-a,team-b,team-a,", "watch_namespaces", ("team-a", "team-b")),
        ("GITMART_MAX_EXTRACTIONS", "0", "max_extractions", 0),
        ("GITMART_CHECKS", "false", "checks", False),
        ("GITMART_CHECKS", "", "checks", True),
        ("GITMART_RESYNC", "1h30m", "resync", timedelta(minutes=90)),
        ("GITMART_ALLOWED_NETWORKS", "10.0.0.0/8, fd00::/8", "allowed_networks", ("10.0.0.0/8", "fd00::/8")),
        ("GITMART_GIT_PROXY", "http://proxy.example.org:3128", "git_proxy", "http://proxy.example.org:3128"),
        ("GITMART_GIT_NO_PROXY", ".example.org, 10.0.0.0/8", "git_no_proxy", ".example.org,10.0.0.0/8"),
        ("GITMART_LOG_LEVEL", "debug", "log_level", "debug"),
    ],
)
def test_a_variable_sets_its_value(variable: str, text: str, attribute: str, value: object) -> None:
    assert getattr(settings_of(**{variable: text}), attribute) == value


def test_a_flag_goes_before_its_variable() -> None:
    assert settings_of("--max-extractions", "7", GITMART_MAX_EXTRACTIONS="no number").max_extractions == 7


def test_the_certificates_of_the_file_are_read(ca_file: Path) -> None:
    assert settings_of(GITMART_GIT_CA_FILE=str(ca_file)).git_ca == ca_file.read_text(encoding="ascii")


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("GITMART_IMAGE", "", "is missing"),
        ("GITMART_IMAGE", "two words", "'two words' is no image"),
        ("GITMART_IMAGE_PULL_POLICY", "Sometimes", "write Always, IfNotPresent or Never"),
        ("GITMART_IMAGE_PULL_SECRETS", "ok,Not_Ok", "'Not_Ok' is no name of a Secret"),
        ("GITMART_WATCH_NAMESPACES", "a.b", "'a.b' is no name of a namespace"),
        ("GITMART_MAX_EXTRACTIONS", "-1", "'-1' is not possible: write a number from 0 to 100000"),
        ("GITMART_MAX_EXTRACTIONS_PER_HOST", "two", "write a number from 0"),
        ("GITMART_CHECKS", "yes", "write true or false"),
        ("GITMART_CHECK_TIMEOUT", "11m", "at least 1s and at most 10m"),
        ("GITMART_MAX_CHECKS", "101", "from 1 to 100"),
        ("GITMART_CONCURRENCY", "٤", "from 1 to 100"),
        ("GITMART_RESYNC", "10", "'10' is no duration: write it like 30s, 10m or 1h30m"),
        ("GITMART_RESYNC", "0s", "at least 1s"),
        ("GITMART_ALLOWED_NETWORKS", "10.0.0.1/8", "'10.0.0.1/8' is no network: write CIDRs"),
        ("GITMART_GIT_CA_FILE", "/nowhere", "'/nowhere' cannot be read: No such file"),
        ("GITMART_GIT_CA_FILE", __file__, "holds no certificates in PEM form"),
        ("GITMART_GIT_CA_FILE", "/dev/zero", "holds more than 96 KiB"),
        ("GITMART_GIT_PROXY", "socks5://canary", "write http://host:port"),
        ("GITMART_GIT_PROXY", "http://canary:bad", "write http://host:port"),
        ("GITMART_GIT_PROXY", "http://user:canary@proxy:3128", "no user name or password"),
        ("GITMART_GIT_NO_PROXY", "a b", "'a b' is no host"),
        ("GITMART_HEALTH_PORT", "65536", "from 1 to 65535"),
        ("GITMART_HTTP_PORT", "8080", "both 8080: they must differ"),
        ("GITMART_LOG_LEVEL", "loud", "write debug, info, warning or error"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings_of(**{variable: text})

    (mistake,) = error.value.mistakes
    assert variable in mistake
    assert said in mistake
    assert "canary" not in mistake
    assert error.value.outcome.exit_code == 64


def test_a_wrong_flag_is_named_as_the_flag() -> None:
    with pytest.raises(SettingsError, match=r"^--resync: 'x' is no duration"):
        settings_of("--resync", "x")


def test_a_private_key_beside_the_certificates_is_refused(tmp_path: Path) -> None:
    authority = trustme.CA()
    path = tmp_path / "both.pem"
    path.write_bytes(authority.cert_pem.bytes() + authority.private_key_pem.bytes())

    with pytest.raises(SettingsError, match="holds a private key"):
        settings_of(GITMART_GIT_CA_FILE=str(path))


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        settings_of(GITMART_IMAGE="", GITMART_RESYNC="x", GITMART_CHECKS="x")

    assert [mistake.partition(":")[0] for mistake in error.value.mistakes] == [
        "GITMART_IMAGE",
        "GITMART_CHECKS",
        "GITMART_RESYNC",
    ]


def test_the_table_and_the_settings_hold_the_same_things() -> None:
    assert [setting.attribute for setting in TABLE] == [field.name for field in dataclasses.fields(Settings)]


def test_the_page_lists_every_setting_as_it_is() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]

    assert rows == [
        f"| `{setting.variable}` | `{setting.flag}` | {f'`{setting.default}`' if setting.default else ''} | {setting.meaning} |"
        for setting in TABLE
    ]
