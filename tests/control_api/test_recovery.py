"""What a start makes of the calls that a killed server left behind."""

from __future__ import annotations

from pathlib import Path

from control_api.recovery import recover
from control_api.store import calls, deliveries, jobs
from control_api.store.calls import CallRow
from sipserver.protocols import Utterance
from tests.control_api.installation import START, Installation, add_agent, add_call, run

SECOND = 1_000_000
LATER = START + 3600 * SECOND


async def row_of(made: Installation, call_id: str) -> CallRow:
    row = await made.store.read(lambda connection: calls.get_any(connection, call_id))
    assert row is not None
    return row


def test_every_call_gets_the_end_that_fits(tmp_path: Path) -> None:
    repaired: list[str] = []

    def repair(path: Path) -> float | None:
        repaired.append(path.stem)
        if path.stem == damaged:
            raise ValueError("no RIFF header")
        return 42.5 if path.stem == recorded else None

    async def test(made: Installation) -> None:
        nonlocal recorded, damaged
        async with made.client() as client:
            agent = await add_agent(client, postCallWebhookUrl="https://x.example/hook")
            first = await add_call(client, agentId=agent["id"])
            same = {"agentId": agent["id"], "phoneNumberId": first["phoneNumberId"]}
            waiting, dialled, ringing, recorded, damaged, elsewhere = [first["id"]] + [
                (await add_call(client, **same))["id"] for _ in range(5)
            ]
        for call_id, node in (
            (dialled, "node"),
            (ringing, "node"),
            (recorded, "node"),
            (damaged, "node"),
            (elsewhere, "b"),
        ):
            await made.store.write(lambda connection, c=call_id, n=node: calls.begin_dialling(connection, c, n, START))
        await made.log.ringing(ringing, "r@x", START)
        for call_id in (recorded, damaged):
            await made.log.answered(call_id, "a@x", START + SECOND)
        await made.log.utterance(damaged, Utterance("user", "hi", 0, 9000))
        await made.log.captured(damaged, {"day": "Monday"})

        assert await recover(made.store, "node", made.log.recording_path, repair, LATER) == 4
        for call_id, status, reason, ended in (
            (waiting, "queued", None, None),
            (dialled, "failed", "node_lost", LATER),
            (ringing, "failed", "node_lost", LATER),
            (recorded, "completed", "node_lost", START + SECOND + 42_500_000),
            (damaged, "completed", "node_lost", START + SECOND + 9 * SECOND),
            (elsewhere, "queued", None, None),
        ):
            row = await row_of(made, call_id)
            assert (row.status, row.ended_reason, row.ended_at) == (status, reason, ended)
        assert (await row_of(made, damaged)).captured == {"day": "Monday"}
        assert set(repaired) == {dialled, ringing, recorded, damaged}
        (delivery,) = await made.store.read(lambda connection: deliveries.of_call(connection, recorded))
        assert (delivery.state, delivery.url) == ("waiting", "https://x.example/hook")
        claimed = await made.store.write(
            lambda connection: jobs.claim(connection, "n", ["dial", "recording", "analyse"], 50, now=LATER, lease=1)
        )
        assert {(job.kind, job.payload["callId"]) for job in claimed} == {
            ("dial", waiting),
            ("dial", elsewhere),
            ("analyse", dialled),
            ("analyse", ringing),
            ("recording", recorded),
            ("recording", damaged),
        }

    recorded = damaged = ""
    run(tmp_path, test)
