"""Ways to spoil a message: bytes, lines, numbers and lengths, and parts of another message in it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]

NUMBER = re.compile(rb"\d+")
NUMBERS = (b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"4294967295", b"4294967296", b"9" * 40, b"", b"1e9")
FRAGMENTS = (
    *(
        b"\r\n",
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"\x00",
        b"\xff",
        b"\xc3\x28",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"<",
        b">",
        b'"',
        b"\\",
    ),
    *(b"%", b"%00", b"@", b"=", b"?", b"*", b"sip:", b"tel:1", b"sips:", b";lr", b";tag=", b";branch=", b"Via: x\r\n"),
    *(
        b"Route: <sip:a;lr>\r\n",
        b"Content-Length: 5\r\n",
        b"Require: 100rel\r\n",
        b"RSeq: 1\r\n",
        b"To: a\r\n",
        b"l: 99999\r\n",
    ),
    *(b"Session-Expires: 1\r\n", b"Replaces: x;to-tag=1;from-tag=2\r\n", b"Refer-To: <sip:a@b>\r\n", b"Expires: 0\r\n"),
)
METHODS = (
    *(b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"UPDATE", b"INFO", b"PRACK", b"NOTIFY", b"REFER", b"REGISTER"),
    *(b"SUBSCRIBE", b"MESSAGE", b"PUBLISH", b"invite", b"X"),
)
STATUSES = (
    b"100",
    b"180",
    b"183",
    b"200",
    b"202",
    b"300",
    b"401",
    b"407",
    b"420",
    b"422",
    b"481",
    b"487",
    b"491",
    b"503",
    b"699",
)


def _flip(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    found = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        found[chance.randrange(len(found))] = chance.randrange(256)
    return bytes(found)


def _insert(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(FRAGMENTS) * chance.choice((1, 1, 1, 2, 40)) + data[at:]


def _delete(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice((1, 2, 5, 20, 200)) :]


def _cut(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(1, len(data) + 1)]


def _number(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    places = list(NUMBER.finditer(data))
    if not places:
        return data
    place = chance.choice(places)
    return data[: place.start()] + chance.choice(NUMBERS) + data[place.end() :]


def _lines(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """A line dropped, doubled, or moved."""
    lines = data.split(b"\r\n")
    at = chance.randrange(len(lines))
    line = lines.pop(at)
    for _ in range(chance.choice((0, 1, 2))):
        lines.insert(chance.randrange(len(lines) + 1), line)
    return b"\r\n".join(lines)


def _borrowed(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """A line of another message in the place of one of this."""
    lines, strange = data.split(b"\r\n"), chance.choice(others).split(b"\r\n")
    lines[chance.randrange(len(lines))] = chance.choice(strange)
    return b"\r\n".join(lines)


def _spliced(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _method(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Another method, there and in the CSeq; or another status."""
    if data.startswith(b"SIP/2.0 "):
        return data[:8] + chance.choice(STATUSES) + data[11:]
    old, new = data.split(b" ", 1)[0], chance.choice(METHODS)
    return data.replace(old, new) if chance.random() < 0.8 else data.replace(old, new, 1)


def _nothing(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    return data


MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _insert,
    _delete,
    _cut,
    _number,
    _lines,
    _borrowed,
    _spliced,
    _method,
    _nothing,
)


def mutated(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """The message with one to three of these done to it. `others` are messages to borrow from."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        if data:
            data = chance.choice(MUTATIONS)(data, chance, others)
    return data
