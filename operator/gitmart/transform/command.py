"""The command line of `gitmart transform`."""

from __future__ import annotations

import argparse
import os
from datetime import timedelta
from pathlib import Path

from gitmart.transform.collector import add_collector_options
from gitmart.transform.logs import start_logging
from gitmart.transform.report import Report
from gitmart.transform.run import transform
from gitmart.transform.settings import Settings, duration_option, threads_option
from gitmart.transform.stopper import hold_signals
from gitmart.warehouse.errors import WarehouseError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gitmart transform`."""
    some, any_length = duration_option(timedelta(seconds=1)), duration_option(timedelta(0))
    add = parser.add_argument
    add("--schema", metavar="SCHEMA", help="schema of the marts (default: GITMART_DBT_SCHEMA, else analytics)")
    add("--select", action="append", default=[], metavar="S", help="build these nodes (dbt's selection), repeatable")
    add("--exclude", action="append", default=[], metavar="S", help="leave these nodes out, repeatable")
    add("--selector", metavar="NAME", help="a selector of the project's selectors.yml, in place of the two above")
    add("--fail-fast", action="store_true", help="start no further node once one has failed")
    add("--warn-error", action="store_true", help="take each warning of dbt's for an error")
    add("--store-failures", action="store_true", help="keep the rows that fail any test")
    add("--freshness-blocks-build", action="store_true", help="build nothing while a source is stale: SourcesStale")
    add(
        "--max-replication-lag", type=some, metavar="DURATION",
        help="build nothing from a replica that may be further behind its source: ReplicaNotReady (default: any)",
    )  # fmt: skip
    add(
        "--vars",
        default="{}",
        metavar="YAML",
        help="variables of the project, such as '{count_rewrites_once: everywhere}'",
    )
    add("--threads", type=threads_option, default=4, metavar="N", help="nodes built at a time (default 4)")
    add("--timeout", type=some, default="1h", metavar="DURATION", help="stop after this long (default 1h)")
    add(
        "--lock-timeout", type=any_length, default="10m", metavar="DURATION",
        help="wait this long for another run into the same schema, then end as Skipped (default 10m)",
    )  # fmt: skip
    add("--full-refresh", action="store_true", help="rebuild incremental models from nothing")
    add("--no-resume", dest="resume", action="store_false", help="build all, though a run before was cut off")
    add("--no-docs", dest="docs", action="store_false", help="do not make dbt's documentation and its catalog")
    add(
        "--history-retention", type=any_length, default="2160h", metavar="DURATION",
        help="remember runs this long in schema dbt_meta (default 2160h, 90 days)",
    )  # fmt: skip
    add_collector_options(parser)
    add("--project-dir", type=Path, metavar="DIR", help="the dbt project (default: gitmart's own)")
    add("--extra-project", type=Path, metavar="DIR", help="a dbt project of yours on top of it: both are built as one")
    add("--loose-files", action="store_true", help="the files of --extra-project may lie at its root: models and seeds")
    add(
        "--extra-file", action="append", default=[], metavar="PATH",
        help="a file that must be in --extra-project, repeatable",
    )  # fmt: skip
    add("--work-dir", type=Path, metavar="DIR", help="keep dbt's artifacts and parsed project here (default: nowhere)")
    add("--result-file", type=Path, metavar="PATH", help="write the result here, a JSON object of at most 4096 bytes")


def run(arguments: argparse.Namespace) -> int:
    """Transform, tell how it went on stderr and in the result file, and return the outcome's exit code."""
    hold_signals()
    report = Report(arguments.result_file, start_logging())
    try:
        settings = Settings.of(arguments, os.environ)
    except WarehouseError as error:
        return report.end(error.outcome, str(error))
    return transform(settings, report)
