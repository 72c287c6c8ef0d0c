"""Inbound calls whose number is closed, blocks its caller, or sends elsewhere what its agent does not take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipserver.legs import Answered, Ended
from sipserver.protocols import ConversationEnd, EndedReason, Fallback, LiveCall, OpeningHours, TrunkOptions
from tests.sipserver.call.fakes import AGENT, CALLEE, CALLER, FakeLeg, Stage, invite, peer, until
from tests.virtual_time import run

NIGHT = replace(AGENT, id="night", name="Night")
NEVER = OpeningHours("Europe/Berlin", ((),) * 7)
ALWAYS = OpeningHours("Europe/Berlin", (((0, 1440),),) * 7)


def rung(*headers: str, options: TrunkOptions | None = None, **changes: Any) -> tuple[Stage, FakeLeg]:
    """Ring a number whose route is changed like this, and hang up once it is answered."""
    stage = Stage()
    route = replace(stage.directory.routes[CALLEE], **changes)
    if options is not None:
        route = replace(route, trunk=replace(route.trunk, options=options))
    stage.directory.routes[CALLEE] = route

    async def scene() -> FakeLeg:
        leg = stage.ring(invite(peer().offer(), headers=headers))
        await until(1)
        if "answer" in leg.did:
            leg.tell(Answered(), Ended("bye"))
        await stage.done()
        return leg

    return stage, run(scene())


def answered_by(stage: Stage) -> str | None:
    [call] = stage.log.begun.values()
    return call.route.agent.id if call.route.agent else None


def test_an_open_number_is_answered() -> None:
    stage, _ = rung(opening=ALWAYS)
    assert answered_by(stage) == AGENT.id


def test_a_closed_number_is_480_or_its_closed_agents() -> None:
    _, leg = rung(opening=NEVER)
    assert leg.did == ["reject 480"]
    stage, _ = rung(opening=replace(NEVER, closed_agent=NIGHT))
    assert answered_by(stage) == "night"


@pytest.mark.parametrize("blocked", [(CALLER,), (CALLER[:5] + "*",)])
def test_a_blocked_caller_is_declined(blocked: tuple[str, ...]) -> None:
    _, leg = rung(blocked=blocked)
    assert leg.did == ["reject 603"]


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("closed", {"opening": NEVER}),
        ("inactive", {"agent": None}),
        ("inactive", {"agent": replace(AGENT, is_active=False)}),
        ("not_ready", {"not_ready": ("No language model.",)}),
    ],
)
def test_the_trunk_is_told_where_the_call_goes_instead(reason: Any, changes: dict[str, Any]) -> None:
    _, leg = rung(fallback=Fallback(frozenset({reason}), number="+12025550155"), **changes)
    assert leg.did == ["reject 302"]
    assert leg.headers["Contact"] == "<sip:+12025550155@198.51.100.7>"


def test_a_fallback_for_another_reason_changes_nothing() -> None:
    _, leg = rung(fallback=Fallback(frozenset({"limit"}), number="+12025550155"), opening=NEVER)
    assert leg.did == ["reject 480"]


def test_another_agent_may_be_the_fallback() -> None:
    stage, _ = rung(fallback=Fallback(frozenset({"inactive"}), agent=NIGHT), agent=None)
    assert answered_by(stage) == "night"


def test_a_fallback_may_be_a_whole_uri() -> None:
    _, leg = rung(fallback=Fallback(frozenset({"inactive"}), sip_uri="sip:desk@pbx.example"), agent=None)
    assert leg.headers["Contact"] == "<sip:desk@pbx.example>"


def test_what_is_told_of_the_caller_is_the_calls_from_its_row_on() -> None:
    options = TrunkOptions(context_headers=("X-Order",))
    stage, _ = rung("X-Order: 7", 'P-Asserted-Identity: "Ada" <sip:+12025550188@x>', options=options)
    [call] = stage.log.begun.values()
    assert call.customer_number == "+12025550188"
    assert (call.variables["x_order"], call.variables["caller_name"]) == ("7", "Ada")
    [live] = stage.conversations.calls
    assert live.variables == call.variables


def test_the_policy_of_the_trunk_decides_whose_word_counts() -> None:
    stage, _ = rung("P-Asserted-Identity: <sip:+12025550188@x>", options=TrunkOptions(caller_id="from"))
    [call] = stage.log.begun.values()
    assert call.customer_number == CALLER


def test_a_caller_whom_we_fail_is_sent_to_the_fallback() -> None:
    stage = Stage()
    route = stage.directory.routes[CALLEE]
    fallback = Fallback(frozenset({"error"}), number="+12025550155")
    stage.directory.routes[CALLEE] = replace(route, fallback=fallback)

    async def scene() -> FakeLeg:
        stage.plane.down = True
        leg = stage.ring(invite(peer().offer()))
        await stage.done()
        return leg

    leg = run(scene())
    assert leg.did[-1] == "reject 302"
    assert stage.log.ends
    assert next(iter(stage.log.ends.values())).reason is EndedReason.AT_CAPACITY


def test_a_trunk_whose_channels_are_all_taken_is_busy() -> None:
    """503 would tell the trunk that the whole node is full (DESIGN, who is known)."""
    _, leg = rung(options=TrunkOptions(max_channels=0))
    assert leg.did == ["reject 486"]


@pytest.mark.parametrize("breaks", ["raises", "ends", "ends without an end"])
def test_a_conversation_that_breaks_is_gone_on_with_by_the_fallbacks_agent(breaks: str) -> None:
    stage = Stage()
    route = stage.directory.routes[CALLEE]
    stage.directory.routes[CALLEE] = replace(route, fallback=Fallback(frozenset({"error"}), agent=NIGHT))

    async def talk(call: LiveCall) -> ConversationEnd:
        if call.agent.id == "night":
            return ConversationEnd(EndedReason.AGENT_ENDED, captured={"order": 8}, turn_count=3)
        if breaks == "raises":
            raise RuntimeError("a defect")
        return ConversationEnd(EndedReason.ERROR if breaks == "ends" else None, turn_count=2)

    stage.conversations.talk = talk

    async def scene() -> None:
        leg = stage.ring(invite(peer().offer()))
        await until(1)
        leg.tell(Answered())
        await stage.done()

    run(scene())
    if breaks == "ends without an end":
        assert stage.end() == ("completed", "error")
        return
    assert [(call.agent.id, call.may_fail) for call in stage.conversations.calls] == [
        (AGENT.id, True),
        ("night", False),
    ]
    assert stage.end() == ("completed", "agent_ended")
    end = stage.log.ends["call-1"].conversation
    assert end is not None
    assert (end.captured["order"], end.turn_count) == (8, 5)


@pytest.mark.parametrize(
    "fallback",
    [
        Fallback(frozenset({"closed"}), agent=NIGHT),
        Fallback(frozenset({"error"}), agent=replace(NIGHT, is_active=False)),
        Fallback(frozenset({"error"}), agent=AGENT),
        Fallback(frozenset({"error"}), number="+12025550155"),
    ],
)
def test_without_another_agent_for_it_a_broken_conversation_ends_the_call(fallback: Fallback) -> None:
    stage = Stage()
    stage.directory.routes[CALLEE] = replace(stage.directory.routes[CALLEE], fallback=fallback)

    async def talk(call: LiveCall) -> ConversationEnd:
        assert not call.may_fail
        return ConversationEnd(EndedReason.ERROR)

    stage.conversations.talk = talk

    async def scene() -> None:
        leg = stage.ring(invite(peer().offer()))
        await until(1)
        leg.tell(Answered())
        await stage.done()

    run(scene())
    assert stage.end() == ("completed", "error")
    assert len(stage.conversations.made) == 1
