"""
Certificates of authorities that are trusted besides the system's: an administrator's, a repository's own.

git takes one file (`http.sslCAInfo`) in place of the system's, so both go into one file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gitmart.extract.errors import ExtractError, InputError

if TYPE_CHECKING:
    import ssl

CA_VARIABLE = "GITMART_GIT_CA"

# Where systems keep all they trust in one file; OpenSSL's own answer is asked first.
_PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL, Oracle Linux
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def certificates_in(text: str, source: str, error: Callable[[str], ExtractError] = InputError) -> str:
    """Return the certificates of a PEM text and nothing else of it; raise `error` naming `source`."""
    import ssl  # 20 ms that only these few need

    found = "".join(f"{block}\n" for block in _BLOCK.findall(text))
    try:
        if found:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except ssl.SSLError:
        found = ""
    if not found:
        raise error(
            f"{source} holds no certificates: write them as PEM, each from -----BEGIN CERTIFICATE----- "
            "to -----END CERTIFICATE-----"
        )
    return found


def write_bundle(file: Path, certificates: str) -> None:
    """Write the system's certificates (or those of SSL_CERT_FILE) and the given ones into a new file of ours alone."""
    file.touch(mode=0o600)
    system = _system_bundle()
    trusted = system.read_text(encoding="utf-8", errors="replace") if system is not None else ""
    file.write_text(f"{trusted}\n{certificates}", encoding="utf-8")


def trusting(certificates: str) -> ssl.SSLContext:
    """Return what a client of our own trusts: the same as git does."""
    import ssl

    system = _system_bundle()
    context = ssl.create_default_context(cafile=str(system) if system is not None else None)
    if certificates:
        context.load_verify_locations(cadata=certificates)
    return context


def _system_bundle() -> Path | None:
    import ssl

    own = ssl.get_default_verify_paths().cafile  # SSL_CERT_FILE, if that is set
    candidates = [Path(place) for place in (own, *_PLACES) if place]
    return next((file for file in candidates if file.is_file() and os.access(file, os.R_OK)), None)
