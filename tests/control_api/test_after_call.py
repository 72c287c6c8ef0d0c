"""What follows a call: its recording, its analysis, its webhook, one after the other, each once; and how calls are placed and expire."""

from __future__ import annotations

import errno
import json
import wave
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from control_api.analysis_job import AnalysisJob
from control_api.dial_job import DialJob
from control_api.egress import Answer, EgressFailed, EgressRefused
from control_api.encoding import Encoder, Keyed
from control_api.jobs import SECOND
from control_api.recording_job import RecordingJob
from control_api.store import deliveries, jobs, outbox
from control_api.store.deliveries import DeliveryRow
from control_api.store.jobs import Claim
from control_api.webhook_signature import sign
from control_api.webhooks import DELAYS, WebhookSender
from media.call_report import MediaReport
from sipserver.protocols import (
    Analysis,
    CallEnd,
    CallStatus,
    ConversationEnd,
    EndedReason,
    FinishedCall,
    InboundCall,
    Utterance,
)
from tests.control_api.installation import START, Installation, add_agent, add_call, add_number, run

URL = "https://hooks.example.com/call"
SECRET = "shared with the receiver"


@dataclass
class Receiver:
    """Answers as it is told, the last answer for ever; remembers what came."""

    answers: list[int | Exception]
    came: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.came.append((url, body, headers))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer, b"")


@dataclass
class Reader:
    """An analyst; `failures` times it cannot be reached."""

    failures: int = 0
    read: list[FinishedCall] = field(default_factory=list)

    async def analyse(self, call: FinishedCall) -> Analysis:
        self.read.append(call)
        if self.failures:
            self.failures -= 1
            raise OSError("no route to the language model")
        return Analysis("They agreed.", {"confirmed": True})


async def ended_call(i: Installation, **agent: Any) -> str:
    """An inbound call, answered, spoken on and over; its id."""
    async with i.client() as client:
        made = await add_agent(client, postCallWebhookUrl=URL, postCallWebhookSecret=SECRET, **agent)
        number = await add_number(client, agentId=made["id"])
    route = await i.directory.route(number["number"], i.directory.trunks_of("192.0.2.10"))
    assert route is not None
    call_id = "5d0ffd9c-6d36-4a53-9a2a-40d1a3f8c001"
    await i.log.begin(InboundCall(call_id, route, "+12025550123", "sip-1", START))
    await i.log.answered(call_id, "sip-1", START + SECOND)
    await i.log.utterance(call_id, Utterance("assistant", "Can you make it?", 20, 1500))
    await i.log.utterance(call_id, Utterance("user", "yes i can", 1800, 2600))
    end = CallEnd(
        CallStatus.COMPLETED,
        EndedReason.AGENT_ENDED,
        START + 4 * SECOND,
        media=MediaReport(150, 150, 0, 0, 0.2, 4.4, "PCMU", 24000),
        conversation=ConversationEnd(EndedReason.AGENT_ENDED, {"confirmed": True}, 1, (140,)),
    )
    await i.log.ended(call_id, end)
    return call_id


def write_wav(i: Installation, call_id: str) -> None:
    with wave.open(i.log.recording_path(call_id), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.zeros(2 * 24000, "<i2").tobytes())


def no_room(source: Keyed, target: Keyed, name: str) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def claim(i: Installation, kind: str) -> Claim | None:
    taken = await i.store.write(
        lambda connection: jobs.claim(connection, "node", (kind,), 1, now=i.clock(), lease=60 * SECOND)
    )
    return taken[0] if taken else None


async def must_claim(i: Installation, kind: str) -> Claim:
    job = await claim(i, kind)
    assert job is not None, f"no job of kind {kind} is due"
    return job


def recording_job(i: Installation) -> RecordingJob:
    return RecordingJob(i.store, i.folder.recordings, i.services.encoder, i.clock, i.services.link_until)


def analysis_job(i: Installation, reader: Reader) -> AnalysisJob:
    return AnalysisJob(i.store, reader, i.services.links, i.clock, i.services.link_until)


def sender(i: Installation, receiver: Receiver, hmac_header: str | None = None) -> WebhookSender:
    return WebhookSender(i.store, receiver, i.services.box, i.clock, hmac_header)  # type: ignore[arg-type]


async def delivery_of(i: Installation, call_id: str) -> DeliveryRow:
    (row,) = await i.store.read(lambda connection: deliveries.of_call(connection, call_id))
    return row


async def to_the_webhook(i: Installation, call_id: str) -> None:
    await recording_job(i).handle(await must_claim(i, outbox.RECORDING))
    await analysis_job(i, Reader()).handle(await must_claim(i, outbox.ANALYSE))


