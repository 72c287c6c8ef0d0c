"""The ladder: every message of a call once, in order, and nothing that must not be seen."""

from __future__ import annotations

import pytest

from sipserver.ladder import Ladder, masked_uri, summary_of
from sipserver.message import Headers, Response
from sipserver.protocols import LiveEvent
from tests.sipserver.call.fakes import Stage, invite, peer, until
from tests.virtual_time import run

Shown = list[tuple[str, LiveEvent]]


def a_ladder(size: int = 10) -> tuple[Ladder, Shown]:
    shown: Shown = []
    return Ladder(lambda call_id, event: shown.append((call_id, event)), size), shown


def response(status: int, reason: str) -> Response:
    return Response(status, reason, Headers([("CSeq", "1 INVITE")]))


def summaries(shown: Shown, call_id: str) -> list[str]:
    return [f"{event.data['direction']} {event.data['summary']}" for owner, event in shown if owner == call_id]


def test_what_came_before_the_call_was_known_is_shown_too() -> None:
    ladder, shown = a_ladder()
    ladder.tap("sip-1", "<", invite(peer().offer()))
    ladder.tap("sip-1", ">", response(100, "Trying"))
    assert shown == []
    ladder.watch("sip-1", "call-1")
    ladder.tap("sip-1", ">", response(180, "Ringing"))
    ladder.tap("sip-2", "<", invite(None))
    assert summaries(shown, "call-1") == ["< INVITE sip:+12*******00@192.0.2.1", "> 100 Trying", "> 180 Ringing"]
    assert shown[0][1].data == {
        "direction": "<",
        "summary": "INVITE sip:+12*******00@192.0.2.1",
        "cseq": "1 INVITE",
        "sdp": True,
    }
    assert len(shown) == 3


def test_calls_are_kept_apart() -> None:
    ladder, shown = a_ladder()
    ladder.watch("sip-1", "call-1")
    ladder.watch("sip-2", "call-2")
    ladder.tap("sip-2", "<", response(200, "OK"))
    ladder.tap("sip-1", "<", response(486, "Busy Here"))
    assert (summaries(shown, "call-1"), summaries(shown, "call-2")) == (["< 486 Busy Here"], ["< 200 OK"])


def test_strangers_do_not_fill_the_memory() -> None:
    ladder, shown = a_ladder(size=3)
    for i in range(100):
        ladder.tap(f"sip-{i}", "<", invite(None))
    for _ in range(100):
        ladder.tap("sip-99", ">", response(100, "Trying"))
    ladder.watch("sip-96", "call-96")
    assert shown == []
    ladder.watch("sip-97", "call-97")
    ladder.watch("sip-99", "call-99")
    assert len(summaries(shown, "call-97")) == 1
    assert len(summaries(shown, "call-99")) == 32


@pytest.mark.parametrize(
    ("uri", "seen"),
    [
        ("sip:+12025550123@198.51.100.7:5060;user=phone", "sip:+12*******23@198.51.100.7:5060"),
        ("sip:100:secret@pbx.example.com", "sip:100@pbx.example.com"),
        ("sip:+12025550123;phone-context=x@pbx.example.com", "sip:+12*******23@pbx.example.com"),
        ("sips:pbx.example.com?Authorization=secret", "sips:pbx.example.com"),
        ("tel:+12025550123;ext=77", "tel:+12*******23"),
    ],
)
def test_numbers_and_credentials_are_not_seen(uri: str, seen: str) -> None:
    assert masked_uri(uri) == seen


def test_numbers_in_reason_phrases_are_masked() -> None:
    assert summary_of(response(404, "No +12025550123 here")) == "404 No +12*******23 here"


def test_a_call_is_watched_from_its_first_message() -> None:
    async def scene() -> None:
        stage = Stage()
        request = invite(peer().offer())
        stage.ladder.tap("sip-1", "<", request)
        stage.ring(request)
        await until(1)
        await stage.calls.stop()
        stage.ladder.tap("sip-1", ">", response(200, "OK"))
        await stage.done()
        assert summaries(stage.log.published, "call-1") == ["< INVITE sip:+12*******00@192.0.2.1", "> 200 OK"]

    run(scene())
