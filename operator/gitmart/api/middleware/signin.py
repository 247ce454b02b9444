"""The page on which a browser signs in with a static token. It stands alone, and asks for nothing else."""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gitmart.api.middleware.gate import SIGN_IN
from gitmart.api.middleware.sessions import COOKIE, cookie_value, token_of
from gitmart.api.middleware.tokens import TokenFile, find

LIMIT = 4096  # bytes of the form

_STYLE = (
    ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:26rem;margin:15vh auto 0;padding:0 1rem}"
    "label{display:block;margin:1rem 0 .25rem}"
    "input,button{box-sizing:border-box;width:100%;padding:.6rem;font:inherit}"
    "button{margin-top:1rem;cursor:pointer}"
    "[role=alert]{border-left:.25rem solid #b3261e;padding-left:.75rem}"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}
<title>Sign in – gitmart</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>gitmart</h1>
{alert}<form method="post" action="{action}">
<input type="hidden" name="next" value="{next}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus aria-describedby="hint">
<p id="hint">Whoever runs gitmart gives you one. This browser then stays signed in for {hours}.</p>
<button type="submit">Sign in</button>
</form>
</main>
</body>
</html>
"""
_STYLE_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
}


def sign_in_routes(tokens: TokenFile, duration: timedelta) -> list[Route]:
    """Return the routes of signing in and out; a browser stays signed in for the duration."""
    seconds = int(duration.total_seconds())

    async def show(request: Request) -> Response:
        there = safe_path(request.query_params.get("next", ""))
        if token_of(request.cookies.get(COOKIE, ""), tokens.tokens, time.time()):
            return _to(request, there)
        # A browser that comes by another site's link shows no SameSite=Strict cookie. What a page of ours then asks
        # for is asked with it: so the page asks for itself once more, and a browser that is signed in goes on.
        foreign = request.headers.get("sec-fetch-site") == "cross-site" and "again" not in request.query_params
        return _page(request, there, refresh=foreign, seconds=seconds)

    async def sign_in(request: Request) -> Response:
        form = await _form(request)
        there, secret = safe_path(form.get("next", "")), form.get("token", "").strip()
        token = find(tokens.tokens, secret)
        if token is None:
            return _page(request, there, alert="This is none of the tokens that may sign in.", seconds=seconds)
        response = _to(request, there)
        response.set_cookie(
            COOKIE, cookie_value(token, int(time.time()) + seconds), max_age=seconds,
            path=request.scope["root_path"] or "/", httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    async def sign_out(request: Request) -> Response:
        response = _to(request, SIGN_IN)
        response.delete_cookie(COOKIE, path=request.scope["root_path"] or "/", httponly=True, samesite="strict")
        return response

    return [
        Route(SIGN_IN, _either(show, sign_in), methods=["GET", "POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


def safe_path(text: str) -> str:
    """Return a path of ours to go on with: the text if it is one, else the beginning."""
    is_ours = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_ours else "/"


Endpoint = Callable[[Request], Awaitable[Response]]


def _either(get: Endpoint, post: Endpoint) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await (post if request.method == "POST" else get)(request)

    return endpoint


async def _form(request: Request) -> dict[str, str]:
    """Return the first value of each field."""
    raw = b""
    async for piece in request.stream():
        raw += piece
        if len(raw) > LIMIT:
            return {}
    try:
        fields = parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    except ValueError:  # more fields
        return {}
    return {name: values[0] for name, values in fields.items()}


def _to(request: Request, path: str) -> Response:
    return RedirectResponse(
        request.scope["root_path"] + path, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"}
    )


def _page(request: Request, there: str, *, seconds: int, refresh: bool = False, alert: str = "") -> Response:
    action = request.scope["root_path"] + SIGN_IN
    again = f"{action}?again=1&next={quote(there, safe='')}"
    hours = f"{seconds // 3600} hours" if seconds >= 7200 else f"{seconds // 60} minutes"
    return HTMLResponse(
        _PAGE.format(
            style=_STYLE,
            action=html.escape(action),
            next=html.escape(there),
            hours=hours,
            alert=f'<p role="alert">{html.escape(alert)}</p>\n' if alert else "",
            refresh=f'\n<meta http-equiv="refresh" content="0; url={html.escape(again)}">' if refresh else "",
        ),
        HTTPStatus.FORBIDDEN if alert else HTTPStatus.OK,
        _HEADERS,
    )
