"""Every key that a scenario can have, read off the schema: all blocks, and all members of all unions.

A key's path names the members it lies in: `network.mix[wifi].stalls[uniform].share`; `fleet.hardware[].watts` where a
list holds blocks of one sort only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from annotated_types import MinLen

from scenarios.schema.base import Block

Document = dict[str, Any]
Typical = Mapping[type[Block], Document]
"""Keys that a block is given where it stands in for its sort: those it demands, and those that let it be seen."""


@dataclass(frozen=True)
class Step:
    """A block on the way to a key: under which name, which member of a union, and whether in a list."""

    name: str
    kind: str | None
    block: type[Block]
    many: bool

    def typical(self, typical: Typical) -> Document:
        """A block of this sort as a document."""
        return copy.deepcopy({**({} if self.kind is None else {"kind": self.kind}), **typical.get(self.block, {})})


@dataclass(frozen=True)
class Key:
    """A key and the way to it. choices: all it can have where these can be counted, blocks as steps; else empty."""

    path: str
    way: tuple[Step, ...]
    name: str
    choices: tuple[Any, ...]

    def put(self, document: Document, value: Any, typical: Typical) -> None:
        """Set it in a scenario as plain data; blocks on the way that are absent, or of another kind, become typical."""
        node = document
        for step in self.way:
            there = node.get(step.name)
            if step.many:
                there = there[0] if there else None
            if not isinstance(there, dict) or step.kind not in (None, there.get("kind")):
                there = step.typical(typical)
                node[step.name] = [there] if step.many else there
            node = there
        if isinstance(value, Step):
            value = [value.typical(typical)] if value.many else value.typical(typical)
        node[self.name] = copy.deepcopy(value)


def keys(block: type[Block], way: tuple[Step, ...] = (), at: str = "") -> Iterator[Key]:
    """All keys of a block and of what lies in it."""
    for name, field in block.model_fields.items():
        path = f"{at}.{name}" if at else name
        blocks, many = _blocks(field.annotation), _is_tuple(field.annotation)
        if not blocks:
            if not (name == "kind" and way and way[-1].kind is not None):  # that is the key of the union
                yield Key(path, way, name, _values(field.annotation))
        elif len(blocks) == 1 and not many:
            yield from keys(blocks[0], (*way, Step(name, None, blocks[0], False)), path)
        else:
            steps = [Step(name, kind, each, many) for each in blocks for kind in _kinds(each)]
            may_lack = many and not any(isinstance(each, MinLen) for each in field.metadata)
            yield Key(path, way, name, tuple([()] * may_lack + steps))
            for step in steps:
                if step.block not in (outer.block for outer in way):  # rules of rules are walked once
                    yield from keys(step.block, (*way, step), f"{path}[{step.kind or ''}]")


def _blocks(annotation: Any) -> list[type[Block]]:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return [annotation]
    return [block for each in get_args(annotation) for block in _blocks(each)]


def _is_tuple(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(_is_tuple(each) for each in get_args(annotation))


def _kinds(block: type[Block]) -> tuple[str | None, ...]:
    kind = block.model_fields.get("kind")
    return (None,) if kind is None else get_args(kind.annotation)


def _values(annotation: Any) -> tuple[Any, ...]:
    if annotation is bool:
        return (False, True)
    return get_args(annotation) if get_origin(annotation) is Literal else ()
