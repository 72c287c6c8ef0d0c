"""Streams: messages whole, keep-alives reported, faults final."""

from __future__ import annotations

import pytest

from sipserver.message import MAX_MESSAGE, PING, PONG, MessageError, StreamFramer, parse

ONE = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\nContent-Length: 4\r\n\r\nbody"
TWO = b"SIP/2.0 200 OK\r\nl:\r\n 0\r\n\r\n"
BAD = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK2\r\n\r\n"


def _by_byte(data: bytes) -> list[bytes]:
    framer = StreamFramer()
    return [message for i in range(len(data)) for message in framer.feed(data[i : i + 1])]


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (ONE + TWO + ONE, [ONE, TWO, ONE]),
        (PING + ONE, [PING, ONE]),
        (PONG + ONE + PING + PING + TWO, [ONE, PING, PING, TWO]),
        (PING + PONG + ONE, [PING, ONE]),
        (ONE[:-1], []),
        (PONG, []),
        (PONG + b"\r", []),
        (b"", []),
        (TWO + ONE[:20], [TWO]),
    ],
)
def test_whole_buffer_and_byte_by_byte_are_alike(stream: bytes, messages: list[bytes]) -> None:
    assert StreamFramer().feed(stream) == messages
    assert _by_byte(stream) == messages


def test_a_pong_does_not_disturb_what_follows_later() -> None:
    framer = StreamFramer()
    assert framer.feed(PONG) == []
    assert framer.feed(ONE) == [ONE]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (BAD, 400),
        (BAD.replace(b"\r\n\r\n", b"\r\nl: 1\r\nContent-Length: 2\r\n\r\n"), 400),
        (BAD.replace(b"\r\n\r\n", b"\r\nl: x\r\n\r\n"), 400),
        (BAD.replace(b"\r\n\r\n", b"\r\nl: 65536\r\n\r\n"), 513),
        (b"x" * (MAX_MESSAGE + 1), 0),
        (b"\rx", 0),
        (TWO.replace(b"0\r\n\r\n", b"-1\r\n\r\n"), 0),
    ],
)
def test_a_fault_is_final_and_says_what_to_answer(data: bytes, status: int) -> None:
    framer = StreamFramer()
    with pytest.raises(MessageError) as caught:
        framer.feed(data)
    assert caught.value.status == status
    assert (caught.value.request is not None) == (status != 0)
    assert framer.error is caught.value
    with pytest.raises(MessageError):
        framer.feed(ONE)


def test_messages_before_a_fault_are_not_lost() -> None:
    framer = StreamFramer()
    assert framer.feed(ONE + BAD) == [ONE]
    assert framer.error is not None
    with pytest.raises(MessageError):
        framer.feed(b"")


def test_a_header_that_looks_like_content_length_is_none() -> None:
    data = b"OPTIONS sip:a@b SIP/2.0\r\nX-Content-Length: 9\r\nSubject: l: 7\r\n Content-Length: 8\r\nContent-Length: 2\r\n\r\nab"
    assert StreamFramer().feed(data) == [data]
    assert parse(data).body == b"ab"


def test_a_slow_stream_costs_no_more_than_its_length() -> None:
    body = b"x" * 40000
    data = ONE.replace(b"4\r\n\r\nbody", b"40000\r\n\r\n") + body
    assert _by_byte(data) == [data]
