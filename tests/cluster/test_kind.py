"""
What is asked of Docker, kind and kubectl where an engine answers.

The three are stand-ins that write down their words: it is `cluster.yaml` that runs the real ones.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from .environment import kind
from .environment.obtain import obtain
from .environment.places import cache_folder

STAND_IN = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
name, *words = pathlib.Path(sys.argv[0]).name, *sys.argv[1:]
read = sys.stdin.read() if words[-2:] == ["-f", "-"] else ""
with (folder / "asked").open("a") as asked:
    asked.write(json.dumps([name, *words, read]) + "\\n")
if words[:2] == ["image", "inspect"]:
    sys.exit(1)
if words[:2] == ["create", "cluster"]:
    path = next(word for word in words if word.startswith("--kubeconfig=")).partition("=")[2]
    pathlib.Path(path).write_text((folder / "kubeconfig").read_text())
if words[:3] == ["network", "inspect", "kind"]:
    print(json.dumps([{{"IPAM": {{"Config": [{{"Gateway": "fc00::1"}}, {{"Gateway": "172.18.0.1"}}]}}}}]))
if "configmap/coredns" in words:
    print(json.dumps({{"data": {{"Corefile": ".:53 {{\\n    ready\\n    cache 30\\n}}\\n"}}}}))
"""
KUBECONFIG = {
    "current-context": "kind-gitmart-test",
    "clusters": [{"name": "kind-gitmart-test", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "contexts": [{"name": "kind-gitmart-test", "context": {"cluster": "kind-gitmart-test", "user": "admin"}}],
    "users": [{"name": "admin", "user": {}}],
}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where Docker answers; the file has a line for each command that ran, in order."""
    monkeypatch.setenv("GITMART_CLUSTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GITMART_KUBECONFIG", raising=False)
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "docker")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "kubeconfig").write_text(json.dumps(KUBECONFIG))
    for name in ("docker", "kind", "kubectl"):
        program = tmp_path / name
        program.write_text(STAND_IN.format(python=sys.executable, folder=str(tmp_path)))
        program.chmod(0o755)
    return tmp_path / "asked"


def test_images_are_built_and_loaded_and_test_names_resolved(asked: Path) -> None:
    obtained = obtain()

    lines = [json.loads(line) for line in asked.read_text().splitlines()]
    built = [line[3] for line in lines if line[:2] == ["docker", "build"]]
    loaded = [line[-2] for line in lines if line[:3] == ["kind", "load", "docker-image"]]
    assert built == loaded == [obtained.image, obtained.postgres_image]
    (replaced,) = [line[-1] for line in lines if "replace" in line]
    assert (
        '    template IN A test {\n        answer "{{ .Name }} 60 IN A 172.18.0.1"\n'
        in (json.loads(replaced)["data"]["Corefile"])
    )
    assert (obtained.kind, obtained.host_ip) == ("kind", "172.18.0.1")
    assert obtained.kubeconfig == cache_folder() / "kind" / "kubeconfig"


def test_the_cluster_is_deleted_in_the_end(asked: Path) -> None:
    obtain()
    assert kind.stop()

    last = json.loads(asked.read_text().splitlines()[-1])
    assert last[:4] == ["kind", "delete", "cluster", "--name=gitmart-test"]
    assert not kind.kubeconfig().exists()
