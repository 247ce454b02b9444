"""Options that `gitmart extract` and `gitmart check` share: which repository, which branches, by which way."""

from __future__ import annotations

import argparse
import os
from datetime import timedelta

from gitmart.contract.durations import parse_duration
from gitmart.contract.file_classes import FileClass, PathRules, check_glob, parse_path_class
from gitmart.contract.repository_url import RepositoryUrl, parse_repository_url
from gitmart.contract.sizes import parse_size
from gitmart.extract.address import Network, parse_network
from gitmart.extract.certificates import CA_VARIABLE, certificates_in
from gitmart.extract.credentials import read_credentials
from gitmart.extract.errors import InputError
from gitmart.extract.settings import Limits, Remote
from gitmart.extract.shape import Shape

MOST_COMMITS = 1_000_000_000


def add_remote_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which repository is meant, and how it may be reached."""
    add = parser.add_argument
    add("--url", required=True, help="https:// or ssh:// address of the repository")
    add(
        "--allow-network", action="append", default=[], type=network_option, metavar="CIDR",
        help="let the git host be in this private network, such as 10.0.0.0/8; may be repeated",
    )  # fmt: skip
    add("--allow-private-addresses", action="store_true", help="let the git host have any private or local address")
    add("--allow-file-urls", action="store_true", help="accept file:///path too")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_remote_options(parser)
    add = parser.add_argument
    add("--include-branch", action="append", default=[], metavar="GLOB", help="read these branches only")
    add("--exclude-branch", action="append", default=[], metavar="GLOB", help="leave these branches out")
    add("--first-parent-counts", action="store_true", help="count the lines of merges against their first parent, too")
    add("--patch-ids", action="store_true", help="keep git's stable patch id of each commit")
    add(
        "--exclude-path", action="append", default=[], type=glob_option, metavar="GLOB",
        help="do not count the lines of these files; may be repeated",
    )  # fmt: skip
    add(
        "--path-class", action="append", default=[], type=path_class_option, metavar="CLASS=GLOB",
        help="say of which class files are, such as generated=api/*.go; the first that matches counts",
    )  # fmt: skip


def remote_of(arguments: argparse.Namespace) -> Remote:
    """Return what the options and the environment say of the repository; raise ExtractError."""
    url = url_of(arguments, "url")
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


def url_of(arguments: argparse.Namespace, name: str) -> RepositoryUrl:
    """Return the address that an option of that name (`previous_url` for --previous-url) holds; raise InputError."""
    try:
        return parse_repository_url(getattr(arguments, name), allow_file=arguments.allow_file_urls)
    except ValueError as error:
        raise InputError(f"--{name.replace('_', '-')} {error}") from None


def shape_of(arguments: argparse.Namespace) -> Shape:
    """Return what the options say of the data."""
    return Shape(
        include=tuple(arguments.include_branch),
        exclude=tuple(arguments.exclude_branch),
        first_parent_counts=arguments.first_parent_counts,
        patch_ids=arguments.patch_ids,
        paths=PathRules(exclude=tuple(arguments.exclude_path), classes=tuple(arguments.path_class)),
    )


def glob_option(text: str) -> str:
    """Check a pattern of paths, as an argparse type."""
    try:
        return check_glob(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def path_class_option(text: str) -> tuple[str, FileClass]:
    """Parse CLASS=GLOB, as an argparse type."""
    try:
        return parse_path_class(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_limit_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that bound what a repository may cost."""
    add = parser.add_argument
    add(
        "--limit-bytes", type=size_option, metavar="SIZE",
        help="end the run when what is fetched takes more on disk than this, in bytes or such as 500Mi or 8Gi",
    )  # fmt: skip
    add(
        "--limit-commits", type=count_option, metavar="N",
        help="refuse a history of more commits than this before any line is counted",
    )  # fmt: skip
    add(
        "--limit-time", type=timeout_option, metavar="DURATION",
        help="end the run when not everything is fetched after this time, such as 20m",
    )  # fmt: skip


def limits_of(arguments: argparse.Namespace) -> Limits:
    """Return what the options say of limits."""
    return Limits(arguments.limit_bytes, arguments.limit_commits, arguments.limit_time)


def size_option(text: str) -> int:
    """Parse a number of bytes, as an argparse type."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count_option(text: str) -> int:
    """Parse a number of commits, as an argparse type."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:20]) <= MOST_COMMITS:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST_COMMITS}")
    return int(text)


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
