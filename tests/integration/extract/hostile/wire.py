"""What git hosts say, byte by byte: lines of gitprotocol-common(5), packs of gitformat-pack(5)."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator

FLUSH, DELIMITER = b"0000", b"0001"
MOST = 65_516  # bytes in a line
BLOB, REF_DELTA = 3, 7
HEX_DIGITS = 40


def line(data: bytes) -> bytes:
    """Return a pkt-line."""
    return b"%04x%b" % (len(data) + 4, data)


def lines(stream: bytes) -> Iterator[bytes]:
    """Yield what each pkt-line holds; FLUSH and DELIMITER stand for themselves, with their lengths."""
    while stream:
        length = int(stream[:4], 16)
        if length < 4:
            yield stream[:4]
            stream = stream[4:]
        else:
            yield stream[4:length]
            stream = stream[length:]


def written(parts: Iterable[bytes]) -> bytes:
    """Return the stream that `lines` takes apart."""
    return b"".join(part if part in {FLUSH, DELIMITER, b"0002"} else line(part) for part in parts)


def banded(pack: bytes, band: int = 1) -> Iterator[bytes]:
    """Yield pkt-lines that carry the data on a side-band."""
    for start in range(0, len(pack), MOST - 1):
        yield line(bytes([band]) + pack[start : start + MOST - 1])


def with_pack(answer: bytes, pack: bytes) -> bytes:
    """Return the answer to `fetch` with another pack in it."""
    head, section, _ = answer.partition(line(b"packfile\n"))
    return head + section + b"".join(banded(pack)) + FLUSH


def pack_of(answer: bytes) -> bytes:
    """Return the pack in an answer to `fetch`."""
    _, _, banded_lines = answer.partition(line(b"packfile\n"))
    return b"".join(part[1:] for part in lines(banded_lines) if part[:1] == b"\1")


def entry(kind: int, size: int, content: bytes, base: bytes = b"") -> bytes:
    """Return an object of a pack that claims to have this size."""
    size, low = size >> 4, size & 15
    head = [kind << 4 | low]
    while size:
        head[-1] |= 0x80
        head.append(size & 0x7F)
        size >>= 7
    return bytes(head) + base + zlib.compress(content)


def number(value: int) -> bytes:
    """Return a size as it stands in a delta."""
    found = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        found.append(low | (0x80 if value else 0))
        if not value:
            return bytes(found)


def header(count: int) -> bytes:
    """Return the beginning of a pack of so many objects."""
    return b"PACK" + struct.pack(">II", 2, count)


def pack(*entries: bytes) -> bytes:
    """Return a pack with its checksum."""
    whole = header(len(entries)) + b"".join(entries)
    return whole + hashlib.sha1(whole, usedforsecurity=False).digest()
