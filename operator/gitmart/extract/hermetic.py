"""The environment of every git: nothing of the machine's configuration, and one way to one host."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from gitmart.contract.addresses import Address
from gitmart.extract.address import curl_resolve, literal, port_of, refuse_private, resolve
from gitmart.extract.certificates import write_bundle
from gitmart.extract.proxy import proxy_for
from gitmart.extract.settings import Remote
from gitmart.extract.ssh import ssh_environment

# A clone takes the branch of the name of init.defaultBranch for that of a HEAD it knows nothing of. This name no
# repository has, so that a HEAD which leads nowhere stays one.
CONFIGURATION = """\
[core]
	hooksPath = /dev/null
	attributesFile = /dev/null
[gc]
	auto = 0
[maintenance]
	auto = false
[http]
	followRedirects = false
	saveCookies = false
	emptyAuth = false
	delegation = none
	maxRetries = 0
	lowSpeedLimit = 1
	lowSpeedTime = {silence}
[init]
	defaultBranch = gitmart/nowhere
[advice]
	detachedHead = false
[protocol]
	version = 2
	allow = never
[protocol "https"]
	allow = always
[protocol "ssh"]
	allow = always
[submodule]
	recurse = false
[fetch]
	recurseSubmodules = false
	writeCommitGraph = false
[transfer]
	bundleURI = false
	credentialsInUrl = die
[promisor]
	acceptFromServer = none
[credential]
	helper =
"""
SILENCE = 300  # seconds without a byte; an honest host says something every five while it counts
# A host may name other addresses, and git (2.39 for one) asks some of them unasked. They all lead here, where nobody
# listens; the way to the repository's own address stands in a section of its own.
NOWHERE = "http://0.0.0.0:1"


def hermetic_environment(remote: Remote, folder: Path) -> dict[str, str]:
    """
    Return the whole environment for git: what the system needs, and nothing that changes what git prints.

    Writes the configuration files it names into `folder`, for our user alone, since they may hold
    credentials. Raise ExtractError when the host's address is unknown or not allowed.
    """
    home = folder / "home"
    templates = home / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    addresses = allowed_addresses(remote)
    if remote.certificates:
        write_bundle(home / "ca.pem", remote.certificates)
    _write(home / "config", _configuration(remote, addresses, home))
    ssh = ssh_environment(remote, addresses, home, silence=SILENCE) if remote.url.scheme == "ssh" else {}
    is_file = remote.url.scheme == "file"
    passed = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {
        **{name: os.environ[name] for name in passed if name in os.environ},
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / "config"),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": str(templates),
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" if is_file else "https:ssh",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        **ssh,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        # git would flush after every commit it prints into a pipe: fifteen times the reads.
        "GIT_FLUSH": "0",
        # The configuration names the proxy, or none: there are no exceptions left for git to think about.
        "NO_PROXY": "",
        "no_proxy": "",
    }


def allowed_addresses(remote: Remote) -> tuple[Address, ...]:
    """
    Return the addresses that git shall use; () for a file, or when a proxy does the resolving.

    Raise ExtractError: HostUnreachable when the name is unknown, AddressNotAllowed when any address is
    private, link-local or the machine's own and the administrator does not allow that. What stands as
    an address in the URL is looked at even if a proxy is asked to reach it.
    """
    if remote.url.scheme == "file":
        return ()
    proxied = bool(proxy_for(remote.url))
    addresses = literal(remote.url) if proxied else resolve(remote.url)
    if not remote.allow_private_addresses:
        refuse_private(remote.url, addresses, remote.allow_networks)
    return () if proxied else addresses


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


def _configuration(remote: Remote, addresses: Sequence[Address], home: Path) -> str:
    text = CONFIGURATION.format(silence=SILENCE)
    # SSL_CERT_FILE is known to OpenSSL alone, and git may be built with another library.
    bundle = str(home / "ca.pem") if remote.certificates else os.environ.get("SSL_CERT_FILE")
    if bundle:
        text += f"[http]\n\tsslCAInfo = {_quoted(bundle)}\n"
    if remote.url.scheme == "https":
        text += f"[http]\n\tproxy = {NOWHERE}\n"
        origin = _quoted(f"https://{remote.url.host}:{port_of(remote.url)}/")
        text += f"[http {origin}]\n\tproxy = {_quoted(proxy_for(remote.url))}\n"  # empty: directly
        if addresses:
            text += f"[http]\n\tcurloptResolve = {curl_resolve(remote.url, addresses)}\n"
        if remote.credentials is not None and remote.credentials.authorization:
            header = _quoted(f"Authorization: {remote.credentials.authorization}")
            text += f"[http {_quoted(str(remote.url))}]\n\textraHeader = {header}\n"
    if remote.url.scheme == "file":
        # The person who wrote file:///path wants this very folder read, whoever owns it.
        text += '[safe]\n\tdirectory = "*"\n[protocol "file"]\n\tallow = always\n'
    return text


def _quoted(value: str) -> str:
    """Return the text as a value (or the name of a part) of git-config(1), which escapes as JSON does."""
    return json.dumps(value, ensure_ascii=False)
