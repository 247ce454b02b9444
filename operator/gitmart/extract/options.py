"""Options that `gitmart extract` and `gitmart check` share: which repository, which branches, by which way."""

from __future__ import annotations

import argparse
import os
from datetime import timedelta

from gitmart.contract.durations import parse_duration
from gitmart.contract.repository_url import parse_repository_url
from gitmart.extract.address import Network, parse_network
from gitmart.extract.certificates import CA_VARIABLE, certificates_in
from gitmart.extract.credentials import read_credentials
from gitmart.extract.errors import InputError
from gitmart.extract.settings import Remote


def add_remote_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--url", required=True, help="https:// or ssh:// address of the repository")
    add("--include-branch", action="append", default=[], metavar="GLOB", help="read these branches only")
    add("--exclude-branch", action="append", default=[], metavar="GLOB", help="leave these branches out")
    add(
        "--allow-network", action="append", default=[], type=network_option, metavar="CIDR",
        help="let the git host be in this private network, such as 10.0.0.0/8; may be repeated",
    )  # fmt: skip
    add("--allow-private-addresses", action="store_true", help="let the git host have any private or local address")
    add("--allow-file-urls", action="store_true", help="accept file:///path too")


def remote_of(arguments: argparse.Namespace) -> Remote:
    """Return what the options and the environment say of the repository; raise ExtractError."""
    try:
        url = parse_repository_url(arguments.url, allow_file=arguments.allow_file_urls)
    except ValueError as error:
        raise InputError(f"--url {error}") from None
    administrators = os.environ.get(CA_VARIABLE, "")
    credentials = read_credentials(url)
    return Remote(
        url=url,
        allow_private_addresses=arguments.allow_private_addresses,
        allow_networks=tuple(arguments.allow_network),
        credentials=credentials,
        certificates=(certificates_in(administrators, CA_VARIABLE) if administrators.strip() else "")
        + (credentials.certificates if credentials else ""),
    )


def network_option(text: str) -> Network:
    """Parse a network, as an argparse type."""
    try:
        return parse_network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def timeout_option(text: str) -> timedelta:
    """Parse a duration longer than nothing, as an argparse type."""
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not duration:
        raise argparse.ArgumentTypeError("must be longer than 0s")
    return duration
