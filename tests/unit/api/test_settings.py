"""Flags and variables of `gitmart api`, and the page of the manual."""

from __future__ import annotations

import argparse
import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from gitmart.api.settings import NO_PORT, TABLE, Settings, configure
from gitmart.contract.settings import SettingsError
from gitmart.warehouse.errors import SettingError

PAGE = Path(__file__).parents[3] / "docs" / "serving.md"
URL = "postgresql://gitmart_read:secret@host/gitmart"


def settings_of(*words: str, **environment: str) -> Settings:
    parser = argparse.ArgumentParser(exit_on_error=False)
    configure(parser)
    return Settings.of(parser.parse_args(words), {"GITMART_WAREHOUSE_URL": URL, **environment})


def test_defaults() -> None:
    assert settings_of("--no-authentication") == Settings(
        url=URL,
        schema="analytics",
        host="127.0.0.1",
        port=8080,
        metrics_port=8081,
        tokens_file=None,
        oidc_issuer="",
        oidc_audience="",
        oidc_algorithms=("RS256", "ES256", "EdDSA"),
        oidc_ca_file=None,
        oidc_groups_claim="groups",
        oidc_client_id="",
        oidc_client_secret_file=None,
        oidc_scopes=("openid",),
        oidc_redirect_url="",
        no_authentication=True,
        session_duration=timedelta(hours=12),
        rate_limit=600,
        rate_burst=200,
        body_limit=5 << 20,
        max_requests=32,
        connections=4,
        connection_timeout=timedelta(seconds=5),
        statement_timeout=timedelta(seconds=10),
        check_interval=timedelta(seconds=1),
        cache_size=32 << 20,
        renewed_answers=50,
        cors_origins=(),
        hsts=timedelta(),
        trusted_proxies=(),
        root_path="",
        grace=timedelta(seconds=10),
        access_log=True,
        log_level="info",
        hook_secrets=None,
        triggers_by=(),
        watch_namespaces=(),
        service_account=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        api_server=None,
    )


@pytest.mark.parametrize(
    ("variable", "text", "attribute", "value"),
    [
        ("GITMART_DBT_SCHEMA", "marts", "schema", "marts"),
        ("GITMART_API_HOST", "::", "host", "::"),
        ("GITMART_API_PORT", "0", "port", 0),
        ("GITMART_API_METRICS_PORT", "none", "metrics_port", NO_PORT),
        ("GITMART_API_OIDC_ALGORITHMS", "ES512, PS256", "oidc_algorithms", ("ES512", "PS256")),
        ("GITMART_API_OIDC_CA_FILE", "/ca.pem", "oidc_ca_file", Path("/ca.pem")),
        ("GITMART_API_OIDC_GROUPS_CLAIM", "realm_access.roles", "oidc_groups_claim", "realm_access.roles"),
        ("GITMART_API_TRIGGERS_BY", "ci,oidc:ada,oidc-group:Platform Team", "triggers_by",
         ("ci", "oidc:ada", "oidc-group:Platform Team")),
        ("GITMART_API_OIDC_SCOPES", "openid, groups", "oidc_scopes", ("openid", "groups")),
        ("GITMART_API_SESSION_DURATION", "30m", "session_duration", timedelta(minutes=30)),
        ("GITMART_API_RATE_LIMIT", "0", "rate_limit", 0),
        ("GITMART_API_RATE_BURST", "5", "rate_burst", 5),
        ("GITMART_API_BODY_LIMIT", "64Ki", "body_limit", 65_536),
        ("GITMART_API_MAX_REQUESTS", "8", "max_requests", 8),
        ("GITMART_API_CONNECTIONS", "16", "connections", 16),
        ("GITMART_API_CONNECTION_TIMEOUT", "2s", "connection_timeout", timedelta(seconds=2)),
        ("GITMART_API_STATEMENT_TIMEOUT", "1m", "statement_timeout", timedelta(minutes=1)),
        ("GITMART_API_CHECK_INTERVAL", "0s", "check_interval", timedelta()),
        ("GITMART_API_CACHE_SIZE", "0", "cache_size", 0),
        ("GITMART_API_RENEWED_ANSWERS", "0", "renewed_answers", 0),
        ("GITMART_API_CORS_ORIGINS", "https://a.example, http://b.example:3000", "cors_origins",
         ("https://a.example", "http://b.example:3000")),
        ("GITMART_API_CORS_ORIGINS", "*", "cors_origins", ("*",)),
        ("GITMART_API_HSTS", "8760h", "hsts", timedelta(days=365)),
        ("GITMART_API_TRUSTED_PROXIES", "10.0.0.7,fd00::/8", "trusted_proxies", ("10.0.0.7", "fd00::/8")),
        ("GITMART_API_ROOT_PATH", "/tools/gitmart/", "root_path", "/tools/gitmart"),
        ("GITMART_API_GRACE", "0s", "grace", timedelta()),
        ("GITMART_API_ACCESS_LOG", "false", "access_log", False),
        ("GITMART_API_LOG_LEVEL", "debug", "log_level", "debug"),
    ],
)  # fmt: skip
def test_a_variable_sets_its_value(variable: str, text: str, attribute: str, value: object) -> None:
    assert getattr(settings_of("--no-authentication", **{variable: text}), attribute) == value


