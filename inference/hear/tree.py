"""The tree of a `hear` phrase."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word, in the form of `words.words_of`."""

    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the parts: `(one|another)`."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Optional:
    """The part, or nothing: `[part]`."""

    part: Node


@dataclass(frozen=True, slots=True)
class Repeat:
    """The part, once or more. Only the built-in kinds use it."""

    part: Node


@dataclass(frozen=True, slots=True)
class Capture:
    """`<type:name>`: words of a built-in kind (`inference.hear.kinds`), kept as `name`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ListCapture:
    """`<name: red|green>`: one of the options, kept as `name` in the author's own spelling."""

    name: str
    options: tuple[tuple[str, Node], ...]


Node = Word | Sequence | Choice | Optional | Repeat | Capture | ListCapture


@dataclass(frozen=True, slots=True)
class Phrase:
    """A parsed phrase: `text` as it was written."""

    text: str
    root: Node

    def captures(self) -> tuple[str, ...]:
        """The names of everything it captures."""
        return tuple(node.name for node in walk(self.root) if isinstance(node, Capture | ListCapture))


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below a node."""
    match node:
        case Sequence(parts):
            return parts
        case Choice(options):
            return options
        case Optional(part) | Repeat(part):
            return (part,)
        case ListCapture(_, options):
            return tuple(option for _, option in options)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, in the order of the text."""
    yield node
    for child in children(node):
        yield from walk(child)


def can_be_empty(node: Node) -> bool:
    """Whether silence would match."""
    match node:
        case Optional():
            return True
        case Sequence(parts):
            return all(can_be_empty(part) for part in parts)
        case Choice(options):
            return any(can_be_empty(option) for option in options)
        case Repeat(part):
            return can_be_empty(part)
        case ListCapture(_, options):
            return any(can_be_empty(option) for _, option in options)
    return False


def vocabulary(node: Node) -> frozenset[str]:
    """The words written in a phrase; those of the built-in kinds are not among them."""
    return frozenset(part.text for part in walk(node) if isinstance(part, Word))
