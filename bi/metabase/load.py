#!/usr/bin/env python3
"""
Make gitmart's questions and dashboard in Metabase, or bring them up to date, through its REST API.

    METABASE_API_KEY=mb_… python bi/metabase/load.py --url https://metabase.example.com --database gitmart

Needs Python 3.11 alone. What is made is told by gitmart.json beside it. Things are known by their names in the
collection: a second run changes those that are there and makes no others.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from uuid import NAMESPACE_URL, uuid5

FILE = Path(__file__).with_name("gitmart.json")
VARIABLE = re.compile(r"{{\s*(\w+)\s*}}")
PATIENCE = 60  # seconds for an answer

Json = dict[str, Any]


class LoadError(Exception):
    """What went wrong, as the user is to read it."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn a POST into a GET, and take the key to whatever host it names."""

    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Metabase:
    """A Metabase to talk to."""

    url: str
    api_key: str

    def get(self, path: str) -> Json:
        """Return what is there of an id."""
        return self._object("GET", path, None)

    def all(self, path: str) -> list[Json]:
        """Return a list, which some answers have as `data`."""
        answer = self._ask("GET", path, None)
        found = answer.get("data") if isinstance(answer, dict) else answer
        if not isinstance(found, list):
            raise LoadError(f"GET {path}: the answer is no list; is {self.url} the address of a Metabase?")
        return found

    def post(self, path: str, body: Json) -> Json:
        """Make something and return it."""
        return self._object("POST", path, body)

    def put(self, path: str, body: Json) -> Json:
        """Change something and return it."""
        return self._object("PUT", path, body)

    def _object(self, method: str, path: str, body: Json | None) -> Json:
        answer = self._ask(method, path, body)
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), int):
            raise LoadError(f"{method} {path}: the answer tells no id; is {self.url} the address of a Metabase?")
        return answer

    def _ask(self, method: str, path: str, body: Json | None) -> Any:
        request = urllib.request.Request(  # noqa: S310 # main() has looked at the scheme
            self.url.rstrip("/") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-key": self.api_key, "Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=PATIENCE) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            words = error.read(2000).decode(errors="replace").strip() or error.headers.get("Location", "")
            raise LoadError(self._told(f"{method} {path}: {error.code} {error.reason}: {words}")) from None
        except OSError as error:
            raise LoadError(self._told(f"{method} {path}: {self.url} does not answer: {error}")) from None
        except ValueError:
            raise LoadError(
                f"{method} {path}: the answer is no JSON; is {self.url} the address of a Metabase?"
            ) from None

    def _told(self, words: str) -> str:
        return words.replace(self.api_key, "…")


def named(things: Iterable[Json], name: str, what: str) -> Json | None:
    """Return the one thing of a name, None if there is none."""
    found = [thing for thing in things if thing["name"] == name]
    if len(found) > 1:
        ids = ", ".join(str(thing["id"]) for thing in found)
        raise LoadError(f"there are {len(found)} {what} named {name!r} (ids {ids}): rename or archive all but one")
    return found[0] if found else None


def database_id(metabase: Metabase, name: str) -> int:
    """Return the id of the database of that name."""
    databases = metabase.all("/api/database")
    found = named(databases, name, "databases")
    if found is None:
        there = ", ".join(sorted(repr(each["name"]) for each in databases)) or "none"
        raise LoadError(f"there is no database named {name!r} that the key may see: there are {there}")
    return int(found["id"])


def ensure_collection(metabase: Metabase, wanted: Json) -> int:
    """Make the collection, at the top, or tell it its description again; return its id."""
    top = (each for each in metabase.all("/api/collection") if each.get("location") == "/" and not _is_elsewhere(each))
    found = named(top, wanted["name"], "collections")
    answer = (
        metabase.put(f"/api/collection/{found['id']}", wanted) if found else metabase.post("/api/collection", wanted)
    )
    return int(answer["id"])


def _is_elsewhere(collection: Json) -> bool:
    return bool(collection.get("archived") or collection.get("personal_owner_id"))


def card_of(question: Json, variables: Json, database: int, collection: int) -> Json:
    """Return a question as Metabase takes it."""
    sql = "\n".join(question["sql"])
    tags = {
        name: {"id": str(uuid5(NAMESPACE_URL, f"gitmart/{question['name']}/{name}")), "name": name, **variables[name]}
        for name in dict.fromkeys(VARIABLE.findall(sql))
    }
    return {
        "name": question["name"],
        "description": question["description"],
        "type": "question",
        "display": question["display"],
        "collection_id": collection,
        "visualization_settings": question["visualization_settings"],
        "dataset_query": {"database": database, "type": "native", "native": {"query": sql, "template-tags": tags}},
    }


def parameter_of(chosen: Json, variables: Json, cards: dict[str, int]) -> Json:
    """Return a filter of the dashboard as Metabase takes it."""
    name = chosen["variable"]
    parameter = {
        "id": f"gitmart-{name}",
        "name": variables[name]["display-name"],
        "slug": name,
        "type": chosen["type"],
        "sectionId": chosen["type"].partition("/")[0],
        "isMultiSelect": False,
    }
    values = chosen.get("values")
    if isinstance(values, list):
        offered: Json = {"values_source_type": "static-list", "values_source_config": {"values": values}}
    elif values:
        field = ["field", values["column"], {"base-type": "type/Text"}]
        offered = {
            "values_source_type": "card",
            "values_source_config": {"card_id": cards[values["question"]], "value_field": field},
        }
    else:
        return parameter
    return parameter | {"values_query_type": "list"} | offered


