"""Options and variables of `gitmart transform`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from gitmart.transform.command import configure
from gitmart.transform.dbt import yaml_of
from gitmart.transform.settings import Settings
from gitmart.warehouse.errors import SettingError

URL = "postgresql://user:secret-canary@host:5432/base"


def settings_of(*words: str, **environment: str) -> Settings:
    parser = argparse.ArgumentParser(exit_on_error=False)
    configure(parser)
    return Settings.of(parser.parse_args(words), {"GITMART_WAREHOUSE_URL": URL, **environment})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dbt_project.yml").touch()
    return tmp_path


def test_defaults(project: Path) -> None:
    settings = settings_of(GITMART_DBT_PROJECT=str(project))

    assert settings == Settings(
        url=URL,
        project_dir=project,
        extra=None,
        schema="analytics",
        select=(),
        exclude=(),
        selector=None,
        fail_fast=False,
        warn_error=False,
        store_failures=False,
        freshness_blocks_build=False,
        max_replication_lag=None,
        variables={},
        threads=4,
        timeout=timedelta(hours=1),
        lock_timeout=timedelta(minutes=10),
        resume=True,
        docs=True,
        history_retention=timedelta(days=90),
        openlineage=None,
        full_refresh=False,
        work_dir=None,
        result_file=None,
    )


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump], ids=["JSON", "YAML"])
def test_variables_reach_dbt_as_they_were_written(write: Callable[[object], str]) -> None:
    given = {"a": ["source", "é\n", 1, 0.5, False], "b": 1e-7, "c": 1e20, "d": "yes", "e": "1e-07", "f": True, "g": []}

    assert yaml.safe_load(yaml_of(settings_of("--vars", write(given)).variables)) == given


def test_the_checkout_has_the_default_project() -> None:
    assert (settings_of().project_dir / "dbt_project.yml").is_file()


def test_the_option_goes_before_the_variable(project: Path) -> None:
    assert settings_of("--project-dir", str(project), GITMART_DBT_PROJECT="/nowhere").project_dir == project


def test_the_schema_of_the_option_goes_before_that_of_the_variable() -> None:
    assert settings_of("--schema", "sales", GITMART_DBT_SCHEMA="elsewhere").schema == "sales"
    assert settings_of(GITMART_DBT_SCHEMA="elsewhere").schema == "elsewhere"


def test_the_settings_do_not_show_the_address(project: Path) -> None:
    assert "canary" not in repr(settings_of("--project-dir", str(project)))


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        pytest.param(("--project-dir", "/nowhere"), {}, "--project-dir (/nowhere)", id="no project"),
        pytest.param((), {"GITMART_DBT_PROJECT": "/nowhere"}, "GITMART_DBT_PROJECT", id="no project by variable"),
        pytest.param((), {"GITMART_DBT_SCHEMA": "Sales; drop"}, "GITMART_DBT_SCHEMA", id="schema"),
        pytest.param((), {"GITMART_DBT_SCHEMA": "s" * 49}, "at most 48", id="schema too long"),
        pytest.param(("--schema", "public"), {}, "--schema 'public' must be a schema", id="schema of the raw tables"),
        pytest.param(("--schema", ""), {}, "--schema ''", id="no schema"),
        pytest.param((), {"GITMART_WAREHOUSE_URL": ""}, "GITMART_WAREHOUSE_URL", id="no warehouse"),
        pytest.param(("--select=--vars",), {}, "--select", id="an option of dbt's"),
        pytest.param(("--exclude", ""), {}, "--exclude", id="an empty selector"),
        pytest.param(("--vars", "count_rewrites_once"), {}, "--vars 'count_rewrites_once' is not a mapping", id="vars"),
        pytest.param(("--vars", "{1: a}"), {}, "--vars", id="a variable without a name"),
        pytest.param(("--vars", "{a"), {}, "--vars", id="vars that are no YAML"),
        pytest.param(("--selector", "a", "--select", "b"), {}, "--selector takes the place", id="selector and select"),
        pytest.param(("--work-dir", "/dev/null/x"), {}, "--work-dir", id="work dir"),
        pytest.param(("--loose-files",), {}, "--extra-project", id="loose files of nothing"),
    ],
)
def test_a_wrong_setting_is_named(words: tuple[str, ...], environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError) as error:
        settings_of(*words, **environment)

    assert said in str(error.value)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--threads", "0"), "1 to 64", id="no threads"),
        pytest.param(("--threads", "65"), "1 to 64", id="too many threads"),
        pytest.param(("--threads", "٤"), "1 to 64", id="threads in other digits"),
        pytest.param(("--timeout", "0s"), "at least 1s", id="no time"),
        pytest.param(("--timeout", "soon"), "1h30m", id="not a duration"),
        pytest.param(("--lock-timeout", "10"), "10m", id="no unit"),
    ],
)
def test_a_wrong_option_says_what_is_allowed(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=said):
        settings_of(*words)
