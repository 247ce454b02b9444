"""
Read manifests: files, folders or standard input -> Repository and DbtSchedule objects, and ConfigMaps beside them.

Every mistake of every file is told at once, each with its file, its object and its field as the user spells it.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gitmart.contract.kinds import GROUP
from gitmart.resources.base import API_VERSION
from gitmart.resources.config_map import ConfigMap
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.documents import FILE_LIMIT, UnreadableError, as_kubectl_sends, read_documents
from gitmart.resources.repository import Repository

AnyResource: TypeAlias = Repository | DbtSchedule
AnyObject: TypeAlias = AnyResource | ConfigMap

FILES_LIMIT = 1000  # files of one command; a folder with more is a mistake
_SUFFIXES: Final = (".yaml", ".yml", ".json")
_MODELS: Final[Mapping[str, type[AnyObject]]] = {
    "Repository": Repository,
    "DbtSchedule": DbtSchedule,
    "ConfigMap": ConfigMap,
}
_VERSIONS: Final = {"ConfigMap": "v1"}  # of apiVersion; all others are ours
# What Kubernetes accepts under metadata, for telling a misspelt field from one that is its own business.
_METADATA: Final = (
    *("annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers"),
    *("generateName", "generation", "labels", "managedFields", "name", "namespace", "ownerReferences"),
    *("resourceVersion", "selfLink", "uid"),
)
_TYPE_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "string_type": "must be a text; put it in quotes",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of fields",
    "model_type": "must be a mapping of fields",
    "model_attributes_type": "must be a mapping of fields",
    "string_too_short": "must not be empty",
    "timezone_aware": "must be a time with a zone, such as 2026-01-31T12:00:00Z",
    "datetime_type": "must be a time such as 2026-01-31T12:00:00Z",
}


class ManifestError(ValueError):
    """What people wrote cannot be used. `mistakes` has a line for each; the text is all of them."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Manifests:
    """What stands in manifests, in the order it was named."""

    resources: list[AnyResource]
    config_maps: list[ConfigMap]


def load_manifests(paths: Iterable[Path | str], *, allow_file_urls: bool) -> list[AnyResource]:
    """Return the resources of `read_manifests`."""
    return read_manifests(paths, allow_file_urls=allow_file_urls).resources


def read_manifests(paths: Iterable[Path | str], *, allow_file_urls: bool) -> Manifests:
    """
    Return the objects of all manifests.

    A path is a file, a folder (its *.yaml, *.yml and *.json files, sorted) or `-` for standard input.
    `allow_file_urls` accepts `file:///abs/path` addresses. Raises ManifestError with every mistake.
    """
    mistakes: list[str] = []
    loaded: dict[tuple[str, str, str], str] = {}
    found = Manifests([], [])
    for source, content in _contents(paths, mistakes):
        try:
            documents = _expanded(read_documents(content, is_json=source.endswith(".json")))
        except UnreadableError as error:
            mistakes.append(f"{source}: {error}")
            continue
        if not documents:
            mistakes.append(f"{source}: holds no manifest: it is empty")
        for number, document in enumerate(documents, start=1):
            resource, wrong = _parse(document, number, allow_file_urls=allow_file_urls)
            mistakes += [f"{source}: {mistake}" for mistake in wrong]
            if resource is not None:
                identity = (resource.kind, resource.metadata.namespace, resource.metadata.name)
                if identity in loaded:
                    name = f"{resource.kind}/{resource.metadata.name}"
                    mistakes.append(f"{source}: {name}: stands in {loaded[identity]} already: name each object once")
                loaded.setdefault(identity, source)
                if isinstance(resource, ConfigMap):
                    found.config_maps.append(resource)
                else:
                    found.resources.append(resource)
    if mistakes:
        raise ManifestError(mistakes)
    return found


