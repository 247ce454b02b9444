"""What the conditions mean to others: kstatus, and so Flux and Argo CD, and `kubectl wait`, judge every row of the table."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.controller import repository as statuses
from gitmart.controller.admission import Caps, full
from gitmart.controller.runs import Run
from gitmart.resources.repository import Repository, RepositoryStatus

from .client import Cluster, Namespace
from .environment.golang import tool
from .manifest_table import URL, manifest
from .operator_process import install_definitions
from .release import OTHER_OPERATOR

NOW = datetime.now(UTC).replace(microsecond=0)
Told = Callable[[Repository], RepositoryStatus]


def ended(outcome: Outcome, **more: bool) -> Told:
    """Return how the status is told after a run that ended so."""
    result = {"version": 1, "outcome": outcome.value, "message": "as it went"}
    run = Run(NOW, NOW, outcome.exit_code, result, **more)
    return lambda repository: statuses.ended(after(statuses.seen)(repository), run)


def after(first: Callable[[Repository, datetime], RepositoryStatus]) -> Callable[[Repository], Repository]:
    """Return the Repository after a first step."""
    return lambda repository: repository.model_copy(update={"status": first(repository, NOW)})


def suspended(first: Told) -> Told:
    return lambda repository: statuses.suspended(repository.model_copy(update={"status": first(repository)}), NOW)


def queued(first: Told) -> Told:
    place = full("git.example.org", {("a", "b"): "git.example.org"}, Caps(1, 1))
    return lambda repository: statuses.queued(first(repository), place, repository.metadata.generation, NOW)


def new(repository: Repository) -> RepositoryStatus:
    return statuses.seen(repository, NOW)


def untold(repository: Repository) -> RepositoryStatus:
    return repository.status


GOOD = ended(Outcome.SUCCEEDED)
# row of the table in docs/repository.md: the status, what kstatus says, what `kubectl wait --for=condition=Ready` does
ROWS: dict[str, tuple[Told, str, bool]] = {
    "untold": (untold, "InProgress", False),
    "new": (new, "InProgress", False),
    "new-queued": (queued(new), "InProgress", False),
    "new-suspended": (suspended(untold), "InProgress", False),
    "good": (GOOD, "Current", True),
    "good-running": (lambda repository: statuses.running(after(lambda one, _: GOOD(one))(repository)), "Current", True),
    "good-queued": (queued(GOOD), "Current", True),
    "good-suspended": (suspended(GOOD), "Current", True),
    "retrying": (ended(Outcome.SECRET_MISSING), "InProgress", False),
    "retrying-suspended": (suspended(ended(Outcome.SECRET_MISSING)), "InProgress", False),
    "next-slot": (ended(Outcome.TIMEOUT), "InProgress", False),
    "out-of-memory": (ended(Outcome.CANCELLED, out_of_memory=True), "InProgress", False),
    "stalled": (ended(Outcome.INVALID_INPUT), "Failed", False),
    "stalled-invalid": (lambda one: statuses.invalid(one.status, ["spec.schedule: wrong"], 1, NOW), "Failed", False),
    "stalled-duplicate": (lambda one: statuses.duplicate(one, one, NOW), "Failed", False),
}


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace without any operator, with an object for each row and one that was edited since."""
    install_definitions(cluster)
    made = cluster.namespace(f"test-{uuid4().hex[:8]}")
    made.create(**{OTHER_OPERATOR: "true"})
    made.apply(*(manifest("Repository", name, {"url": URL}) for name in (*ROWS, "edited")))
    for name, (told, _, _) in (ROWS | {"edited": ROWS["good"]}).items():
        repository = Repository.parse(made.get("repository", name))
        status = told(repository).model_dump(mode="json", by_alias=True, exclude_none=True)
        made.kubectl(
            "patch", "repository", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
        )
    made.kubectl("patch", "repository", "edited", "--type=merge", "-p", '{"spec": {"timeout": "2h"}}')
    yield made
    made.delete()


def test_kstatus_says_of_each_row_what_the_manual_says(namespace: Namespace) -> None:
    found = namespace.kubectl("get", "repositories", "-o", "json")

    done = subprocess.run([tool("kstatus")], input=found, capture_output=True, text=True, check=True)

    said = {verdict["name"]: verdict["status"] for verdict in map(json.loads, done.stdout.splitlines())}
    assert said == {name: status for name, (_, status, _) in ROWS.items()} | {"edited": "InProgress"}


def test_kubectl_waits_for_what_is_ready_and_for_nothing_else(namespace: Namespace) -> None:
    names = [f"repository/{name}" for name in (*ROWS, "edited")]

    words = ("wait", "--for=condition=Ready", "--timeout=0")  # a look at each, without waiting
    done = namespace.cluster.run("--namespace", namespace.name, *words, *names)

    met = {line.split()[0].partition("/")[2] for line in done.stdout.splitlines()}
    assert met == {name for name, (_, _, ready) in ROWS.items() if ready}, done.stderr
