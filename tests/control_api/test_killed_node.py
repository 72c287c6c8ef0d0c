"""`kill -9` in the middle of writing: what was said to be kept is there, every call gets its end, and its webhook one id."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.recovery import recover
from control_api.store import calls, deliveries, transcripts
from control_api.store.calls import CallRow
from control_api.store.engine import Store
from control_api.store.tables import calls as calls_table
from control_api.store.tables import jobs as jobs_table

ROOT = Path(__file__).parents[2]
NODE = Path(__file__).with_name("doomed_node.py")
LATER = 5_000_000_000
Told = dict[str, dict[str, int]]


def kill_in_the_middle(folder: Path, lines: int) -> Told:
    """What the node said before it was killed: call id → word → how often."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(NODE), str(folder)]
    told: Told = defaultdict(lambda: defaultdict(int))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for count, line in enumerate(process.stdout):
            if count == lines:
                process.send_signal(signal.SIGKILL)
            word, *rest = line.split()
            if rest:
                told[rest[0]][word] += 1
    assert process.returncode == -signal.SIGKILL
    return told


async def everything(connection: AsyncConnection) -> dict[str, tuple[CallRow, int]]:
    ids = list(await connection.scalars(sa.select(calls_table.c.id)))
    found = {}
    for call_id in ids:
        row = await calls.get_any(connection, call_id)
        assert row is not None
        found[call_id] = (row, len(await transcripts.of_call(connection, call_id)))
    return found


@pytest.mark.parametrize("lines", [40, 301])
def test_what_was_kept_survives_a_kill(tmp_path: Path, lines: int) -> None:
    told = kill_in_the_middle(tmp_path, lines)

    async def body() -> None:
        store = await Store.open(tmp_path / "antiphon.db")
        try:
            _compare(told, await store.read(everything))
            await _recovered(store)
        finally:
            await store.close()

    asyncio.run(body())


def _compare(told: Told, found: dict[str, tuple[CallRow, int]]) -> None:
    for call_id, words in told.items():
        row, said = found[call_id]
        assert said >= words["said"]
        assert row.captured.get("last", -1) >= words["captured"] - 1
        assert row.started_at is not None or not words["answered"]
        assert row.status == "completed" or not words["ended"]


async def _recovered(store: Store) -> None:
    """Every call is final, has its job and one delivery; a second recovery finds nothing to do."""
    count = await recover(store, "doomed", lambda call_id: f"/nowhere/{call_id}.wav", lambda path: 4.5, LATER)
    assert count > 0
    ids: dict[str, str] = {}
    for call_id, (row, _) in (await store.read(everything)).items():
        assert row.status in ("completed", "failed")
        if row.ended_reason == "node_lost" and row.started_at:
            assert row.ended_at == row.started_at + 4_500_000
        (delivery,) = await store.read(lambda connection, call_id=call_id: deliveries.of_call(connection, call_id))
        ids[call_id] = delivery.id
        kind = "analyse" if row.started_at is None else "recording"
        assert await store.read(lambda connection, key=f"{kind}:{call_id}": _job(connection, key)) == 1
    assert await recover(store, "doomed", lambda call_id: "", lambda path: None, LATER) == 0
    for call_id, webhook_id in ids.items():
        (delivery,) = await store.read(lambda connection, call_id=call_id: deliveries.of_call(connection, call_id))
        assert delivery.id == webhook_id


async def _job(connection: AsyncConnection, key: str) -> int:
    query = sa.select(sa.func.count()).select_from(jobs_table).where(jobs_table.c.dedupe_key == key)
    return await connection.scalar(query) or 0
