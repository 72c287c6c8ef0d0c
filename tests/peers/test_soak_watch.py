"""Whether memory grows is told by a line through what was seen, once the first calls have touched what they touch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipserver.bench.sipp import Tally
from tests.load.plan import Plan
from tests.load.run import Outcome
from tests.peers.soak import Memory, State
from tests.peers.soak_long import Soaked
from tests.peers.soak_watch import Look, numbered, slopes

MB = 1_000_000


def test_what_grows_is_told_from_what_grew_at_first() -> None:
    looks = [
        Look(float(at), {"main 1": min(at, 200) * MB, "media 1": (50 + at // 36) * MB}) for at in range(0, 3601, 10)
    ]
    main, media = slopes(looks)
    assert main.an_hour == pytest.approx(0)
    assert media.an_hour == pytest.approx(100, rel=0.01)
    assert (media.first, media.last) == (83, 150)


def test_one_odd_look_makes_no_slope() -> None:
    looks = [Look(float(at), {"main 1": (130 if at == 2400 else 100) * MB}) for at in range(0, 3601, 10)]
    assert slopes(looks)[0].an_hour == pytest.approx(0, abs=1)


def test_a_process_that_came_late_has_a_slope_of_its_own_and_one_that_went_has_none() -> None:
    looks = [Look(0, {"a 1": MB}), Look(10, {"a 1": MB, "b 1": MB}), Look(20, {"b 1": MB}), Look(30, {"b 1": 2 * MB})]
    assert [slope.name for slope in slopes(looks)] == ["b 1"]
    assert slopes([]) == []


def test_processes_of_one_name_are_numbered() -> None:
    memory = [Memory("main", 1, 0), Memory("worker", 2, 0), Memory("worker", 3, 0)]
    assert numbered(memory) == {"main 1": 1, "worker 1": 2, "worker 2": 3}


HELD = State(live=0, room=100, files=48, memory=(Memory("main", MB, 0),))
SOAKED = Soaked(
    short=Tally(120, 0, 0, 60.0, (8.0,)),
    plan=Plan(calls=0, at_once=1, rate=1),
    talked=Outcome(Tally(0, 0, 0, 60.0, (8.0,)), (), 0, 0, None),
    before=HELD,
    after=HELD,
    looks=[Look(0, {"main 1": MB}), Look(1800, {"main 1": MB}), Look(3600, {"main 1": 9 * MB})],
)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"looks": [*SOAKED.looks, Look(5400, {"main 1": 40 * MB})]}, "main 1 grows by 39 MB an hour"),
        (
            {"short": Tally(119, 1, 0, 60.0, (8.0,), {"UnexpectedMessage": 1})},
            "1 short calls failed (1 UnexpectedMessage)",
        ),
        ({"after": replace(HELD, live=1)}, "something was left over"),
        ({"after": replace(HELD, room=99)}, "something was left over"),
        ({"after": replace(HELD, files=53)}, "something was left over"),
        ({"after": replace(HELD, memory=())}, "something was left over"),
    ],
)
def test_what_is_wrong_after_a_soak_is_said(changed: dict[str, Any], sentence: str) -> None:
    usual = SOAKED.wrong(growth=20)
    assert [one for one in replace(SOAKED, **changed).wrong(growth=20) if one not in usual] == [sentence]


def test_files_that_a_pool_keeps_open_are_not_left_over() -> None:
    assert replace(SOAKED, after=replace(HELD, files=52)).is_clean
