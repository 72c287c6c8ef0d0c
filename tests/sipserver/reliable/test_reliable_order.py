"""Whatever a peer acknowledges, and whenever: what RFC 3262 section 3 promises of our provisional answers holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from sipserver.message import CSeq, Request, Response
from sipserver.message.extensions import RAck
from sipserver.transaction import Intervals, ServerTransaction, TimerQueue
from sipserver.useragent.reliable import ReliableAnswers

FIRST = 1000


@dataclass
class FakeRequest:
    """An INVITE of which only the CSeq counts."""

    cseq: CSeq = field(default_factory=lambda: CSeq(1, "INVITE"))


@dataclass
class FakeTransaction:
    """Takes the answers."""

    sent: list[int] = field(default_factory=list)
    request: Request = field(default_factory=lambda: cast(Request, FakeRequest()))

    def respond(self, response: Response) -> None:
        self.sent.append(int(response.headers.get("rseq") or 0))


deeds = st.lists(
    st.one_of(
        st.just("ring"),
        st.just("describe"),
        st.integers(FIRST - 1, FIRST + 8),
        st.floats(0.0, 40.0),
        st.just("settle"),
    ),
    max_size=40,
)


@given(deeds)
def test_one_at_a_time_in_order_and_held_until_it_is_acknowledged(what: list[str | int | float]) -> None:
    transaction, timers, lost = FakeTransaction(), TimerQueue(), []
    answers = ReliableAnswers(
        cast(ServerTransaction, transaction), timers, Intervals(), FIRST, lambda: lost.append(timers.now)
    )
    acknowledged, described, settled = FIRST - 1, 0, False
    bodies: dict[int, bool] = {}
    for deed in what:
        before = len(transaction.sent)
        if deed in ("ring", "describe") and not settled:
            answers.send(Response(183, "", body=b"v=0" if deed == "describe" else b""))
            described += deed == "describe"
        elif isinstance(deed, int):
            open_now = bool(transaction.sent) and transaction.sent[-1] == acknowledged + 1
            response = answers.acknowledge(RAck(deed, 1, "INVITE"))
            assert (response is not None) == (open_now and deed == acknowledged + 1)
            acknowledged += response is not None
            bodies[deed] = bool(response and response.body) or bodies.get(deed, False)
        elif isinstance(deed, float):
            timers.run(timers.now + deed)
        elif deed == "settle":
            settled = True
            answers.settle()
        # Every number once until its PRACK, then the next; nothing more when all is settled or lost.
        assert all(number in (acknowledged, acknowledged + 1) for number in transaction.sent[before:])
        settled = settled or bool(lost)
        if answers.holds_back:
            assert described
    assert transaction.sent == sorted(transaction.sent)
    assert len(lost) <= 1
    assert answers.described == any(bodies.values())
    if settled:
        sent = len(transaction.sent)
        timers.run(timers.now + 100.0)
        assert len(transaction.sent) == sent
