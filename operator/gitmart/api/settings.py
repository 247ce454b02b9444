"""The settings of `gitmart api`, as one table."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from gitmart.contract.settings import (
    SHOWN,
    Setting,
    SettingsError,
    add_options,
    duration,
    is_network,
    number,
    one_of,
    read_settings,
    size,
    truth,
    words,
)
from gitmart.contract.target_schema import ALLOWED, DEFAULT, SCHEMA_VARIABLE, may_be_target
from gitmart.warehouse.connections import warehouse_url

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
NO_PORT = -1

_OPTION_OF_AUTHENTICATION = (
    "nobody is told who may ask: give --tokens-file with static tokens, --oidc-issuer and --oidc-audience for bearer "
    "tokens of OpenID Connect, or, to answer everybody, --no-authentication"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What the administrator decided; see TABLE for the meaning of each.

    `url` is a connection URL of the role gitmart_read. `metrics_port` is NO_PORT for none.
    """

    url: str = field(repr=False)
    schema: str
    host: str
    port: int
    metrics_port: int
    tokens_file: Path | None
    oidc_issuer: str
    oidc_audience: str
    oidc_algorithms: tuple[str, ...]
    oidc_ca_file: Path | None
    oidc_groups_claim: str
    oidc_client_id: str
    oidc_client_secret_file: Path | None
    oidc_scopes: tuple[str, ...]
    oidc_redirect_url: str
    no_authentication: bool
    session_duration: timedelta
    rate_limit: int
    rate_burst: int
    body_limit: int
    max_requests: int
    connections: int
    connection_timeout: timedelta
    statement_timeout: timedelta
    check_interval: timedelta
    cache_size: int
    renewed_answers: int
    cors_origins: tuple[str, ...]
    hsts: timedelta
    trusted_proxies: tuple[str, ...]
    root_path: str
    grace: timedelta
    access_log: bool
    log_level: str
    hook_secrets: Path | None
    triggers_by: tuple[str, ...]
    watch_namespaces: tuple[str, ...]  # empty: all
    service_account: Path
    api_server: str | None  # of the cluster that this pod is in, None in no pod

    @classmethod
    def of(cls, arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
        """
        Return the settings; a flag goes before its variable, an empty one is the default.

        Raise SettingsError naming each that is wrong, else a WarehouseError when there is no connection URL.
        """
        values, mistakes = read_settings(TABLE, arguments, environment)
        if not mistakes:
            mistakes = list(_contradictions(**values))
        if mistakes:
            raise SettingsError(mistakes)
        api_server = _api_server(environment, values["service_account"])
        return cls(url=warehouse_url(environment), api_server=api_server, **values)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add an option per setting."""
    add_options(parser, TABLE)


def _contradictions(
    *,
    port: int,
    metrics_port: int,
    tokens_file: Path | None,
    oidc_issuer: str,
    oidc_audience: str,
    oidc_client_id: str,
    oidc_client_secret_file: Path | None,
    oidc_redirect_url: str,
    no_authentication: bool,
    **_: object,
) -> list[str]:
    """Return what is wrong of settings that are each right."""
    found = []
    if bool(oidc_issuer) != bool(oidc_audience):
        lacking = "--oidc-audience" if oidc_issuer else "--oidc-issuer"
        found.append(f"{lacking} is missing: a token is taken only from the issuer, and only if made for the audience")
    if bool(oidc_client_id) != bool(oidc_client_secret_file):
        given, lacking = ("--oidc-client-id", "--oidc-client-secret-file")[:: 1 if oidc_client_id else -1]
        found.append(f"{given} needs {lacking}: browsers sign in as a client that has a secret")
    elif oidc_client_id and not oidc_issuer.startswith("https://"):
        found.append("--oidc-client-id needs an --oidc-issuer of https://: a browser is led there")
    if oidc_redirect_url and not oidc_client_id:
        found.append("--oidc-redirect-url is for browsers that sign in: give --oidc-client-id, or leave it out")
    asked = bool(tokens_file or oidc_issuer or oidc_audience)
    if no_authentication and asked:
        found.append("--no-authentication excludes --tokens-file and --oidc-issuer: leave one of them out")
    elif not no_authentication and not asked:
        found.append(_OPTION_OF_AUTHENTICATION)
    if port == metrics_port and port:
        found.append(f"--port and --metrics-port are both {port}: they must differ")
    return found


def _api_server(environment: Mapping[str, str], account: Path) -> str | None:
    """Return the URL of the cluster's API server, None in no pod or in one without a service account's token."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (account / "token").exists():
        return None
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _schema(text: str) -> str:
    if not may_be_target(text):
        raise ValueError(f"{text[:SHOWN]!r} {ALLOWED}")
    return text


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(
            f"{text[:SHOWN]!r} is no address: write one of this machine's such as 127.0.0.1, 0.0.0.0 or ::"
        ) from None


def _port_or_none(text: str) -> int:
    if text == "none":
        return NO_PORT
    try:
        return number(65_535, 0)(text)
    except ValueError as error:
        raise ValueError(f"{error}, or none") from None


def _file(text: str) -> Path | None:
    return Path(text) if text else None


def _is_inside(host: str) -> bool:
    return host in {"localhost", "127.0.0.1", "::1"}


def _issuer(text: str) -> str:
    """Parse the issuer, which tokens must name to the letter; plain http is for a provider on the same machine."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        known = host and (parts.port or 1) and "@" not in parts.netloc and not parts.query and not parts.fragment
    except ValueError:
        known = False
    if (
        not known
        or not re.fullmatch(r"[!-~]{1,500}", text)
        or not (parts.scheme == "https" or (parts.scheme == "http" and _is_inside(host)))
    ):
        raise ValueError(
            f"{text[:SHOWN]!r} is no issuer: write the https:// address that tokens name in `iss`, without ? and #"
        )
    return text


def _scopes(text: str) -> tuple[str, ...]:
    scopes = words(
        "scope", lambda word: bool(re.fullmatch(r"[!#-\[\]-~]{1,100}", word)), "write such as openid,profile,groups"
    )(text)
    if "openid" not in scopes:
        raise ValueError(f"{text[:SHOWN]!r} lacks openid, without which the issuer does not say who somebody is")
    return scopes


def _redirect_url(text: str) -> str:
    if text and not re.fullmatch(
        r"(https://[^/?#@\s]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)(/[^?#\s]*)?/sign-in/callback", text
    ):
        raise ValueError(
            f"{text[:SHOWN]!r} leads not back here: write such as https://gitmart.example.org/sign-in/callback"
        )
    return text


def _text(most: int, what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if len(text) > most or not text.isprintable():
            raise ValueError(f"{text[:SHOWN]!r} is no {what}: write at most {most} printable characters")
        return text

    return parse


def _is_origin(text: str) -> bool:
    return text == "*" or bool(re.fullmatch(r"https?://([a-z0-9.-]{1,253}|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", text))


def _origins(text: str) -> tuple[str, ...]:
    origins = words(
        "origin", _is_origin, "write such as https://grafana.example.org, in lower case and without a path; or * alone"
    )(text)
    if "*" in origins and len(origins) > 1:
        raise ValueError("'*' means every origin: write it alone, or leave it out")
    return origins


def _root_path(text: str) -> str:
    path = text.rstrip("/")
    if path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
        raise ValueError(f"{text[:SHOWN]!r} is no path: write such as /gitmart (letters, digits, . _ ~ and -)")
    return path


OF_GROUP = "oidc-group:"  # before the name of a group, among those who may ask for runs
_ASKING = rf"\*|oidc:[!-~]{{1,255}}|{OF_GROUP}[^\x00-\x1f]{{1,255}}|[A-Za-z0-9][A-Za-z0-9._@-]{{0,62}}"
_SECOND, _MINUTE, _HOUR, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_MIB = 1 << 20
_Setting = partial(Setting, prefix="GITMART_API_")

TABLE = (
    Setting(
        SCHEMA_VARIABLE, DEFAULT, "schema of the marts", _schema, "schema", prefix="GITMART_DBT_",
    ),
    _Setting("GITMART_API_HOST", "127.0.0.1", "address to listen on; in a pod 0.0.0.0 or ::", _address, "host"),
    _Setting("GITMART_API_PORT", "8080", "port to listen on; 0: a free one", number(65_535, 0), "port"),
    _Setting(
        "GITMART_API_METRICS_PORT", "8081",
        "port of `/metrics`, `/healthz` and `/readyz`, for the cluster alone; 0: a free one; none: not served",
        _port_or_none, "metrics_port",
    ),
    _Setting(
        "GITMART_API_TOKENS_FILE", "", "file with static tokens, one a line, each `token` or `name=token`", _file,
        "tokens_file",
    ),
    _Setting("GITMART_API_OIDC_ISSUER", "", "issuer of OpenID Connect whose bearer tokens are taken", _issuer, "oidc_issuer"),
    _Setting(
        "GITMART_API_OIDC_AUDIENCE", "", "audience that those tokens must be made for", _text(200, "audience"),
        "oidc_audience",
    ),
    _Setting(
        "GITMART_API_OIDC_ALGORITHMS", "RS256,ES256,EdDSA", f"signatures that are taken (comma list of {', '.join(ALGORITHMS)})",
        words("algorithm that is taken", lambda word: word in ALGORITHMS, f"write some of {', '.join(ALGORITHMS)}"),
        "oidc_algorithms",
    ),
    _Setting(
        "GITMART_API_OIDC_CA_FILE", "", "PEM file of certificate authorities to trust besides the system's, for the issuer",
        _file, "oidc_ca_file",
    ),
    _Setting(
        "GITMART_API_OIDC_GROUPS_CLAIM", "groups",
        "claim with the groups that `--triggers-by` knows, such as `roles`, `scope` or, for one within another, `realm_access.roles`",
        _text(200, "name of a claim"), "oidc_groups_claim",
    ),
    _Setting(
        "GITMART_API_OIDC_CLIENT_ID", "", "client as which browsers sign in at the issuer; empty: they do not",
        _text(200, "client"), "oidc_client_id",
    ),
    _Setting(
        "GITMART_API_OIDC_CLIENT_SECRET_FILE", "", "file with the secret of that client, of 16 to 512 characters; read at the start",
        _file, "oidc_client_secret_file",
    ),
    _Setting(
        "GITMART_API_OIDC_SCOPES", "openid", "scopes that are asked for when a browser signs in (comma list), `openid` among them",
        _scopes, "oidc_scopes",
    ),
    _Setting(
        "GITMART_API_OIDC_REDIRECT_URL", "",
        "address to which the issuer sends browsers back; empty: `/sign-in/callback` of the host that was asked",
        _redirect_url, "oidc_redirect_url",
    ),
    _Setting("GITMART_API_NO_AUTHENTICATION", "false", "answer everybody without asking who they are", truth, "no_authentication"),
    _Setting(
        "GITMART_API_SESSION_DURATION", "12h", "how long a browser stays signed in (1m to 720h)",
        duration(_MINUTE, 30 * _DAY), "session_duration",
    ),
    _Setting("GITMART_API_RATE_LIMIT", "600", "requests of a client in a minute; 0: no limit", number(1_000_000, 0), "rate_limit"),
    _Setting("GITMART_API_RATE_BURST", "200", "of those, how many may come at once", number(1_000_000), "rate_burst"),
    _Setting("GITMART_API_BODY_LIMIT", "5Mi", "bytes of a request's body (1Ki to 64Mi)", size(1024, 64 * _MIB), "body_limit"),
    _Setting(
        "GITMART_API_MAX_REQUESTS", "32", "answers being made at a time, those that wait for a connection among them",
        number(1000), "max_requests",
    ),
    _Setting("GITMART_API_CONNECTIONS", "4", "connections to the warehouse, besides one that watches it", number(100), "connections"),
    _Setting(
        "GITMART_API_CONNECTION_TIMEOUT", "5s", "how long a request waits for a connection (1s to 1m)",
        duration(_SECOND, _MINUTE), "connection_timeout",
    ),
    _Setting(
        "GITMART_API_STATEMENT_TIMEOUT", "10s", "PostgreSQL ends a query that takes longer (1s to 10m)",
        duration(_SECOND, 10 * _MINUTE), "statement_timeout",
    ),
    _Setting(
        "GITMART_API_CHECK_INTERVAL", "1s", "how old what is known of the marts' state may be (0s to 1m)",
        duration(timedelta(), _MINUTE), "check_interval",
    ),
    _Setting("GITMART_API_CACHE_SIZE", "32Mi", "bytes of answers that are kept (0 to 4Gi); 0: none", size(0, 4096 * _MIB), "cache_size"),
    _Setting(
        "GITMART_API_RENEWED_ANSWERS", "50", "answers that are made anew when the marts have changed: those asked for last; 0: none",
        number(1000, 0), "renewed_answers",
    ),
    _Setting("GITMART_API_CORS_ORIGINS", "", "origins whose pages may ask (comma list, or *); empty: none", _origins, "cors_origins"),
    _Setting(
        "GITMART_API_HSTS", "0s", "how long browsers shall come by https alone (0s to 17520h); 0s: nothing is said",
        duration(timedelta(), 730 * _DAY), "hsts",
    ),
    _Setting(
        "GITMART_API_TRUSTED_PROXIES", "",
        "proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed (comma list of addresses and CIDRs)",
        words("address or network", is_network, "write such as 10.0.0.7 or 10.244.0.0/16, without host bits"),
        "trusted_proxies",
    ),
    _Setting(
        "GITMART_API_ROOT_PATH", "", "path that everything is below, such as /gitmart; the proxy may strip it or not",
        _root_path, "root_path",
    ),
    _Setting(
        "GITMART_API_GRACE", "10s", "how long requests may take to end when it is asked to stop (0s to 10m)",
        duration(timedelta(), 10 * _MINUTE), "grace",
    ),
    _Setting("GITMART_API_ACCESS_LOG", "true", "log a line per request", truth, "access_log"),
    _Setting(
        "GITMART_API_LOG_LEVEL", "info", "least level of log lines: debug, info, warning or error",
        one_of("debug", "info", "warning", "error"), "log_level",
    ),
    _Setting(
        "GITMART_API_HOOK_SECRETS", "",
        "folder with the secrets of webhooks, in files `github`, `gitlab` and `generic`, one a line; empty: no webhooks",
        _file, "hook_secrets",
    ),
    _Setting(
        "GITMART_API_TRIGGERS_BY", "",
        "who may ask for runs: names of static tokens, `oidc:` and a subject, `oidc-group:` and a group, or `*` for all who may read (comma list)",
        words(
            "name", lambda word: bool(re.fullmatch(_ASKING, word)),
            "write the name of a static token, oidc: and a subject, oidc-group: and a group, or *",
        ),
        "triggers_by",
    ),
    Setting(
        "GITMART_WATCH_NAMESPACES", "", "the namespaces whose Repositories webhooks are for (comma list); empty: all",
        words("namespace", lambda word: bool(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", word)), "write such as team-a"),
        "watch_namespaces",
    ),
    _Setting(
        "GITMART_API_SERVICE_ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount",
        "folder with the token and the authority by which the cluster is asked for runs", Path, "service_account",
    ),
)  # fmt: skip
