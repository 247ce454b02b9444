"""All pages, and what makes errors pages."""

from __future__ import annotations

from fastapi import FastAPI

from gitmart.api.pages import assets, compare, contributors, dbt_docs, files, live, overview, repository, runs
from gitmart.api.pages.errors import problem_page


def add_pages(app: FastAPI) -> None:
    """Serve the dashboard."""
    for part in (overview, repository, files, contributors, compare, runs, dbt_docs, live, assets):
        app.include_router(part.router)
    app.state.problem_page = problem_page
