"""
People whom users asked to forget: what every load consults before it stores anything.

Nothing tells who they are but keyed hashes (HMAC-SHA256), so whatever may be theirs is hashed and looked up:
identities, by the exact pair and by what else ties identities to a person; and in texts each address, the words of
full names, and user names next to @ and /. docs/privacy.md says what that finds.

A text is untrusted and may be long: no pattern here looks at a character more often than a fixed number of times.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from gitmart.extract.identities import Identity
from gitmart.extract.identity_rules import NOBODY, Key, Rule, forgotten_person, full_name, keys_of, pseudonym
from gitmart.extract.mailmap import Entry
from gitmart.extract.records import clean
from gitmart.warehouse.locks import Connection

# What ties an identity to a person without anybody having said so. Agents are no people.
TELLING = frozenset({Rule.ACCOUNT, Rule.EMAIL, Rule.USERNAME, Rule.NAME})
REMEMBERED = 1 << 15  # answers about words and addresses, of which a history repeats most
MOST_KNOWN = 1 << 17  # words
MOST_WORDS = 8  # of a name before an address
LONGEST_NAME = 200  # characters, before an address

_WORD = re.compile(r"[^\W_]{1,64}")
_ACCENTED_WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]{0,4}){1,64}")  # letters may be followed by their accents
_IN_ADDRESS = r"[^\s<>()\[\]{},;:\"`=|/\\@]"
_ADDRESS = re.compile(rf"(?<!{_IN_ADDRESS}){_IN_ADDRESS}{{1,128}}@[\w.-]{{0,255}}\w")
_AROUND_ADDRESS = "'*_~.+!#$%&?^-"
_MARKED = re.compile(r"<([^<>\n]{1,320})>")
_KEY = re.compile(r"[A-Za-z0-9-]+[ \t]*:")
_BEFORE_NAMES = ':,;()[]{}/&*|"'
_AROUND_NAMES = " \t\r\"',;:"  # as in trailers
_BY_ANOTHER = re.compile(r"[\"']?[ \t]*<[^<>\n]{0,64}@(?![0-9a-f.]*forgotten\.invalid>)[^<>\n]{1,255}>")
_LOGIN = re.compile(r"(?<=[@/])[A-Za-z0-9_][A-Za-z0-9_.-]{2,99}|(?<![\w.-])[A-Za-z0-9_][A-Za-z0-9_.-]{2,99}(?=/)")
_IS_LOGIN = re.compile(r"[a-z0-9_][a-z0-9_.-]{2,99}")


class Hash(NamedTuple):
    """Something that a person is recognised by; `words` of a name is how many it has."""

    hash: bytes
    kind: str
    person: str
    words: int | None = None


class Forgotten:
    """Those who are forgotten. False while there is nobody: then nothing needs to be asked."""

    def __init__(self, key: bytes = b"", hashes: Iterable[Hash] = ()) -> None:
        """Take what the warehouse holds."""
        known = list(hashes)
        self.count = len(known)  # it only grows, so it tells whether somebody was forgotten since
        self._key = key
        self._people = {each.hash: each.person for each in known}
        self._lengths = sorted({each.words for each in known if each.words is not None}, reverse=True)
        self._of_address = lru_cache(REMEMBERED)(self._look_up_address)
        self._of_login = lru_cache(REMEMBERED)(lambda login: self._find("login", login.lower()))
        self._begins_name = lru_cache(REMEMBERED)(lambda word: self._find("first", _folded(word)) is not None)
        self._is_of_login = lru_cache(REMEMBERED)(lambda word: self._find("stem", _folded(word)) is not None)
        self._harmless: set[str] = set()  # words that stand in nothing that is looked for
        self._telling: set[str] = set()  # and those that do
        self._of_marked = lru_cache(REMEMBERED >> 2)(self._look_up_marked)

    def __bool__(self) -> bool:
        return self.count > 0

    def person_of(self, name: str, email: str) -> str | None:
        """Return the forgotten person whose identity that is, None if it is nobody's of them."""
        if forgotten_person(email) is not None:
            return None
        if (person := self._find("identity", pair(name, email))) is not None:
            return person
        for key in keys_of(name, email):
            if key.rule in TELLING and (person := self._find("key", key.text)) is not None:
                return person
        # A converter of histories may have put an address anywhere.
        return next((found for each in (email, name) if (found := self._address_in(each)) is not None), None)

    def identity(self, identity: Identity) -> Identity:
        """Return what is stored in place of an identity, itself if it is nobody's that is forgotten."""
        if not self:
            return identity
        name, email = (value.decode() for value in identity)
        person = self.person_of(name, email)
        if person is None:
            return identity
        new_name, new_email = pseudonym(person, tag(self._key, "pseudonym", f"{name}\n{email}"))
        return new_name.encode(), new_email.encode()

    def text(self, text: str) -> str:
        """Return the text with pseudonyms in place of forgotten people."""
        telling = self._telling_among(_word(text).findall(text))
        if not telling:
            return text
        if "<" in text:
            text = self._without_marked(text)
        if "@" in text:
            text = _ADDRESS.sub(lambda found: self._in_place_of_address(found[0]), text)
        if any(map(self._is_of_login, telling)):
            text = _LOGIN.sub(lambda found: self._in_place_of_login(found[0]), text)
        if any(map(self._begins_name, _word(text).findall(text))):
            text = self._without_names(text)
        return text

    def message(self, message: bytes) -> bytes:
        """Return `text` of bytes that are UTF-8; the very same bytes if that is what they stay."""
        if not self:
            return message
        text = message.decode()
        stored = self.text(text)
        return message if stored == text else stored.encode()

    def is_in(self, raw: bytes) -> bool:
        """Whether `text` finds anybody in the bytes, whatever their encoding, so far as its letters are ASCII's."""
        return any(self.text(text) != text for text in (clean(raw), clean(raw.replace(b"\0", b""))))

    def is_in_mailmap(self, entry: Entry) -> bool:
        """Whether the line speaks of anybody."""
        emails = [email.decode() for email in (entry.new_email, entry.old_email) if email is not None]
        names = [name.decode() for name in (entry.new_name or b"", entry.old_name or b"")]
        return any(self.person_of(name, email) is not None for name in names for email in emails)

    def named(self, text: str) -> str | None:
        """Return the person that the text is a name, an address or a user name of."""
        words = _words(text)
        found = self._find("name", " ".join(words)) or self._find("login", text.strip().lower())
        return found or self._of_address(text)

    def _telling_among(self, words: list[str]) -> set[str]:
        """
        Return which of the words can stand in anything that is looked for; if none does, nothing of it is there.

        Of everything one word is kept that it cannot do without. Histories repeat their words, so few are hashed.
        """
        if self._harmless.issuperset(words):
            return set()
        unsure = set(words) - self._harmless
        known = unsure & self._telling
        if not (fresh := unsure - known):
            return known
        if len(self._harmless) + len(self._telling) > MOST_KNOWN:
            self._harmless.clear()
            self._telling.clear()
        telling = {word for word in fresh if self._find("word", _folded(word)) is not None}
        self._telling |= telling
        self._harmless |= fresh - telling
        return known | telling

    def _find(self, kind: str, text: str) -> str | None:
        return self._people.get(hashed(self._key, kind, text))

    def _look_up_address(self, address: str) -> str | None:
        for candidate in dict.fromkeys((address, address.strip(_AROUND_ADDRESS))):
            for key in keys_of("", candidate):
                if key.rule in TELLING and (person := self._find("key", key.text)) is not None:
                    return person
        return None

    def _address_in(self, text: str) -> str | None:
        found = (self._of_address(address) for address in _ADDRESS.findall(text))
        return next((person for person in found if person is not None), None)

    def _in_place_of_address(self, address: str) -> str:
        person = self._of_address(address)
        return address if person is None else f"{person}@forgotten.invalid"

    def _in_place_of_login(self, login: str) -> str:
        name = login.rstrip(".-")  # a sentence may end there
        person = self._of_login(name)
        return login if person is None else pseudonym(person, "")[0] + login[len(name) :]

    def _without_marked(self, text: str) -> str:
        """Replace `Name <address>`, the name as well where the address alone is known."""
        pieces, end = [], 0
        for mark in _MARKED.finditer(text):
            before = text[end : mark.start()]
            line = before.rpartition("\n")[2][-LONGEST_NAME:]
            if (found := self._of_marked(line, mark[1])) is not None:
                person, length = found
                name = f"{pseudonym(person, '')[0]} " if length else ""
                pieces += [before[: len(before) - length], name, f"<{person}@forgotten.invalid>"]
                end = mark.end()
        return "".join([*pieces, text[end:]])

    def _look_up_marked(self, line: str, address: str) -> tuple[str, int] | None:
        """Return whose address it is, and how many characters before it are the name."""
        starts = [word.start() for word in re.finditer(r"\S+", line)][-MOST_WORDS:]
        for start in starts:
            name = line[start:].strip(_AROUND_NAMES)
            if (person := self._find("identity", pair(name, address))) is not None:
                return person, len(line) - start
        person = self._of_address(address)
        start = next((start for start in starts if start >= _name_start(line.rstrip())), len(line))
        return None if person is None else (person, len(line) - start)

    def _without_names(self, text: str) -> str:
        words = list(_word(text).finditer(text))
        pieces, end, place = [], 0, 0
        while place < len(words):
            person, length = self._name_at(words, place) if self._begins_name(words[place][0]) else (None, 1)
            # Of another address it is somebody of the same name, as far as anybody knows.
            if person is not None and _BY_ANOTHER.match(text, words[place + length - 1].end()) is None:
                pieces += [text[end : words[place].start()], pseudonym(person, "")[0]]
                end = words[place + length - 1].end()
            place += length
        return "".join([*pieces, text[end:]])

    def _name_at(self, words: list[re.Match[str]], place: int) -> tuple[str | None, int]:
        for length in self._lengths:
            some = words[place : place + length]
            if len(some) == length:
                person = self._find("name", " ".join(_folded(word[0]) for word in some))
                if person is not None:
                    return person, length
        return None, 1


