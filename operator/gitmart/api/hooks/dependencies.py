"""What the routes of this package ask for, and what they answer with."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from gitmart.api.hooks.runs import Hooks, Runs
from gitmart.api.problems import MEDIA_TYPE, ProblemError


def _hooks(request: Request) -> Hooks:
    return cast(Hooks, request.app.state.hooks)


HooksOfProcess = Annotated[Hooks, Depends(_hooks)]


def _runs(hooks: HooksOfProcess) -> Runs:
    if hooks.runs is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "there is no cluster to ask for a run: this process is in no pod with a service account. "
            "In local mode `gitmart local run KIND NAME` asks for one",
        )
    return hooks.runs


RunsOfProcess = Annotated[Runs, Depends(_runs)]


def problems(**told: str) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route that are problems, for OpenAPI: by status, written as `_404`, what it means."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {int(status[1:]): {"description": meaning, "content": content} for status, meaning in told.items()}
