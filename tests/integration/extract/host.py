"""
A bare repository written byte by byte: every object that git accepts, and no process to start.

git's own commands refuse to make half of what histories are full of (idents without a date, unknown
encodings, names of any bytes), and would take a hundred times as long for the rest.
"""

from __future__ import annotations

import copy
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

FOLDER = 0o40000
SUBMODULE = 0o160000

Files = dict[bytes, tuple[int, str]]  # path -> mode and object


class Host:
    """A bare repository as a host serves it. `lender` is one whose objects it borrows, as forks on a host do."""

    def __init__(self, path: Path, algorithm: str, lender: Host | None = None) -> None:
        self.path = path
        self.algorithm = algorithm  # sha1 or sha256
        (path / "objects/info").mkdir(parents=True)
        (path / "refs").mkdir()
        (path / "info").mkdir()
        (path / "config").write_text(
            f"[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = {algorithm}\n",
            encoding="ascii",
        )
        if lender is not None:
            (path / "objects/info/alternates").write_text(f"{lender.path / 'objects'}\n", encoding="utf-8")
        self.set_head(b"refs/heads/main")

    @property
    def url(self) -> str:
        """Its address in local mode."""
        return f"file://{quote(str(self.path))}"

    def under(self, name: Path) -> Host:
        """Return the same repository under another name, so also at another address."""
        name.symlink_to(self.path)
        other = copy.copy(self)
        other.path = name
        return other

    def add(self, kind: str, content: bytes) -> str:
        """Store an object and return its name."""
        raw = f"{kind} {len(content)}".encode() + b"\0" + content
        name = hashlib.new(self.algorithm, raw).hexdigest()
        file = self.path / "objects" / name[:2] / name[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(raw, 1))
        return name

    def add_tree(self, files: Mapping[bytes, tuple[int, str]]) -> str:
        """Store the folders that hold the files and return the name of the topmost."""
        entries: Files = {}
        folders: dict[bytes, Files] = {}
        for path, entry in files.items():
            first, slash, rest = path.partition(b"/")
            if slash:
                folders.setdefault(first, {})[rest] = entry
            else:
                entries[first] = entry
        entries |= {name: (FOLDER, self.add_tree(inside)) for name, inside in folders.items()}
        ordered = sorted(entries.items(), key=lambda item: item[0] + (b"/" if item[1][0] == FOLDER else b""))
        return self.add(
            "tree", b"".join(b"%o %s\0%s" % (mode, name, bytes.fromhex(oid)) for name, (mode, oid) in ordered)
        )

    def set_refs(self, refs: Mapping[bytes, str]) -> None:
        """Have these refs and no others."""
        lines = (oid.encode() + b" " + name + b"\n" for name, oid in sorted(refs.items()))
        (self.path / "packed-refs").write_bytes(b"".join(lines))

    def set_head(self, target: bytes) -> None:
        """Let HEAD point to a ref, or to the commit of that name."""
        (self.path / "HEAD").write_bytes((b"ref: " if target.startswith(b"refs/") else b"") + target + b"\n")

    def set_alias(self, name: str, target: bytes) -> None:
        """Let a ref stand for another one."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"ref: " + target + b"\n")

    def set_graft(self, name: str, parents: list[str]) -> None:
        """Let a commit seem to have these parents, for whoever heeds grafts."""
        with open(self.path / "info/grafts", "a", encoding="ascii") as file:
            file.write(" ".join([name, *parents]) + "\n")
