"""The bench of the signalling against SIPp: a bench whose calls fail measures nothing."""

from __future__ import annotations

import pytest

from sipserver.bench.sip import Mode, bench_sip
from sipserver.bench.sipp import Transport
from tests.peers.sipp import needs_sipp

pytestmark = [pytest.mark.peer, needs_sipp]


@pytest.mark.parametrize(("mode", "transport"), [("signalling", "tcp"), ("rows", "udp")])
def test_calls_of_the_bench_go_well(mode: Mode, transport: Transport) -> None:
    figures = bench_sip(10, 1, mode, transport)
    for who in ("antiphon", "sipp_uas"):
        assert (figures[who]["successful"], figures[who]["failed"]) == (10, 0), who
        assert figures[who]["answer_ms"]["p95"] >= figures[who]["answer_ms"]["p50"]
