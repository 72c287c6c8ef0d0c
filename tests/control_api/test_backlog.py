"""A disk that is full for a while costs a call nothing: what was to be written of it is written when there is room."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from control_api.calllog import StoredCallLog
from control_api.live import LiveEvents
from control_api.store import calls, jobs, transcripts
from control_api.store.engine import Store
from media.call_report import MediaReport
from sipserver.protocols import CallEnd, CallStatus, EndedReason, InboundCall, Problem, Utterance
from tests.control_api.doomed_node import furnish, route

CALL = "11111111-1111-1111-1111-111111111111"
REPORT = MediaReport(1, 1, 0, 0, 0.0, None, "PCMU", 8000, "The recording stopped: No space left on device.")
END = CallEnd(CallStatus.COMPLETED, EndedReason.AGENT_ENDED, 30, media=REPORT)
HELLO, BYE = Utterance("assistant", "Hello.", 0, 500), Utterance("assistant", "Goodbye.", 600, 900)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """No file may grow beyond what the write-ahead log has now."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / "antiphon.db-wal").stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run(folder: Path, test: Callable[[Store, StoredCallLog], Awaitable[None]]) -> None:
    async def body() -> None:
        store = await Store.open(folder / "antiphon.db")
        log = StoredCallLog(store, LiveEvents(), folder, "node", lambda: 20)
        catching_up = asyncio.create_task(log.catch_up())
        try:
            await furnish(store)
            await test(store, log)
        finally:
            catching_up.cancel()
            await asyncio.gather(catching_up, return_exceptions=True)
            await store.close()

    asyncio.run(body())


def begun(call_id: str = CALL) -> InboundCall:
    return InboundCall(call_id, route(), "+12025550123", "sip-1", 10)


def test_what_a_full_disk_did_not_take_of_a_call_is_written_in_order_when_there_is_room(tmp_path: Path) -> None:
    async def test(store: Store, log: StoredCallLog) -> None:
        await log.begin(begun())
        with full_disk(tmp_path):
            await log.answered(CALL, "sip-1", 15)
            await log.utterance(CALL, HELLO)
            await log.captured(CALL, {"wish": "move"})
            await log.problem(CALL, Problem(16, "stt", "Deaf."))
            await log.utterance(CALL, BYE)
            await log.ended(CALL, END)
            assert log.accepting() is not None
            with pytest.raises(sa.exc.OperationalError):
                await log.begin(begun("22222222-2222-2222-2222-222222222222"))
        async with asyncio.timeout(5):
            await store.usable()
            await asyncio.gather(*(log.flush() for _ in range(3)))
        row = await store.read(lambda connection: calls.get_any(connection, CALL))
        assert row is not None
        assert (row.status, row.started_at, row.captured) == ("completed", 15, {"wish": "move"})
        assert await store.read(lambda connection: transcripts.of_call(connection, CALL)) == [HELLO, BYE]
        problems = await store.read(lambda connection: transcripts.problems_of(connection, CALL))
        assert [problem.message for problem in problems] == ["Deaf.", REPORT.problem]
        assert await store.read(lambda connection: jobs.next_due(connection, ["recording"])) is not None
        assert log.accepting() is None

    run(tmp_path, test)


def test_an_idle_node_catches_up_by_itself(tmp_path: Path) -> None:
    async def test(store: Store, log: StoredCallLog) -> None:
        await log.begin(begun())
        with full_disk(tmp_path):
            await log.ended(CALL, END)
        async with asyncio.timeout(5):
            while (  # noqa: ASYNC110 (a row sets no asyncio.Event)
                row := await store.read(lambda connection: calls.get_any(connection, CALL))
            ) and row.ended_at is None:
                await asyncio.sleep(0.05)

    run(tmp_path, test)


def test_what_is_not_the_disks_fault_is_raised(tmp_path: Path) -> None:
    async def test(store: Store, log: StoredCallLog) -> None:
        await log.begin(begun())
        with pytest.raises(sa.exc.IntegrityError):
            await log.begin(begun())
        with pytest.raises(sa.exc.SQLAlchemyError):
            await log.utterance(CALL, Utterance("assistant", "Hello.", None, 500))  # type: ignore[arg-type]
        assert log.accepting() is None

    run(tmp_path, test)
