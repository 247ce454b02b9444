"""The OpenAPI document: what FastAPI makes of the routes, and the problems that any of them may answer with."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gitmart.api.problems import MEDIA_TYPE

TAGS = [
    {"name": "repositories", "description": "Repositories, their people, branches and releases."},
    {"name": "contributors", "description": "People: who works, comes, stays and goes."},
    {"name": "activity", "description": "What happened when, and on how few it rests."},
    {"name": "files", "description": "Files and directories: which change most, and together."},
    {"name": "runs", "description": "Extractions, runs of dbt, and how fresh the data is."},
    {"name": "catalogue", "description": "What each figure means."},
    {"name": "webhooks", "description": "What git hosts send when somebody pushes, to be read at once."},
    {"name": "triggers", "description": "Runs on request."},
]
DESCRIPTION = """\
What counts is chosen by switches, query parameters that have one name everywhere: `since`, `until`, `merges`, `bots`,
`classes`, `dates`, `refs`, `count_once`. A table comes as JSON, CSV, Parquet or a stream of Arrow, by `format` or by the
header `Accept`; long ones come in pages. Every error is a problem (RFC 9457) that names the parameter and says what is
allowed."""
PROBLEM = {
    "title": "Problem",
    "description": "Why a request has no answer, by RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "What the status means."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong, and what is allowed."},
        "parameter": {"type": "string", "description": "The parameter that was wrong."},
    },
}
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "A static token, or one of OpenID Connect, as whoever runs gitmart gives it.",
}
_EXAMPLES = {
    400: ("The query is no text in UTF-8.", "parameter search is not UTF-8: allowed is UTF-8 in %XX", "search"),
    404: ("Nothing has this id.", "there is no repository 99", "repository"),
    406: ("The header Accept allows no format that there is.", "header Accept allows no format that there is: …", ""),
    422: ("A parameter is wrong.", "query parameter dates is 'x': input should be 'authored' or 'committed'", "dates"),
}


def describe(app: FastAPI, *, asks_for_token: bool) -> None:
    """Let the application describe itself, problems included, and whether it asks who comes."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=DESCRIPTION,
                routes=app.routes,
                tags=TAGS,
            )
            made.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
            if asks_for_token:
                made["components"]["securitySchemes"] = {"token": TOKEN}
                made["security"] = [{"token": []}]
            for path in made["paths"].values():
                for operation in path.values():
                    _tell_no_nulls(operation)
                    _tell_problems(operation)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # so FastAPI's manual says


def _tell_no_nulls(operation: dict[str, Any]) -> None:
    """Say of parameters that may be left out just what they may be: there is no null in a query."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        if kinds := [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]:
            [kind] = kinds
            parameter["schema"] = schema | kind


def _tell_problems(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
    statuses = [
        *([400, 422] if parameters else []),
        *([404] if parameters & {"repository", "contributor", "run"} else []),
        *([406] if "format" in parameters else []),
    ]
    for status in sorted(statuses):
        description, detail, parameter = _EXAMPLES[status]
        example = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
        responses[str(status)] = _problem(description, example | ({"parameter": parameter} if parameter else {}))
    responses.setdefault("default", _problem("Any other problem."))


def _problem(description: str, example: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": description, "content": {MEDIA_TYPE: content | ({"example": example} if example else {})}}
