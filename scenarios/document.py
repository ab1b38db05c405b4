"""A YAML file as plain data that remembers its lines, and the overrides of the command line.

Read by the core schema of YAML 1.2: `no` is a word and 1e-3 a number, unlike in YAML 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scenarios.errors import ScenarioError

KeyPath = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """The safe loader, without the readings of YAML 1.1 (yes, on, 1:30, dates)."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))  # 010 is ten


@dataclass
class Document:
    """Plain data (dicts with text keys, lists, scalars) and where each part of it stands."""

    file: str
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    overrides: dict[KeyPath, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """`file:line` of a key, of the nearest key around it where it has none; or the override that set it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.overrides:
                return f"--set {self.overrides[path[:length]]}"
            if path[:length] in self.lines:
                return f"{self.file}:{self.lines[path[:length]]}"
        return self.file


def read(path: Path) -> Document:
    """Parse a file. Raises `ScenarioError` where it cannot be read, is no YAML mapping, or repeats a key."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ScenarioError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read ({error.strerror or error})") from error
    document = Document(str(path), {})
    data = _parse(text, document)
    if not isinstance(data, dict):
        found = "is empty" if data is None else f"holds {shown(data)}"
        raise ScenarioError(f"{path}: {found}, expected a mapping of keys such as `version: 1`")
    document.data = data
    return document


def override(document: Document, assignments: Sequence[str]) -> None:
    """Apply `a.b.0.c=value` to the data, values read as YAML. Raises `ScenarioError`."""
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not all(name.strip().split(".")):
            raise ScenarioError(f"--set {assignment}: expected KEY=VALUE, such as cloud.replicas=4")
        value = _parse(text, Document(f"--set {assignment}", {}))
        path: KeyPath = ()
        node: Any = document.data
        keys = name.strip().split(".")
        for depth, key in enumerate(keys):
            step = _step(node, key, assignment, path)
            path = (*path, step)
            if depth == len(keys) - 1:
                node[step] = value
            else:
                if isinstance(node, dict) and node.get(key) is None:
                    node[key] = {}
                node = node[step]
        for table in (document.lines, document.overrides):
            for old in [old for old in table if old[: len(path)] == path]:
                del table[old]
        document.overrides[path] = assignment


def shown(value: object) -> str:
    """A value as one short piece of YAML."""
    text = str(yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9))
    text = text.removesuffix("\n").removesuffix("...").removesuffix("\n")
    return text if len(text) <= 60 else f"{text[:57]}..."


def _step(node: Any, key: str, assignment: str, path: KeyPath) -> str | int:
    where = ".".join(map(str, path))
    if isinstance(node, dict):
        return key
    if isinstance(node, list):
        if key.isdecimal() and int(key) < len(node):
            return int(key)
        raise ScenarioError(
            f"--set {assignment}: {where} has {len(node)} entries, {key!r} is none of 0 .. {len(node) - 1}"
        )
    raise ScenarioError(f"--set {assignment}: {where} is {shown(node)}, which has no keys")


def _parse(text: str, document: Document) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return None if node is None else _plain(loader, node, (), document, [])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{document.file}:{mark.line + 1}" if mark and document.file[:2] != "--" else document.file
        problem = str(error.problem or error.context)
        if "'\\t'" in problem:
            problem = "a tab, expected spaces (YAML is indented with spaces)"
        raise ScenarioError(f"{place}: is not YAML: {problem}") from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"{document.file}: is not YAML: {str(error).splitlines()[0]}") from error
    finally:
        loader.dispose()


def _plain(loader: _Loader, node: yaml.Node, path: KeyPath, document: Document, around: list[yaml.Node]) -> Any:
    """The node's data; notes the line of each key. Keys stay as they are written."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if any(node is outer for outer in around):
        raise yaml.constructor.ConstructorError(None, None, "an alias to what surrounds it", node.start_mark)
    if isinstance(node, yaml.CollectionNode) and node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
        raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag}", node.start_mark)
    around = [*around, node]
    if isinstance(node, yaml.MappingNode):
        own = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key.start_mark)
            if own.count(key.value) > 1:
                second = [other for other, _ in node.value if other.value == key.value][1].start_mark
                raise ScenarioError(f"{document.file}:{second.line + 1}: key {key.value!r} stands here a second time")
        loader.flatten_mapping(node)  # `<<`, where a key of its own comes last and wins
        data = {}
        for key, value in node.value:
            document.lines[(*path, key.value)] = key.start_mark.line + 1
            data[key.value] = _plain(loader, value, (*path, key.value), document, around)
        return data
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, each, (*path, place), document, around) for place, each in enumerate(node.value)]
    return loader.construct_object(node)