def dashcards_of(wanted: Json, cards: dict[str, int], variables: dict[str, set[str]], found: Json) -> list[Json]:
    """
    Return what the dashboard is to show: what the file says, and what others have put there, as it is.

    One that is there keeps its id; a new one has a negative id. `variables` are those that each question has.
    """
    own = set(cards.values())
    there = {card["card_id"]: card for card in found["dashcards"] if card.get("card_id") in own}
    tabs = found.get("tabs") or []
    laid_out = []
    for number, place in enumerate(wanted["cards"], 1):
        card = cards[place["question"]]
        shown = there.get(card, {"id": -number, "dashboard_tab_id": tabs[0]["id"] if tabs else None})
        laid_out.append(
            {
                "id": shown["id"],
                "card_id": card,
                "dashboard_tab_id": shown.get("dashboard_tab_id"),
                **{key: place[key] for key in ("row", "col", "size_x", "size_y")},
                "series": shown.get("series") or [],
                "visualization_settings": shown.get("visualization_settings") or {},
                "parameter_mappings": [
                    {
                        "parameter_id": f"gitmart-{chosen['variable']}",
                        "card_id": card,
                        "target": ["variable", ["template-tag", chosen["variable"]]],
                    }
                    for chosen in wanted["filters"]
                    if chosen["variable"] in variables[place["question"]]
                ],
            }
        )
    placed = {card["id"] for card in laid_out}
    return laid_out + [card for card in found["dashcards"] if card["id"] not in placed]


def load(metabase: Metabase, content: Json, database: str) -> str:
    """Make or change everything; return the address of the dashboard."""
    into = database_id(metabase, database)
    collection = ensure_collection(metabase, content["collection"])
    items = metabase.all(f"/api/collection/{collection}/items?models=card&models=dashboard")
    cards: dict[str, int] = {}
    variables: dict[str, set[str]] = {}
    for question in content["questions"]:
        card = card_of(question, content["variables"], into, collection)
        found = named((item for item in items if item["model"] == "card"), question["name"], "questions")
        answer = metabase.put(f"/api/card/{found['id']}", card) if found else metabase.post("/api/card", card)
        cards[question["name"]] = int(answer["id"])
        variables[question["name"]] = set(card["dataset_query"]["native"]["template-tags"])

    wanted = content["dashboard"]
    about: Json = {"name": wanted["name"], "description": wanted["description"], "collection_id": collection}
    item = named((item for item in items if item["model"] == "dashboard"), wanted["name"], "dashboards")
    number = int((item or metabase.post("/api/dashboard", about))["id"])
    there = metabase.get(f"/api/dashboard/{number}")
    own = [parameter_of(chosen, content["variables"], cards) for chosen in wanted["filters"]]
    of_others = [each for each in there.get("parameters") or [] if each["id"] not in {mine["id"] for mine in own}]
    about |= {"parameters": own + of_others, "dashcards": dashcards_of(wanted, cards, variables, there)}
    if there.get("tabs"):
        about["tabs"] = [{"id": tab["id"], "name": tab["name"]} for tab in there["tabs"]]
    metabase.put(f"/api/dashboard/{number}", about)
    return f"{metabase.url.rstrip('/')}/dashboard/{number}"


def main(words: list[str] | None = None) -> int:
    """Read the command line and load; 1 when something went wrong, which is told on stderr."""
    parser = argparse.ArgumentParser(description="Make gitmart's questions and dashboard in Metabase.")
    parser.add_argument("--url", required=True, help="address of Metabase, such as https://metabase.example.com")
    parser.add_argument("--api-key", default=os.environ.get("METABASE_API_KEY"), help="default: METABASE_API_KEY")
    parser.add_argument("--database", default="gitmart", help="name of the warehouse in Metabase (default: gitmart)")
    parser.add_argument("--schema", default="analytics", help="where dbt writes the marts (default: analytics)")
    chosen = parser.parse_args(words)
    if not re.match(r"https?://", chosen.url):
        parser.error(f"--url is {chosen.url}: it must begin with https:// or http://")
    if not chosen.api_key:
        parser.error("there is no API key: set METABASE_API_KEY, or give --api-key")
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", chosen.schema):
        parser.error(f"--schema is {chosen.schema}: it must be small letters, digits and _, no digit first")
    content: Json = json.loads(FILE.read_text(encoding="utf-8"))
    for question in content["questions"]:
        question["sql"] = [Template(line).substitute(schema=chosen.schema) for line in question["sql"]]
    try:
        address = load(Metabase(chosen.url, chosen.api_key), content, chosen.database)
    except LoadError as error:
        print(f"load.py: {error}", file=sys.stderr)
        return 1
    print(f"{len(content['questions'])} questions and the dashboard {address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
