"""The catalogue of metrics over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from gitmart.api.queries import catalogue
from gitmart.api.routes.answers import object_of

router = APIRouter(prefix="/analytics", tags=["catalogue"])


@router.get(
    "/metrics",
    summary="What each figure means",
    responses=object_of(catalogue.Catalogue, "All metrics by name, and the functions that compute them."),
)
async def metrics() -> catalogue.Catalogue:
    """The definitions that stand in the dbt project, with their sources and what to beware of."""
    return catalogue.metrics()