NOBODY_FORGOTTEN = Forgotten()


def read_forgotten(connection: Connection) -> Forgotten:
    """Return who is forgotten now."""
    rows = connection.execute("select hash, kind, person, words from public.forgotten").fetchall()
    if not rows:
        return NOBODY_FORGOTTEN
    [(key,)] = connection.execute("select key from public.forgotten_key").fetchall()
    return Forgotten(
        bytes(key),  # type: ignore[call-overload] # the columns are of its types
        (Hash(bytes(row[0]), *row[1:]) for row in rows),  # type: ignore[arg-type, call-overload]
    )


def count_forgotten(connection: Connection) -> int:
    """Return what `Forgotten.count` is now."""
    row = connection.execute("select count(*) from public.forgotten").fetchone()
    return int(str(row[0])) if row else 0


def hashes_of(
    key: bytes, person: str, people: Iterable[tuple[str, str]], logins: Iterable[str], keys: Iterable[Key]
) -> Iterator[Hash]:
    """Yield what a person is recognised by who has these identities, user names, and keys that are nobody else's."""

    def of(kind: str, text: str, words: int | None = None) -> Hash:
        return Hash(hashed(key, kind, text), kind, person, words)

    known_as = {name.strip().lower() for name, _ in people if len(_words(name)) == 1} | {
        each.lower() for each in logins
    }
    for name, email in people:
        yield of("identity", pair(name, email))
        words = _words(name)
        if words:
            yield of("word", max(words, key=len))
        if full_name(name) is not None:
            yield of("name", " ".join(words), len(words))
            yield of("first", words[0])
    for login in known_as - NOBODY:
        if _IS_LOGIN.fullmatch(login) is not None:
            yield of("login", login)
            for word in sorted(_words(login), key=len)[-1:]:
                yield of("word", word)
                yield of("stem", word)
    for each in keys:
        yield of("key", each.text)
        # `email local@host`, `account host number`, `username host name`: what cannot be missing in the address.
        words = _words(each.text.rpartition(" ")[2].rpartition("@")[0] or each.text.rpartition(" ")[2])
        if each.rule is not Rule.NAME and words:
            yield of("word", max(words, key=len))


