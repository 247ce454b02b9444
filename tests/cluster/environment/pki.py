"""Certificates and kubeconfigs of a node: an authority of its own, and one client per component."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .places import Site

LIFETIME = timedelta(days=30)

NO_GROUP = "system:none"  # the user's name alone gives these their rights


def write(site: Site) -> None:
    """Write every key, certificate and kubeconfig of the site into its state folder."""
    Authority(site, site.state / "pki").write()


class Authority:
    """The certificate authority of one node; `folder` receives what it makes."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{site.name}-ca")])
        self.certificate = (
            _builder(self.name, self.name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def write(self) -> None:
        """Write all of it."""
        self.folder.mkdir(parents=True)
        (self.folder / "ca.crt").write_bytes(self.certificate.public_bytes(Encoding.PEM))
        self._service_accounts()
        site = self.site
        service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
        self._issue(
            "apiserver", "kube-apiserver", "kubernetes", "localhost", *service,
            site.node_ip, site.kubernetes_service_ip, "127.0.0.1",
        )  # fmt: skip
        self._issue("kubelet", f"system:node:{site.name}", "system:nodes", site.name, site.node_ip)
        self._issue("admin", "admin", "system:masters")
        self._issue("kcm", "system:kube-controller-manager", NO_GROUP)
        self._issue("scheduler", "system:kube-scheduler", NO_GROUP)
        self._issue("proxy", "system:kube-proxy", NO_GROUP)
        for user in ("kubelet", "kcm", "scheduler", "proxy"):
            self._kubeconfig(user, self.folder / f"{user}.conf")
        self._kubeconfig("admin", site.kubeconfig)

    def _service_accounts(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        _write_secret(self.folder / "sa.key", _pem(key))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (self.folder / "sa.pub").write_bytes(public)

    def _issue(self, name: str, user: str, group: str, *hosts: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group), x509.NameAttribute(NameOID.COMMON_NAME, user)]
        )
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = _builder(subject, self.name, key).add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        _write_secret(self.folder / f"{name}.key", _pem(key))

    def _kubeconfig(self, user: str, target: Path) -> None:
        name = self.site.name
        server = {"server": f"https://{self.site.node_ip}:6443", "certificate-authority-data": self._data("ca.crt")}
        client = {
            "client-certificate-data": self._data(f"{user}.crt"),
            "client-key-data": self._data(f"{user}.key"),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": server}],
            "users": [{"name": user, "user": client}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        }
        _write_secret(target, json.dumps(config, indent=2).encode())  # JSON is YAML

    def _data(self, file: str) -> str:
        return b64encode((self.folder / file).read_bytes()).decode()


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)
