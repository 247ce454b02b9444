"""Runs on request: of a Repository, or of a DbtSchedule."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from gitmart.api.hooks.dependencies import RunsOfProcess, problems
from gitmart.api.principal import Kind, principal_of
from gitmart.api.problems import ProblemError
from gitmart.api.settings import OF_GROUP
from gitmart.contract.kinds import DBT_SCHEDULES, REPOSITORIES

_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
Namespace = Annotated[str, Path(pattern=_LABEL, description="Its namespace.", examples=["team-a"])]
Name = Annotated[str, Path(pattern=_LABEL, description="Its name.", examples=["gitpython"])]


class Asked(BaseModel):
    """A run that was asked for."""

    token: str = Field(
        description="What status.lastHandledRequest repeats once the run begins.",
        examples=["2026-01-01T12:00:00.000000Z-5f0c2a9e"],
    )


def _asking(request: Request) -> str:
    """Return the name of who asks; refuse those who may read, but not ask for runs."""
    principal, allowed = principal_of(request), request.app.state.settings.triggers_by
    known = principal.kind is not Kind.NOBODY
    name = f"oidc:{principal.name}" if principal.kind is Kind.OIDC else principal.name
    rights = {"*", name, *(f"{OF_GROUP}{group}" for group in principal.groups)}
    if not known or rights.isdisjoint(allowed):
        who = repr(name) if known else "nobody in particular"
        raise ProblemError(
            HTTPStatus.FORBIDDEN, f"{who} may not ask for runs: the administrator allows it by --triggers-by"
        )
    return name


Asking = Annotated[str, Depends(_asking)]


router = APIRouter(tags=["triggers"])

_OPTIONS: dict[str, Any] = {
    "status_code": 202,
    "responses": problems(
        _403="Whoever asks may not ask for runs, or the cluster does not let the API do so.",
        _404="There is no such object, or no cluster.",
        _409="The object was changed at the same time.",
        _429="The cluster is busy, or too much was asked.",
        _503="The cluster does not answer.",
    ),
}


@router.post("/repositories/{namespace}/{name}/extract", summary="Extract a Repository now", **_OPTIONS)
async def extract(namespace: Namespace, name: Name, who: Asking, runs: RunsOfProcess) -> Asked:
    """Asked again before it begins, it is one run; asked again during it, one more follows."""
    return Asked(token=await runs.ask(REPOSITORIES, namespace, name, by=who))


@router.post("/dbtschedules/{namespace}/{name}/run", summary="Run a DbtSchedule now", **_OPTIONS)
async def run(namespace: Namespace, name: Name, who: Asking, runs: RunsOfProcess) -> Asked:
    """Asked again before it begins, it is one run; asked again during it, one more follows."""
    return Asked(token=await runs.ask(DBT_SCHEDULES, namespace, name, by=who))
