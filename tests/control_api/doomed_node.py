"""A node that is killed in the middle of its work: it keeps calls as fast as it can, and says on stdout what it was told is kept.

    python doomed_node.py FOLDER

One line for each write that returned: `begun ID`, `answered ID`, `said ID N`, `captured ID N`, `ended ID`. Prints `ready` first.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import uuid
from pathlib import Path

import structlog

from control_api.calllog import StoredCallLog
from control_api.live import LiveEvents
from control_api.profiles import agent_of
from control_api.store import agents, organizations, phone_numbers
from control_api.store.agents import AgentRow
from control_api.store.engine import Store
from control_api.store.phone_numbers import PhoneNumberRow
from sipserver.protocols import CallEnd, CallStatus, EndedReason, InboundCall, Route, Trunk, Utterance

ORGANIZATION = organizations.DEFAULT_ID
AGENT = AgentRow(
    str(uuid.UUID(int=1)), ORGANIZATION, {"name": "A", "postCallWebhookUrl": "https://x.example"}, None, 1, 1
)
NUMBER = PhoneNumberRow(str(uuid.UUID(int=2)), ORGANIZATION, "+12025550100", None, "sip", None, AGENT.id, {}, 1, 1)
TRUNK = Trunk(str(uuid.UUID(int=3)), ORGANIZATION, "ip_allowlist", "192.0.2.1")
SECOND = 1_000_000
ANSWER = 10 * SECOND


async def work(folder: Path) -> None:
    store = await Store.open(folder / "antiphon.db")
    await furnish(store)
    log = StoredCallLog(store, LiveEvents(), folder, "doomed", lambda: 20 * SECOND)
    say("ready")
    await asyncio.gather(*(calls_for_ever(log) for _ in range(10)))


async def furnish(store: Store) -> None:
    """An organization, an agent and its number."""
    await store.write(lambda connection: organizations.ensure_default(connection, 1))
    await store.write(lambda connection: agents.insert(connection, AGENT))
    await store.write(lambda connection: phone_numbers.insert(connection, NUMBER))


def route() -> Route:
    """The way to the agent."""
    return Route(NUMBER.id, NUMBER.number, ORGANIZATION, TRUNK, agent_of(AGENT))


async def calls_for_ever(log: StoredCallLog) -> None:
    way = route()
    for count in itertools.count():
        call_id = str(uuid.uuid4())
        await log.begin(InboundCall(call_id, way, "+12025550123", f"{call_id}@x", ANSWER - SECOND))
        say("begun", call_id)
        await log.answered(call_id, f"{call_id}@x", ANSWER)
        say("answered", call_id)
        for number in range(5):
            await log.utterance(call_id, Utterance("user", f"word {number}", number * 1000, number * 1000 + 500))
            say("said", call_id, number)
            await log.captured(call_id, {"last": number})
            say("captured", call_id, number)
        if count % 2:
            await log.ended(call_id, CallEnd(CallStatus.COMPLETED, EndedReason.AGENT_ENDED, ANSWER + 5 * SECOND))
            say("ended", call_id)


def say(*words: object) -> None:
    """One write to the pipe: what is shorter than PIPE_BUF arrives whole or not at all."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(work(Path(sys.argv[1])))
