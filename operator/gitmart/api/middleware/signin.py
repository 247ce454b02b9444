"""
The page on which a browser signs in, with a static token or at a provider of OpenID Connect, and the way there and back.

It stands alone, and asks for nothing else.
"""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, quote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gitmart.api.middleware.authentication import Authenticator
from gitmart.api.middleware.gate import SIGN_IN
from gitmart.api.middleware.oidc import IssuerError
from gitmart.api.middleware.sessions import COOKIE, cookie_value
from gitmart.api.middleware.tokens import find

if TYPE_CHECKING:
    from gitmart.api.middleware.provider import Provider

LIMIT = 4096  # bytes of the form

_STYLE = (
    ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:26rem;margin:15vh auto 0;padding:0 1rem}"
    "label{display:block;margin:1rem 0 .25rem}"
    "input,button,a{box-sizing:border-box;width:100%;padding:.6rem;font:inherit}"
    "button,a{margin-top:1rem;cursor:pointer}"
    "a{display:block;text-align:center;border:1px solid;border-radius:.25rem;color:inherit;text-decoration:none}"
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
{alert}{ways}<p>This browser then stays signed in for {hours}.</p>
</main>
</body>
</html>
"""
_FORM = """<form method="post" action="{action}">
<input type="hidden" name="next" value="{next}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required{focus} aria-describedby="hint">
<p id="hint">Whoever runs gitmart gives you one.</p>
<button type="submit">Sign in</button>
</form>
"""
# A link: what leads elsewhere is no form of ours, by form-action.
_LINK = """<p><a href="{begin}">Sign in at {provider}</a></p>
"""
BEGIN, CALLBACK = f"{SIGN_IN}/provider", f"{SIGN_IN}/callback"
BEGUN = "gitmart_sign_in"  # the cookie of a browser that is at the provider
_STYLE_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
}


Page = Callable[..., Response]  # the page, for a request and the path to go on to


def sign_in_routes(
    authenticator: Authenticator, duration: timedelta, issuer: str = "", redirect_url: str = ""
) -> list[Route]:
    """
    Return the routes of signing in and out; a browser stays signed in for the duration.

    From the provider, the `issuer`, it comes back to `redirect_url`, by default to the host that it asked.
    """
    seconds = int(duration.total_seconds())
    tokens, provider = authenticator.tokens, authenticator.provider
    page: Page = partial(_page, seconds=seconds, by_token=tokens is not None, issuer=issuer if provider else "")

    async def show(request: Request) -> Response:
        there = safe_path(request.query_params.get("next", ""))
        if authenticator.of_session(request.cookies.get(COOKIE, "")):
            return _to(request, there)
        # A browser that comes by another site's link shows no SameSite=Strict cookie. What a page of ours then asks
        # for is asked with it: so the page asks for itself once more, and a browser that is signed in goes on.
        foreign = request.headers.get("sec-fetch-site") == "cross-site" and "again" not in request.query_params
        return page(request, there, refresh=foreign)

    async def sign_in(request: Request) -> Response:
        form = await _form(request)
        there, secret = safe_path(form.get("next", "")), form.get("token", "").strip()
        token = find(tokens.tokens, secret) if tokens else None
        if token is None:
            return page(request, there, alert="This is none of the tokens that may sign in.")
        response = _to(request, there)
        _set(request, response, COOKIE, cookie_value(token, int(time.time()) + seconds), seconds, "strict")
        return response

    async def sign_out(request: Request) -> Response:
        response = _to(request, SIGN_IN)
        response.delete_cookie(COOKIE, path=request.scope["root_path"] or "/", httponly=True, samesite="strict")
        return response

    return [
        Route(SIGN_IN, _either(show, sign_in), methods=["GET", "POST"] if tokens else ["GET"]),
        Route("/sign-out", sign_out, methods=["POST"]),
        *(_ways_of(provider, page, seconds, redirect_url) if provider else ()),
    ]


def _ways_of(provider: Provider, page: Page, seconds: int, redirect_url: str) -> list[Route]:
    """Return the routes to the provider and back."""
    from gitmart.api.middleware.provider import TIME_TO_SIGN_IN, SignInError

    async def begin(request: Request) -> Response:
        there = safe_path(request.query_params.get("next", ""))
        back = redirect_url or f"{request.url.scheme}://{request.url.netloc}{request.scope['root_path']}{CALLBACK}"
        try:
            address, cookie = await provider.begin(back, there)
        except IssuerError:
            return page(request, there, alert=_UNREACHABLE, status=HTTPStatus.SERVICE_UNAVAILABLE)
        response = RedirectResponse(address, HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})
        _set(request, response, BEGUN, cookie, TIME_TO_SIGN_IN, "lax")
        return response

    async def come_back(request: Request) -> Response:
        try:
            session, there = await provider.finish(request.url.query, request.cookies.get(BEGUN, ""))
        except IssuerError:
            response: Response = page(request, "/", alert=_UNREACHABLE, status=HTTPStatus.SERVICE_UNAVAILABLE)
        except SignInError as error:
            response = page(request, "/", alert=str(error))
        else:
            response = _to(request, there)
            # Strict, a browser would not show it on this very way back, which began at the provider's.
            _set(request, response, COOKIE, session, seconds, "lax")
        response.delete_cookie(BEGUN, path=request.scope["root_path"] or "/", httponly=True, samesite="lax")
        return response

    return [Route(BEGIN, begin, methods=["GET"]), Route(CALLBACK, come_back, methods=["GET"])]


_UNREACHABLE = "The provider cannot be reached now. Please try again later."


def _set(
    request: Request, response: Response, name: str, value: str, seconds: int, same_site: Literal["lax", "strict"]
) -> None:
    response.set_cookie(
        name, value, max_age=seconds, path=request.scope["root_path"] or "/", httponly=True, samesite=same_site,
        secure=request.url.scheme == "https",
    )  # fmt: skip


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


def _page(
    request: Request, there: str, *, seconds: int, by_token: bool, issuer: str, refresh: bool = False, alert: str = "",
    status: HTTPStatus = HTTPStatus.FORBIDDEN,
) -> Response:  # fmt: skip
    """Return the page; `status` is that of one with an alert."""
    action, following = request.scope["root_path"] + SIGN_IN, quote(there, safe="")
    again = f"{action}?again=1&next={following}"
    hours = f"{seconds // 3600} hours" if seconds >= 7200 else f"{seconds // 60} minutes"
    ways = ""
    if issuer:
        begin = f"{request.scope['root_path']}{BEGIN}?next={following}"
        ways += _LINK.format(begin=html.escape(begin), provider=html.escape(urlsplit(issuer).netloc))
    if by_token:
        focus = "" if issuer else " autofocus"
        ways += _FORM.format(action=html.escape(action), next=html.escape(there), focus=focus)
    return HTMLResponse(
        _PAGE.format(
            style=_STYLE,
            ways=ways,
            hours=hours,
            alert=f'<p role="alert">{html.escape(alert)}</p>\n' if alert else "",
            refresh=f'\n<meta http-equiv="refresh" content="0; url={html.escape(again)}">' if refresh else "",
        ),
        status if alert else HTTPStatus.OK,
        _HEADERS,
    )
