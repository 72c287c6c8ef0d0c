"""The four tables: complete, free of contradiction, and with a way to the end from everywhere."""

from __future__ import annotations

import pytest

from sipserver.transaction.invite_client import INVITE_CLIENT
from sipserver.transaction.invite_server import INVITE_SERVER
from sipserver.transaction.machine import Input, Machine, Start, State, Timer, pairs
from sipserver.transaction.non_invite_client import NON_INVITE_CLIENT
from sipserver.transaction.non_invite_server import NON_INVITE_SERVER

MACHINES = [INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER]
every_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


@every_machine
def test_every_pair_is_in_the_table_or_named_as_ignored(machine: Machine) -> None:
    everything = pairs(machine.states, machine.inputs)
    assert set(machine.table) | machine.ignored == everything
    assert not set(machine.table) & machine.ignored


@every_machine
def test_steps_lead_to_states_of_the_machine_or_to_the_end(machine: Machine) -> None:
    reached = {step.state for step in machine.table.values()} | {machine.start.state}
    assert reached == machine.states | {State.TERMINATED}


@every_machine
def test_every_state_leads_to_the_end_by_a_timer_that_was_started(machine: Machine) -> None:
    started = {
        deed.timer
        for step in (machine.start, *machine.table.values())
        for deed in step.deeds
        if isinstance(deed, Start)
    }
    timers = {Timer(item.value) for item in machine.inputs if isinstance(item.value, Timer)}
    assert started == timers
    ending = {state for (state, item), step in machine.table.items() if step.state is State.TERMINATED}
    # Only a ringing INVITE may last: its user ends it.
    assert machine.states - ending <= {State.PROCEEDING, State.TRYING}


def test_a_pair_that_cannot_be_is_an_error() -> None:
    with pytest.raises(KeyError):
        INVITE_CLIENT.step(State.CALLING, Input.TIMER_J)
