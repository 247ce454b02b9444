"""
What ties two identities together, and how sure that is: the table of rules, and the keys they compare. Pure.

An identity is an exact (name, e-mail). Under most rules, identities with the same key are one person; what a
mailmap or a user says ties two of them directly. docs/identity.md explains the rules to users.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gitmart.extract.agents import BOT_MARK, Kind, agent_of, kind_of

# Raise it whenever a key or a kind comes out differently: the next run then derives those of all contributors anew.
RULES_VERSION = 1
DEFAULT_THRESHOLD = 0.8  # of the confidence; rules below it merge nobody


class Rule(StrEnum):
    """Why two identities are one person, the surest first."""

    FORGOTTEN = "forgotten"
    USER = "user"
    USER_MAILMAP = "user_mailmap"
    MAILMAP = "mailmap"
    ACCOUNT = "account"
    EMAIL = "email"
    USERNAME = "username"
    AGENT = "agent"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Meaning:
    """How sure a rule is, 0 to 1, and what it says."""

    confidence: float
    summary: str


MEANINGS = {
    Rule.FORGOTTEN: Meaning(1.0, "pseudonyms of one person whom `gitmart identities forget` erased"),
    Rule.USER: Meaning(1.0, "somebody said so with `gitmart identities merge`"),
    Rule.USER_MAILMAP: Meaning(1.0, "the mailmap that the Repository names says so"),
    Rule.MAILMAP: Meaning(1.0, "the `.mailmap` in HEAD of a repository says so"),
    Rule.ACCOUNT: Meaning(0.98, "noreply addresses of the same account number at the same host"),
    Rule.EMAIL: Meaning(0.95, "the same e-mail, but for the case of letters, if it is one person's"),
    Rule.USERNAME: Meaning(0.9, "noreply addresses of the same user name at the same host, unless two accounts bore it"),
    Rule.AGENT: Meaning(0.9, "the same bot or assistant of the table"),
    Rule.NAME: Meaning(0.8, "the same full name of two words or more, and the same part before the @ or user name"),
}  # fmt: skip


class Key(NamedTuple):
    """What identities share under a rule. `text` is unique across rules."""

    rule: Rule
    text: str


class Noreply(NamedTuple):
    """What a noreply address says of the account."""

    host: str
    number: str | None
    username: str


_NOREPLY = re.compile(r"([^@\s]+)@users\.noreply\.([a-z0-9.-]+(?::[0-9]+)?)", re.IGNORECASE)
_NUMBERED = re.compile(r"([0-9]+)([+-])(.+)")
_USERNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}(?:\[bot\])?")
GITHUB = "github.com"

# Hosts that a machine makes up for itself: whoever works on one of that name has the address.
_NO_HOSTS = re.compile(r"(?:.*\.)?(?:localhost|localdomain|local|lan|home|internal|invalid|none|unknown|\(none\))")
# Addresses before the @ that stand for nobody in particular.
NOBODY = frozenset({
    "", "root", "noreply", "no-reply", "no_reply", "donotreply", "nobody", "none", "null", "unknown", "anonymous",
    "you", "your", "user", "username", "name", "email", "mail", "me", "test", "localhost", "git", "github", "gitlab",
    "admin", "administrator", "info", "contact", "hello", "support", "dev", "developer", "build", "jenkins", "ci",
    "ubuntu", "debian", "vagrant", "ec2-user", "runner", "bot", "office", "team", "webmaster", "postmaster",
})  # fmt: skip
# These are of many people even at a host of their own; the others may be somebody's at a domain of theirs.
_SHARED = frozenset({
    "", "root", "noreply", "no-reply", "no_reply", "donotreply", "nobody", "none", "null", "unknown", "anonymous", "you",
    "your", "your.email", "your-email", "youremail", "username", "localhost", "test", "(none)",
})  # fmt: skip


def noreply(email: str) -> Noreply | None:
    """
    Return what the address says of an account: ID+USERNAME@users.noreply.HOST (GitHub), ID-USERNAME (GitLab), USERNAME.

    At github.com a number and a hyphen are a part of the user name.
    """
    found = _NOREPLY.fullmatch(email)
    if found is None:
        return None
    local, host = found[1], found[2].lower()
    numbered = _NUMBERED.fullmatch(local)
    if numbered is not None and (numbered[2] == "+" or host != GITHUB):
        return Noreply(host, numbered[1], numbered[3]) if _USERNAME.fullmatch(numbered[3]) else None
    return Noreply(host, None, local) if _USERNAME.fullmatch(local) else None


def profile_url(account: Noreply) -> str:
    """Return the page of the account at its host."""
    name = account.username
    if name.endswith(BOT_MARK):
        return f"https://{account.host}/apps/{name.removesuffix(BOT_MARK)}"
    return f"https://{account.host}/{name}"


def is_personal(email: str) -> bool:
    """Whether the address can be one person's: not root@localhost, nor what git and people put in its place."""
    local, at, host = email.strip().lower().rpartition("@")
    return bool(at) and bool(host) and local not in _SHARED and "." in host and not _NO_HOSTS.fullmatch(host)


_FORGOTTEN = re.compile(r"[0-9a-f]{16}@([0-9a-f]{16})\.forgotten\.invalid")


def pseudonym(person: str, identity: str) -> tuple[str, str]:
    """Return name and e-mail in place of a forgotten identity; person and identity are 16 hex digits each."""
    return f"forgotten-{person}", f"{identity}@{person}.forgotten.invalid"


def forgotten_person(email: str) -> str | None:
    """Return the person of a pseudonym's address, None if it is any other address."""
    found = _FORGOTTEN.fullmatch(email)
    return found[1] if found else None


def full_name(name: str) -> str | None:
    """Return the name as it is compared, None if it has no two words of letters: lower case, single spaces."""
    words = name.casefold().split()
    telling = [word for word in words if sum(letter.isalpha() for letter in word) >= 2]
    return " ".join(words) if len(telling) >= 2 else None


def keys_of(name: str, email: str) -> Iterator[Key]:
    """Yield what the identity is compared by, each rule once at most."""
    if (person := forgotten_person(email)) is not None:
        yield Key(Rule.FORGOTTEN, f"forgotten {person}")
        return
    account = noreply(email)
    agent = agent_of(name, email)
    if account is not None:
        if account.number is not None:
            yield Key(Rule.ACCOUNT, f"account {account.host} {account.number}")
        yield Key(Rule.USERNAME, f"username {account.host} {account.username.lower()}")
    if is_personal(email) and (agent is None or email.lower() in agent.emails or account is not None):
        yield Key(Rule.EMAIL, f"email {email.strip().lower()}")
    if agent is not None:
        yield Key(Rule.AGENT, f"agent {agent.name}")
    elif (key := _name_key(name, email, account)) is not None:
        yield key


def _name_key(name: str, email: str, account: Noreply | None) -> Key | None:
    known_as = full_name(name)
    local = account.username if account is not None else email.strip().rpartition("@")[0].partition("+")[0]
    if known_as is None or local.lower() in NOBODY or (account is None and not is_personal(email)):
        return None
    return Key(Rule.NAME, f"name {known_as}\n{local.lower()}")


@dataclass(frozen=True, slots=True)
class Described:
    """What a contributor's row says besides name and e-mail."""

    username: str | None
    profile_url: str | None
    kind: Kind
    keys: tuple[Key, ...]


def describe(name: str, email: str) -> Described:
    """Return what can be told of the identity alone."""
    account = noreply(email)
    return Described(
        account.username if account else None,
        profile_url(account) if account else None,
        kind_of(name, email),
        tuple(keys_of(name, email)),
    )
