"""
Whatever happens in whatever order: the same end (design, invariant 1).

`tests/campaigns/event_orders.py` plays 10,000 and more orders; here are as many as take a few seconds.
"""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .orders import EVENTS, play


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(0, 10)), max_size=40))
@example([("crash", 0), ("end", 1), ("move", 1)])  # a first run that leaves no word, then another address
@example([("move", 1), ("visit", 0)])  # the visit that hears of the first address's end makes the next one's Job
def test_all_orders_of_events_end_alike(events: list[tuple[str, int]]) -> None:
    play(events)
