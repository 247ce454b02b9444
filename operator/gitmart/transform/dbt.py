"""The one place that calls dbt, in this process: parse once, then each command on the same manifest."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitmart.transform.frugal import forget_parsing, leave_out, lighten
from gitmart.transform.settings import Settings

M_ARENA_MAX = -8  # mallopt(3): <malloc.h>


@dataclass(frozen=True, slots=True)
class Answer:
    """What dbt says of a command: its result (a type of dbt's), or the exception that ended it."""

    result: Any
    exception: BaseException | None


class Dbt:
    """dbt for one project and warehouse. Makes the process dbt's: sets its environment, imports it."""

    def __init__(
        self, settings: Settings, folder: Path, environment: Mapping[str, str], on_event: Callable[[Any], None]
    ) -> None:
        _spare_memory()
        for name in [name for name in os.environ if name.startswith("DBT_") and not name.startswith("DBT_ENV_")]:
            del os.environ[name]  # what a shell happens to hold does not change a run
        os.environ.update(environment)
        leave_out()
        from dbt.cli.main import dbtRunner  # takes a second or two, and reads the environment

        lighten(keeps_parse=settings.work_dir is not None)
        self._settings = settings
        self._folder = folder
        self._runner = dbtRunner(callbacks=[on_event])
        gc.freeze()  # what is imported stays: not worth looking at again

    def identity(self) -> dict[str, str]:
        """Return which dbt ran, and the id that the last command has in dbt's own records."""
        from dbt.version import __version__ as dbt_version
        from dbt_common.invocation import get_invocation_id

        return {"invocationId": get_invocation_id(), "dbtVersion": dbt_version}

    def parse(self) -> Answer:
        """Parse the project; later commands use it."""
        answer = self._invoke("parse")
        if answer.exception is None:
            self._runner.manifest = answer.result
            forget_parsing()
        return answer

    def freshness(self) -> Answer:
        """Look how old the sources are: `FreshnessResult`."""
        return self._invoke("source", "freshness", "--threads", str(self._settings.threads))

    def build(self) -> Answer:
        """Build and test the selected nodes: `RunExecutionResult`."""
        words = ["build", "--threads", str(self._settings.threads)]
        if self._settings.full_refresh:
            words.append("--full-refresh")
        if self._settings.select:
            words += ["--select", *self._settings.select]
        if self._settings.exclude:
            words += ["--exclude", *self._settings.exclude]
        empty_is_an_error = json.dumps({"error": ["NoNodesForSelectionCriteria"]})
        return self._invoke(*words, "--warn-error-options", empty_is_an_error)

    def _invoke(self, *words: str) -> Answer:
        # Without a folder to keep, nobody could read the artifacts, and the results are in memory.
        keep = self._settings.work_dir is not None
        project = str(self._settings.project_dir)
        done = self._runner.invoke([
            *words,
            "--project-dir", project, "--profiles-dir", project,
            "--target-path", str(self._folder / "target"), "--log-path", str(self._folder / "logs"),
            "--write-json" if keep else "--no-write-json",
            "--partial-parse" if keep else "--no-partial-parse",
        ])  # fmt: skip
        return Answer(done.result, done.exception)


def _spare_memory() -> None:
    """Let the threads share one arena: glibc would give each its own, and dbt's work is under the GIL anyhow."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)
