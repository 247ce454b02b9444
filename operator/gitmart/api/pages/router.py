"""All pages, and what makes errors pages."""

from __future__ import annotations

from fastapi import FastAPI

from gitmart.api.pages import assets, live, overview
from gitmart.api.pages.errors import ErrorPages


def add_pages(app: FastAPI) -> None:
    """Serve the dashboard."""
    for part in (overview, live, assets):
        app.include_router(part.router)
    app.add_middleware(ErrorPages)
