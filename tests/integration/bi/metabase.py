"""
As much of Metabase as load.py talks to: what its API takes is checked against what Metabase publishes of it.

The schemas say of the bodies what `resources/openapi/openapi.json` of github.com/metabase/metabase says at commit
01218580989e5ff018e16882850d62a07470f3c0 (version 57 or later); of parameters, their mappings and native queries, which it leaves
open, what `src/metabase/parameters/schema.cljc` and the end-to-end tests there have. Unlike Metabase this refuses
what it does not know.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator

Json = dict[str, Any]

KEY = "mb_a+key/that=nobody.may:read"
ID = {"type": "integer", "minimum": 1}
TEXT = {"type": "string", "minLength": 1}
TEXT_OR_NULL = {"type": ["string", "null"]}
ID_OR_NULL = {"type": ["integer", "null"], "minimum": 1}
PLACE = {"type": "integer", "minimum": 0}


def a_map(required: tuple[str, ...], **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


QUERY = a_map(
    ("database", "type", "native"),
    database=ID,
    type={"const": "native"},
    native=a_map(
        ("query", "template-tags"),
        query=TEXT,
        **{
            "template-tags": {
                "type": "object",
                "additionalProperties": a_map(
                    ("id", "name", "display-name", "type"),
                    id={"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
                    name=TEXT,
                    type={"enum": ["text", "number", "date"]},
                    **{"display-name": TEXT},
                ),
            }
        },
    ),
)
PARAMETER = a_map(
    ("id", "type"),
    id=TEXT,
    name=TEXT,
    slug=TEXT,
    sectionId=TEXT,
    type={"enum": ["string/=", "date/single"]},
    isMultiSelect={"type": "boolean"},
    values_query_type={"enum": ["none", "list", "search"]},
    values_source_type={"enum": ["static-list", "card"]},
    values_source_config=a_map(
        (),
        values={"type": "array"},
        card_id=ID,
        value_field={
            "type": "array",
            "prefixItems": [
                {"const": "field"}, TEXT, a_map(("base-type",), **{"base-type": {"const": "type/Text"}})
            ],
            "minItems": 3,
            "maxItems": 3,
        },
    ),
)  # fmt: skip
MAPPING = a_map(
    ("parameter_id", "target"),
    parameter_id=TEXT,
    card_id=ID,
    target={
        "type": "array",
        "prefixItems": [
            {"const": "variable"},
            {"type": "array", "prefixItems": [{"const": "template-tag"}, TEXT], "minItems": 2, "maxItems": 2},
        ],
        "minItems": 2,
        "maxItems": 2,
    },
)
DASHCARD = a_map(
    ("id", "size_x", "size_y", "row", "col"),
    id={"type": "integer"},
    card_id=ID_OR_NULL,
    dashboard_tab_id=ID_OR_NULL,
    row=PLACE,
    col=PLACE,
    size_x=ID,
    size_y=ID,
    series={"type": ["array", "null"], "items": {"type": "object"}},
    parameter_mappings={"type": ["array", "null"], "items": MAPPING},
    visualization_settings={"type": "object"},
)
CARD = {
    "name": TEXT,
    "description": TEXT,
    "type": {"enum": ["question", "metric", "model"]},
    "display": TEXT,
    "collection_id": ID_OR_NULL,
    "visualization_settings": {"type": "object"},
    "dataset_query": QUERY,
}
DASHBOARD = {
    "name": TEXT,
    "description": TEXT_OR_NULL,
    "collection_id": ID_OR_NULL,
    "parameters": {"type": "array", "items": PARAMETER},
}
BODIES = {
    "POST collection": a_map(("name",), name=TEXT, description=TEXT, parent_id=ID_OR_NULL),
    "PUT collection": a_map((), name=TEXT, description=TEXT_OR_NULL),
    "POST card": a_map(("name", "dataset_query", "display", "visualization_settings"), **CARD),
    "PUT card": a_map((), **CARD),
    "POST dashboard": a_map(("name",), **DASHBOARD),
    "PUT dashboard": a_map(
        (),
        **DASHBOARD,
        dashcards={"type": "array", "items": DASHCARD},
        tabs={"type": "array", "items": a_map(("id", "name"), id={"type": "integer"}, name=TEXT)},
    ),
}


@dataclass(slots=True)
class Metabase:
    """What is in it, and what it was asked: (method, path, body)."""

    databases: list[Json] = field(default_factory=lambda: [{"id": 7, "name": "gitmart"}])
    things: dict[str, dict[int, Json]] = field(default_factory=lambda: {"collection": {}, "card": {}, "dashboard": {}})
    asked: list[tuple[str, str, Json | None]] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)  # in place of its own, by path
    url: str = ""
    ids: Iterator[int] = field(default_factory=lambda: count(11))

    def answer(self, method: str, target: str, body: Json | None) -> tuple[int, Any]:
        """Return status and body."""
        path = urlsplit(target).path
        wanted = parse_qs(urlsplit(target).query).get("models", [])
        if method == "GET":
            return self._told(path, wanted)
        _, _, kind, *rest = path.split("/")
        problems = [
            f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
            for error in Draft202012Validator(BODIES[f"{method} {kind}"]).iter_errors(body)
        ]
        if problems:
            return 400, {"errors": problems}
        assert body is not None
        number = int(rest[0]) if rest else next(self.ids)
        if rest and number not in self.things[kind]:
            return 404, "Not found."
        thing = self.things[kind].setdefault(
            number, {"id": number, "archived": False, "location": "/", "dashcards": []}
        )
        if "dashcards" in body:
            cards = [card | {"id": next(self.ids)} if card["id"] < 0 else card for card in body["dashcards"]]
            assert len({card["id"] for card in cards}) == len(cards)
            body = body | {"dashcards": cards}
        thing.update(body)
        return 200, thing

    def _told(self, path: str, models: list[str]) -> tuple[int, Any]:
        if path == "/api/database":
            return 200, {"data": self.databases, "total": len(self.databases)}
        if path == "/api/collection":
            return 200, [{"id": "root", "name": "Our analytics"}, *self.things["collection"].values()]
        if found := re.fullmatch(r"/api/collection/(\d+)/items", path):
            items = [
                {"id": thing["id"], "name": thing["name"], "model": model}
                for model in models
                for thing in self.things[model].values()
                if thing["collection_id"] == int(found[1])
            ]
            return 200, {"data": items, "total": len(items), "models": models}
        if (found := re.fullmatch(r"/api/dashboard/(\d+)", path)) and int(found[1]) in self.things["dashboard"]:
            return 200, self.things["dashboard"][int(found[1])]
        return 404, "Not found."


@contextmanager
def serving() -> Iterator[Metabase]:
    """A Metabase on a port of its own."""
    metabase = Metabase()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            metabase.asked.append((self.command, self.path, body))
            headers = {"Content-Type": "application/json"}
            if self.headers.get("x-api-key") != KEY:
                status, text = 401, "Unauthenticated"
            elif self.path in metabase.answers:
                status, headers, text = metabase.answers[self.path]
            else:
                status, told = metabase.answer(self.command, self.path, body)
                text = json.dumps(told)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = _handle  # noqa: N815 # names that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        metabase.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield metabase
        finally:
            server.shutdown()
            thread.join()
