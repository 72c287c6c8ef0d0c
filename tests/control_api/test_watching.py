"""A call can be watched while it runs, and everything that is counted can be scraped."""

from __future__ import annotations

from pathlib import Path

from control_api.handlers.events import _stream
from control_api.metrics import Metrics
from control_api.quality_view import quality_fields
from media.call_report import Finding, MediaQuality
from sipserver.commands.calls import server_sent
from sipserver.protocols import CallEnd, CallStatus, EndedReason, LiveEvent, Utterance
from tests.control_api.installation import START, Installation, add_call, run

Told = list[tuple[str, object]]


FIGURES = {"mos": 4.1, "lossPercent": 2.0, "jitterMs": 8.0, "codec": "PCMA", "packetsReceived": 98}


def read(parts: list[str]) -> Told:
    lines = "".join(parts).splitlines()
    return [(kind, data.get("text") or data.get("status")) for kind, data in server_sent(lines)]


def test_what_was_before_and_what_comes_then_until_the_end(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        async with i.client() as client:
            call_id = (await add_call(client))["id"]
        await i.log.answered(call_id, "sip-1", START)
        await i.log.utterance(call_id, Utterance("assistant", "hello", 0, 500))
        stream = _stream(i.services, call_id)
        before = [await anext(stream), await anext(stream)]
        assert read(before) == [("utterance", "hello"), ("status", "in_progress")]
        i.log.publish(call_id, LiveEvent("partial", {"text": "i would"}))
        await i.log.utterance(call_id, Utterance("user", "i would", 600, 900))
        await i.log.ended(call_id, CallEnd(CallStatus.COMPLETED, EndedReason.CUSTOMER_ENDED, START))
        assert read([part async for part in stream]) == [
            ("partial", "i would"),
            ("utterance", "i would"),
            ("status", "completed"),
        ]
        assert read([part async for part in _stream(i.services, call_id)]) == [
            ("utterance", "hello"),
            ("utterance", "i would"),
            ("status", "completed"),
        ]

    run(tmp_path, test)


def test_only_calls_of_ones_own_can_be_watched(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        async with i.client() as client, i.client("other") as other:
            call_id = (await add_call(client))["id"]
            assert (await other.get(f"/v1/calls/{call_id}/events")).status_code == 404

    run(tmp_path, test)


def test_events_are_counted_and_scraped_without_a_key(tmp_path: Path) -> None:
    metrics = Metrics(live=lambda: 3, capacity=lambda: 7)
    for kind, data in (
        ("status", {"status": "in_progress", "endedReason": None}),
        ("turn", {"latencyMs": 240}),
        ("barge_in", {}),
        ("problem", {"part": "tts", "message": "…"}),
        ("quality", {**quality_fields(MediaQuality(findings=(Finding.NO_SPEECH,), round_trip_ms=40.0)), **FIGURES}),
        ("status", {"status": "completed", "endedReason": "agent_ended"}),
    ):
        metrics.observe("a call", LiveEvent(kind, data))

    async def test(i: Installation) -> None:
        async with i.client("nobody") as client:
            text = (await client.get("/metrics")).text
        for line in (
            "antiphon_calls_live 3.0",
            "antiphon_calls_room 7.0",
            "antiphon_calls_answered_total 1.0",
            'antiphon_calls_ended_total{reason="agent_ended",status="completed"} 1.0',
            'antiphon_turn_seconds_bucket{le="0.3"} 1.0',
            "antiphon_barge_ins_total 1.0",
            'antiphon_problems_total{part="tts"} 1.0',
            'antiphon_media_mos_bucket{codec="PCMA",le="4.2"} 1.0',
            'antiphon_media_loss_percent_sum{codec="PCMA"} 2.0',
            'antiphon_media_jitter_seconds_bucket{codec="PCMA",le="0.01"} 1.0',
            'antiphon_media_round_trip_seconds_sum{codec="PCMA"} 0.04',
            'antiphon_media_findings_total{finding="no_speech"} 1.0',
        ):
            assert line in text

    run(tmp_path, test, metrics=metrics)
