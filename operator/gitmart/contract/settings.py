"""
Settings of a long-running process: one table of them, from which come the flags, the variables and the manual's page.

They are read once, at the start, and all mistakes are told at once.
"""

from __future__ import annotations

import argparse
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gitmart.contract.durations import ALLOWED, format_duration, parse_duration
from gitmart.contract.outcomes import Outcome
from gitmart.contract.sizes import format_size, parse_size

SHOWN = 60  # characters of a wrong value that are repeated


class SettingsError(Exception):
    """Some settings are wrong. Each of `mistakes` names one, its value and what is allowed."""

    outcome = Outcome.INVALID_INPUT

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of a table. `parse` raises ValueError with the value and what is allowed."""

    variable: str
    default: str
    meaning: str
    parse: Callable[[str], object]
    attribute: str
    prefix: str = "GITMART_"  # of the variable; what follows is the flag

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return f"--{self.flag_name.replace('_', '-')}"

    @property
    def flag_name(self) -> str:
        """The option's name in the parsed arguments."""
        return self.variable.removeprefix(self.prefix).lower()


def add_options(parser: argparse.ArgumentParser, table: Sequence[Setting]) -> None:
    """Add an option per setting; one that is true or false may stand without a value, for true."""
    for setting in table:
        default = f" (default {setting.default})" if setting.default else ""
        help_text = f"{setting.meaning}{default}; or {setting.variable}".replace("%", "%%")
        without: dict[str, Any] = {"nargs": "?", "const": "true"} if setting.parse is truth else {}
        parser.add_argument(setting.flag, dest=setting.flag_name, metavar="VALUE", help=help_text, **without)


def read_settings(
    table: Sequence[Setting], arguments: argparse.Namespace, environment: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return values by attribute and the mistakes; a flag goes before its variable, an empty one is the default."""
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for setting in table:
        flag = getattr(arguments, setting.flag_name, None)
        name, text = (setting.flag, flag) if flag is not None else (setting.variable, environment.get(setting.variable))
        try:
            values[setting.attribute] = setting.parse(text or setting.default)
        except ValueError as error:
            mistakes.append(f"{name}: {error}")
    return values, mistakes


def one_of(*words: str) -> Callable[[str], str]:
    """Return a parser that takes one of the words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text[:SHOWN]!r} is not possible: write {', '.join(words[:-1])} or {words[-1]}")
        return text

    return parse


def truth(text: str) -> bool:
    """Parse true or false."""
    return one_of("true", "false")(text) == "true"


def number(most: int, least: int = 1) -> Callable[[str], int]:
    """Return a parser of whole numbers."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"{text[:SHOWN]!r} is not possible: write a number from {least} to {most}")
        return int(text)

    return parse


def duration(shortest: timedelta, longest: timedelta) -> Callable[[str], timedelta]:
    """Return a parser of durations."""

    def parse(text: str) -> timedelta:
        parsed = parse_duration(text)
        if not shortest <= parsed <= longest:
            bounds = f"at least {format_duration(shortest)} and at most {format_duration(longest)}"
            raise ValueError(f"{text!r} is not possible: {bounds} are allowed; {ALLOWED}")
        return parsed

    return parse


def size(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of sizes in bytes."""

    def parse(text: str) -> int:
        parsed = 0 if text == "0" and not least else parse_size(text)
        if not least <= parsed <= most:
            raise ValueError(f"{text[:SHOWN]!r} is not possible: write {format_size(least)} to {format_size(most)}")
        return parsed

    return parse


def words(what: str, fits: Callable[[str], bool], hint: str) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of a comma list, whose words are `what` if `fits`."""

    def parse(text: str) -> tuple[str, ...]:
        found = [word.strip() for word in text.split(",") if word.strip()]
        for word in found:
            if not fits(word):
                raise ValueError(f"{word[:SHOWN]!r} is no {what}: {hint}")
        return tuple(dict.fromkeys(found))

    return parse


def is_network(text: str) -> bool:
    """Whether the text is an address or a CIDR without host bits."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
