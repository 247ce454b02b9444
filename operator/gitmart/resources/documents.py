"""
Turn the bytes of a file into plain values, whatever the bytes are.

A manifest is a page of text. What is larger, nested without end, or grows through anchors is refused before any
value is built from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import yaml

FILE_LIMIT = 1024 * 1024  # bytes; Kubernetes itself stores no object above 1.5 MiB
VALUE_LIMIT = 200_000  # values of a file once its anchors are written out
_QUOTE_HINT = "; a value that starts with * or @, such as a cron schedule, needs quotes"


class UnreadableError(ValueError):
    """The content is no YAML or JSON that a manifest could be made of. The text says why."""


def read_documents(content: bytes, *, is_json: bool) -> list[object]:
    """Return the documents of a file, without empty ones. Raises UnreadableError."""
    text = _as_text(content)
    try:
        documents = [json.loads(text, object_pairs_hook=_unique)] if is_json else list(_yaml_documents(text))
    except RecursionError as error:
        raise UnreadableError("is nested too deeply for a manifest") from error
    except json.JSONDecodeError as error:
        raise UnreadableError(f"is no JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(_yaml_sentence(error)) from error
    except UnreadableError:
        raise
    except (ValueError, yaml.YAMLError) as error:  # a date such as 2026-13-45, a number of a million digits
        raise UnreadableError(f"holds a value that cannot be read: {error}") from error
    return [document for document in documents if document is not None]


def as_kubectl_sends(value: object) -> object:
    """
    Return a value of a manifest as it reaches the API server: without fields that are null, 3.0 as 3.

    Nobody has to learn that a manifest means one thing there and another here. A null in a list stays.
    """
    match value:
        case dict():
            return {name: as_kubectl_sends(each) for name, each in value.items() if each is not None}
        case list():
            return [as_kubectl_sends(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _as_text(content: bytes) -> str:
    if len(content) > FILE_LIMIT:
        raise UnreadableError(f"is larger than {FILE_LIMIT // 1024} KiB, more than a manifest can be")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("is no text: a manifest is YAML or JSON in UTF-8") from error
    if "\0" in text:
        raise UnreadableError("is no text: a manifest is YAML or JSON in UTF-8")
    if text.lstrip().startswith("<"):
        raise UnreadableError("is an HTML or XML page, not a manifest: fetch the raw file")
    return text


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise UnreadableError(f"has the field {name!r} twice in one mapping")
        found[name] = value
    return found


def _yaml_documents(text: str) -> Iterator[object]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                _check_size(node, {}, set())
                yield loader.construct_document(node)
    finally:
        loader.dispose()


def _check_size(node: yaml.Node, sizes: dict[int, int], above: set[int]) -> int:
    """Return how many values `node` stands for with its anchors written out. Raises UnreadableError if too many."""
    if id(node) in above:
        raise UnreadableError(f"line {node.start_mark.line + 1} holds an anchor that contains itself")
    if id(node) not in sizes:
        above.add(id(node))
        sizes[id(node)] = 1 + sum(_check_size(child, sizes, above) for child in _children(node))
        above.discard(id(node))
    if sizes[id(node)] > VALUE_LIMIT:
        raise UnreadableError(f"stands for more than {VALUE_LIMIT} values once its anchors are written out")
    return sizes[id(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in names:
                    raise UnreadableError(f"line {key.start_mark.line + 1} has the field {key.value!r} a second time")
                names.add(key.value)
            yield from (key, value)


def _yaml_sentence(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    quotes = "alias" in (error.context or "") or "'@'" in (error.problem or "")
    return f"is no YAML: {place}{error.problem or error.context}{_QUOTE_HINT if quotes else ''}"
