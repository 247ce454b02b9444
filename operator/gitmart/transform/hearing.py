"""
dbt tells of all it does in events, thousands in a run. Only those that somebody hears are made.

An event is a protobuf message twice over, parsed from a dict each time, written or not: an eighth of the CPU of a
build. What cannot be heard anyhow stays the call that it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

_ALWAYS = ("warn", "error")  # and dbt's own options may make an error of the first


def hear_only(names: Collection[str], at_each: Callable[[], None]) -> None:
    """
    Let dbt, which must have been imported, make the events of these names, warnings and errors, and no others.

    `at_each` is called for each event, heard or not, in the thread that tells it: a place to stop at. Where dbt writes
    a log of its own, it makes all of them.
    """
    from dbt_common.events.base_types import BaseEvent
    from dbt_common.events.event_manager import EventManager

    fire, make = EventManager.fire_event, BaseEvent.__init__

    def fire_event(
        manager: Any, e: Any, level: Any = None, node: Any = None, force_warn_or_error_handling: bool = False
    ) -> None:
        at_each()
        asked = force_warn_or_error_handling or manager.loggers or type(e).__name__ in names
        if asked or (level or e.level_tag()).value in _ALWAYS:
            fire(manager, e, level, node, force_warn_or_error_handling)

    def keep(event: Any, *words: Any, **options: Any) -> None:
        vars(event)[_WORDS] = words, options

    EventManager.fire_event = fire_event
    BaseEvent.__init__ = keep
    BaseEvent.pb_msg = _Message(make)


_WORDS = "_gitmart_words"


class _Message:
    """An event's message, made when it is first asked for."""

    def __init__(self, make: Callable[..., None]) -> None:
        self._make = make

    def __get__(self, event: Any, owner: type) -> Any:
        if event is None:
            return self
        words, options = vars(event).pop(_WORDS)
        self._make(event, *words, **options)  # puts the message where this is found no more
        return vars(event)["pb_msg"]
