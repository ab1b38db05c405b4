"""What a user reads when a scenario does not follow the schema: a line a problem, with what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from scenarios.document import Document, KeyPath, shown

_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "string": "text",
    "path": "a path",
    "model": "a block of keys",
    "dict": "a block of keys",
    "mapping": "a block of keys",
    "tuple": "a list",
    "list": "a list",
    "datetime": "a time stamp such as 2001-02-28T12:30:00Z",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def problems(error: ValidationError, document: Document, schema: type[BaseModel]) -> list[str]:
    """One line a problem: place, key path, value, what was expected."""
    tree = schema.model_json_schema()
    found: dict[KeyPath, tuple[str, list[str]]] = {}
    errors = error.errors(include_url=False)
    paths = [_path(each["loc"], document.data, each["type"]) for each in errors]
    for each, path in zip(errors, paths, strict=True):
        if each["type"] == "too_short" and sum(other[: len(path)] == path for other in paths) > 1:
            continue  # only because its members were refused
        value, expected = _expected(each, path, tree)
        found.setdefault(path, (value, []))[1].append(expected)
    return [
        f"{document.place(path)}: {'.'.join(map(str, path)) or 'the file'}: {value}{_joined(expectations)}"
        for path, (value, expectations) in found.items()
    ]


def _joined(expectations: Sequence[str]) -> str:
    """Of the members of a union, each of which expected something else."""
    first, *others = dict.fromkeys(expectations)
    return " or ".join([first, *(other.removeprefix("expected ") for other in others)])


def _path(loc: Sequence[str | int], data: object, kind: str) -> KeyPath:
    """Where in the file an error is: its location without the names of union members, which stand in no file."""
    path: list[str | int] = []
    node: Any = data
    for place, key in enumerate(loc):
        holds = key in node if isinstance(node, dict) else isinstance(node, list) and isinstance(key, int)
        if holds:
            node = node[key]
            path.append(key)
        elif place == len(loc) - 1 and kind == "missing":
            path.append(key)
    if kind == "union_tag_invalid":
        path.append("kind")
    return tuple(path)


def _expected(error: Mapping[str, Any], path: KeyPath, tree: dict[str, Any]) -> tuple[str, str]:
    """The value, ready to be put in front, and what was expected instead."""
    kind, context = error["type"], error.get("ctx", {})
    value = f"{shown(error['input'])}: "
    if kind == "missing":
        return "", f"is missing, expected {_example(tree, error['loc'])}"
    if kind == "extra_forbidden":
        return "", "unknown key; " + _suggestion(str(path[-1]), _keys(tree, error["loc"][:-1]), tree)
    if kind == "union_tag_not_found":
        return value, f"has no key kind, expected {_listed(_tags(tree, error['loc']) or ['one'])}"
    if kind == "union_tag_invalid":
        choices = [tag.strip("' ") for tag in context["expected_tags"].split(",")]
        return f"{context['tag']}: ", _choice(str(context["tag"]), choices)
    if kind == "literal_error":
        return value, _choice(str(error["input"]), [tag.strip("'") for tag in _split(context["expected"])])
    if kind == "value_error":
        said = str(context["error"])
        return ("" if isinstance(error["input"], dict) else value), said
    if kind in _BOUNDS:
        bound, word = _BOUNDS[kind]
        return value, f"expected a number {word} {context[bound]:g}"
    if kind == "too_short":
        least = context["min_length"]
        return value, f"expected at least {least} {'entry' if least == 1 else 'entries'}"
    if kind == "string_pattern_mismatch":
        return value, f"expected text that matches {context['pattern']}"
    if kind == "string_too_long":
        return value, f"expected at most {context['max_length']} characters"
    if kind == "int_from_float" or (kind == "int_type" and isinstance(error["input"], float)):
        return value, "expected a whole number, written without a point"
    family = kind.partition("_")[0]
    return value, f"expected {_KINDS[family]}" if family in _KINDS else str(error["msg"])


def _choice(found: str, choices: Sequence[str]) -> str:
    near = get_close_matches(found, choices, n=1)
    return f"expected {_listed(choices)}" + (f"; did you mean {near[0]}?" if near else "")


def _suggestion(key: str, allowed: Sequence[str], tree: dict[str, Any]) -> str:
    elsewhere = [".".join(path) for path in _everywhere(tree, tree, ()) if path[-1] == key]
    near = get_close_matches(key, allowed, n=1)
    if near:
        return f"did you mean {near[0]}?"
    if elsewhere:
        return f"did you mean {elsewhere[0]}?"
    return f"expected one of {', '.join(allowed)}"


def _listed(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _split(expected: str) -> list[str]:
    """The members of pydantic's "'a', 'b' or 'c'"."""
    return [part.strip() for part in expected.replace(" or ", ", ").split(",")]


def _resolved(tree: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """A node itself, or what it refers to; of a union that may be null, the union."""
    while True:
        unions = [each for each in node.get("anyOf", []) if "discriminator" in each]
        if "$ref" in node:
            node = tree["$defs"][node["$ref"].rpartition("/")[2]]
        elif unions:
            node = unions[0]
        else:
            return node


def _members(tree: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    node = _resolved(tree, node)
    return [_resolved(tree, each) for each in node.get("oneOf", node.get("anyOf", [node]))]


def _at(tree: dict[str, Any], loc: Sequence[str | int]) -> dict[str, Any]:
    """The part of the JSON Schema that an error's location leads to; empty where it leads nowhere."""
    node = tree
    for key in loc:
        node = _resolved(tree, node)
        mapping = node.get("discriminator", {}).get("mapping", {})
        if key in mapping:
            node = {"$ref": mapping[key]}
            continue
        for member in _members(tree, node):
            inside = member.get("properties", {}).get(key) or (isinstance(key, int) and member.get("items"))
            if inside:
                node = inside
                break
        else:
            return {}
    return _resolved(tree, node)


def _keys(tree: dict[str, Any], loc: Sequence[str | int]) -> list[str]:
    return list(_at(tree, loc).get("properties", {}))


def _tags(tree: dict[str, Any], loc: Sequence[str | int]) -> list[str]:
    return list(_at(tree, loc).get("discriminator", {}).get("mapping", {}))


def _example(tree: dict[str, Any], loc: Sequence[str | int]) -> str:
    types = {"integer": "int", "number": "float", "array": "list", "object": "model", "boolean": "bool"}
    node = _at(tree, loc)
    if "const" in node:
        return str(node["const"])
    kinds = [_KINDS[types.get(member.get("type", ""), "string")] for member in _members(tree, node)]
    return _listed(list(dict.fromkeys(kinds)))


def _everywhere(tree: dict[str, Any], node: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for member in _members(tree, node):
        for key, inside in member.get("properties", {}).items():
            yield (*path, key)
            yield from _everywhere(tree, inside, (*path, key))
