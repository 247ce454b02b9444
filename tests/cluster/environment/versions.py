"""What is built, at which version. A changed pin is built anew."""

from __future__ import annotations

KUBERNETES = "1.35.4"  # go/kubernetes/go.mod says it too; the last minor version for containerd 1.x
HELM = "3.22.0"
KUBECONFORM = "0.8.0"
KWOK = "0.8.0"
KIND = "0.33.0"
PROMTOOL = "0.316.0"
ACTIONLINT = "1.7.12"
HELM_DOCS = "1.14.2"

# Whose definitions of resources the chart is checked against.
GATEWAY_API = "1.4.0"
PROMETHEUS_OPERATOR = "0.85.0"

GO = (1, 26)  # the oldest that builds all of it

DEBIAN = "bookworm"
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "iproute2": "ip",
    "util-linux": "unshare",
}  # Debian package: the program by which it is recognised
