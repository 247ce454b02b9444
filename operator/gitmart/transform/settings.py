"""The settings of one run, read once at its start."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gitmart.contract import durations
from gitmart.contract.target_schema import ALLOWED, DEFAULT, SCHEMA_VARIABLE, may_be_target
from gitmart.transform.collector import CollectorSettings, collector_of
from gitmart.warehouse.connections import warehouse_url
from gitmart.warehouse.errors import SettingError

PROJECT_FILE = "dbt_project.yml"
PROJECT_VARIABLE = "GITMART_DBT_PROJECT"
EXTRA_SOURCE_VARIABLE = "GITMART_EXTRA_PROJECT_SOURCE"  # what people call the folder of --extra-project
MOST_THREADS = 64  # each is a connection; as in a DbtSchedule


@dataclass(frozen=True, slots=True)
class Extra:
    """
    A project of the user's on top of the one. `source` is what people call it.

    `loose`: a mounted ConfigMap, whose files may lie at its root and need no dbt_project.yml. `files`: those that must
    be there.
    """

    folder: Path
    source: str
    loose: bool = False
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What a run does and where. `lock_timeout` zero: do not wait at all. `max_replication_lag` None: any. `resume`: go on with a run that was cut off.

    `docs`: make dbt's documentation too. `history_retention`: how long runs are remembered in `dbt_meta`.
    `openlineage` None: tell no collector.
    `work_dir` None: dbt's files go to a fresh folder that is removed at the end.
    """

    url: str = field(repr=False)
    project_dir: Path
    extra: Extra | None
    schema: str
    select: tuple[str, ...]
    exclude: tuple[str, ...]
    selector: str | None
    fail_fast: bool
    warn_error: bool
    store_failures: bool
    freshness_blocks_build: bool
    max_replication_lag: timedelta | None
    variables: Mapping[str, object]  # of the project
    threads: int
    timeout: timedelta
    lock_timeout: timedelta
    full_refresh: bool
    resume: bool
    docs: bool
    history_retention: timedelta
    openlineage: CollectorSettings | None
    work_dir: Path | None
    result_file: Path | None

    @classmethod
    def of(cls, arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
        """Return the settings of a command line; raise a WarehouseError naming the option or variable that is wrong."""
        schema = _schema(arguments.schema, environment)
        return cls(
            url=warehouse_url(environment),
            project_dir=_project_dir(arguments.project_dir, environment),
            extra=_extra(arguments, environment),
            schema=schema,
            select=_selectors("--select", arguments.select),
            exclude=_selectors("--exclude", arguments.exclude),
            selector=_selector(arguments),
            fail_fast=arguments.fail_fast,
            warn_error=arguments.warn_error,
            store_failures=arguments.store_failures,
            freshness_blocks_build=arguments.freshness_blocks_build,
            max_replication_lag=arguments.max_replication_lag,
            variables=_variables(arguments.vars),
            threads=arguments.threads,
            timeout=arguments.timeout,
            lock_timeout=arguments.lock_timeout,
            full_refresh=arguments.full_refresh,
            resume=arguments.resume,
            docs=arguments.docs,
            history_retention=arguments.history_retention,
            openlineage=collector_of(arguments, environment, schema),
            work_dir=_work_dir(arguments.work_dir),
            result_file=arguments.result_file,
        )


def duration_option(shortest: timedelta) -> Callable[[str], timedelta]:
    """Return an argparse type for a duration of at least `shortest`."""

    def parse(text: str) -> timedelta:
        try:
            duration = durations.parse_duration(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if duration < shortest:
            raise argparse.ArgumentTypeError(f"{text!r} is too short: at least 1s is needed; {durations.ALLOWED}")
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
        if (candidate / PROJECT_FILE).is_file():
            return candidate.resolve()
    raise SettingError(f"{source} ({candidates[-1]}) is not a dbt project: the folder has no {PROJECT_FILE}")


def _extra(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Extra | None:
    folder: Path | None = arguments.extra_project
    if folder is None:
        if arguments.loose_files or arguments.extra_file:
            raise SettingError("--loose-files and --extra-file say what --extra-project is like: give that one too")
        return None
    source = environment.get(EXTRA_SOURCE_VARIABLE) or f"--extra-project {folder}"
    return Extra(folder.absolute(), source, arguments.loose_files, tuple(arguments.extra_file))


def _schema(option: str | None, environment: Mapping[str, str]) -> str:
    if option is not None:
        source, name = "--schema", option
    else:
        source, name = SCHEMA_VARIABLE, environment.get(SCHEMA_VARIABLE) or DEFAULT
    if not may_be_target(name):
        raise SettingError(f"{source} {name!r} {ALLOWED}")
    return name


def _selectors(option: str, words: list[str]) -> tuple[str, ...]:
    for word in words:
        # dbt would take the first for an option of its own, and an empty selection for everything.
        if word.startswith("-") or not word.strip():
            raise SettingError(f"{option} {word!r} is not a selector: write a name, a path or method:value")
    return tuple(words)


def _selector(arguments: argparse.Namespace) -> str | None:
    name: str | None = arguments.selector
    if name is not None and (arguments.select or arguments.exclude):
        raise SettingError("--selector takes the place of --select and --exclude: give one or the other")
    if name is not None:
        _selectors("--selector", [name])
    return name


def _yaml(text: str) -> object:
    import yaml  # not needed by a process that only asks for help

    try:
        found: object = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return found


def _variables(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)  # in which 1e-7 is a number, as it is not in YAML
    except ValueError:
        found = _yaml(text)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise SettingError(
            f"--vars {text!r} is not a mapping: write YAML such as '{{count_rewrites_once: everywhere}}'"
        )
    return found


def _work_dir(path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"--work-dir {path} cannot be made: {error.strerror}") from None
    return path.resolve()
