"""Options and variables of `gitmart transform`."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

import pytest

from gitmart.transform.command import configure
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
        schema="analytics",
        select=(),
        exclude=(),
        threads=4,
        timeout=timedelta(hours=1),
        lock_timeout=timedelta(minutes=10),
        full_refresh=False,
        work_dir=None,
        result_file=None,
    )


def test_the_checkout_has_the_default_project() -> None:
    assert (settings_of().project_dir / "dbt_project.yml").is_file()


def test_the_option_goes_before_the_variable(project: Path) -> None:
    assert settings_of("--project-dir", str(project), GITMART_DBT_PROJECT="/nowhere").project_dir == project


def test_the_settings_do_not_show_the_address(project: Path) -> None:
    assert "canary" not in repr(settings_of("--project-dir", str(project)))


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        pytest.param(("--project-dir", "/nowhere"), {}, "--project-dir (/nowhere)", id="no project"),
        pytest.param((), {"GITMART_DBT_PROJECT": "/nowhere"}, "GITMART_DBT_PROJECT", id="no project by variable"),
        pytest.param((), {"GITMART_DBT_SCHEMA": "Sales; drop"}, "GITMART_DBT_SCHEMA", id="schema"),
        pytest.param((), {"GITMART_DBT_SCHEMA": "s" * 64}, "63", id="schema too long"),
        pytest.param((), {"GITMART_WAREHOUSE_URL": ""}, "GITMART_WAREHOUSE_URL", id="no warehouse"),
        pytest.param(("--select=--vars",), {}, "--select", id="an option of dbt's"),
        pytest.param(("--exclude", ""), {}, "--exclude", id="an empty selector"),
        pytest.param(("--work-dir", "/dev/null/x"), {}, "--work-dir", id="work dir"),
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
