"""The table of good and bad manifests, held against a real API server, kubectl and the operator."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from .client import PAUSE, Cluster, Namespace, condition_of
from .manifest_table import GOOD, STALLED, TABLE, URL, Row, Verdict, manifest
from .operator_process import OperatorProcess, install_definitions
from .release import OTHER_OPERATOR
from .waiting import SOON, wait_for

# What reads a manifest's nulls as what they are, where `kubectl apply` leaves them out.
NULLS = ("yaml-null", "yaml-null-label")


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace with an operator of its own (see `operator`)."""
    install_definitions(cluster)
    made = cluster.namespace(f"test-{uuid4().hex[:8]}")
    made.create(**{OTHER_OPERATOR: "true"})
    yield made
    made.delete()


@pytest.fixture
def operator(namespace: Namespace, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator of the namespace."""
    process = OperatorProcess(namespace.cluster.kubeconfig, namespace.name, tmp_path)
    process.start()
    yield process
    process.end()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file per row of the table."""
    folder = tmp_path_factory.mktemp("manifests")
    for row in TABLE:
        (folder / f"{row.name}.yaml").write_text(row.text)
    return folder


def apply(namespace: Namespace, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Apply all files of a folder as a trial: everything but storing is done."""
    words = ("apply", "--dry-run=server", "--validate=strict", "-f", str(folder), *options)
    return namespace.cluster.run("--namespace", namespace.name, *words)


def object_name(row: Row) -> str:
    body = yaml.safe_load(row.text)
    return f"{body['kind'].lower()}.gitmart.dev/{body['metadata']['name']}"


def test_kubectl_apply_gives_the_verdict_of_the_table(namespace: Namespace, folder: Path) -> None:
    done = apply(namespace, folder)

    accepted, lines = {line.split()[0] for line in done.stdout.splitlines()}, done.stderr.splitlines()
    assert accepted == {object_name(row) for row in TABLE if row.verdict is not Verdict.REFUSED}
    untold = {
        row.name: [line for line in lines if row.name in line]
        for row in TABLE
        if row.verdict is Verdict.REFUSED
        and not [line for line in lines if row.name in line and row.field in line and row.words in line]
    }
    assert not untold


def test_server_side_apply_gives_the_same_verdict(namespace: Namespace, folder: Path) -> None:
    # Other tests of this namespace may have changed the same objects as another manager of their fields.
    done = apply(namespace, folder, "--server-side", "--force-conflicts")

    accepted = {line.split()[0] for line in done.stdout.splitlines()}
    expected = {object_name(row) for row in TABLE if row.verdict is not Verdict.REFUSED}
    assert accepted ^ expected <= {object_name(row) for row in GOOD if row.name in NULLS}


def test_the_address_can_be_changed_and_no_password_is_repeated(namespace: Namespace) -> None:
    namespace.apply(manifest("Repository", "changeable", {"url": URL, "suspend": True}))
    namespace.apply(manifest("Repository", "changeable", {"url": URL + "x", "suspend": True}))

    without_key = manifest("Repository", "changeable", {"url": "ssh://git@git.example.org/a", "suspend": True})
    assert "an ssh:// url needs secretRef" in namespace.refusal("apply", "-f", "-", stdin=without_key)

    secret = "https://me:canary@git.example.org/a"
    for name in ("changeable", "another"):
        refusal = namespace.refusal("apply", "-f", "-", stdin=manifest("Repository", name, {"url": secret}))
        assert "must hold no user name, token or password before the host" in refusal
        assert "canary" not in refusal


def test_what_no_schema_can_refuse_stands_in_ready_and_heals(namespace: Namespace, operator: OperatorProcess) -> None:
    namespace.apply(*(row.text for row in STALLED))

    for row in STALLED:
        kind, name = object_name(row).split("/")
        found = namespace.wait_for_condition(kind, name, "Stalled")
        ready = condition_of(found, "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
        assert f"{row.field}: " in ready["message"]
        assert row.words in ready["message"]
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]

    for row in STALLED:
        kind, name = object_name(row).split("/")
        cure = '{"spec": {"schedule": "0 0 1 1 *", "timeZone": "Etc/UTC", "suspend": true, "vars": null}}'
        namespace.kubectl("patch", kind, name, "--type=merge", "-p", cure)
    for row in STALLED:
        kind, name = object_name(row).split("/")
        wait_for(lambda kind=kind, name=name: _is_healed(namespace.get(kind, name)), SOON, lambda: operator.log, PAUSE)  # type: ignore[misc]


def _is_healed(body: dict[str, object]) -> bool:
    spec_seen = body["status"]["observedGeneration"] == body["metadata"]["generation"]  # type: ignore[index]
    return bool(spec_seen and not condition_of(body, "Stalled"))
