"""
Who may start when places are few: a cap on all extractions at a time, and one per git host.

Fair between namespaces, and first come first served within one. Whoever waits for a full host lets others pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from gitmart.controller.conditions import Situation, Verdict

TOTAL_FULL = "ExtractionsCapFull"
HOST_FULL = "HostCapFull"

Key = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True)
class Caps:
    """How many extractions may run at a time; 0 is no cap."""

    total: int
    per_host: int

    def total_full(self, running: int) -> bool:
        """Whether so many are all that may run."""
        return bool(self.total) and running >= self.total

    def host_full(self, running: int) -> bool:
        """Whether so many are all that may run for one host."""
        return bool(self.per_host) and running >= self.per_host


@dataclass(frozen=True, slots=True)
class Waiting:
    """A Repository that is due, and since when."""

    key: Key
    host: str
    since: datetime


def admitted(waiting: Iterable[Waiting], running: Mapping[Key, str], caps: Caps) -> Iterator[Waiting]:
    """Yield those that may start now, in order. `running` gives the host of each extraction that runs."""
    hosts = Counter(running.values())
    shares = Counter(namespace for namespace, _ in running)
    total = len(running)
    line = sorted(waiting, key=lambda each: (each.since, each.key))
    while line and not caps.total_full(total):
        able = [each for each in line if not caps.host_full(hosts[each.host])]
        if not able:
            return
        chosen = min(able, key=lambda each: shares[each.key[0]])  # of equals the first: it has waited longest
        line.remove(chosen)
        hosts[chosen.host] += 1
        shares[chosen.key[0]] += 1
        total += 1
        yield chosen


def full(host: str, running: Mapping[Key, str], caps: Caps) -> Verdict:
    """Return which cap one must wait for. The message has no numbers that change while one waits."""
    there = sum(1 for each in running.values() if each == host)
    if (caps.host_full(there) or not caps.total) and not caps.total_full(len(running)):
        return Verdict(
            Situation.ROUTINE,
            HOST_FULL,
            f"waiting for a place: {caps.per_host} extractions from {host} may run at a time (maxExtractionsPerHost)",
        )
    return Verdict(
        Situation.ROUTINE,
        TOTAL_FULL,
        f"waiting for a place: {caps.total} extractions may run at a time (maxExtractions)",
    )