def _contents(paths: Iterable[Path | str], mistakes: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the first bytes of each file, one byte more than allowed; add to `mistakes` what fails."""
    for path in _files(paths, mistakes):
        try:
            if path == Path("-"):
                yield "standard input", sys.stdin.buffer.read(FILE_LIMIT + 1)
            else:
                with path.open("rb") as file:
                    content = file.read(FILE_LIMIT + 1)
                yield str(path), content
        except OSError as error:
            mistakes.append(f"{path}: cannot be read: {error.strerror or error}")


def _files(paths: Iterable[Path | str], mistakes: list[str]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
            if not inside:
                mistakes.append(f"{path}: holds no manifest: a folder is searched for *.yaml, *.yml and *.json")
            files += inside
        else:
            files.append(path)
    if len(files) > FILES_LIMIT:
        mistakes.append(f"{len(files)} files are too many: name at most {FILES_LIMIT}")
        return []
    return files


def _expanded(documents: list[object]) -> list[object]:
    """Return the documents with the objects of a List, as `kubectl get -o yaml` prints it, in its place."""
    found: list[object] = []
    for document in documents:
        is_list = isinstance(document, dict) and document.get("kind") == "List" and document.get("apiVersion") == "v1"
        items = document.get("items") if is_list and isinstance(document, dict) else None
        found += items if isinstance(items, list) else [document]
    return found


def _parse(document: object, number: int, *, allow_file_urls: bool) -> tuple[AnyObject | None, list[str]]:
    """Return the object of one document, or None, and its mistakes."""
    document = as_kubectl_sends(document)
    if not isinstance(document, dict):
        what = "a list" if isinstance(document, list) else "a plain value"
        return None, [f"document {number} is {what}, not a manifest: it must have apiVersion, kind, metadata and spec"]
    name = _name(document, number)
    kind = document.get("kind")
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    mistakes = _wrong_type(document)
    if model is None:  # without a kind there are no fields to check
        return None, [f"{name}: {mistake}" for mistake in mistakes]
    mistakes += _unknown_metadata(document.get("metadata"))
    try:
        typed = {**document, "apiVersion": _VERSIONS.get(str(kind), API_VERSION)}
        resource = model.parse(typed, allow_file_urls=allow_file_urls)
    except ValidationError as error:
        mistakes += mistakes_of(error, model)
        resource = None
    return resource, [f"{name}: {mistake}" for mistake in mistakes]


def _name(document: Mapping[str, object], number: int) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = document.get("kind")
    return f"{_shown(kind) if isinstance(kind, str) else 'object'}/{_shown(name) if name else f'(document {number})'}"


def _shown(value: object) -> str:
    """Return a value for a message: short, and in one line."""
    text = str(value)[:80]
    return text if text.isprintable() else ascii(text)[1:-1]


def _wrong_type(document: Mapping[str, object]) -> list[str]:
    """Return what is wrong with apiVersion and kind."""
    mistakes = []
    version = _VERSIONS.get(str(document.get("kind")), API_VERSION)
    for field, allowed in (("apiVersion", (version,)), ("kind", tuple(_MODELS))):
        value = document.get(field)
        if value is None:
            mistakes.append(f"{field}: is required; write {_choice(allowed)}")
        elif value not in allowed:
            mistakes.append(f"{field}: {_shown(value)!r} is not known to {GROUP}; write {_choice(allowed)}")
    return mistakes


def _choice(words: tuple[str, ...]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _unknown_metadata(metadata: object) -> list[str]:
    fields = metadata if isinstance(metadata, dict) else {}
    return [f"metadata.{_shown(field)}: {_unknown(field, _METADATA)}" for field in fields if field not in _METADATA]


def _unknown(field: object, known: Iterable[str]) -> str:
    """Return the sentence about a field that does not exist, with the nearest one that does."""
    names = sorted(known)
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(str(field).lower().replace("_", ""), lower, n=1)
    return "is no field; " + (f"did you mean {lower[near[0]]}?" if near else f"allowed are {', '.join(names)}")


def mistakes_of(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return what is wrong with an object, a sentence per field as the user spells it."""
    return [_sentence(details, model) for details in error.errors(include_url=False)]


def _sentence(details: ErrorDetails, model: type[BaseModel]) -> str:
    """Return one of pydantic's errors as `field: what is wrong; what is allowed`."""
    path = [step for step in details["loc"] if not (isinstance(step, str) and "[" in step)]
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in path).lstrip(".")
    if details["type"] == "extra_forbidden":
        return f"{where}: {_unknown(path[-1], _fields_at(model, path[:-1]))}"
    if details["type"] == "value_error":
        return f"{where}: {details['ctx']['error']}"
    return f"{where}: {_TYPE_SENTENCES.get(details['type']) or _bounds(details)}"


def _bounds(details: ErrorDetails) -> str:
    """Return the sentence about a value of the right type that is out of bounds."""
    limits = details.get("ctx", {})
    match details["type"]:
        case "greater_than_equal":
            return f"{_shown(details['input'])} is too small; it must be at least {limits['ge']}"
        case "less_than_equal":
            return f"{_shown(details['input'])} is too large; it must be at most {limits['le']}"
        case "string_too_long":
            return f"must hold at most {limits['max_length']} characters"
        case "too_long":
            return f"must have at most {limits['max_length']} elements"
        case "literal_error":
            return f"{_shown(details['input'])!r} is not allowed; write {limits['expected']}"
        case "string_pattern_mismatch":
            return f"{_shown(details['input'])!r} is not allowed; it must match {limits['pattern']}"
        case _:
            return details["msg"]


def _fields_at(model: type[BaseModel], path: list[str | int]) -> list[str]:
    """Return the names a user may write in the mapping that `path` leads to."""
    schema = model.model_json_schema(by_alias=True)
    node = schema
    for step in path:
        node = node["items"] if isinstance(step, int) else node["properties"][step]
        for option in [node, *node.get("anyOf", [])]:
            if "$ref" in option:
                node = schema["$defs"][option["$ref"].rpartition("/")[2]]
    return list(node["properties"])
