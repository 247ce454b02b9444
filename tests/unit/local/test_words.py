"""The words of an extraction in local mode are those that the extractor reads, limits included."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

from gitmart.extract import command
from gitmart.local.jobs import extraction_words
from gitmart.resources.repository import Repository


def test_limits_hold_on_a_laptop_too() -> None:
    repository = Repository.parse(
        {
            "apiVersion": "gitmart.dev/v1alpha1",
            "kind": "Repository",
            "metadata": {"name": "one"},
            "spec": {"url": "https://git.example.org/a", "limits": {"bytes": "2Gi", "commits": 9, "time": "1h30m"}},
        }
    )
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.configure(parser)

    found = parser.parse_args(extraction_words(repository, Path("/work"))[1:])

    assert (found.limit_bytes, found.limit_commits, found.limit_time) == (2 << 30, 9, timedelta(minutes=90))
