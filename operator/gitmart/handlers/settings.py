"""
The settings of `gitmart operator`: one table, from which come the flags, the variables and the page of the manual.

They are read once, at the start, and all mistakes are told at once.
"""

from __future__ import annotations

import argparse
import ipaddress
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from gitmart.contract.durations import ALLOWED, format_duration, parse_duration
from gitmart.contract.outcomes import Outcome

CA_LIMIT = 96 * 1024  # bytes; it travels in a variable, and Linux allows 128 KiB for one
_SHOWN = 60  # characters of a wrong value that are repeated
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")  # of a Secret (RFC 1123 subdomain)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # of a namespace


class SettingsError(Exception):
    """Some settings are wrong. Each of `mistakes` names one, its value and what is allowed."""

    outcome = Outcome.INVALID_INPUT

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


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
        values: dict[str, Any] = {}
        mistakes: list[str] = []
        for setting in TABLE:
            flag = getattr(arguments, setting.flag_name, None)
            name, text = (
                (setting.flag, flag) if flag is not None else (setting.variable, environment.get(setting.variable))
            )
            try:
                values[setting.attribute] = setting.parse(text or setting.default)
            except ValueError as error:
                mistakes.append(f"{name}: {error}")
        if not mistakes and values["health_port"] == values["http_port"]:
            mistakes.append(
                f"GITMART_HEALTH_PORT and GITMART_HTTP_PORT are both {values['http_port']}: they must differ"
            )
        if mistakes:
            raise SettingsError(mistakes)
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `parse` raises ValueError with the value and what is allowed."""

    variable: str
    default: str
    meaning: str
    parse: Callable[[str], object]
    attribute: str

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return f"--{self.flag_name.replace('_', '-')}"

    @property
    def flag_name(self) -> str:
        """The option's name in the parsed arguments."""
        return self.variable.removeprefix("GITMART_").lower()


def configure(parser: argparse.ArgumentParser) -> None:
    """Add an option per setting."""
    for setting in TABLE:
        default = f" (default {setting.default})" if setting.default else ""
        help_text = f"{setting.meaning}{default}; or {setting.variable}".replace("%", "%%")
        parser.add_argument(setting.flag, dest=setting.flag_name, metavar="VALUE", help=help_text)


def _image(text: str) -> str:
    if not text:
        raise ValueError("is missing: name the image of worker pods, such as registry.example.org/gitmart:0.1.0")
    if not re.fullmatch(r"[!-~]{1,1000}", text):
        raise ValueError(f"{text[:_SHOWN]!r} is no image: write a reference without spaces")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text[:_SHOWN]!r} is not possible: write {', '.join(words[:-1])} or {words[-1]}")
        return text

    return parse


def _truth(text: str) -> bool:
    return _one_of("true", "false")(text) == "true"


def _number(most: int, least: int = 1) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"{text[:_SHOWN]!r} is not possible: write a number from {least} to {most}")
        return int(text)

    return parse


def _duration(shortest: timedelta, longest: timedelta) -> Callable[[str], timedelta]:
    def parse(text: str) -> timedelta:
        duration = parse_duration(text)
        if not shortest <= duration <= longest:
            bounds = f"at least {format_duration(shortest)} and at most {format_duration(longest)}"
            raise ValueError(f"{text!r} is not possible: {bounds} are allowed; {ALLOWED}")
        return duration

    return parse


