"""Which of dbt's events are made and told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.types import Formatting, Note
from dbt_common.exceptions.events import EventCompilationError
from dbt_common.helper_types import WarnErrorOptions

from gitmart.transform.hearing import hear_only


class Heard:
    """A manager of events after `hear_only`, and what it told."""

    def __init__(self) -> None:
        self.passed = 0
        self.names: list[str] = []
        self.manager = EventManager()
        self.manager.add_callback(lambda message: self.names.append(message.info.name))

    def gate(self) -> None:
        self.passed += 1


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Only events named Formatting are asked for."""
    for owner, name in ((EventManager, "fire_event"), (BaseEvent, "__init__"), (BaseEvent, "pb_msg")):
        monkeypatch.setattr(owner, name, getattr(owner, name, None), raising=False)  # so that it is put back
    made = Heard()
    hear_only({"Formatting"}, made.gate)
    return made


def test_what_nobody_hears_is_not_made(heard: Heard) -> None:
    event = Note(msg="whatever")

    heard.manager.fire_event(event)
    heard.manager.fire_event(event, level=EventLevel.INFO)

    assert heard.names == []
    assert "pb_msg" not in vars(event)
    assert heard.passed == 2, "a thread that must stop stops all the same"


def test_what_is_asked_for_is_told_whatever_its_level(heard: Heard) -> None:
    heard.manager.fire_event(Formatting("text"), level=EventLevel.DEBUG)

    assert heard.names == ["Formatting"]


@pytest.mark.parametrize("level", [EventLevel.WARN, EventLevel.ERROR])
def test_warnings_and_errors_are_told(heard: Heard, level: EventLevel) -> None:
    heard.manager.fire_event(Note(msg="look"), level=level)

    assert heard.names == ["Note"]


def test_an_event_that_can_become_an_error_does(heard: Heard) -> None:
    heard.manager.warn_error_options = WarnErrorOptions(include="all")

    with pytest.raises(EventCompilationError, match="look"):
        heard.manager.fire_event(Note(msg="look"), force_warn_or_error_handling=True)


def test_a_log_of_dbt_gets_all(heard: Heard) -> None:
    lines: list[Any] = []
    heard.manager.loggers.append(SimpleNamespace(filter=lambda _: True, write_line=lines.append))  # type: ignore[arg-type]

    heard.manager.fire_event(Note(msg="whatever"))

    assert [line.data.msg for line in lines] == ["whatever"]


def test_an_event_says_what_it_was_told_once_it_is_asked(heard: Heard) -> None:
    event = Note(msg="whatever")

    assert event.message() == "whatever"
    assert event.to_dict() == {"msg": "whatever"}
    event.msg = "something else"
    assert event.message() == "something else"
