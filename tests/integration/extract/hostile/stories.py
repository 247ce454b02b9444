"""What an evil host does, story by story, and how a run ends then."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.integration.extract.hostile.server import CAN, FETCH, LIST, OTHER, READ_ENVIRONMENT, Exchange, Mischief
from tests.integration.extract.hostile.wire import (
    BLOB,
    DELIMITER,
    FLUSH,
    HEX_DIGITS,
    REF_DELTA,
    banded,
    entry,
    header,
    line,
    lines,
    number,
    pack,
    pack_of,
    with_pack,
    written,
)  # fmt: skip

TALK = "gitmart.extract.talk"
HUNDRED_MIB = 100 << 20


@dataclass(frozen=True)
class Story:
    """A host's mischief by stage, and the documented end. `says` stands in the message."""

    name: str
    mischief: dict[str, Mischief]
    outcome: str
    says: str = ""
    words: tuple[str, ...] = ()  # more options
    lowered: dict[str, object] = field(default_factory=dict)  # bounds, by their full names
    incremental: bool = True  # whether a second run is tried too, which may ask in other ways


def refuse(code: int, **headers: str) -> Mischief:
    """Answer with a status, and a page that repeats whatever the host was sent."""

    def mischief(exchange: Exchange) -> None:
        page = b"<html><body>it broke for " + exchange.echo + b"</body></html>"
        exchange.reply(page if headers.get("Content_Type") else exchange.echo, code, **headers)

    return mischief


def redirect(to: str) -> Mischief:
    """Send elsewhere; {echo} and {elsewhere} stand for what they are."""

    def mischief(exchange: Exchange) -> None:
        secret = exchange.shown.partition(" ")[2]
        port = exchange.server.elsewhere_port
        exchange.reply(code=302, Location=to.format(echo=secret, elsewhere=f"https://localhost:{port}"))

    return mischief


def stream(parts: Callable[[Exchange], Iterator[bytes]]) -> Mischief:
    """Answer with a stream."""
    return lambda exchange: exchange.stream(parts(exchange))


def trickle(exchange: Exchange) -> Iterator[bytes]:
    """Send an honest answer a byte at a time, and ever slower than anybody waits for."""
    for byte in exchange.honest():
        yield bytes([byte])
        time.sleep(0.5)


def silence(exchange: Exchange) -> None:
    """Accept, and say nothing."""
    exchange.start()
    exchange.handler.wfile.flush()
    exchange.server.closing.wait(30)


def endless_pack(exchange: Exchange) -> Iterator[bytes]:
    """Send objects without end."""
    yield line(b"packfile\n")
    yield from banded(header(1_000_000))
    while True:
        content = os.urandom(60_000)
        yield from banded(entry(BLOB, len(content), content))


def endless_refs(exchange: Exchange) -> Iterator[bytes]:
    """List refs without end."""
    oid = exchange.server.tip()
    for count in range(1 << 40):
        yield line(oid + b" refs/heads/%0*d\n" % (60_000, count))


def endless_messages(separator: bytes) -> Callable[[Exchange], Iterator[bytes]]:
    """Talk without end, with or without ends of lines."""

    def parts(exchange: Exchange) -> Iterator[bytes]:
        yield line(b"packfile\n")
        while True:
            yield from banded((exchange.echo + b" " + b"x" * 60_000 + separator)[: 1 << 16], band=2)

    return parts


def gzip_bomb(exchange: Exchange) -> None:
    """Send little that becomes very much."""
    import zlib

    press = zlib.compressobj(9, zlib.DEFLATED, 31)
    exchange.start(Content_Encoding="gzip")
    block = line(exchange.server.tip() + b" refs/heads/" + b"x" * 60_000 + b"\n") * 20
    while not exchange.server.closing.is_set():
        exchange.handler.wfile.write(press.compress(block))


def alter_pack(change: Callable[[bytes], bytes]) -> Mischief:
    """Send an honest answer with another pack in it."""

    def mischief(exchange: Exchange) -> None:
        answer = exchange.honest()
        found = pack_of(answer)
        exchange.reply(with_pack(answer, change(found)) if found else answer)

    return mischief


def without(kind: str) -> Mischief:
    """Leave objects of a kind out of packs."""

    def mischief(exchange: Exchange) -> None:
        answer = exchange.honest()
        found = pack_of(answer)
        exchange.reply(with_pack(answer, less(exchange, found, kind)) if found else answer)

    return mischief


