"""
Requests drawn from the OpenAPI document of a running API: what it answers has to be what the document says.

The hooks are for Schemathesis, which is told of this module by its variable SCHEMATHESIS_HOOKS.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData
from tests.integration.api.hooked import hooked

TOKEN = "a-token-of-whoever-draws"  # for a moment
ROOT = Path(__file__).parents[3]
# What a value may be depends on other things than its schema can say: a cursor on the page before, until on since,
# a level on those before it. Values that fit are tried in test_lists.py and test_problems.py.
DEPENDENT = ("cursor", "until", "levels")


@schemathesis.hook
def filter_failure(_: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure counts: not that of a drawn value that a schema cannot tell from those that are allowed."""
    refused = isinstance(failure, RejectedPositiveData) and response.status_code == 422
    return not (refused and response.json().get("parameter") in DEPENDENT)


@contextmanager
def fuzzed(folder: Path, url: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """
    Yield the address of an API that reads the marts at a URL and has a cluster to ask for runs, and what to ask it by.

    The objects that examples name are there.
    """
    (folder / "tokens").write_text(f"fuzzing={TOKEN}\n", encoding="utf-8")
    words = (f"--tokens-file={folder / 'tokens'}", "--triggers-by=fuzzing", "--rate-limit=0")
    with hooked(folder, *words, url=url) as place:
        for kind in ("repositories", "dbtschedules"):
            path = f"/apis/gitmart.dev/v1alpha1/namespaces/team-a/{kind}/gitpython"
            place.cluster.put(path, {"metadata": {"namespace": "team-a"}, "spec": {}})
        yield place.address, ("--header", f"Authorization: Bearer {TOKEN}")


def fuzz(address: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask what Schemathesis thinks of; 0 if every answer was one that the document tells. It may write into `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", "--no-color", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": __name__},
        capture_output=True,
        text=True,
        check=False,
    )
