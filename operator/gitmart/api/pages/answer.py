"""A page as an answer: templates filled in, and what a browser may do with it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request

from gitmart import __version__
from gitmart.api.pages import assets, words
from gitmart.api.pages.prose import prose
from gitmart.api.pages.state import link, parameters
from gitmart.api.queries.catalogue import Metric, metrics

# No request leads anywhere but here, and nothing that stands in a page is run.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # an address holds what was looked for
}


def _definition(name: str) -> Metric:
    """Return a metric of the catalogue. Raise KeyError for a name that it does not have."""
    return {metric.name: metric for metric in metrics().metrics}[name]


_templates = Environment(
    loader=PackageLoader("gitmart.api.pages"),
    autoescape=True,
    auto_reload=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(asset=assets.address, link=link, parameters=parameters, version=__version__)
_templates.filters.update(
    number=words.number,
    percent=words.percent,
    decimal=words.decimal,
    day=words.day,
    moment=words.moment,
    duration=words.duration,
    counted=words.counted,
    meaning=words.meaning,
    merges_among=words.merges_among,
    when=words.when,
    day_of=words.day_of,
    prose=prose,
    definition=_definition,
    pct=lambda value: f"{value:.2f}".rstrip("0").rstrip(".") + "%",
    coord=lambda value: f"{value:.3f}".rstrip("0").rstrip("."),
)


def html(
    request: Request, template: str, *, status: int = HTTPStatus.OK, live: bool = False, **context: Any
) -> HTMLResponse:
    """
    Return a template filled in; it is told `root`, which is what stands before every path, besides.

    A page is kept until the marts change, so nothing in it may depend on the clock. `live`: it changes without a build,
    so nobody may keep it.
    """
    root = str(request.scope.get("root_path", ""))
    settings = request.app.state.settings
    signs_out = bool(settings.tokens_file or settings.oidc_client_id)  # else nobody signs in
    text = _templates.get_template(template).render(root=root, signs_out=signs_out, **context)
    return HTMLResponse(text, status, HEADERS | ({"Cache-Control": "no-store"} if live else {}))
