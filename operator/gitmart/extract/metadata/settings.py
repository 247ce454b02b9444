"""What a look at a host's API is asked to do: options of `gitmart extract`, and the token."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gitmart.contract.durations import parse_duration
from gitmart.contract.host_api import (
    AUTO,
    PROVIDERS,
    UNKNOWN_HOST_MESSAGE,
    MetadataOutcome,
    Provider,
    api_of,
    parse_api_url,
    provider_of,
)
from gitmart.contract.redaction import Scrubber
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.errors import InputError
from gitmart.extract.metadata.errors import MetadataError
from gitmart.extract.settings import METADATA_INTERVAL, MetadataSettings, Remote

FOLDER_VARIABLE = "GITMART_METADATA_CREDENTIALS_DIR"
SOURCE_VARIABLE = "GITMART_METADATA_CREDENTIALS_SOURCE"  # what people call the folder: Secret … in namespace …
ALLOWED = "allowed is the key token"


@dataclass(frozen=True, slots=True)
class Token:
    """What the API is shown; "" is nobody's. Its fingerprint tells two apart and gives neither away."""

    value: str = field(default="", repr=False)

    @property
    def fingerprint(self) -> str:
        """Half of a SHA-256, "" without a token: an ETag is valid only for the token that got it."""
        return hashlib.sha256(f"gitmart {self.value}".encode()).hexdigest()[:32] if self.value else ""

    def clean(self, text: str) -> str:
        """Return the text without the token: a host may well repeat what it was sent."""
        return Scrubber([self.value]).clean(text)


def add_metadata_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--metadata", choices=PROVIDERS, help="ask the host's API for stars, licence, logins, …: whose API it is")
    add("--metadata-api-url", type=_api_url, metavar="URL", help="address of the API, such as https://host/api/v3")
    add(
        "--metadata-interval", type=_interval, metavar="DURATION", default=METADATA_INTERVAL,
        help="ask again once what is known is older than this (default: 24h)",
    )  # fmt: skip
    add("--no-metadata-contributors", action="store_true", help="do not ask for the logins of contributors")


def metadata_of(arguments: argparse.Namespace, url: RepositoryUrl) -> MetadataSettings | None:
    """Return what the options say, None when the API shall not be asked; raise InputError."""
    if arguments.metadata is None:
        if arguments.metadata_api_url is not None:
            raise InputError("--metadata-api-url belongs to --metadata: say github or gitlab there")
        return None
    if url.scheme == "file":
        raise InputError("--metadata needs an https:// or ssh:// address: a folder has no host that could be asked")
    if arguments.metadata != AUTO:
        provider = Provider(arguments.metadata)
    elif arguments.metadata_api_url is not None:
        raise InputError("--metadata-api-url belongs to a provider: say --metadata=github or --metadata=gitlab")
    elif (known := provider_of(url)) is not None:
        provider = known
    else:
        raise InputError(UNKNOWN_HOST_MESSAGE)
    return MetadataSettings(
        provider=provider,
        api=arguments.metadata_api_url or api_of(url, provider),
        interval=arguments.metadata_interval,
        contributors=not arguments.no_metadata_contributors,
    )


def token_for(settings: MetadataSettings, remote: Remote, environment: Mapping[str, str] = os.environ) -> Token:
    """
    Return the token for the API: of the folder GITMART_METADATA_CREDENTIALS_DIR, else the one git uses.

    Git's is used only if it is a token for certain (a password may be a person's own), and only at an API that is
    the git host's own: the same host and port, or where the provider says that its API is.
    Raise MetadataError: SecretMissing, SecretInvalid.
    """
    if folder := environment.get(FOLDER_VARIABLE):
        source = environment.get(SOURCE_VARIABLE) or f"the folder named by {FOLDER_VARIABLE} ({folder})"
        return Token(_read(Path(folder, "token"), source))
    if remote.credentials is None or not is_own_api(remote.url, settings):
        return Token()
    return Token(remote.credentials.token)


def is_own_api(url: RepositoryUrl, settings: MetadataSettings) -> bool:
    """Whether an API is the one of the repository's own host."""
    own, given = api_of(url, settings.provider), settings.api
    return url.scheme == "https" and (own.host, own.port) == (given.host, given.port)


def _read(file: Path, source: str) -> str:
    try:
        value = file.read_bytes().strip()
    except FileNotFoundError:
        value = b""
    except OSError as error:
        raise MetadataError(MetadataOutcome.SECRET_INVALID, f"key token of {source}: {error.strerror}") from None
    if not value:
        raise MetadataError(MetadataOutcome.SECRET_MISSING, f"{source} is missing, or its key token is: {ALLOWED}")
    if re.fullmatch(rb"[!-~]{1,4096}", value) is None:
        raise MetadataError(
            MetadataOutcome.SECRET_INVALID, f"key token of {source} holds a space or a non-ASCII character: {ALLOWED}"
        )
    return value.decode("ascii")


def _api_url(text: str) -> RepositoryUrl:
    try:
        return parse_api_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _interval(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
