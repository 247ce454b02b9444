"""
The private key of a Secret and the hosts it knows, as files that ssh takes.

ssh refuses a key that others may read, as a mounted Secret may be, and asks nobody for a passphrase. So the key is
written anew, for our user alone, into the run's own folder, and goes with it; ssh-keygen takes the encryption away
first, and gets the passphrase through a pipe.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import struct
import subprocess
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gitmart.extract.errors import SecretError

MARKERS = ("@cert-authority", "@revoked")
_ENCRYPTED = "incorrect passphrase"  # how ssh-keygen says that a key is encrypted
# What ssh-keygen runs to ask for a passphrase: it prints its input, two fixed lines.
_ASKPASS = "#!/bin/sh\nexec cat\n"


@dataclass(frozen=True, slots=True)
class SshKeys:
    """What a Secret holds for ssh. The names are for messages: those of the Secret and of its keys."""

    private_key: bytes = field(repr=False)
    passphrase: bytes = field(repr=False)  # b"": none
    known_hosts: str = field(repr=False)
    source: str
    key_name: str
    passphrase_name: str

    def write_private_key(self, file: Path) -> None:
        """Write the key, without its passphrase, into a new file for our user alone; raise SecretError."""
        file.touch(mode=0o600)
        # ssh takes no carriage return, and needs the last line feed; editors and forms on the web change both.
        file.write_bytes(self.private_key.replace(b"\r\n", b"\n").strip() + b"\n")
        said = _keygen("-y", "-P", "", file)
        if said is None:
            return
        key = f"key {self.key_name} of {self.source}"
        if _ENCRYPTED not in said:
            raise SecretError(
                f"{key} is no private key that ssh can read: give it whole, as ssh-keygen writes it, "
                "from its line -----BEGIN … PRIVATE KEY----- to its line -----END … PRIVATE KEY-----"
            )
        if not self.passphrase:
            raise SecretError(
                f"{key} is encrypted: give its passphrase in the key {self.passphrase_name}, or a key without one"
            )
        if _keygen("-p", "-N", "", file, passphrase=self.passphrase) is not None:
            raise SecretError(f"key {self.passphrase_name} of {self.source} is not the passphrase of its {key}")


def _keygen(*words: str | Path, passphrase: bytes = b"") -> str | None:
    """Run ssh-keygen on the file that comes last; return what it says against it, None when all is well."""
    *options, file = words
    askpass = Path(f"{file}.askpass")
    askpass.touch(mode=0o700)
    askpass.write_text(_ASKPASS, encoding="ascii")
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment |= {"LC_ALL": "C", "SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force"}
    done = subprocess.run(
        ["ssh-keygen", *options, "-f", file], input=passphrase, capture_output=True, env=environment, check=False
    )
    askpass.unlink()
    return None if done.returncode == 0 else done.stderr.decode(errors="replace")


def checked_known_hosts(value: bytes, source: str) -> str:
    """Return the text of a known_hosts file (sshd(8)); raise SecretError naming the line that is no key of a host."""
    text = value.decode("utf-8", "replace")
    trusted = 0
    for number, marker, words in _lines(text):
        if len(words) < 3 or marker not in ("", *MARKERS) or not _is_key(words[1], words[2]):
            raise SecretError(
                f"{source}, line {number}, is no key of a host: write a name, the kind of key and the key "
                "in one line, as ssh-keyscan prints them"
            )
        trusted += marker != "@revoked"
    if not trusted:
        raise SecretError(f"{source} holds no key of a host: write them as ssh-keyscan prints them")
    return text


def known_hosts_at(known_hosts: str, host: str, port: int) -> str:
    """
    Return the file for a host that is called by its name alone although it listens on another port than 22.

    ssh looks for [host]:port there, but for the bare name if we tell it the name (HostKeyAlias), and compares that
    with the names in a certificate as well. So the names of this port lose it, and are read as ssh would.
    """
    lines = []
    for _, marker, words in _lines(known_hosts):
        names = [_without_port(name, host, port) for name in words[0].split(",")]
        lines.append(" ".join([*([marker] if marker else []), ",".join(names), *words[1:]]))
    return "".join(f"{line}\n" for line in lines)


def _without_port(name: str, host: str, port: int) -> str:
    if name.startswith("|"):
        return host if _is_hash_of(name, f"[{host}]:{port}") else name
    return re.sub(rf"^(!?)\[(.*)\]:{port}$", r"\1\2", name)


def _is_hash_of(name: str, wanted: str) -> bool:
    """Whether a hashed name, |1|salt|hash, is that of a host."""
    try:
        _, kind, salt, digest = name.split("|")
        key, expected = base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
    except (ValueError, Base64Error):
        return False
    return kind == "1" and hmac.digest(key, wanted.encode(), "sha1") == expected


def _lines(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield number, marker and words of each line that is neither empty nor a comment."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            marker = words.pop(0) if words[0].startswith("@") else ""
            yield number, marker, words


def _is_key(kind: str, key: str) -> bool:
    """Whether a text is a public key of that kind: its first field repeats it (RFC 4253, section 6.6)."""
    try:
        blob = base64.b64decode(key, validate=True)
    except (ValueError, Base64Error):
        return False
    name = kind.encode()
    return blob.startswith(struct.pack(">I", len(name)) + name) and len(blob) > 4 + len(name)
