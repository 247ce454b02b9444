"""The application: what is served where, and what stands around it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from gitmart import __version__
from gitmart.api.hooks import triggers, webhooks
from gitmart.api.hooks.runs import opened
from gitmart.api.middleware.authentication import Authenticator
from gitmart.api.middleware.body import BodyLimit
from gitmart.api.middleware.cache import Cache
from gitmart.api.middleware.compression import Compression
from gitmart.api.middleware.entry import Entry
from gitmart.api.middleware.gate import PUBLIC, Gate
from gitmart.api.middleware.meters import Meters
from gitmart.api.middleware.oidc import Verifier, fetch_with
from gitmart.api.middleware.signin import sign_in_routes
from gitmart.api.middleware.tokens import TokenFile, TokensError
from gitmart.api.pages.router import add_pages
from gitmart.api.probes import probe_routes
from gitmart.api.problems import add_problem_handlers
from gitmart.api.reader import Reader
from gitmart.api.routes import activity, catalogue, contributors, files, repositories, runs
from gitmart.api.routes.description import describe
from gitmart.api.routes.strict import only_known_parameters
from gitmart.api.settings import OF_GROUP, Settings
from gitmart.api.watermark import Watch, look_with
from gitmart.contract.settings import SettingsError

if TYPE_CHECKING:
    from gitmart.api.middleware.provider import Provider

log = logging.getLogger(__name__)

TENDED_EVERY = 2.0  # seconds between two looks at the marts while nobody asks
# Paths that need no warehouse, besides the public ones.
STANDING = ("/openapi.json",)
EXPOSED = ["ETag", "Last-Modified", "Link", "RateLimit", "RateLimit-Policy", "Retry-After"]  # to others' scripts


def create_app(settings: Settings) -> FastAPI:
    """
    Return the application; it connects to the warehouse while it is served.

    Raise SettingsError when a file that the settings name cannot be used. Its `state` holds what routes and pages may
    use: `settings`, `reader`, `watch`, `meters`, `stopping` (an event: streams without an end shall end).
    """
    authenticator = _authenticator(settings)
    reader, meters, stopping = Reader(settings), Meters(), asyncio.Event()
    caches: list[Cache] = []
    watch = Watch(look_with(reader), settings.check_interval)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with reader, opened(settings) as app.state.hooks:
            tending = asyncio.create_task(_tend(caches))
            try:
                yield
            finally:
                tending.cancel()

    app = FastAPI(
        title="gitmart",
        version=__version__,
        summary="Analytics of git histories.",
        lifespan=lifespan,
        docs_url=None,  # the pages of FastAPI load their script from elsewhere
        redoc_url=None,
    )
    state = app.state
    state.settings, state.reader, state.watch, state.meters, state.stopping = settings, reader, watch, meters, stopping
    add_problem_handlers(app)
    app.router.routes.extend(probe_routes(watch, stopping))
    if authenticator.signs_in:
        app.router.routes.extend(
            sign_in_routes(authenticator, settings.session_duration, settings.oidc_issuer, settings.oidc_redirect_url)
        )
    for routes in (repositories, contributors, activity, files, runs, catalogue):
        app.include_router(routes.router, dependencies=[Depends(only_known_parameters)])
    for posted in (webhooks, triggers):
        app.include_router(posted.router)
    describe(app, asks_for_token=not settings.no_authentication)
    add_pages(app)
    _surround(app, settings, authenticator, caches)
    return app


async def _tend(caches: list[Cache]) -> None:
    while True:
        await asyncio.sleep(TENDED_EVERY)
        for cache in caches:
            try:
                await cache.tend()
            except Exception as error:  # whoever asks next is told; to go on matters more
                log.warning("the marts are not looked at", extra={"why": f"{type(error).__name__}: {error}"})


def _surround(app: FastAPI, settings: Settings, authenticator: Authenticator, caches: list[Cache]) -> None:
    """Put the layers around the routes, the innermost first; add the cache to the list once it is made."""
    meters, watch, reader = app.state.meters, app.state.watch, app.state.reader

    def cache(inner: ASGIApp) -> Cache:
        caches.append(
            Cache(
                inner, watch=watch, size=settings.cache_size, most=settings.max_requests,
                without=(*PUBLIC, *STANDING), meters=meters, renewed=settings.renewed_answers,
            )
        )  # fmt: skip
        return caches[-1]

    app.add_middleware(cache)
    app.add_middleware(
        Gate, authenticator=authenticator, rate=settings.rate_limit, burst=settings.rate_burst, meters=meters
    )
    app.add_middleware(BodyLimit, limit=settings.body_limit, meters=meters)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "HEAD"],
            allow_headers=["Authorization", "If-None-Match"], expose_headers=EXPOSED, max_age=600,
        )  # fmt: skip
    app.add_middleware(Compression)
    app.add_middleware(
        Entry, root_path=settings.root_path, hsts=settings.hsts, meters=meters, access_log=settings.access_log
    )

    def gauges() -> Mapping[str, Mapping[str, float]]:
        connections, known = reader.connections, watch.last
        return {
            "gitmart_api_pool_connections": {word: connections[word] for word in ("busy", "idle")},
            "gitmart_api_pool_waiting": {"": connections["waiting"]},
            "gitmart_api_answers_in_progress": {"": sum(each.in_progress for each in caches)},
            "gitmart_api_requests_waiting": {"": sum(each.waiting for each in caches)},
            "gitmart_api_cache_bytes": {"": sum(each.answers.size for each in caches)},
            "gitmart_api_cache_entries": {"": sum(len(each.answers) for each in caches)},
            "gitmart_api_warehouse_ready": {"": known.lacking is None},
            "gitmart_api_build_in_progress": {"": known.building},
        }

    meters.show(gauges)


def _authenticator(settings: Settings) -> Authenticator:
    tokens, verifier = None, None
    try:
        if settings.tokens_file:
            tokens = TokenFile(settings.tokens_file)
    except TokensError as error:
        raise SettingsError([f"--tokens-file: {error}"]) from None
    if settings.oidc_issuer:
        try:
            fetch = fetch_with(settings.oidc_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                [f"--oidc-ca-file: {settings.oidc_ca_file} holds no certificates in PEM form: {error.strerror}"]
            ) from None
        verifier = Verifier(settings.oidc_issuer, settings.oidc_audience, settings.oidc_algorithms, fetch)
    return Authenticator(tokens, verifier, settings.oidc_groups_claim, _provider(settings))


def _provider(settings: Settings) -> Provider | None:
    """Return where browsers sign in; what that needs is imported by whoever has it alone."""
    if not settings.oidc_client_id or settings.oidc_client_secret_file is None:
        return None
    from gitmart.api.middleware.provider import Client, Provider, post_with, read_secret

    try:
        secret = read_secret(settings.oidc_client_secret_file)
    except ValueError as error:
        raise SettingsError([f"--oidc-client-secret-file: {error}"]) from None
    client = Client(settings.oidc_issuer, settings.oidc_client_id, secret, settings.oidc_scopes)
    verifier = Verifier(client.issuer, client.id, settings.oidc_algorithms, fetch_with(settings.oidc_ca_file))
    return Provider(
        client, verifier, post_with(settings.oidc_ca_file), groups_claim=settings.oidc_groups_claim,
        groups=frozenset(each.removeprefix(OF_GROUP) for each in settings.triggers_by if each.startswith(OF_GROUP)),
        duration=settings.session_duration,
    )  # fmt: skip
