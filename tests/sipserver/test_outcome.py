"""What a final answer to our INVITE means to whoever placed the call."""

from __future__ import annotations

import pytest

from sipserver.message import Response
from sipserver.message.headers import Headers
from sipserver.outcome import refused
from sipserver.protocols import EndedReason
from sipserver.useragent.addressing import q850_cause


@pytest.mark.parametrize(
    ("code", "cause", "reason"),
    [
        (486, None, EndedReason.BUSY),
        (600, None, EndedReason.BUSY),
        (404, None, EndedReason.INVALID_NUMBER),
        (480, None, EndedReason.NO_ANSWER),
        (480, 17, EndedReason.BUSY),
        (480, 21, EndedReason.REJECTED),
        (500, 1, EndedReason.INVALID_NUMBER),
        (503, 34, EndedReason.TRUNK_UNAVAILABLE),
        (603, None, EndedReason.REJECTED),
        (603, 17, EndedReason.BUSY),
        (607, None, EndedReason.BLOCKED),
        (608, 21, EndedReason.BLOCKED),
        (486, 1, EndedReason.BUSY),
        (480, 999, EndedReason.NO_ANSWER),
        (302, None, EndedReason.REJECTED),
    ],
)
def test_a_code_and_the_cause_beside_it(code: int, cause: int | None, reason: EndedReason) -> None:
    outcome = refused(code, "No", cause)
    assert (outcome.reason, outcome.sip_code) == (reason, code)


@pytest.mark.parametrize("cause", [None, 21])
def test_a_603_of_the_network_is_not_the_callees(cause: int | None) -> None:
    """livekit/sip #737, ATIS-1000099: nothing but the reason phrase tells the block of an analytics engine from a decline."""
    assert refused(603, "Network Blocked", cause).reason is EndedReason.BLOCKED
    assert refused(603, "Decline", cause).reason is EndedReason.REJECTED


def test_a_ringing_that_somebody_else_gave_up_is_no_answer() -> None:
    assert refused(487, "Request Terminated").reason is EndedReason.NO_ANSWER


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ([], None),
        (["Q.850;cause=17"], 17),
        (['SIP;cause=486;text="Busy", q.850 ; cause = 17 ; text="User busy"'], 17),
        (['Q.850;text="a";cause=1'], 1),
        (["Q.850"], None),
        (["SIP;cause=480"], None),
        (["Q.850;cause=many"], None),
    ],
)
def test_the_cause_of_the_telephone_network(lines: list[str], cause: int | None) -> None:
    assert q850_cause(Response(480, "No", Headers([("Reason", line) for line in lines]))) == cause
