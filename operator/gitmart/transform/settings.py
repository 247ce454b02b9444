"""The settings of one run, read once at its start."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gitmart.contract.durations import ALLOWED, parse_duration
from gitmart.warehouse.connections import warehouse_url
from gitmart.warehouse.errors import SettingError

PROJECT_VARIABLE = "GITMART_DBT_PROJECT"
SCHEMA_VARIABLE = "GITMART_DBT_SCHEMA"
DEFAULT_SCHEMA = "analytics"
MOST_THREADS = 64  # each is a connection; as in a DbtSchedule
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")  # a PostgreSQL name that needs no quotes


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What a run does and where. `lock_timeout` zero: do not wait at all.

    `work_dir` None: dbt's files go to a fresh folder that is removed at the end.
    """

    url: str = field(repr=False)
    project_dir: Path
    schema: str
    select: tuple[str, ...]
    exclude: tuple[str, ...]
    threads: int
    timeout: timedelta
    lock_timeout: timedelta
    full_refresh: bool
    work_dir: Path | None
    result_file: Path | None

    @classmethod
    def of(cls, arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
        """Return the settings of a command line; raise a WarehouseError naming the option or variable that is wrong."""
        return cls(
            url=warehouse_url(environment),
            project_dir=_project_dir(arguments.project_dir, environment),
            schema=_schema(environment.get(SCHEMA_VARIABLE) or DEFAULT_SCHEMA),
            select=_selectors("--select", arguments.select),
            exclude=_selectors("--exclude", arguments.exclude),
            threads=arguments.threads,
            timeout=arguments.timeout,
            lock_timeout=arguments.lock_timeout,
            full_refresh=arguments.full_refresh,
            work_dir=_work_dir(arguments.work_dir),
            result_file=arguments.result_file,
        )


def duration_option(shortest: timedelta) -> Callable[[str], timedelta]:
    """Return an argparse type for a duration of at least `shortest`."""

    def parse(text: str) -> timedelta:
        try:
            duration = parse_duration(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if duration < shortest:
            raise argparse.ArgumentTypeError(f"{text!r} is too short: at least 1s is needed; {ALLOWED}")
        return duration

    return parse


def threads_option(text: str) -> int:
    """Parse a number of threads from 1 to MOST_THREADS, as an argparse type."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads: write 1 to {MOST_THREADS}")
    return int(text)


def _project_dir(option: Path | None, environment: Mapping[str, str]) -> Path:
    package = Path(__file__).resolve().parents[1]
    if option is not None:
        source, candidates = "--project-dir", [option]
    elif named := environment.get(PROJECT_VARIABLE):
        source, candidates = PROJECT_VARIABLE, [Path(named)]
    else:  # the checkout's, else the copy that the wheel brings
        source, candidates = "the default project", [package.parents[1] / "dbt", package / "transform" / "project"]
    for candidate in candidates:
        if (candidate / "dbt_project.yml").is_file():
            return candidate.resolve()
    raise SettingError(f"{source} ({candidates[-1]}) is not a dbt project: the folder has no dbt_project.yml")


def _schema(name: str) -> str:
    if not _SCHEMA.fullmatch(name):
        raise SettingError(
            f"{SCHEMA_VARIABLE}={name!r} is not a schema: write up to 63 lower-case letters, digits and _, "
            "not starting with a digit"
        )
    return name


def _selectors(option: str, words: list[str]) -> tuple[str, ...]:
    for word in words:
        # dbt would take the first for an option of its own, and an empty selection for everything.
        if word.startswith("-") or not word.strip():
            raise SettingError(f"{option} {word!r} is not a selector: write a name, a path or method:value")
    return tuple(words)


def _work_dir(path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"--work-dir {path} cannot be made: {error.strerror}") from None
    return path.resolve()