def test_recording_analysis_webhook(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        call_id = await ended_call(i)
        write_wav(i, call_id)
        assert await claim(i, outbox.ANALYSE) is None
        await recording_job(i).handle(await must_claim(i, outbox.RECORDING))
        assert (i.folder.recordings / f"{call_id}.mp3").stat().st_size > 0
        reader, receiver = Reader(), Receiver([204])
        await analysis_job(i, reader).handle(await must_claim(i, outbox.ANALYSE))
        assert [item.text for item in reader.read[0].transcript] == ["Can you make it?", "yes i can"]
        await sender(i, receiver, "X-Hmac").handle(await must_claim(i, outbox.WEBHOOK))
        ((url, body, headers),) = receiver.came
        assert url == URL
        row = await delivery_of(i, call_id)
        assert (row.state, row.attempts, row.last_status) == ("delivered", 1, 204)
        timestamp = int(headers["webhook-timestamp"])
        assert sign(SECRET, row.id, timestamp, body, "X-Hmac").items() <= headers.items()
        await check_payload(i, json.loads(body), call_id)
        assert await claim(i, outbox.WEBHOOK) is None

    run(tmp_path, test)


def test_a_disk_too_full_to_encode_holds_up_neither_analysis_nor_webhook(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        call_id = await ended_call(i)
        write_wav(i, call_id)
        await recording_job(i).handle(await must_claim(i, outbox.RECORDING))
        assert [path.name for path in i.folder.recordings.iterdir()] == [f"{call_id}.wav"]
        await must_claim(i, outbox.ANALYSE)
        async with i.client() as client:
            assert (await client.get(f"/v1/calls/{call_id}")).json()["data"]["recordingUrl"] is not None
            path = f"/v1/calls/{call_id}/recording"
            refused = await client.get(path)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
            assert "?format=wav" in refused.json()["error"]
            wav = await client.get(path, params={"format": "wav"}, headers={"Range": "bytes=0-3"})
            assert (wav.status_code, wav.content) == (206, b"RIFF")

    run(tmp_path, test, encoder=Encoder(no_room))


async def check_payload(i: Installation, payload: dict[str, Any], call_id: str) -> None:
    async with i.client() as client:
        call = (await client.get(f"/v1/calls/{call_id}")).json()["data"]
    assert payload["event"] == "call.completed"
    assert (payload["callId"], payload["duration"], payload["durationSeconds"]) == (call_id, 3, 3)
    assert (payload["summary"], payload["extractedData"]) == ("They agreed.", {"confirmed": True})
    assert payload["analysis"] == call["analysis"] == {"summary": "They agreed.", "extractions": {"confirmed": True}}
    same = "organizationId agentId phoneNumberId direction status customerNumber startedAt endedAt recordingUrl transcript turnCount cost"
    for name in (*same.split(), "contextVariables", "metadata", "endedReason", "optOut"):
        assert payload[name] == call[name], name
    async with i.client("nobody") as anybody:
        by_link = await anybody.get(payload["recordingUrl"])
        assert (by_link.status_code, by_link.headers["content-type"]) == (200, "audio/mpeg")
        assert (await anybody.get(payload["transcriptUrl"])).json()["data"]["transcript"] == call["transcript"]
        part = await anybody.get(payload["recordingUrl"], headers={"Range": "bytes=0-9"})
        assert (part.status_code, len(part.content)) == (206, 10)
        assert (await anybody.get(payload["recordingUrl"][:-2])).status_code == 401


def test_a_call_without_a_recording_has_no_link(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        call_id = await ended_call(i)
        await to_the_webhook(i, call_id)
        payload = json.loads((await delivery_of(i, call_id)).payload or "")
        assert payload["recordingUrl"] is None
        async with i.client() as client:
            assert (await client.get(f"/v1/calls/{call_id}/recording")).status_code == 404

    run(tmp_path, test)


def test_the_same_text_and_id_go_out_until_it_is_taken(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        call_id = await ended_call(i)
        await to_the_webhook(i, call_id)
        receiver = Receiver([500, EgressFailed("no answer within 15 s"), 302, 200])
        webhook = sender(i, receiver)
        for attempt in range(4):
            await webhook.handle(await must_claim(i, outbox.WEBHOOK))
            if attempt < 3:
                assert await claim(i, outbox.WEBHOOK) is None
                i.clock.at += int(DELAYS[attempt] * 1.1 * SECOND)
        assert len({body for _, body, _ in receiver.came}) == 1
        assert len({headers["webhook-id"] for _, _, headers in receiver.came}) == 1
        row = await delivery_of(i, call_id)
        assert (row.state, row.attempts) == ("delivered", 4)

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("answer", "error"), [(410, None), (EgressRefused("is a private address"), "is a private address")]
)
def test_these_end_it(tmp_path: Path, answer: int | Exception, error: str | None) -> None:
    async def test(i: Installation) -> None:
        call_id = await ended_call(i)
        await to_the_webhook(i, call_id)
        await sender(i, Receiver([answer])).handle(await must_claim(i, outbox.WEBHOOK))
        row = await delivery_of(i, call_id)
        assert (row.state, row.last_error) == ("failed", error)
        i.clock.at += 10**12
        assert await claim(i, outbox.WEBHOOK) is None

    run(tmp_path, test)


def test_after_the_last_try_it_is_given_up(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        call_id = await ended_call(i)
        await to_the_webhook(i, call_id)
        webhook = sender(i, Receiver([503]))
        for _ in range(len(DELAYS) + 1):
            await webhook.handle(await must_claim(i, outbox.WEBHOOK))
            i.clock.at += 48 * 3600 * SECOND
        row = await delivery_of(i, call_id)
        assert (row.state, row.attempts) == ("failed", len(DELAYS) + 1)
        assert await claim(i, outbox.WEBHOOK) is None

    run(tmp_path, test)


def test_an_analyst_out_of_reach_is_asked_again_and_then_done_without(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        call_id = await ended_call(i)
        await recording_job(i).handle(await must_claim(i, outbox.RECORDING))
        analyse = analysis_job(i, Reader(failures=99))
        for _ in range(4):
            assert await claim(i, outbox.WEBHOOK) is None
            await analyse.handle(await must_claim(i, outbox.ANALYSE))
            i.clock.at += 3600 * SECOND
        payload = json.loads((await delivery_of(i, call_id)).payload or "")
        assert payload["analysis"] == {"summary": None, "extractions": {"confirmed": True}}
        assert await claim(i, outbox.WEBHOOK) is not None

    run(tmp_path, test)


def dial_job(i: Installation) -> DialJob:
    return DialJob(i.store, i.log, i.phone, i.directory, "node", i.clock)


def test_a_queued_call_is_dialled_once(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        async with i.client() as client:
            call = await add_call(client)
        dial = dial_job(i)
        assert dial.places(0) == 10
        await dial.dial(await must_claim(i, outbox.DIAL))
        assert i.phone.live == {call["id"]}
        i.clock.at += 7200 * SECOND
        assert await claim(i, outbox.DIAL) is None
        await dial.expire(await must_claim(i, outbox.EXPIRE))
        async with i.client() as client:
            assert (await client.get(f"/v1/calls/{call['id']}")).json()["data"]["status"] == "queued"

    run(tmp_path, test)


def test_a_call_stays_in_the_queue_while_its_trunk_has_no_room(tmp_path: Path) -> None:
    """No channel is free, then the pace is too fast; neither is an attempt, and the call is still dialled once."""

    async def test(i: Installation) -> None:
        async with i.client() as client:
            call = await add_call(client)
            number = (await client.get(f"/v1/phone-numbers/{call['phoneNumberId']}")).json()["data"]
            await client.patch(f"/v1/trunks/{number['trunkId']}", json={"maxChannels": 1})
            dial = dial_job(i)
            i.phone.trunk_waits = [2.0, 0.5]
            for seconds in (2.0, 0.5):
                await dial.dial(await must_claim(i, outbox.DIAL))
                assert await claim(i, outbox.DIAL) is None
                i.clock.at += round(seconds * SECOND)
            assert (await client.get(f"/v1/calls/{call['id']}")).json()["data"]["status"] == "queued"
            assert not i.phone.live
            await dial.dial(await must_claim(i, outbox.DIAL))
        assert i.phone.live == {call["id"]}

    run(tmp_path, test)


def test_a_call_that_waited_too_long_expires(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        async with i.client() as client:
            call = await add_call(client, maxQueueSeconds=60)
            assert await claim(i, outbox.EXPIRE) is None
            i.clock.at += 61 * SECOND
            await dial_job(i).expire(await must_claim(i, outbox.EXPIRE))
            over = (await client.get(f"/v1/calls/{call['id']}")).json()["data"]
        assert (over["status"], over["endedReason"]) == ("failed", "expired")
        assert await claim(i, outbox.DIAL) is None
        assert not i.phone.live

    run(tmp_path, test)


def test_a_call_whose_agent_was_switched_off_is_not_dialled(tmp_path: Path) -> None:
    async def test(i: Installation) -> None:
        async with i.client() as client:
            call = await add_call(client)
            await client.patch(f"/v1/agents/{call['agentId']}", json={"isActive": False})
            await dial_job(i).dial(await must_claim(i, outbox.DIAL))
            over = (await client.get(f"/v1/calls/{call['id']}")).json()["data"]
        assert (over["status"], over["endedReason"]) == ("failed", "canceled")
        assert not i.phone.live

    run(tmp_path, test)
