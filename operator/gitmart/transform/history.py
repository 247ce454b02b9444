"""
The history of runs: what a run leaves in schema `dbt_meta` of the warehouse it writes to.

A row is there from the moment the run has its lock, so that one which is killed is seen too: the next run
into the schema says of it that its result is lost. The rest is written at the end, however the run ends, on
a connection of its own. Not being able to write it changes no outcome: the marts are what the run was for.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from gitmart import __version__
from gitmart.contract.outcomes import RESULT_LOST, Outcome
from gitmart.contract.redaction import Scrubber
from gitmart.contract.result import Result
from gitmart.transform.digest import NodeRun
from gitmart.transform.settings import Settings
from gitmart.transform.site import docs_page
from gitmart.warehouse.connections import connect
from gitmart.warehouse.locks import Connection

log = logging.getLogger(__name__)

ARTIFACTS_OF = 20  # runs per schema; the last good one keeps its own besides
LONGEST_WRITE = "10s"  # per statement: a run that was asked to stop must end soon
_MESSAGE_LIMIT = 4000  # characters
_GZIP = 31  # zlib.h: the greatest window, and gzip's header without a time


def compress(pieces: Iterable[bytes | memoryview]) -> tuple[bytearray, int]:
    """Return a file in gzip's format, the same for the same bytes, and how many bytes it has itself."""
    press = zlib.compressobj(level=6, wbits=_GZIP)
    packed, size = bytearray(), 0
    for piece in pieces:
        packed += press.compress(piece)
        size += len(piece)
    packed += press.flush()
    return packed, size


class History:
    """The rows of one run. `nodes` and `artifacts` (files by name) are written as they are at its end."""

    def __init__(self, settings: Settings, scrubber: Scrubber) -> None:
        """Take what takes secrets out of a text; everything goes through it."""
        self._settings = settings
        self._scrubber = scrubber
        self.run_id: int | None = None  # None: not begun, or it could not be written
        self.nodes: Iterable[NodeRun] = ()
        self.artifacts: Mapping[str, bytes] = {}

    def begin(self, session: Connection, started_at: datetime) -> None:
        """Tell of a run that has the lock, and of those before it whose end nobody told. `session` is in autocommit."""
        settings = self._settings
        with _tolerant():
            session.execute(
                "update dbt_meta.runs set outcome = %s, finished_at = now(),"
                " message = 'the process was killed, or could not reach the warehouse at its end'"
                " where target_schema = %s and finished_at is null",
                [RESULT_LOST, settings.schema],
            )
            [(self.run_id,)] = session.execute(  # type: ignore[assignment]
                "insert into dbt_meta.runs"
                " (target_schema, started_at, gitmart_version, full_refresh, selected, excluded, threads)"
                " values (%s, %s, %s, %s, %s, %s, %s) returning id",
                [
                    settings.schema, started_at, __version__, settings.full_refresh,
                    list(settings.select), list(settings.exclude), settings.threads,
                ],
            ).fetchall()  # fmt: skip

    def remember(self, connection: Connection, resume_key: str, resumes: int | None) -> None:
        """Tell how a later run knows that it can go on with this one, and which one this goes on with."""
        connection.execute(
            "update dbt_meta.runs set resume_key = %s, resumes = %s where id = %s", [resume_key, resumes, self.run_id]
        )

    def end(self, result: Result) -> None:
        """Write how the run ended, and forget what is older than is to be kept."""
        if self.run_id is None:  # it never had the lock
            return
        name, options = "gitmart-transform history", {"statement_timeout": LONGEST_WRITE, "lock_timeout": LONGEST_WRITE}
        with _tolerant(), connect(self._settings.url, application_name=name, extra=options) as connection:
            self._write(connection, result)
            self._forget(connection)

    def _write(self, connection: Connection, result: Result) -> None:
        run_id = self.run_id
        facts: Mapping[str, Any] = result.facts
        counts: Mapping[str, int] = facts.get("counts", {})
        connection.execute(
            "update dbt_meta.runs set finished_at = %s, outcome = %s, message = %s, invocation_id = %s,"
            " dbt_version = %s, elapsed_seconds = %s, nodes = %s, succeeded = %s, passed = %s, warned = %s,"
            " failed = %s, errored = %s, skipped = %s, replicated_until = %s where id = %s",
            [
                result.finished_at, result.outcome.value, self._text(result.message), facts.get("invocationId"),
                facts.get("dbtVersion"), facts.get("elapsedSeconds"),
                *map(counts.get, ("total", "success", "pass", "warn", "fail", "error", "skipped")),
                facts.get("replicatedUntil"), run_id,
            ],
        )  # fmt: skip
        artifacts = {name: self._scrubber.clean_bytes(file) for name, file in self.artifacts.items()}
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into dbt_meta.node_runs values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                [
                    (
                        run_id, node.unique_id, node.name, node.resource_type, node.status, node.seconds, node.rows,
                        node.failures, self._text(node.message),
                    )
                    for node in self.nodes
                ],
            )  # fmt: skip
            cursor.executemany(
                "insert into dbt_meta.source_freshness values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
                [
                    (
                        run_id, source["name"], source["status"], source["maxLoadedAt"], source["ageSeconds"],
                        self._text(source.get("message")),
                    )
                    for source in facts.get("sources", ())
                ],
            )  # fmt: skip
            cursor.executemany(
                "insert into dbt_meta.artifacts values (%s, %s, %b, %s) on conflict do nothing",
                [(run_id, name, *compress([file])) for name, file in artifacts.items()],
            )
        page, size = compress(docs_page(artifacts))
        if size:
            connection.execute(
                "insert into dbt_meta.docs values (%s, %s, %s, %b, %s) on conflict (target_schema) do update"
                " set run_id = excluded.run_id, made_at = excluded.made_at, gzip = excluded.gzip,"
                " size_bytes = excluded.size_bytes",
                [self._settings.schema, run_id, result.finished_at, page, size],
            )

    def _text(self, text: str | None) -> str | None:
        return storable(None if text is None else self._scrubber.clean(text))

    def _forget(self, connection: Connection) -> None:
        schema, retention = self._settings.schema, self._settings.history_retention
        [(last_good,)] = connection.execute(
            "select max(id) from dbt_meta.runs where target_schema = %s and outcome = %s",
            [schema, Outcome.SUCCEEDED.value],
        ).fetchall()
        connection.execute(
            "delete from dbt_meta.runs where target_schema = %s and id <> %s and id is distinct from %s"
            " and started_at < now() - %s::interval",
            [schema, self.run_id, last_good, retention],
        )
        connection.execute(
            "delete from dbt_meta.artifacts where run_id is distinct from %s"
            " and run_id in (select id from dbt_meta.runs where target_schema = %s order by id desc offset %s)",
            [last_good, schema, ARTIFACTS_OF],
        )


@contextmanager
def _tolerant() -> Iterator[None]:
    """Log what the warehouse refuses or no text can hold, and go on: how the run ended is decided already."""
    try:
        yield
    except Exception as error:
        log.warning("the history of runs is not written", extra={"why": f"{type(error).__name__}: {error}"})


def storable(text: str | None) -> str | None:
    """Return what PostgreSQL takes as a text, of a length that people read."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()[:_MESSAGE_LIMIT]