def test_each_way_of_authentication_is_one() -> None:
    by_tokens = settings_of(GITMART_API_TOKENS_FILE="/tokens")
    by_issuer = settings_of(GITMART_API_OIDC_ISSUER="https://id.example/realm", GITMART_API_OIDC_AUDIENCE="gitmart")
    by_none = settings_of(GITMART_API_NO_AUTHENTICATION="true")

    assert (by_tokens.tokens_file, by_tokens.no_authentication) == (Path("/tokens"), False)
    assert (by_issuer.oidc_issuer, by_issuer.oidc_audience) == ("https://id.example/realm", "gitmart")
    assert by_none.no_authentication


def test_a_flag_goes_before_its_variable() -> None:
    assert settings_of("--no-authentication", "--connections", "7", GITMART_API_CONNECTIONS="x").connections == 7


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("GITMART_DBT_SCHEMA", "public", "'public' must be a schema"),
        ("GITMART_API_HOST", "localhost", "'localhost' is no address"),
        ("GITMART_API_PORT", "65536", "from 0 to 65535"),
        ("GITMART_API_METRICS_PORT", "off", "from 0 to 65535, or none"),
        ("GITMART_API_METRICS_PORT", "8080", "both 8080: they must differ"),
        ("GITMART_API_TOKENS_FILE", "/tokens", "--no-authentication excludes --tokens-file"),
        ("GITMART_API_OIDC_ISSUER", "http://id.example", "is no issuer: write the https:// address"),
        ("GITMART_API_OIDC_ISSUER", "https://id.example/?a", "is no issuer"),
        ("GITMART_API_OIDC_ISSUER", "https://[bad", "is no issuer"),
        ("GITMART_API_OIDC_AUDIENCE", "a\nb", "is no audience"),
        ("GITMART_API_OIDC_ALGORITHMS", "RS256,HS256", "'HS256' is no algorithm that is taken: write some of RS256"),
        ("GITMART_API_OIDC_ALGORITHMS", "none", "'none' is no algorithm"),
        ("GITMART_API_OIDC_GROUPS_CLAIM", "a\nb", "is no name of a claim"),
        ("GITMART_API_OIDC_CLIENT_ID", "a\nb", "is no client"),
        ("GITMART_API_OIDC_CLIENT_ID", "gitmart", "--oidc-client-id needs --oidc-client-secret-file"),
        ("GITMART_API_OIDC_CLIENT_SECRET_FILE", "/secret", "--oidc-client-secret-file needs --oidc-client-id"),
        ("GITMART_API_OIDC_SCOPES", "profile", "'profile' lacks openid"),
        ("GITMART_API_OIDC_SCOPES", 'openid,"', "is no scope"),
        ("GITMART_API_OIDC_REDIRECT_URL", "https://a.example/elsewhere", "leads not back here"),
        ("GITMART_API_OIDC_REDIRECT_URL", "http://a.example/sign-in/callback", "leads not back here"),
        ("GITMART_API_OIDC_REDIRECT_URL", "https://a.example/sign-in/callback", "give --oidc-client-id"),
        (
            "GITMART_API_TRIGGERS_BY",
            "oidc-group:",
            "write the name of a static token, oidc: and a subject, oidc-group:",
        ),
        ("GITMART_API_NO_AUTHENTICATION", "yes", "write true or false"),
        ("GITMART_API_SESSION_DURATION", "721h", "at most 720h"),
        ("GITMART_API_RATE_LIMIT", "-1", "from 0 to 1000000"),
        ("GITMART_API_RATE_BURST", "0", "from 1 to 1000000"),
        ("GITMART_API_BODY_LIMIT", "5MB", "'5MB' is no size"),
        ("GITMART_API_BODY_LIMIT", "1Gi", "write 1Ki to 64Mi"),
        ("GITMART_API_MAX_REQUESTS", "0", "from 1 to 1000"),
        ("GITMART_API_CONNECTIONS", "two", "from 1 to 100"),
        ("GITMART_API_CONNECTION_TIMEOUT", "0s", "at least 1s"),
        ("GITMART_API_STATEMENT_TIMEOUT", "11m", "at most 10m"),
        ("GITMART_API_CHECK_INTERVAL", "2m", "at most 1m"),
        ("GITMART_API_CACHE_SIZE", "5Gi", "write 0 to 4Gi"),
        ("GITMART_API_RENEWED_ANSWERS", "1001", "from 0 to 1000"),
        ("GITMART_API_CORS_ORIGINS", "https://a.example/", "'https://a.example/' is no origin"),
        ("GITMART_API_CORS_ORIGINS", "*,https://a.example", "write it alone"),
        ("GITMART_API_HSTS", "1y", "is no duration"),
        ("GITMART_API_TRUSTED_PROXIES", "10.0.0.1/8", "is no address or network"),
        ("GITMART_API_ROOT_PATH", "gitmart", "is no path: write such as /gitmart"),
        ("GITMART_API_ROOT_PATH", "/a b", "is no path"),
        ("GITMART_API_GRACE", "11m", "at most 10m"),
        ("GITMART_API_ACCESS_LOG", "1", "write true or false"),
        ("GITMART_API_LOG_LEVEL", "loud", "write debug, info, warning or error"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, text: str, said: str) -> None:
    explicit = {} if variable == "GITMART_API_NO_AUTHENTICATION" else {"GITMART_API_NO_AUTHENTICATION": "true"}
    with pytest.raises(SettingsError) as error:
        settings_of(**explicit, **{variable: text})

    (mistake,) = [each for each in error.value.mistakes if said in each]
    flag = next(setting.flag for setting in TABLE if setting.variable == variable)
    assert variable in mistake or flag in mistake
    assert error.value.outcome.exit_code == 64


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param([], "--no-authentication", id="nothing"),
        pytest.param(["--oidc-issuer", "https://id.example"], "--oidc-audience is missing", id="no audience"),
        pytest.param(["--oidc-audience", "gitmart"], "--oidc-issuer is missing", id="no issuer"),
    ],
)
def test_who_may_ask_must_be_said(words: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings_of(*words)


def test_browsers_sign_in_as_a_client_of_an_issuer_by_https() -> None:
    client = {"GITMART_API_OIDC_CLIENT_ID": "gitmart", "GITMART_API_OIDC_CLIENT_SECRET_FILE": "/secret"}
    issuer = {"GITMART_API_OIDC_ISSUER": "https://id.example", "GITMART_API_OIDC_AUDIENCE": "gitmart"}
    for back in ("https://a.example/gitmart/sign-in/callback", "http://localhost:8080/sign-in/callback"):
        settings = settings_of(**client, **issuer, GITMART_API_OIDC_REDIRECT_URL=back)
        assert (settings.oidc_client_id, settings.oidc_client_secret_file) == ("gitmart", Path("/secret"))
        assert settings.oidc_redirect_url == back
    with pytest.raises(SettingsError, match="--oidc-client-id needs an --oidc-issuer of https://"):
        settings_of(**client, **(issuer | {"GITMART_API_OIDC_ISSUER": "http://127.0.0.1:5556/dex"}))


def test_the_connection_is_needed_and_never_shown() -> None:
    with pytest.raises(SettingError, match="GITMART_WAREHOUSE_URL"):
        settings_of("--no-authentication", GITMART_WAREHOUSE_URL="")
    assert ":secret@" in URL
    assert "secret@" not in repr(settings_of("--no-authentication"))


def test_the_table_and_the_settings_hold_the_same_things() -> None:
    names = [field.name for field in dataclasses.fields(Settings)]
    found = {"url", "api_server"}  # where the process is, not how it shall be
    assert [setting.attribute for setting in TABLE] == [name for name in names if name not in found]
    assert names[0] == "url"


def test_the_page_lists_every_setting_as_it_is() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `GITMART_")]

    assert rows == [
        f"| `{setting.variable}` | `{setting.flag}` | {f'`{setting.default}`' if setting.default else ''} | {setting.meaning} |"
        for setting in TABLE
    ]