def less(exchange: Exchange, found: bytes, kind: str) -> bytes:
    """Return the pack without the last object of that kind."""
    ids = contained(exchange, found)
    left_out = [oid for oid, of in ids if of == kind][-1:]
    return packed(exchange, [oid for oid, _ in ids if oid not in left_out])


def contained(exchange: Exchange, found: bytes) -> list[tuple[str, str]]:
    """Return the objects of a pack and their kinds. It stands on its own but for what the repository has."""
    folder = exchange.server.git_dir
    index = _git(exchange, ["index-pack", "--stdin", "--fix-thin", "--keep"], found).decode().split()[-1]
    listed = _git(exchange, ["show-index"], (folder / f"objects/pack/pack-{index}.idx").read_bytes()).decode()
    ids = [row.split()[1] for row in listed.splitlines()]
    kinds = _git(exchange, ["cat-file", "--batch-check=%(objecttype)"], "\n".join(ids).encode()).decode().split()
    return list(zip(ids, kinds, strict=True))


def packed(exchange: Exchange, ids: list[str]) -> bytes:
    """Return a pack of exactly these objects."""
    return _git(exchange, ["pack-objects", "--stdout", "-q"], "".join(f"{oid}\n" for oid in ids).encode())


def _git(exchange: Exchange, words: list[str], stdin: bytes) -> bytes:
    command = ["git", f"--git-dir={exchange.server.git_dir}", *words]
    return subprocess.run(command, input=stdin, capture_output=True, env=READ_ENVIRONMENT, check=True).stdout


def cycle(_: bytes) -> bytes:
    """Two deltas, each of which is based on the other."""
    delta = number(1) + number(1) + b"\1x"
    return pack(*(entry(REF_DELTA, len(delta), delta, bytes([byte]) * 20) for byte in (1, 2)))


def huge_delta(_: bytes) -> bytes:
    """A delta that says that it makes an exabyte."""
    delta = number(1) + number(1 << 60) + b"\1x"
    import hashlib

    base = hashlib.sha1(b"blob 1\0x", usedforsecurity=False).digest()
    return pack(entry(BLOB, 1, b"x"), entry(REF_DELTA, len(delta), delta, base))


def huge_object(_: bytes) -> bytes:
    """A commit that says that it has an exabyte."""
    return pack(entry(1, 1 << 60, b"x"))


def other_objects(_: bytes) -> bytes:
    """Objects of other names than those that were asked for."""
    return pack(entry(BLOB, 5, b"other"))


def a_ref_to_nothing(exchange: Exchange) -> None:
    """List a ref to an object that nobody has."""
    exchange.reply(line(b"de" * 20 + b" refs/heads/ghost\n") + exchange.honest())


def forget_the_ghost(exchange: Exchange) -> None:
    """Send all but the object that nobody has."""
    exchange.reply(exchange.honest(written(part for part in lines(exchange.body) if b"de" * 20 not in part)))


def shallow_lie(exchange: Exchange) -> None:
    """Say that the history ends at the newest commit, whoever asks."""
    answer = exchange.honest()
    section, rest = line(b"packfile\n"), answer
    before, _, banded_lines = rest.partition(section)
    lie = line(b"shallow-info\n") + line(b"shallow " + exchange.server.tip()) + DELIMITER
    before = b"" if b"shallow-info" in before else before
    exchange.reply(before + lie + section + banded_lines if banded_lines else answer)


def packfile_uris(exchange: Exchange) -> None:
    """Send a part of the objects by way of addresses of others, unasked."""
    before, section, banded_lines = exchange.honest().partition(line(b"packfile\n"))
    port = exchange.server.elsewhere_port
    ways = [f"https://localhost:{port}/x.pack", f"https://127.0.0.1:{port}/x.pack", "http://169.254.169.254/x.pack"]
    uris = b"".join(line(b"%040x %b\n" % (count, way.encode())) for count, way in enumerate(ways, 1))
    exchange.reply(before + line(b"packfile-uris\n") + uris + DELIMITER + section + banded_lines)


