"""The settings of `gitmart operator`, as one table."""

from __future__ import annotations

import argparse
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
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
    truth,
    words,
)

CA_LIMIT = 96 * 1024  # bytes; it travels in a variable, and Linux allows 128 KiB for one
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")  # of a Secret (RFC 1123 subdomain)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # of a namespace


@dataclass(frozen=True, slots=True)
class Settings:
    """What the administrator decided. See TABLE for the meaning of each."""

    image: str
    image_pull_policy: str
    image_pull_secrets: tuple[str, ...]
    watch_namespaces: tuple[str, ...]  # empty: all
    max_extractions: int
    max_extractions_per_host: int
    checks: bool
    check_timeout: timedelta
    max_checks: int
    concurrency: int
    resync: timedelta
    allowed_networks: tuple[str, ...]  # CIDRs
    git_ca: str = field(repr=False)  # the certificates themselves, PEM; empty: none
    git_proxy: str  # a URL without credentials, empty: none
    git_no_proxy: str
    health_port: int
    http_port: int
    log_level: str

    @classmethod
    def of(cls, arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
        """Return the settings; a flag goes before its variable, an empty one is the default. Raises SettingsError."""
        values, mistakes = read_settings(TABLE, arguments, environment)
        if not mistakes and values["health_port"] == values["http_port"]:
            mistakes.append(
                f"GITMART_HEALTH_PORT and GITMART_HTTP_PORT are both {values['http_port']}: they must differ"
            )
        if mistakes:
            raise SettingsError(mistakes)
        return cls(**values)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add an option per setting."""
    add_options(parser, TABLE)


def _image(text: str) -> str:
    if not text:
        raise ValueError("is missing: name the image of worker pods, such as registry.example.org/gitmart:0.1.0")
    if not re.fullmatch(r"[!-~]{1,1000}", text):
        raise ValueError(f"{text[:SHOWN]!r} is no image: write a reference without spaces")
    return text


def _certificates(file: str) -> str:
    if not file:
        return ""
    try:
        with open(file, "rb") as opened:
            raw = opened.read(CA_LIMIT + 1)
    except OSError as error:
        raise ValueError(f"{file[:SHOWN]!r} cannot be read: {error.strerror}") from None
    if len(raw) > CA_LIMIT:
        raise ValueError(
            f"{file[:SHOWN]!r} holds more than {CA_LIMIT // 1024} KiB: name only the CAs of your git hosts"
        )
    try:
        text = raw.decode("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (UnicodeDecodeError, ssl.SSLError):
        raise ValueError(f"{file[:SHOWN]!r} holds no certificates in PEM form (-----BEGIN CERTIFICATE-----)") from None
    if "PRIVATE KEY" in text:
        raise ValueError(f"{file[:SHOWN]!r} holds a private key, which every worker would see: leave only certificates")
    return text


def _proxy(text: str) -> str:
    """Parse a proxy's URL. Its text is never repeated: a wrong one may hold a password."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        known = False
    if not known or parts.path not in {"", "/"} or parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("is no proxy: write http://host:port")
    if "@" in parts.netloc:
        raise ValueError("must hold no user name or password: everybody who may read pods would see them")
    return text


def _hosts(text: str) -> str:
    hosts = words("host", lambda word: bool(re.fullmatch(r"[!-~]+", word)), "write host names, .domains or CIDRs")
    return ",".join(hosts(text))


_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

TABLE = (
    Setting("GITMART_IMAGE", "", "image of worker pods; required", _image, "image"),
    Setting(
        "GITMART_IMAGE_PULL_POLICY", "IfNotPresent", "when a node pulls that image: Always, IfNotPresent or Never",
        one_of("Always", "IfNotPresent", "Never"), "image_pull_policy",
    ),
    Setting(
        "GITMART_IMAGE_PULL_SECRETS", "", "Secrets for pulling it, in each worker's own namespace (comma list of names)",
        words("name of a Secret", lambda word: bool(_NAME.fullmatch(word)), "write lower-case letters, digits, - and ."),
        "image_pull_secrets",
    ),
    Setting(
        "GITMART_WATCH_NAMESPACES", "", "namespaces to serve (comma list); empty: all, with cluster-wide rights",
        words("name of a namespace", lambda word: bool(_LABEL.fullmatch(word)), "write lower-case letters, digits and -"),
        "watch_namespaces",
    ),
    Setting("GITMART_MAX_EXTRACTIONS", "4", "extractions at a time; 0: no cap", number(100_000, 0), "max_extractions"),
    Setting(
        "GITMART_MAX_EXTRACTIONS_PER_HOST", "2", "extractions at a time from one git host; 0: no cap",
        number(100_000, 0), "max_extractions_per_host",
    ),
    Setting(
        "GITMART_CHECKS", "true", "ask a public repository's host for news (`ls-remote`) before starting a pod",
        truth, "checks",
    ),
    Setting(
        "GITMART_CHECK_TIMEOUT", "30s", "how long such a check may take (1s to 10m)",
        duration(_SECOND, 10 * _MINUTE), "check_timeout",
    ),
    Setting("GITMART_MAX_CHECKS", "4", "checks at a time; each is a process beside the operator", number(100), "max_checks"),
    Setting("GITMART_CONCURRENCY", "10", "objects visited at a time", number(100), "concurrency"),
    Setting(
        "GITMART_RESYNC", "10m", "every object is visited at least so often, whatever happens (1s to 24h)",
        duration(_SECOND, 24 * _HOUR), "resync",
    ),
    Setting(
        "GITMART_ALLOWED_NETWORKS", "", "private networks that git hosts may be in (comma list of CIDRs)",
        words("network", is_network, "write CIDRs such as 10.20.0.0/16 or fd00:1::/64, without host bits"),
        "allowed_networks",
    ),
    Setting(
        "GITMART_GIT_CA_FILE", "", "PEM file of certificate authorities to trust besides the system's, for git hosts",
        _certificates, "git_ca",
    ),
    Setting("GITMART_GIT_PROXY", "", "HTTP proxy on the way to git hosts: http://host:port", _proxy, "git_proxy"),
    Setting(
        "GITMART_GIT_NO_PROXY", "", "hosts that are reached without it (comma list of names, .domains, CIDRs)",
        _hosts, "git_no_proxy",
    ),
    Setting("GITMART_HEALTH_PORT", "8080", "port of `/healthz` (liveness)", number(65_535), "health_port"),
    Setting("GITMART_HTTP_PORT", "8081", "port of `/readyz` and `/metrics`", number(65_535), "http_port"),
    Setting(
        "GITMART_LOG_LEVEL", "info", "least level of log lines: debug, info, warning or error",
        one_of("debug", "info", "warning", "error"), "log_level",
    ),
)  # fmt: skip
