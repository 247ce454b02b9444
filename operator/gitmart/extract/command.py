"""`gitmart extract`: options in, one run, its result out."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.redaction import Scrubber, scrub_logging
from gitmart.contract.result import Result, write_result
from gitmart.contract.signals import Stopped, stopping
from gitmart.extract.errors import InputError
from gitmart.extract.failure import told
from gitmart.extract.git import forget_git_variables
from gitmart.extract.identify import user_mailmap
from gitmart.extract.merge import Totals
from gitmart.extract.metadata.settings import add_metadata_options, metadata_of
from gitmart.extract.options import (
    add_limit_options,
    add_options,
    limits_of,
    remote_of,
    shape_of,
    timeout_option,
    url_of,
)
from gitmart.extract.progress import reporter_for_stderr
from gitmart.extract.proxy import proxy_secrets
from gitmart.extract.run import extract
from gitmart.extract.settings import Settings, usable_cores
from gitmart.extract.work import Run
from gitmart.warehouse.connections import warehouse_url

log = logging.getLogger(__name__)

MOST_WORKERS = 64
HASHES = ("head", "refsDigest")  # facts


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = "The warehouse is named by GITMART_WAREHOUSE_URL, or by the file GITMART_WAREHOUSE_URL_FILE."
    add_options(parser)
    add_metadata_options(parser)
    add_limit_options(parser)
    parser.add_argument(
        "--previous-url", metavar="URL", help="the address it had before: its rows go on if the histories share a root"
    )
    parser.add_argument("--timeout", type=timeout_option, metavar="DURATION", help="end after this time, such as 1h30m")
    parser.add_argument(
        "--workers", type=_workers, default=None, metavar="N", help="git processes at once (default: the usable cores)"
    )
    parser.add_argument(
        "--work-dir", type=Path, metavar="DIR", help="where to put the clone (default: the temporary folder)"
    )
    parser.add_argument(
        "--cache-dir",
        type=Path,
        metavar="DIR",
        help="where to keep what is fetched for the next run (default: nowhere)",
    )
    parser.add_argument("--result-file", type=Path, metavar="FILE", help="where to write the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Extract, tell how it went, and return the exit code."""
    configure_logging()
    forget_git_variables()
    started = datetime.now(UTC)
    facts: dict[str, object] = {}
    scrubber = Scrubber(proxy_secrets())
    scrub_logging(scrubber)
    outcome, message = _attempt(arguments, facts, scrubber)
    message, facts = scrubber.clean(message), _cleaned(facts, scrubber)
    result = Result("extract", outcome, message, started, datetime.now(UTC), facts)
    if arguments.result_file is not None:
        try:
            write_result(result, arguments.result_file)
        except OSError as error:
            log.error("the result cannot be written to %s: %s", arguments.result_file, error.strerror)  # noqa: TRY400
            outcome = outcome if not outcome.good else Outcome.INVALID_INPUT
    level = logging.INFO if outcome.good else logging.ERROR
    log.log(level, message, extra={"outcome": outcome.value, **facts} if not sys.stderr.isatty() else {})
    return outcome.exit_code


def _attempt(arguments: argparse.Namespace, facts: dict[str, object], scrubber: Scrubber) -> tuple[Outcome, str]:
    """Run the extraction; return its outcome and a sentence, never raise."""
    try:
        with stopping(arguments.timeout), _work_dir(arguments.work_dir) as work_dir, reporter_for_stderr() as reporter:
            settings = _settings(arguments, work_dir)
            for secret in settings.remote.secrets:
                scrubber.learn(secret)
            run = Run(settings, reporter, facts=facts)
            try:
                totals = extract(run)
            finally:
                facts["seconds"] = run.seconds
        facts |= _told(totals)
    except (Stopped, Exception) as error:  # whatever it is, it is told
        return told(error)
    return Outcome.SUCCEEDED, (
        f"{totals.commits} commits of {totals.contributors} authors: "
        f"{totals.new_commits} new, {totals.removed_commits} removed{_of_former(facts)}"
    )


def _cleaned(facts: dict[str, object], scrubber: Scrubber) -> dict[str, object]:
    """Return the facts without secrets. A host cannot choose a hash; a short password may well be in one."""
    return {name: value if name in HASHES else scrubber.clean_fact(value) for name, value in facts.items()}


def _of_former(facts: Mapping[str, object]) -> str:
    """Return what became of the rows of the former address, "" if there was none."""
    former = facts.get("formerUrl")
    match facts.get("formerRows"):
        case "continued":
            return f"; the rows of {former} go on under this address"
        case "kept":
            return f"; no root commit is shared with {former}, whose rows stay: these are a new repository's"
        case _:
            return ""


def _settings(arguments: argparse.Namespace, work_dir: Path) -> Settings:
    remote = remote_of(arguments)
    return Settings(
        remote=remote,
        warehouse=warehouse_url(),
        work_dir=work_dir,
        shape=shape_of(arguments),
        metadata=metadata_of(arguments, remote.url),
        mailmap=user_mailmap(),
        workers=arguments.workers or usable_cores(),
        limits=limits_of(arguments),
        previous_url=url_of(arguments, "previous_url") if arguments.previous_url else None,
        cache_dir=arguments.cache_dir,
    )


@contextmanager
def _work_dir(parent: Path | None) -> Iterator[Path]:
    """Yield a new folder; it goes with the run."""
    if parent is not None and not parent.is_dir():
        raise InputError(f"--work-dir {parent} is not a folder")
    folder = Path(tempfile.mkdtemp(prefix="gitmart-extract-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _told(totals: Totals) -> dict[str, object]:
    """Return the totals in status' spelling."""
    return {_camel(name): value for name, value in asdict(totals).items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _workers(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST_WORKERS}")
    return int(text)
