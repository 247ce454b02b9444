"""
Tests that mostly wait for a cluster, run at the same time.

    @side_by_side
    def test_a_fact(scene: Scene) -> None: ...

The first such test of a module starts all of the module's that were chosen, each in a thread; every test then tells
how its own went. The module's fixture `scene` is a `Stage`. Under pytest-xdist they belong on one worker (`xdist_group`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
Test = Callable[[Any], None]


class Stage:
    """Where the tests of a module run."""

    def __init__(self, running: dict[str, Future[None]]) -> None:
        self._running = running

    def tell(self, name: str) -> None:
        """Wait for a test; raise what it has raised."""
        self._running[name].result()


@contextmanager
def stage(request: pytest.FixtureRequest, scene: object) -> Iterator[Stage]:
    """Start the module's tests that were chosen, with the scene as their argument; wait for all in the end."""
    chosen = {
        item.function.__name__: item.function.told_by
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item.function, "told_by")
    }
    with ThreadPoolExecutor(max_workers=len(chosen) or 1) as pool:
        yield Stage({name: pool.submit(test, scene) for name, test in chosen.items()})


def side_by_side(test: Test) -> Test:
    """Make a test one that runs at the same time as the others of its module."""

    @functools.wraps(test)
    def told(scene: Stage) -> None:
        scene.tell(test.__name__)

    told.told_by = test  # type: ignore[attr-defined]
    return told
