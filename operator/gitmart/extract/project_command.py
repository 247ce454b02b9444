"""
`gitmart fetch`: write a dbt project of a git repository into a folder, for a run of dbt that comes after.

It alone sees the credentials of the git host; whoever runs dbt on the files sees the warehouse alone.
"""

from __future__ import annotations

import argparse
import logging
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.redaction import Scrubber, scrub_logging
from gitmart.contract.result import Result, write_result
from gitmart.contract.signals import Stopped, stopping
from gitmart.extract.failure import told
from gitmart.extract.git import forget_git_variables
from gitmart.extract.hermetic import hermetic_environment
from gitmart.extract.options import add_remote_options, remote_of, timeout_option
from gitmart.extract.project import Wanted, fetch_project
from gitmart.extract.proxy import proxy_secrets

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_remote_options(parser)
    add = parser.add_argument
    add("--ref", metavar="REF", help="branch, tag or full hash of a commit (default: what HEAD of the host names)")
    add("--path", default="", metavar="DIR", help="folder of the repository (default: its root)")
    add("--to", type=Path, required=True, metavar="DIR", help="folder to write; what is in it goes")
    add("--timeout", type=timeout_option, default="5m", metavar="DURATION", help="give up after this time (default 5m)")
    add("--result-file", type=Path, metavar="FILE", help="where to write the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Fetch, tell how it went, and return the exit code."""
    configure_logging()
    forget_git_variables()
    started = datetime.now(UTC)
    facts: dict[str, object] = {}
    scrubber = Scrubber(proxy_secrets())
    scrub_logging(scrubber)
    outcome, message = _attempt(arguments, facts, scrubber)
    # What the extractor says of its own fields is said of a Repository's.
    message = scrubber.clean(message).replace("spec.secretRef", "spec.project.git.secretRef")
    if arguments.result_file is not None:
        try:
            write_result(Result("fetch", outcome, message, started, datetime.now(UTC), facts), arguments.result_file)
        except OSError as error:
            log.error("the result cannot be written to %s: %s", arguments.result_file, error.strerror)  # noqa: TRY400
    log.log(logging.INFO if outcome.good else logging.ERROR, message, extra={"outcome": outcome.value, **facts})
    return outcome.exit_code


def _attempt(arguments: argparse.Namespace, facts: dict[str, object], scrubber: Scrubber) -> tuple[Outcome, str]:
    """Fetch; return the outcome and a sentence, never raise."""
    try:
        # Whatever else happens to the folder, how the fetch went is told.
        temporary = TemporaryDirectory(prefix="gitmart-fetch-", ignore_cleanup_errors=True)
        with stopping(arguments.timeout), temporary as name:
            folder = Path(name).resolve()
            remote = remote_of(arguments)
            for secret in remote.secrets:
                scrubber.learn(secret)
            wanted = Wanted(remote, arguments.ref, arguments.path)
            facts["commit"] = fetch_project(wanted, hermetic_environment(remote, folder), folder, arguments.to)
    except (Stopped, Exception) as error:  # whatever it is, it is told
        return told(error)
    return Outcome.SUCCEEDED, f"the dbt project of {wanted.told} is fetched"
