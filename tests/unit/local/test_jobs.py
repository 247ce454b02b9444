"""The words of workers in local mode."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from gitmart.extract import command
from gitmart.local.jobs import extraction_words, transformation_words
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.repository import Repository


def parsed(**spec: Any) -> argparse.Namespace:
    document = {
        "apiVersion": "gitmart.dev/v1alpha1", "kind": "Repository", "metadata": {"name": "one"},
        "spec": {"url": "https://github.com/o/r", **spec},
    }  # fmt: skip
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return parser.parse_args(extraction_words(Repository.parse(document), Path("/work"))[1:])


def test_the_hosts_api_is_asked_only_if_the_repository_says_so() -> None:
    assert parsed().metadata is None
    assert parsed(metadata={}).metadata == "auto"


def test_a_collector_is_told_to_dbt() -> None:
    document = {
        "apiVersion": "gitmart.dev/v1alpha1", "kind": "DbtSchedule", "metadata": {"name": "one"},
        "spec": {"schedule": "@daily", "openLineage": {"url": "http://localhost:5000"}},
    }  # fmt: skip
    words = transformation_words(DbtSchedule.parse(document), Path("/work"))

    assert words[-3:] == [
        "--openlineage-url=http://localhost:5000/api/v1/lineage",
        "--openlineage-namespace=default",
        "--openlineage-job=one",
    ]


@pytest.mark.parametrize("full_refresh", [False, True])
def test_a_full_refresh_is_told_to_dbt(full_refresh: bool) -> None:
    document = {
        "apiVersion": "gitmart.dev/v1alpha1", "kind": "DbtSchedule", "metadata": {"name": "one"},
        "spec": {"schedule": "@daily", "fullRefreshSchedule": "@weekly"},
    }  # fmt: skip
    words = transformation_words(DbtSchedule.parse(document), Path("/work"), full_refresh=full_refresh)

    assert ("--full-refresh" in words) is full_refresh
