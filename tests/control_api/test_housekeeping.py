"""What is cleared away, and what is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy as sa

from control_api.housekeeping import JOBS_KEPT, Housekeeping
from control_api.idempotency import LIFETIME
from control_api.services import DAY
from control_api.store import calls
from control_api.store.tables import idempotency, jobs
from tests.control_api.installation import START, Installation, add_agent, add_call, run
from tests.control_api.test_after_call import ended_call, must_claim, recording_job, write_wav


def keeper(made: Installation) -> Housekeeping:
    return Housekeeping(made.store, made.folder.recordings, made.clock)


async def recorded_call(made: Installation, retention: int | None) -> str:
    call_id = await ended_call(made, recording={"format": "mp3", "retentionDays": retention})
    write_wav(made, call_id)
    await recording_job(made).handle(await must_claim(made, "recording"))
    return call_id


async def count(made: Installation, table: sa.Table) -> int:
    found: int = await made.store.read(
        lambda connection: connection.scalar(sa.select(sa.func.count()).select_from(table))
    )
    return found


def test_a_recording_goes_when_its_days_are_over(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        call_id = await recorded_call(made, 3)
        other = made.folder.recordings / "notes.txt"
        other.write_text("not of a call")
        left_over = made.folder.recordings / f"{call_id}.ogg.0a1b.part"
        left_over.write_bytes(b"half")
        async with made.client() as client:
            made.clock.at = START + 3 * DAY
            await keeper(made).tidy()
            before = (await client.get(f"/v1/calls/{call_id}")).json()["data"]
            assert (await client.get(f"/v1/calls/{call_id}/recording")).status_code == 200
            made.clock.at = START + 3 * DAY + 5_000_000
            await keeper(made).tidy()
            after = (await client.get(f"/v1/calls/{call_id}")).json()["data"]
            assert before["recordingUrl"] is not None
            assert after == {**before, "recordingUrl": None}
            gone = await client.get(f"/v1/calls/{call_id}/recording")
            assert (gone.status_code, "deleted" in gone.json()["error"]) == (410, True)
        assert list(made.folder.recordings.iterdir()) == [other]

    run(tmp_path, test)


def test_what_a_killed_round_left_is_found_by_the_next(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        call_id = await recorded_call(made, 1)
        await made.store.write(lambda connection: calls.forget_recordings(connection, [call_id]))
        made.clock.at = START + 2 * DAY
        await keeper(made).tidy()
        assert list(made.folder.recordings.iterdir()) == []

    run(tmp_path, test)


def test_without_a_retention_a_recording_stays(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        call_id = await recorded_call(made, None)
        async with made.client() as client:
            await add_agent(client, recording={"retentionDays": 1})
            made.clock.at = START + 4000 * DAY
            await keeper(made).tidy()
            assert (await client.get(f"/v1/calls/{call_id}")).json()["data"]["recordingUrl"] is not None
        assert len(list(made.folder.recordings.iterdir())) == 2

    run(tmp_path, test)


def test_the_node_s_days_count_where_the_agent_has_none(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        call_id = await recorded_call(made, None)
        tidier = Housekeeping(made.store, made.folder.recordings, made.clock, retention_days=2)
        async with made.client() as client:
            url = (await client.get(f"/v1/calls/{call_id}")).json()["data"]["recordingUrl"]
            assert f"expires={(START + 2 * DAY) // 1_000_000}"[:-1] in url
            made.clock.at = START + 2 * DAY - 5_000_000
            await tidier.tidy()
            assert (await client.get(f"/v1/calls/{call_id}/recording?format=wav")).status_code == 200
            made.clock.at = START + 2 * DAY + 5_000_000
            await tidier.tidy()
            assert (await client.get(f"/v1/calls/{call_id}/recording?format=wav")).status_code == 410
        assert list(made.folder.recordings.iterdir()) == []

    run(tmp_path, test, retention_days=2)


def test_the_agent_s_days_count_before_the_node_s(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        await recorded_call(made, 30)
        made.clock.at = START + 3 * DAY
        await Housekeeping(made.store, made.folder.recordings, made.clock, retention_days=2).tidy()
        assert len(list(made.folder.recordings.iterdir())) == 2

    run(tmp_path, test)


def test_a_call_that_is_not_over_keeps_its_recording(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            agent = await add_agent(client, recording={"retentionDays": 1})
            call = await add_call(client, agentId=agent["id"])
        write_wav(made, call["id"])
        made.clock.at = START + 400 * DAY
        await keeper(made).tidy()
        assert len(list(made.folder.recordings.iterdir())) == 1

    run(tmp_path, test)


def test_jobs_that_were_done_and_answers_of_yesterday_are_forgotten(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        async with made.client() as client:
            await client.post("/v1/agents", json={"name": "A"}, headers={"Idempotency-Key": "one"})
            call = await add_call(client)
            await client.post(f"/v1/calls/{call['id']}/end")
        done, waiting = 2, 1
        assert await count(made, jobs) == done + waiting
        await keeper(made).tidy()
        assert (await count(made, jobs), await count(made, idempotency)) == (done + waiting, 1)
        made.clock.at = START + LIFETIME + 1_000_000
        await keeper(made).tidy()
        assert (await count(made, jobs), await count(made, idempotency)) == (done + waiting, 0)
        made.clock.at = START + JOBS_KEPT + 1_000_000
        await keeper(made).tidy()
        assert await count(made, jobs) == waiting

    run(tmp_path, test)


def test_a_round_that_fails_ends_nothing(tmp_path: Path) -> None:
    async def test(made: Installation) -> None:
        await recorded_call(made, 1)
        gone = Housekeeping(made.store, tmp_path / "not there", made.clock)
        task = asyncio.create_task(gone.run())
        ended, _ = await asyncio.wait([task], timeout=0.5)
        assert not ended
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(tmp_path, test)