def claim(old: bytes, new: bytes) -> Mischief:
    """Say something else of what the host can do."""
    return lambda exchange: exchange.reply(
        written(part.replace(old, new) if len(part) > HEX_DIGITS // 10 else part for part in lines(exchange.honest()))
    )


def ignore_filters(exchange: Exchange) -> None:
    """Send everything, whatever was asked for."""
    exchange.reply(exchange.honest(written(part for part in lines(exchange.body) if not part.startswith(b"filter "))))


def many_refs(count: int, prefix: bytes) -> Mischief:
    """List many refs more."""

    def mischief(exchange: Exchange) -> None:
        oid = exchange.server.tip()
        exchange.reply(b"".join(line(oid + b" %b%d\n" % (prefix, n)) for n in range(count)) + exchange.honest())

    return mischief


def ref_named(name: Callable[[Exchange], bytes]) -> Mischief:
    """List a ref of an odd name."""
    return lambda exchange: exchange.reply(
        line(exchange.server.tip() + b" " + name(exchange) + b"\n") + exchange.honest()
    )


def refs_named(*names: bytes) -> Mischief:
    """List branches of odd names."""
    return lambda exchange: exchange.reply(
        b"".join(line(exchange.server.tip() + b" refs/heads/" + name + b"\n") for name in names) + exchange.honest()
    )


def says(band: int) -> Mischief:
    """Say what the host was sent, on a band of the answer, and end."""
    return lambda exchange: exchange.reply(line(b"packfile\n") + b"".join(banded(exchange.echo + b"\n", band)) + FLUSH)


def error_packet(exchange: Exchange) -> None:
    """Refuse in the protocol's own way."""
    exchange.reply(line(b"ERR no " + exchange.echo))


def reset(exchange: Exchange) -> None:
    """Reset the connection in the middle of an honest answer."""
    answer = exchange.honest()
    exchange.start(Content_Length=str(len(answer)))
    exchange.handler.wfile.write(answer[: len(answer) // 2])
    exchange.handler.wfile.flush()
    exchange.cut()


def plaintext(exchange: Exchange) -> None:
    """Leave the tunnel that was agreed upon."""
    raw = exchange.handler.connection.detach()
    os.write(raw, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0000")
    os.close(raw)


def dumb(exchange: Exchange) -> None:
    """List refs as a host of files alone does."""
    exchange.reply(exchange.server.tip() + b"\trefs/heads/main\n", Content_Type="text/plain")


def dumb_files(exchange: Exchange) -> None:
    """Have no object, and say that others have them."""
    port = exchange.server.elsewhere_port
    if exchange.handler.path.endswith("/HEAD"):
        exchange.reply(b"ref: refs/heads/main\n")
    elif "alternates" in exchange.handler.path:
        exchange.reply(f"https://localhost:{port}/a.git/objects\nhttp://169.254.169.254/b.git/objects\n".encode())
    else:
        exchange.reply(code=404)


BASIC = {"WWW_Authenticate": 'Basic realm="x"'}
PAGE = {"Content_Type": "text/html"}

STORIES = (
    Story("401", {CAN: refuse(401, **BASIC)}, "AuthenticationFailed", "refused the credentials"),
    Story("403", {CAN: refuse(403)}, "AuthenticationFailed", "refused the credentials", incremental=False),
    Story("404", {CAN: refuse(404)}, "NotFound", incremental=False),
    Story("429", {CAN: refuse(429, Retry_After="3600")}, "HostUnreachable", "429", incremental=False),
    Story("500", {CAN: refuse(500)}, "HostUnreachable", "500", incremental=False),
    Story("502 with a page", {CAN: refuse(502, **PAGE)}, "HostUnreachable", "502", incremental=False),
    Story("401 for the objects", {FETCH: refuse(401, **BASIC)}, "AuthenticationFailed", "refused the credentials"),
    Story("500 for the refs", {LIST: refuse(500)}, "HostUnreachable", "500"),
    Story("redirect to metadata", {CAN: redirect("http://169.254.169.254/latest?{echo}")}, "Moved", "does not follow", incremental=False),
    Story("redirect to a host", {CAN: redirect("{elsewhere}/{echo}/a.git/info/refs")}, "Moved", "does not follow"),
    Story("redirect to a file", {CAN: redirect("file:///etc/passwd?{echo}")}, "Moved", "does not follow", incremental=False),
    Story("redirect of a question", {LIST: redirect("{elsewhere}/a.git/git-upload-pack")}, "Moved", "does not follow", incremental=False),
    Story("slow", {CAN: stream(trickle)}, "Timeout", "limits.time (--limit-time)", ("--limit-time=2s",)),
    Story("slow pack", {FETCH: stream(trickle)}, "Timeout", "limits.time (--limit-time)", ("--limit-time=2s",)),
    Story("silent", {CAN: silence}, "HostUnreachable", lowered={"gitmart.extract.hermetic.SILENCE": 1}, incremental=False),
    Story("endless pack", {FETCH: stream(endless_pack)}, "LimitExceeded", "the 1Mi that limits.bytes", ("--limit-bytes=1Mi",)),
    Story("endless refs", {LIST: stream(endless_refs)}, "LimitExceeded", "to hold what the host lists or says",
          lowered={f"{TALK}.MOST_MEMORY": HUNDRED_MIB}),
    Story("endless messages", {FETCH: stream(endless_messages(b"\n"))}, "LimitExceeded", "MiB of messages",
          lowered={f"{TALK}.MOST_WORDS": 1 << 20}),
    Story("endless message", {FETCH: stream(endless_messages(b""))}, "LimitExceeded", "to hold what the host lists or says",
          lowered={f"{TALK}.MOST_MEMORY": HUNDRED_MIB}),
    Story("gzip bomb", {LIST: gzip_bomb}, "LimitExceeded", "to hold what the host lists or says",
          lowered={f"{TALK}.MOST_MEMORY": HUNDRED_MIB}),
    Story("truncated pack", {FETCH: alter_pack(lambda found: found[: len(found) // 2])}, "HostUnreachable"),
    Story("wrong checksum", {FETCH: alter_pack(lambda found: found[:-1] + bytes([found[-1] ^ 1]))}, "RepositoryDamaged"),
    Story("no pack", {FETCH: alter_pack(lambda _: b"<html>" * 100)}, "RepositoryDamaged"),
    Story("missing blob", {FETCH: without("blob")}, "RepositoryDamaged"),
    Story("missing tree", {FETCH: without("tree")}, "RepositoryDamaged"),
    Story("missing commit", {FETCH: without("commit")}, "RepositoryDamaged"),
    Story("other objects", {FETCH: alter_pack(other_objects)}, "RepositoryDamaged"),
    Story("cycle of deltas", {FETCH: alter_pack(cycle)}, "RepositoryDamaged"),
    Story("huge delta", {FETCH: alter_pack(huge_delta)}, "RepositoryDamaged"),
    Story("two thousand million objects", {FETCH: alter_pack(lambda _: header(2**31 - 1))}, "RepositoryDamaged", incremental=False),
    Story("huge object", {FETCH: alter_pack(huge_object)}, "RepositoryDamaged"),
    Story("ref to nothing", {LIST: a_ref_to_nothing}, "RepositoryDamaged"),
    Story("ref to nothing, forgotten", {LIST: a_ref_to_nothing, FETCH: forget_the_ghost}, "RepositoryDamaged"),
    Story("shallow lie", {FETCH: shallow_lie}, "RepositoryDamaged", "shallow"),
    Story("packs of others", {FETCH: packfile_uris}, "HostUnreachable"),
    Story("another format", {CAN: claim(b"object-format=sha1", b"object-format=sha256")}, "HostUnreachable", incremental=False),
    Story("bands it does not have", {CAN: claim(b"fetch=", b"fetch=sideband-all ")}, "HostUnreachable", incremental=False),
    Story("reset", {FETCH: reset}, "HostUnreachable"),
    Story("plain text", {CAN: plaintext}, "HostUnreachable", incremental=False),
    Story("ERR", {CAN: error_packet}, "HostUnreachable", "remote error: no ", incremental=False),
    Story("ERR for the objects", {FETCH: error_packet}, "HostUnreachable", "remote error: no "),
    Story("last words", {FETCH: says(3)}, "HostUnreachable", "remote: "),
    Story("words and no pack", {FETCH: says(2)}, "HostUnreachable"),
    Story("a ref that tells", {LIST: ref_named(lambda exchange: b"refs/heads/" + exchange.secret)}, "RepositoryDamaged",
          "repeats the credentials"),
    Story("dumb alternates", {CAN: dumb, OTHER: dumb_files}, "RepositoryDamaged"),
)  # fmt: skip

# What is odd, and no reason to end: the rows are those of an honest host.
HARMLESS = (
    Story("filters ignored", {FETCH: ignore_filters}, "Succeeded"),
    Story("more than it can", {CAN: claim(b"fetch=", b"fetch=packfile-uris wait-for-done ")}, "Succeeded"),
    Story("a hundred thousand refs", {LIST: many_refs(100_000, b"refs/pull/")}, "Succeeded"),
    Story("names that are none", {LIST: refs_named(b"\x1b[31mred", b"a\nb", b"../../hooks/post-checkout", b"x.lock")}, "Succeeded"),
)  # fmt: skip
