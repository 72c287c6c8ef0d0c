"""The codec between the main process and the speech workers."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.wire import MAX_BODY, Message, MessageReader, WireError

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=6,
)
_messages = st.builds(
    Message,
    st.text(st.characters(codec="utf-8"), max_size=10),
    st.integers(0, 2**63),
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), _values, max_size=3),
    st.binary(max_size=700),
)


@given(st.lists(_messages, max_size=4), st.integers(1, 50))
def test_messages_come_out_as_they_went_in_however_the_stream_is_cut(messages: list[Message], size: int) -> None:
    stream = b"".join(bytes(message) for message in messages)
    reader = MessageReader()
    heard = [m for start in range(0, len(stream), size) for m in reader.feed(stream[start : start + size])]
    assert heard == messages


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_message_or_one_kind_of_error(data: bytes) -> None:
    with suppress(WireError):
        MessageReader().feed(data)


@pytest.mark.parametrize("head", [b"{}", b"[1,2,{}]", b'["a",true,{}]', b'["a",1]', b"\xff", b"[" * 5000])
def test_a_head_that_is_none_is_an_error(head: bytes) -> None:
    with pytest.raises(WireError):
        MessageReader().feed(len(head).to_bytes(4, "big") + bytes(4) + head)


def test_what_is_too_long_is_refused_on_both_ends() -> None:
    with pytest.raises(WireError):
        bytes(Message("audio", 1, {}, bytes(MAX_BODY + 1)))
    with pytest.raises(WireError):
        MessageReader().feed(b"\xff" * 8)
