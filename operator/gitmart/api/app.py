"""The application: what is served where."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from gitmart import __version__
from gitmart.api.problems import add_problem_handlers
from gitmart.api.reader import Reader
from gitmart.api.routes import activity, contributors, repositories, runs
from gitmart.api.routes.description import describe
from gitmart.api.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Return the application; it connects to the warehouse while it is served."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Reader(settings) as reader:
            app.state.reader = reader
            yield

    app = FastAPI(
        title="gitmart",
        version=__version__,
        summary="Analytics of git histories.",
        lifespan=lifespan,
        docs_url=None,  # the pages of FastAPI load their script from elsewhere
        redoc_url=None,
    )
    add_problem_handlers(app)
    for routes in (repositories, contributors, activity, runs):
        app.include_router(routes.router)
    describe(app)
    return app
