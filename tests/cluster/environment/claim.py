"""
One node per machine: whoever runs one holds a name in the kernel, and answers there who it is.

An abstract socket needs no file, is seen from every checkout and cache folder, and goes with its process.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from .places import Site, UnavailableError

TIMEOUT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs a node."""

    process: int
    owner: int | None  # the process it ends with; None: it stays until `make cluster-down`
    state: str  # its folder
    ready: bool = False

    def describe(self) -> str:
        """Return words for a message."""
        owned = f"; it belongs to process {self.owner} ({_command(self.owner)}) and ends with it" if self.owner else ""
        return f"process {self.process} runs a cluster on this machine ({self.state}){owned}"


def holder(site: Site) -> Holder | None:
    """Return who runs the site's node, None when nobody does."""
    if not sys.platform.startswith("linux"):
        return None
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        try:
            client.connect(_name(site))
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            with client.makefile("rb") as answer:
                facts = json.loads(answer.readline() or b"{}")
        except ConnectionRefusedError:
            return None
        except (OSError, ValueError):  # it is ending at this moment
            return Holder(0, None, "which is just ending")
    process: int = struct.unpack("3i", credentials)[0]
    return Holder(**{"process": process, "owner": None, "state": "which is just ending"} | facts | {"process": process})


class Claim:
    """The right to run the site's node, held until this process ends. Raise UnavailableError if another has it."""

    def __init__(self, site: Site, owner: int | None = None) -> None:
        self.facts = Holder(0, owner, str(site.state))
        self.ready = False
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.bind(_name(site))
        except OSError:
            self.socket.close()
            other = holder(site)
            raise UnavailableError(other.describe() if other else "a cluster is just ending: try again") from None
        self.socket.listen()
        threading.Thread(target=self._answer, daemon=True).start()

    def close(self) -> None:
        """Let go of it."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _answer(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return  # closed
            with client:
                facts = asdict(self.facts) | {"ready": self.ready}
                client.sendall(json.dumps(facts).encode() + b"\n")


def _name(site: Site) -> str:
    return f"\0{site.name}"


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:80]
    except OSError:
        return "which has just ended"
