"""The one place that calls dbt, in this process: parse once, then each command on the same manifest."""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitmart.transform.frugal import forget_building, forget_parsing, leave_out, lighten
from gitmart.transform.hearing import hear_only
from gitmart.transform.sessions import share_sessions
from gitmart.transform.settings import Settings

log = logging.getLogger(__name__)

_BUILT = frozenset({"model", "seed", "snapshot", "test", "unit_test", "function"})  # an exposure is only named
HEARD = ("ConcurrencyLine", "NodeStart", "NodeFinished")  # events, besides warnings and errors
M_ARENA_MAX = -8  # mallopt(3): <malloc.h>


@dataclass(frozen=True, slots=True)
class Answer:
    """What dbt says of a command: its result (a type of dbt's), or the exception that ended it."""

    result: Any
    exception: BaseException | None


@dataclass(frozen=True, slots=True)
class Node:
    """A node that a selection names. `fqn`: its names from the project down."""

    unique_id: str
    resource_type: str
    fqn: tuple[str, ...]

    @property
    def selector(self) -> str:
        """Return what selects it in dbt; nodes of its kind in a folder of its name are selected too."""
        return f"fqn:{'.'.join(self.fqn)},resource_type:{self.resource_type}"


class Dbt:
    """dbt for one project and warehouse. Makes the process dbt's: sets its environment, imports it."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        environment: Mapping[str, str],
        on_event: Callable[[Any], None],
        gate: Callable[[], None],
    ) -> None:
        """Tell `on_event` of HEARD, warnings and errors. Whatever dbt does, its threads pass `gate` again and again."""
        _spare_memory()
        for name in [name for name in os.environ if name.startswith("DBT_") and not name.startswith("DBT_ENV_")]:
            del os.environ[name]  # what a shell happens to hold does not change a run
        os.environ.update(environment)
        leave_out()
        from dbt.cli.main import dbtRunner  # takes a second or two, and reads the environment

        lighten(keeps_parse=settings.work_dir is not None)
        hear_only(HEARD, gate)
        share_sessions()
        self._settings = settings
        self._folder = folder
        self._runner = dbtRunner(callbacks=[on_event])
        gc.freeze()  # what is imported stays: not worth looking at again

    def identity(self) -> dict[str, str]:
        """Return which dbt ran, and the id that the last command has in dbt's own records."""
        from dbt_common.invocation import get_invocation_id

        return {"invocationId": get_invocation_id(), "dbtVersion": self.version}

    @property
    def version(self) -> str:
        """Return dbt's version."""
        from dbt.version import __version__ as dbt_version

        return str(dbt_version)

    def parse(self) -> Answer:
        """Parse the project; later commands use it."""
        answer = self._invoke("parse")
        if answer.exception is None:
            self._runner.manifest = answer.result
            forget_parsing(answer.result)
        return answer

    def freshness(self) -> Answer:
        """Look how old the sources are: `FreshnessResult`."""
        return self._invoke("source", "freshness", "--threads", str(self._settings.threads))

    def selected(self, nodes: Iterable[Node] | None = None) -> tuple[Node, ...]:
        """Return what `build` would build, exposures left out. Raise dbt's exception if it cannot say."""
        keys = ("unique_id", "resource_type", "fqn")
        answer = self._invoke("list", "--output", "json", "--output-keys", " ".join(keys), *self._selection(nodes))
        if answer.exception is not None:
            raise answer.exception
        found = [json.loads(line) for line in answer.result]
        return tuple(
            Node(each["unique_id"], each["resource_type"], tuple(each["fqn"]))
            for each in found
            if each["resource_type"] in _BUILT
        )

    def _selection(self, nodes: Iterable[Node] | None) -> list[str]:
        """Return the options that select these nodes alone, or what the settings say."""
        if nodes is not None:
            return ["--indirect-selection", "empty", "--select", *(node.selector for node in nodes)]
        words = []
        if self._settings.select:
            words += ["--select", *self._settings.select]
        if self._settings.exclude:
            words += ["--exclude", *self._settings.exclude]
        if self._settings.selector is not None:
            words += ["--selector", self._settings.selector]
        return words

    def build(self, nodes: Iterable[Node] | None = None) -> Answer:
        """Build and test `nodes`, or all that the settings select: `RunExecutionResult`."""
        words = ["build", "--threads", str(self._settings.threads), *self._selection(nodes)]
        if self._settings.full_refresh:
            words.append("--full-refresh")
        if self._settings.fail_fast:
            words.append("--fail-fast")
        if self._settings.store_failures:
            words.append("--store-failures")
        errors = "all" if self._settings.warn_error else ["NoNodesForSelectionCriteria"]
        return self._invoke(*words, "--warn-error-options", json.dumps({"error": errors}))

    def artifacts(self, fresh: Answer, built: Answer, *, docs: bool) -> dict[str, bytes]:
        """
        Return dbt's own files of this run, by name; with `docs` the catalog too, unless the settings want none.

        What cannot be had is left out and logged: the marts are built, and nobody waits for its description.
        """
        forget_building()  # a manifest takes as much again to be written
        folder = self._folder / "target"
        writers: dict[str, Callable[[str], object]] = {"manifest.json": self._runner.manifest.write}
        if fresh.exception is None:
            writers["sources.json"] = fresh.result.write
        if built.exception is None:
            writers["run_results.json"] = built.result.write
        if docs and self._settings.docs:
            writers["catalog.json"] = self._catalog
        found = {}
        for name, write in writers.items():
            path = folder / name
            try:
                write(str(path))
                found[name] = path.read_bytes()
            except Exception as error:
                log.warning("dbt does not write %s", name, extra={"why": f"{type(error).__name__}: {error}"})
        return found

    def _catalog(self, _path: str) -> None:
        answer = self._invoke("docs", "generate", "--no-compile")
        if answer.exception is not None:
            raise answer.exception

    def _invoke(self, *words: str) -> Answer:
        # Without a folder to keep, nobody could read the artifacts, and the results are in memory.
        keep = self._settings.work_dir is not None
        project = str(self._settings.project_dir)
        done = self._runner.invoke([
            *words,
            "--vars", yaml_of(self._settings.variables),
            "--project-dir", project, "--profiles-dir", project,
            "--target-path", str(self._folder / "target"), "--log-path", str(self._folder / "logs"),
            "--write-json" if keep else "--no-write-json",
            "--partial-parse" if keep else "--no-partial-parse",
        ])  # fmt: skip
        return Answer(done.result, done.exception)


def yaml_of(variables: Mapping[str, object]) -> str:
    """Return variables as dbt reads them. It reads YAML, in which the number 1e-07 of JSON would be a text."""
    import yaml

    plain = json.loads(json.dumps(variables, default=str))  # a date becomes its text
    return yaml.safe_dump(plain, default_flow_style=True, width=math.inf, sort_keys=False)


def _spare_memory() -> None:
    """Let the threads share one arena: glibc would give each its own, and dbt's work is under the GIL anyhow."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)
