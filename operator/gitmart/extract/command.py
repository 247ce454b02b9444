"""`gitmart extract`: options in, one run, its result out."""

from __future__ import annotations

import argparse
import errno
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.result import Result, write_result
from gitmart.contract.signals import Stopped, stopping
from gitmart.extract.errors import ExtractError, InputError
from gitmart.extract.git import forget_git_variables
from gitmart.extract.merge import Totals
from gitmart.extract.options import add_remote_options, remote_of, timeout_option
from gitmart.extract.progress import reporter_for_stderr
from gitmart.extract.run import Run, extract
from gitmart.extract.settings import Settings, usable_cores
from gitmart.warehouse.connections import warehouse_url
from gitmart.warehouse.errors import WarehouseError, classify

log = logging.getLogger(__name__)

MOST_WORKERS = 64


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = "The warehouse is named by GITMART_WAREHOUSE_URL, or by the file GITMART_WAREHOUSE_URL_FILE."
    add_remote_options(parser)
    parser.add_argument("--timeout", type=timeout_option, metavar="DURATION", help="end after this time, such as 1h30m")
    parser.add_argument(
        "--workers", type=_workers, default=None, metavar="N", help="git processes at once (default: the usable cores)"
    )
    parser.add_argument(
        "--work-dir", type=Path, metavar="DIR", help="where to put the clone (default: the temporary folder)"
    )
    parser.add_argument("--result-file", type=Path, metavar="FILE", help="where to write the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Extract, tell how it went, and return the exit code."""
    configure_logging()
    forget_git_variables()
    started = datetime.now(UTC)
    facts: dict[str, object] = {}
    outcome, message = _attempt(arguments, facts)
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


def _attempt(arguments: argparse.Namespace, facts: dict[str, object]) -> tuple[Outcome, str]:
    """Run the extraction; return its outcome and a sentence, never raise."""
    try:
        with stopping(arguments.timeout), _work_dir(arguments.work_dir) as work_dir, reporter_for_stderr() as reporter:
            run = Run(_settings(arguments, work_dir), reporter, facts=facts)
            try:
                totals = extract(run)
            finally:
                facts["seconds"] = run.seconds
        facts |= _told(totals)
    except Stopped as error:
        return error.outcome, str(error)
    except (ExtractError, WarehouseError) as error:
        return error.outcome, str(error)
    except psycopg.Error as error:
        known = classify(error)
        if known is not None:
            return known.outcome, str(known)
        log.exception("gitmart failed")
        return Outcome.BUG, f"{type(error).__name__}: {error}"
    except Exception as error:  # the last resort, which says so
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return Outcome.DISK_FULL, f"no space left for the clone: {error.strerror}: {error.filename or ''}"
        log.exception("gitmart failed")
        return Outcome.BUG, f"{type(error).__name__}: {error}"
    return Outcome.SUCCEEDED, (
        f"{totals.commits} commits of {totals.contributors} authors: "
        f"{totals.new_commits} new, {totals.removed_commits} removed"
    )


def _settings(arguments: argparse.Namespace, work_dir: Path) -> Settings:
    return Settings(
        remote=remote_of(arguments),
        warehouse=warehouse_url(),
        work_dir=work_dir,
        include=tuple(arguments.include_branch),
        exclude=tuple(arguments.exclude_branch),
        workers=arguments.workers or usable_cores(),
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
