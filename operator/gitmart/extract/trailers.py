"""
Trailers: the lines such as `Co-authored-by: Name <mail>` that end a message. Pure, no I/O.

What counts as one is git's own rule, that of `git log --format=%(trailers:only,unfold)` with git's default
configuration: the last paragraph, if it is not the first and all its lines are trailers or continue one, or if
a line that git itself writes (Signed-off-by, cherry picked from) stands there and at least a quarter are trailers.
Comments, an old list of conflicts and what follows a scissors line do not count. See git-interpret-trailers(1);
`---` divides nothing, because a message that was committed has no patch behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

MOST = 1_000  # trailers of a message that are kept: their memory has a bound, whatever a message holds

# Role -> the keys, in lower case, that give it. git's documentation, the Linux kernel's submitting-patches and what
# stands in the histories of both, misspellings that occur more than once included. What names two roles
# (Reported-and-tested-by) counts as the first.
KEYS_BY_KIND = {
    "co_author": (
        "co-authored-by co-author co-authored co-authors co-authored-with co-developed-by co-developped-by "
        "codeveloped-by co-written-by authored-by also-written-by written-by actually-written-by original-author "
        "original-authors originally-authored-by originally-by original-by original-patch-by original-patch-from "
        "initial-patch-by initial-path-by initial-work-by based-on-patch-by based-on-a-patch-by based-on-patches-by "
        "based-on-patch-from based-on-work-by analysis-and-initial-patch-by original-test-by test-case-by "
        "contributions-by contributed-by commit-message-by patch-by fix-by fixed-by"
    ),
    "signer": (
        "signed-off-by signed-off signed-of-by signed-off-of-by signedoff-by signed-by singed-off-by sined-off-by "
        "signed-off-and-tested-by signed-off-and-reviewed-by signed-off-and-acked-by"
    ),
    "reviewer": (
        "reviewed-by review-by reviewed reviewer reviewers reviewed-off-by reviwed-by reveiwed-by rewieved-by "
        "partially-reviewed-by reviewed-and-tested-by reviewed-and-acked-by"
    ),
    "acker": (
        "acked-by ack-by acked acks-by acked-off-by ackd-by acked-and-tested-by acked-and-reviewed-by "
        "trivially-acked-by approved-by approver approved lgtm-by"
    ),
    "tester": (
        "tested-by test-by tested tester tested-off-by teste-by build-tested-by compile-tested-by runtime-tested-by "
        "boot-tested-by partially-tested-by tested-and-reviewed-by tested-and-acked-by tested-and-reported-by"
    ),
    "reporter": (
        "reported-by report-by reported reporter reported-and-tested-by reported-by-and-tested-by "
        "reported-and-acked-by reported-and-reviewed-by reported-and-bisected-by reported-and-suggested-by "
        "original-report original-report-by found-by noticed-by spotted-by pointed-out-by discovered-by "
        "identified-by bisected-by"
    ),
    "suggester": (
        "suggested-by suggestion-by suggestions-by suggested proposed-by requested-by inspired-by idea-by "
        "original-idea-by idea-from"
    ),
    "helper": (
        "helped-by help-by helped help-from thanks-to thanks improved-by diagnosed-by explained-by debugged-by "
        "analyzed-by analysed-by"
    ),
    "mentor": "mentored-by mentor mentored guided-by",
    "cc": "cc",
    "fix": "fixes fix",
    # Who helped, until tools did: the person named is a helper, unless it is an assistant or none is named.
    "assistant": "assisted-by ai-assisted-by ai-assistant generated-by ai-generated-by co-generated-by",
}
OTHER = "other"
KINDS = (*KEYS_BY_KIND, OTHER)

_KIND_OF = {key.encode(): kind for kind, keys in KEYS_BY_KIND.items() for key in keys.split()}
_SPACE = b" \t\n\r"  # what git calls space
_CONTINUES = tuple(bytes((letter,)) for letter in _SPACE)  # what a line begins with that continues the one above
_IGNORED = (b"#", b"\n")  # what comments and empty lines begin with
_KEY = re.compile(rb"[A-Za-z0-9-]+[ \t]*:")
_KEY_IN_BODY = re.compile(rb"\n[A-Za-z0-9-]+[ \t]*:")  # a message without one has no trailers
_BLANK_LINES = re.compile(rb"\A(?:[ \t\r]*\n)+")
_BLANK_LINE = re.compile(rb"^[ \t\r]*$", re.MULTILINE)
_COMMENT = re.compile(rb"^(?:#|Conflicts:\n)", re.MULTILINE)
_FOLD = re.compile(rb"\n[ \t\n\r]*")
_OWN = (b"Signed-off-by: ", b"(cherry picked from commit ")
_SCISSORS = b"\n# ------------------------ >8 ------------------------\n"
_PERSON = re.compile(rb"([^<>]*)<([^<>]+@[^<>]*)>")
_AROUND_NAMES = b" \t\r\"',;:"


class Trailer(NamedTuple):
    """One trailer: its key in lower case, what it says of a person, and the value on one line."""

    key: bytes
    kind: str
    value: bytes


def trailers_of(message: bytes) -> list[Trailer]:
    """Return the trailers of a message in their order, at most MOST."""
    if _KEY_IN_BODY.search(message) is None:
        return []
    message = _BLANK_LINES.sub(b"", message, count=1)  # git sees the message from its title on
    end = _end(message)
    return [_trailer(line) for line in islice(_rejoined(message[_start(message, end) : end]), MOST)]


def person_of(trailer: Trailer) -> tuple[bytes, bytes] | None:
    """
    Return name and e-mail of whom a trailer names as `Name <mail>`, the first if several; None: nobody.

    More may follow, such as `# v4.1+`, where the key says that it is about a person; with keys that nobody
    knows, `Name <mail>` must be all.
    """
    if trailer.kind == "fix":
        return None
    found = _PERSON.match(trailer.value)
    if found is None or (trailer.kind == OTHER and found.end() != len(trailer.value)):
        return None
    name, email = found[1].strip(_AROUND_NAMES), found[2].strip()
    return (name, email) if name else None


def _trailer(line: bytes) -> Trailer:
    key, _, value = line.partition(b":")
    key = key.strip(_SPACE).lower()
    value = _FOLD.sub(b" ", value.strip(_SPACE)).strip(_SPACE)
    return Trailer(key, _KIND_OF.get(key, OTHER), value)


def _rejoined(block: bytes) -> Iterator[bytes]:
    """Yield the trailers of a block, each with the lines that continue it."""
    trailer: bytes | None = None
    for line in block.split(b"\n"):
        if trailer is not None and line[:1] in _CONTINUES:
            trailer += b"\n" + line
            continue
        if trailer is not None:
            yield trailer
        trailer = line if _KEY.match(line) else None
    if trailer is not None:
        yield trailer


def _end(message: bytes) -> int:
    """Return where the message ends that people wrote: before comments, a list of conflicts, scissors."""
    if _COMMENT.search(message) is None:
        text = len(message.rstrip(b"\n"))
        return min(text + 1, len(message))
    cut = 0 if message.startswith(_SCISSORS[1:]) else message.find(_SCISSORS) + 1 or len(message)
    rest = position = 0  # where the last run of such lines begins; 0: there is none
    in_conflicts = False
    while position < cut:
        following = message.find(b"\n", position) + 1 or len(message)
        if message[position : position + 1] in _IGNORED:
            rest = rest or position
        elif message.startswith(b"Conflicts:\n", position):
            in_conflicts, rest = True, rest or position
        elif rest and not (in_conflicts and message.startswith(b"\t", position)):
            in_conflicts, rest = False, 0
        position = following
    return rest or cut


def _start(message: bytes, end: int) -> int:
    """Return where the block of trailers begins; `end`: there is none."""
    blank = _BLANK_LINE.search(message, 0, end)
    title_end = blank.start() if blank else end  # the first paragraph cannot be trailers
    only_spaces, own = True, False
    trailers = others = perhaps = 0  # lines; perhaps: those that may continue a line above
    for position, line in _lines_backwards(message, end):
        if position < title_end:
            break
        if line.startswith(b"#"):
            others, perhaps = others + perhaps, 0
        elif not line.strip(_SPACE):
            if only_spaces:
                continue
            others += perhaps
            found = trailers * 3 >= others if own else trailers and not others
            return position + len(line) + 1 if found else end
        else:
            only_spaces = False
            if line.startswith(_OWN) or _KEY.match(line):
                trailers, perhaps = trailers + 1, 0
                own = own or line.startswith(_OWN)
            elif line[:1] in _CONTINUES:
                perhaps += 1
            else:
                others, perhaps = others + perhaps + 1, 0
    return end


def _lines_backwards(message: bytes, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines before `end` from the last to the first, each with its position."""
    while end > 0:
        position = message.rfind(b"\n", 0, end - 1) + 1
        yield position, message[position:end].removesuffix(b"\n")
        end = position
