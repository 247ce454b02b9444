"""
Whether the watches still bring what happens.

A watch whose connection was cut silently looks like one on which nothing happens. Kopf notices the silence: the API
server sends a bookmark about once a minute, and after 70 s without any (settings.watching.inactivity_timeout) Kopf
connects anew. It does not say so to anybody, and dies on nothing else that may go wrong in between; its own liveness
probe only says that the process answers.

So the operator compares. Every few minutes it asks the API server for the newest resourceVersion of each kind it
watches (a list of metadata alone), and the watch must have shown that version or a later one soon after. This needs
neither a write nor anything of Kopf's inside, costs one request per kind and page, and holds while nothing happens:
then both stay as they were. resourceVersions of one kind are numbers that grow (KEP-5504), and a watch delivers them
in order. While the API server is away nothing is compared: a restart would not help.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gitmart.handlers.cluster import Cluster, Kind
from gitmart.handlers.errors import ApiError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """One watch: a kind in one namespace (None: all), with the label selector that Kopf was told."""

    kind: Kind
    namespace: str | None = None
    labels: str | None = None

    def __str__(self) -> str:
        return f"{self.kind.plural} {f'in {self.namespace}' if self.namespace else 'of all namespaces'}"


class Watches:
    """What the watches have shown and should have shown. `clock` gives seconds that never go back."""

    def __init__(self, watched: Iterable[Watched], clock: Callable[[], float]) -> None:
        self._watched = tuple(watched)
        self._clock = clock
        self._shown: dict[tuple[str, str | None], int] = {}
        self._due: dict[Watched, tuple[int, float]] = {}  # a version that was listed before it was shown, and when
        self._by_kind = {(each.kind.name, each.namespace): each for each in self._watched}

    def saw(self, kind: Kind, namespace: str, version: str) -> None:
        """Take note of an event, whatever its type, by the resourceVersion of its object."""
        if not version.isdigit():
            return
        for lane in ((kind.name, namespace), (kind.name, None)):
            if lane in self._by_kind:
                self._shown[lane] = max(self._shown.get(lane, 0), int(version))

    def listed(self, watched: Watched, newest: int) -> None:
        """Take note of the newest version there is, 0 for none."""
        if newest > self._newest_shown(watched) and watched not in self._due:
            self._due[watched] = (newest, self._clock())

    def behind(self) -> dict[str, float]:
        """Return for how many seconds each watch has not shown what was listed; those that have are left out."""
        for watched, (version, _) in list(self._due.items()):
            if self._newest_shown(watched) >= version:
                del self._due[watched]
        return {str(watched): self._clock() - since for watched, (_, since) in self._due.items()}

    async def compare(self, cluster: Cluster) -> None:
        """Ask for the newest versions once. What cannot be asked is left for the next time."""
        self.behind()
        for watched in self._watched:
            try:
                self.listed(watched, await cluster.newest(watched.kind, watched.namespace, watched.labels))
            except ApiError as error:
                log.info("watch not compared", extra={"watch": str(watched), "error": error.message})

    async def nothing_is_there(self, cluster: Cluster) -> bool:
        """Whether there is nothing at all to watch, so that no first event will ever come; False if it is unknown."""
        try:
            for watched in self._watched:
                if await cluster.newest(watched.kind, watched.namespace, watched.labels):
                    return False
        except ApiError as error:
            log.info("nothing known of what is there", extra={"error": error.message})
            return False
        return True

    async def keep_comparing(self, cluster: Cluster, every: float = 180.0) -> None:
        """Compare every so many seconds until cancelled; the first time after one such wait."""
        while True:
            await asyncio.sleep(every)
            await self.compare(cluster)

    def _newest_shown(self, watched: Watched) -> int:
        return self._shown.get((watched.kind.name, watched.namespace), 0)
