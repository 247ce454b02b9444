"""Asking the operator for runs: what webhooks and triggers have in common, and what it needs while it is served."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

from gitmart.api.hooks.bodies import Bodies
from gitmart.api.hooks.directory import Directory, Name
from gitmart.api.hooks.gathering import Gathering
from gitmart.api.hooks.kubernetes import Kubernetes
from gitmart.api.hooks.secret_files import SecretFiles
from gitmart.api.problems import ProblemError
from gitmart.api.settings import Settings
from gitmart.contract.kinds import REPOSITORIES

REMEMBERED = 10_000  # deliveries, about 2 MB

log = logging.getLogger(__name__)


def new_token() -> str:
    """Return a value for the annotation that nobody has used: the time, and some chance for two at one time."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}-{secrets.token_hex(4)}"


def _passes(error: Exception) -> bool:
    """Whether a request that failed like this may succeed later."""
    passing = (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    return isinstance(error, ProblemError) and error.status in passing


class Runs:
    """Asks for runs on a cluster."""

    def __init__(self, cluster: Kubernetes) -> None:
        self._cluster = cluster
        self._directory = Directory(cluster.repositories)
        self._pushed: Gathering[Name] = Gathering(self._extract, _passes)

    async def ask(self, plural: str, namespace: str, name: str, by: str) -> str:
        """Ask for a run of one resource at once, and return the token it is asked for by. Raise ProblemError."""
        token = new_token()
        await self._cluster.ask(plural, namespace, name, token)
        facts = {"kind": plural, "namespace": namespace, "resource": name, "token": token, "by": by}
        log.info("a run is asked for", extra=facts)
        return token

    async def pushed(self, keys: Iterable[str]) -> int:
        """
        Ask for extractions of the Repositories with one of these addresses, and return how many there are.

        Pushes of one moment become one request. Raise ProblemError if it could not be made, to the first of them.
        """
        found = await self._directory.find(keys)
        answers = await asyncio.gather(*map(self._pushed.ask, found), return_exceptions=True)
        gone = 0
        for answer in answers:
            if isinstance(answer, ProblemError) and answer.status == HTTPStatus.NOT_FOUND:
                self._directory.forget()
                gone += 1
            elif isinstance(answer, BaseException):
                raise answer
        return len(found) - gone

    async def close(self) -> None:
        """Write what is still gathered."""
        await self._pushed.close()

    async def _extract(self, name: Name) -> None:
        await self.ask(REPOSITORIES, *name, by="webhook")


@dataclass
class Memory:
    """The deliveries that were acted upon last. What was refused or failed may come again, as senders repeat it."""

    most: int = REMEMBERED
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def __contains__(self, delivery: str) -> bool:
        return delivery in self._seen

    def add(self, delivery: str) -> None:
        """Remember a delivery; "" is none."""
        if delivery:
            self._seen[delivery] = None
            while len(self._seen) > self.most:
                self._seen.popitem(last=False)


@dataclass
class Hooks:
    """What the process has for requests to run. Without a cluster there are no `runs`, without secrets no webhooks."""

    runs: Runs | None
    secrets: SecretFiles | None
    bodies: Bodies = field(default_factory=Bodies)
    memory: Memory = field(default_factory=Memory)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Hooks]:
    """Yield what requests to run need, while the application is served."""
    secrets_of_senders = SecretFiles(settings.hook_secrets) if settings.hook_secrets else None
    if settings.api_server is None:
        yield Hooks(None, secrets_of_senders)
        return
    async with Kubernetes(settings.api_server, settings.service_account, settings.watch_namespaces) as cluster:
        runs = Runs(cluster)
        yield Hooks(runs, secrets_of_senders)
        await runs.close()
