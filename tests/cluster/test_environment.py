"""What all other tests of the cluster take for granted."""

from __future__ import annotations

from typing import Any

from .client import Cluster, Namespace, job, restricted_pod
from .git_server import GitServer


def test_the_image_runs_restricted_with_a_read_only_root(cluster: Cluster, namespace: Namespace) -> None:
    namespace.apply(job("version", restricted_pod(cluster.image, args=["--version"])))

    namespace.wait_for_condition("job", "version", "Complete")

    assert namespace.logs("version").startswith("gitmart ")


def test_a_pod_that_breaks_the_standard_is_refused(cluster: Cluster, namespace: Namespace) -> None:
    pod = restricted_pod(cluster.image)
    pod["securityContext"] = {}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "loose"}, "spec": pod}

    assert "violates PodSecurity" in namespace.refusal("apply", "-f", "-", stdin=str(manifest))


def test_a_pod_reads_a_repository_of_the_git_server(
    cluster: Cluster, namespace: Namespace, git_server: GitServer, repository: Any
) -> None:
    repository.write("file", "x\n")
    head = repository.commit()
    url = git_server.publish(repository, "read-by-a-pod")
    authority = {"name": "authority", "configMap": {"name": "authority"}}
    mount = {"name": "authority", "mountPath": "/etc/authority"}
    words = ["git", "-c", "http.sslCAInfo=/etc/authority/ca.crt", "ls-remote", "--", url, "HEAD"]
    pod = restricted_pod(cluster.image, command=words, volumeMounts=[mount]) | {"volumes": [authority]}

    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "authority"},
            "data": {"ca.crt": git_server.ca_pem},
        },
        job("listing", pod),
    )
    namespace.wait_for_condition("job", "listing", "Complete")

    assert namespace.logs("listing").split() == [head, "HEAD"]
    assert git_server.count("read-by-a-pod") > 0
