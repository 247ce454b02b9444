"""
`gitmart check`: ask a host what it has, without a clone and without a warehouse.

Starts fast, because the operator asks for hundreds of repositories: neither GitPython nor psycopg is imported.
"""

from __future__ import annotations

import argparse
import logging
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.redaction import Scrubber, scrub_logging
from gitmart.contract.result import Result
from gitmart.contract.signals import Stopped, stopping
from gitmart.extract.check import State, check
from gitmart.extract.confine import cap, confine
from gitmart.extract.errors import ExtractError
from gitmart.extract.git import forget_git_variables
from gitmart.extract.options import add_options, remote_of, shape_of, timeout_option
from gitmart.extract.proxy import proxy_secrets
from gitmart.extract.settings import Remote
from gitmart.extract.shape import BRANCHES

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = "The result is one line of JSON on standard output; the exit code is the outcome's."
    add_options(parser)
    parser.add_argument(
        "--timeout",
        type=timeout_option,
        default="30s",
        metavar="DURATION",
        help="give up after this time (default 30s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check, print the result and return the exit code."""
    configure_logging()
    forget_git_variables()
    started = datetime.now(UTC)
    facts: dict[str, object] = {}
    scrubber = Scrubber(proxy_secrets())
    scrub_logging(scrubber)
    outcome, message = _attempt(arguments, facts, scrubber)
    message = scrubber.clean(message)
    if "head" in facts:
        facts["head"] = scrubber.clean_fact(facts["head"])
    print(Result("check", outcome, message, started, datetime.now(UTC), facts).to_json())
    return outcome.exit_code


def _attempt(arguments: argparse.Namespace, facts: dict[str, object], scrubber: Scrubber) -> tuple[Outcome, str]:
    """Ask the host; return the outcome and a sentence, never raise."""
    try:
        with stopping(arguments.timeout), _folder() as folder:
            remote = remote_of(arguments)
            for secret in remote.secrets:
                scrubber.learn(secret)
            cap()
            if remote.url.scheme != "file":  # in local mode people read their own, which may borrow from anywhere
                confine(folder, _readable(remote))
            state = check(remote, folder, shape_of(arguments))
    except (ExtractError, Stopped) as error:
        return error.outcome, str(error)
    except Exception as error:  # the last resort, which says so
        log.exception("gitmart failed")
        return Outcome.BUG, f"{type(error).__name__}: {error}"
    head = _short_name(state)
    facts |= {"refsDigest": state.digest, "head": head}
    return Outcome.SUCCEEDED, f"the host answers; HEAD is {head or 'no branch'}"


def _readable(remote: Remote) -> list[str]:
    """Return what git needs to read besides the system: the administrator's certificates, and keys for ssh."""
    named = [os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    if remote.url.scheme == "ssh":
        with suppress(KeyError):  # a user without an entry has no home
            named.append(str(Path(pwd.getpwuid(os.getuid()).pw_dir, ".ssh")))  # where ssh looks, whatever HOME says
    return named


def _short_name(state: State) -> str | None:
    if state.default_branch is None:
        return None
    return state.default_branch.removeprefix(BRANCHES).decode("utf-8", "backslashreplace")


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a new folder; it goes with the check."""
    folder = Path(tempfile.mkdtemp(prefix="gitmart-check-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
