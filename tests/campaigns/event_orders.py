"""
Orders of events in the life of a Repository, drawn at random: all must end alike.

    make campaign-event-orders
    .venv/bin/python -m tests.campaigns.event_orders --orders 100 --seed 7

It stops at the first order that does not, and prints the shortest part of it that still does not.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable

from tests.unit.controller.orders import EVENTS, play

Order = list[tuple[str, int]]


def drawn(seed: int) -> Order:
    """Return up to 60 events."""
    source = random.Random(seed)
    names = sorted(EVENTS)
    return [(source.choice(names), source.randint(0, 10)) for _ in range(source.randint(0, 60))]


def is_bad(order: Order) -> bool:
    """Whether the order has another end, or breaks a rule on the way."""
    try:
        play(order)
    except Exception:
        return True
    return False


def shortest(order: Order, bad: Callable[[Order], bool] = is_bad) -> Order:
    """Return what is left of a bad order when every event that it can be bad without is taken out."""
    size = len(order)
    while size:
        size //= 2
        start = 0
        while size and start < len(order):
            shorter = order[:start] + order[start + size :]
            if bad(shorter):
                order = shorter
            else:
                start += size
    return order


def main() -> int:
    """Play the orders; return 1 if one is bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for seed in range(arguments.seed, arguments.seed + arguments.orders):
        if seed > arguments.seed and (seed - arguments.seed) % 1_000 == 0:
            print(f"{seed - arguments.seed} …", flush=True)
        order = drawn(seed)
        if is_bad(order):
            print(f"seed {seed}: {shortest(order)}", flush=True)
            play(shortest(order))
            return 1
    print(f"{arguments.orders} orders of events ended alike")
    return 0


if __name__ == "__main__":
    sys.exit(main())
