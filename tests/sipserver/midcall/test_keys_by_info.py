"""Requests in a call that are about no session: keys by INFO, packages that are not here, MESSAGE."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.legs import KeyPressed
from sipserver.message import Headers, Request
from sipserver.useragent.keys import NoKey, key_of_info
from tests.sipserver.midcall.dialogs import called


def info(kind: str, body: bytes) -> Request:
    return Request("INFO", "sip:us@192.0.2.1", Headers([("Content-Type", kind)]), body)


@pytest.mark.parametrize(
    ("kind", "body", "key", "ms"),
    [
        ("application/dtmf-relay", "Signal=5\r\nDuration=250\r\n", "5", 250),
        ("application/dtmf-relay", "Signal= *\nDuration= 100", "*", 100),
        ("Application/DTMF-Relay; charset=utf-8", "signal=a\r\n", "A", 160),
        ("application/dtmf-relay", "Signal=11\r\nDuration=abc", "#", 160),
        ("application/dtmf-relay", "Signal=10\r\nDuration=0", "*", 160),
        ("application/dtmf-relay", "Duration=99999999\r\nSignal=0", "0", 10_000),
        ("application/dtmf", "7", "7", 160),
        ("application/dtmf", "#\r\n", "#", 160),
    ],
)
def test_a_key(kind: str, body: str, key: str, ms: int) -> None:
    assert key_of_info(info(kind, body.encode())) == KeyPressed(key, ms)


@pytest.mark.parametrize("body", ["", "Duration=100", "Signal=", "Signal=55", "Signal=E", "Signal=\u00b2", "\x00"])
def test_no_key(body: str) -> None:
    with pytest.raises(NoKey) as fault:
        key_of_info(info("application/dtmf-relay", body.encode()))
    assert fault.value.status == 400


def test_a_hook_flash_is_no_key_and_no_fault() -> None:
    assert key_of_info(info("application/dtmf-relay", b"Signal=16")) is None


@given(st.binary(max_size=64), st.sampled_from(["application/dtmf-relay", "application/dtmf", "text/plain", ""]))
def test_whatever_comes_it_is_a_key_or_none_or_one_error(body: bytes, kind: str) -> None:
    try:
        pressed = key_of_info(info(kind, body))
    except NoKey:
        return
    assert pressed is None or (len(pressed.digit) == 1 and 0 < pressed.duration_ms <= 10_000)


def test_in_the_dialog() -> None:
    script = called()
    script.run(
        """
        1.000  <  INFO cseq=2 Content-Type=application/dtmf-relay body="Signal=5"
        1.000  >  200 method=INFO
        1.000  *  KeyPressed 5 160
        1.000  <  INFO cseq=2 Content-Type=application/dtmf-relay body="Signal=5"   # again: the 200 was lost
        1.000  >  200 method=INFO
        1.100  <  INFO cseq=3 Content-Type=application/dtmf body=nonsense
        1.100  >  400
        1.200  <  INFO cseq=4 Content-Type=application/vnd.example+xml
        1.200  >  415
        1.300  <  INFO cseq=5 Info-Package=foo Content-Type=application/dtmf body=1
        1.300  >  469
        1.350  <  INFO cseq=51 Content-Type=message/sipfrag body=hello
        1.350  >  415 Accept="application/dtmf-relay, application/dtmf"
        1.400  <  MESSAGE cseq=60 Content-Type=text/plain body=hello
        1.400  >  405
        1.500  <  INFO cseq=70
        1.500  >  200
        """
    )
    refused = script.last("469")
    assert refused.headers.get("recv-info") == "", "no package of RFC 6086 is done, and that is said"