def _words(what: str, fits: Callable[[str], bool], hint: str) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of a comma list, whose words are `what` if `fits`."""

    def parse(text: str) -> tuple[str, ...]:
        words = [word.strip() for word in text.split(",") if word.strip()]
        for word in words:
            if not fits(word):
                raise ValueError(f"{word[:_SHOWN]!r} is no {what}: {hint}")
        return tuple(dict.fromkeys(words))

    return parse


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _certificates(file: str) -> str:
    if not file:
        return ""
    try:
        with open(file, "rb") as opened:
            raw = opened.read(CA_LIMIT + 1)
    except OSError as error:
        raise ValueError(f"{file[:_SHOWN]!r} cannot be read: {error.strerror}") from None
    if len(raw) > CA_LIMIT:
        raise ValueError(
            f"{file[:_SHOWN]!r} holds more than {CA_LIMIT // 1024} KiB: name only the CAs of your git hosts"
        )
    try:
        text = raw.decode("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (UnicodeDecodeError, ssl.SSLError):
        raise ValueError(f"{file[:_SHOWN]!r} holds no certificates in PEM form (-----BEGIN CERTIFICATE-----)") from None
    if "PRIVATE KEY" in text:
        raise ValueError(
            f"{file[:_SHOWN]!r} holds a private key, which every worker would see: leave only certificates"
        )
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
    hosts = _words("host", lambda word: bool(re.fullmatch(r"[!-~]+", word)), "write host names, .domains or CIDRs")
    return ",".join(hosts(text))


_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

TABLE = (
    Setting("GITMART_IMAGE", "", "image of worker pods; required", _image, "image"),
    Setting(
        "GITMART_IMAGE_PULL_POLICY", "IfNotPresent", "when a node pulls that image: Always, IfNotPresent or Never",
        _one_of("Always", "IfNotPresent", "Never"), "image_pull_policy",
    ),
    Setting(
        "GITMART_IMAGE_PULL_SECRETS", "", "Secrets for pulling it, in each worker's own namespace (comma list of names)",
        _words("name of a Secret", lambda word: bool(_NAME.fullmatch(word)), "write lower-case letters, digits, - and ."),
        "image_pull_secrets",
    ),
    Setting(
        "GITMART_WATCH_NAMESPACES", "", "namespaces to serve (comma list); empty: all, with cluster-wide rights",
        _words("name of a namespace", lambda word: bool(_LABEL.fullmatch(word)), "write lower-case letters, digits and -"),
        "watch_namespaces",
    ),
    Setting("GITMART_MAX_EXTRACTIONS", "4", "extractions at a time; 0: no cap", _number(100_000, 0), "max_extractions"),
    Setting(
        "GITMART_MAX_EXTRACTIONS_PER_HOST", "2", "extractions at a time from one git host; 0: no cap",
        _number(100_000, 0), "max_extractions_per_host",
    ),
    Setting(
        "GITMART_CHECKS", "true", "ask a public repository's host for news (`ls-remote`) before starting a pod",
        _truth, "checks",
    ),
    Setting(
        "GITMART_CHECK_TIMEOUT", "30s", "how long such a check may take (1s to 10m)",
        _duration(_SECOND, 10 * _MINUTE), "check_timeout",
    ),
    Setting("GITMART_MAX_CHECKS", "4", "checks at a time; each is a process beside the operator", _number(100), "max_checks"),
    Setting("GITMART_CONCURRENCY", "10", "objects visited at a time", _number(100), "concurrency"),
    Setting(
        "GITMART_RESYNC", "10m", "every object is visited at least so often, whatever happens (1s to 24h)",
        _duration(_SECOND, 24 * _HOUR), "resync",
    ),
    Setting(
        "GITMART_ALLOWED_NETWORKS", "", "private networks that git hosts may be in (comma list of CIDRs)",
        _words("network", _is_network, "write CIDRs such as 10.20.0.0/16 or fd00:1::/64, without host bits"),
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
    Setting("GITMART_HEALTH_PORT", "8080", "port of `/healthz` (liveness)", _number(65_535), "health_port"),
    Setting("GITMART_HTTP_PORT", "8081", "port of `/readyz` and `/metrics`", _number(65_535), "http_port"),
    Setting(
        "GITMART_LOG_LEVEL", "info", "least level of log lines: debug, info, warning or error",
        _one_of("debug", "info", "warning", "error"), "log_level",
    ),
)  # fmt: skip