def hashed(key: bytes, kind: str, text: str) -> bytes:
    """Return the keyed hash of a text of that kind."""
    return hmac.digest(key, f"{kind}\n{text}".encode(), "sha256")


def tag(key: bytes, kind: str, text: str) -> str:
    """Return 16 hex digits that stand for the text."""
    return hashed(key, kind, text).hex()[:16]


def pair(name: str, email: str) -> str:
    """Return an identity as it is compared: without regard to case and spaces."""
    return f"{' '.join(name.casefold().split())}\n{email.strip().lower()}"


def _name_start(line: str) -> int:
    """Return where the name at the end of the line begins: in a trailer, in quotes, else after any punctuation."""
    if (key := _KEY.match(line)) is not None:
        return key.end()
    if line.endswith('"'):
        return max(0, line.rfind('"', 0, -1))
    return max(line.rfind(mark) for mark in _BEFORE_NAMES) + 1


def _word(text: str) -> re.Pattern[str]:
    return _WORD if text.isascii() else _ACCENTED_WORD


def _words(text: str) -> list[str]:
    return [_folded(word) for word in _word(text).findall(text)]


def _folded(word: str) -> str:
    """Return the word without case and accents."""
    if word.isascii():
        return word.lower()
    return "".join(each for each in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(each))
