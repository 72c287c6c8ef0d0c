"""What calls are like on named networks: `antiphon bench network`.

A media process carries calls on all networks of `media.networks` at once, with everything on. The callers' process
(`media.bench.network_load`) loses, delays, reorders and doubles their packets before they go to the loopback, and reckons what the same
network would make of ours. So what the network has truly done is known, and stands beside what is heard, reported and heard at the far end.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from media.bench.loaded import Load
from media.bench.machine import beside_a_core
from media.bench.network_load import probing
from media.bench.probes import Returner, media_path
from media.bench.said import Said, synthetic
from media.bench.spread import USUAL, spread
from media.bench.voice import VOICE_SECONDS, voice
from media.call_media import RowCallMedia
from media.call_report import MediaReport
from media.frames import BargeIn, Codec, Ducked, Paused, Pcm, RtpFormat, RtpRemote, SpeechStopped
from media.networks import NETWORKS
from media.plane import PlaneConfig, ProcessMediaPlane

_TOP_UP = 0.2
_STOPS_WITHIN_NS = 1_500_000_000
"""A pause is a caller's doing until so long after the utterance."""
Turns = Sequence[Sequence[tuple[int, int]]]


def bench_network(
    calls: int, seconds: float, said: Said | None = None, *, warm_up: float = 4.0, seed: int = 1
) -> dict[str, Any]:
    """Carry `calls` calls on each network for `seconds`, after `warm_up`.

    said: what callers say; None: a synthetic voice, with which no barge-in is measured.

    Returned for each of `networks`: `wire`, what it has done to the callers' packets, and the `mos` that its losses allow; `ear`, from a
    caller's packet leaving to its frame in the ring (`in_ms`, the network's delay included), and how many frames were made up; `report`,
    what the calls' own reports say; `sent`, our packets at the callers' sockets before the network; `far`, what a telephone with a buffer
    of 60 ms makes of them behind it; `bargein`, from a caller's first sample at the mouth to the agent's ducking and pausing, how many
    utterances did, and pauses without one. `load_late_ms` is how late the callers' process sent: where that is not far below the
    networks' delays, the figures are the machine's.

    Raises MediaUnavailable when the plane does not start, LoadFailed when the callers do not.
    """
    with beside_a_core() as core, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.npz"
        (said or synthetic()).save(path)
        config = PlaneConfig(ports=(20000, 29999), processes=1, rows=calls * len(NETWORKS), timeout_s=0, cpus=(core,))
        return asyncio.run(_bench(config, calls, (calls, warm_up, seconds, seed, path))) | {"seconds": seconds}


async def _bench(config: PlaneConfig, calls: int, order: Sequence[object]) -> dict[str, Any]:
    plane = ProcessMediaPlane(config)
    try:
        await plane.start()
        load = await Load.start("media.bench.network_load", *order)
        try:
            return await _carried(plane, load, calls)
        finally:
            await load.close()
    finally:
        await plane.stop()


async def _carried(plane: ProcessMediaPlane, load: Load, calls: int) -> dict[str, Any]:
    opened = [await _call(plane, number, peer) for number, peer in enumerate(load.peers)]
    ears = [Returner(call) for call in opened]
    talkers = [Talker(call) for number, call in enumerate(opened) if number % calls >= probing(calls)]
    waiting = [*(asyncio.create_task(ear.run()) for ear in ears), *(asyncio.create_task(one.run()) for one in talkers)]
    load.call([call.port for call in opened])
    heard = await _talk(talkers, ears, load)
    seen = await load.seen()
    reports = await asyncio.gather(*(call.close() for call in opened))
    await asyncio.gather(*waiting)
    talking = calls - probing(calls)
    networks = {
        name: _figures(
            found,
            ears[number * calls : (number + 1) * calls],
            heard[number * calls : (number + 1) * calls],
            talkers[number * talking : (number + 1) * talking],
            reports[number * calls : (number + 1) * calls],
        )
        for number, (name, found) in enumerate(seen["networks"].items())
    }
    return {"calls": calls, "load_late_ms": seen["load_late_ms"], "networks": networks}


async def _call(plane: ProcessMediaPlane, number: int, peer: int) -> RowCallMedia:
    call = await plane.open(f"bench-{number}", None)
    await call.connect(RtpRemote("127.0.0.1", peer), RtpFormat(Codec.PCMU, 0, telephone_event=101))
    return call


@dataclass(frozen=True, slots=True)
class Stops:
    """When an agent was ducked and paused, nanoseconds of the wall clock."""

    ducked: list[int] = field(default_factory=list)
    paused: list[int] = field(default_factory=list)


class Talker:
    """An agent's end: it speaks on and on, falls silent when it is paused, and goes on when the caller has stopped."""

    def __init__(self, call: RowCallMedia) -> None:
        call.set_barge_in(BargeIn())
        self._call = call
        self._listens = False
        self.stops = Stops()

    def speak(self, speech: Pcm) -> None:
        """Keep its queue full."""
        if not self._listens:
            self._call.play(speech[: self._call.room()])

    async def run(self) -> None:
        """Until the call is over."""
        async for event in self._call.events():
            if isinstance(event, Ducked):
                self.stops.ducked.append(time.time_ns())
            elif isinstance(event, Paused):
                self.stops.paused.append(time.time_ns())
                self._listens = True
                await self._call.flush()
            elif isinstance(event, SpeechStopped):
                self._listens = False


async def _talk(talkers: Sequence[Talker], ears: Sequence[Returner], load: Load) -> list[tuple[int, int]]:
    """Until the callers have sent all they had: frames that each call has heard, and how many of them were made up."""
    speech = voice(VOICE_SECONDS).reshape(-1, 160)
    await load.warmed_up()
    over = asyncio.create_task(load.sent())
    while not over.done():
        for talker in talkers:
            talker.speak(speech)
        await asyncio.wait([over], timeout=_TOP_UP)
    await over
    return [(ear.frames, ear.made_up) for ear in ears]


def _figures(
    seen: dict[str, Any],
    ears: Sequence[Returner],
    heard: Sequence[tuple[int, int]],
    talkers: Sequence[Talker],
    reports: Sequence[MediaReport],
) -> dict[str, Any]:
    """Of one network. seen: what its callers' ends know."""
    told = seen.pop("clicks")
    turns: Turns = seen.pop("turns")
    way = media_path(told["sent"], [ear.heard for ear in ears[: len(told["sent"])]], told["returned"])
    frames, made_up = np.sum(heard, axis=0)
    return {
        "wire": seen["wire"],
        "ear": {
            "in_ms": way["in_ms"],
            "made_up_percent": round(100 * float(made_up / max(1, frames)), 2),
        },
        "report": _reported(reports),
        "bargein": bargein(turns, [talker.stops for talker in talkers]) if any(turns) else None,
        "sent": seen["sent"],
        "far": seen["far"],
    }


def _reported(reports: Sequence[MediaReport]) -> dict[str, Any]:
    """What the calls' own reports say; shares of the packets that were sent to us."""
    expected = sum(report.packets_received + report.packets_lost for report in reports)
    scores = [report.mos for report in reports if report.mos is not None]
    return {
        "lost_percent": round(100 * sum(report.packets_lost for report in reports) / max(1, expected), 2),
        "late_percent": round(100 * sum(report.packets_late for report in reports) / max(1, expected), 2),
        "jitter_ms": round(float(np.median([report.jitter_ms for report in reports])), 1),
        "mos": round(float(np.mean(scores)), 2) if scores else None,
    }


def bargein(turns: Turns, stops: Sequence[Stops]) -> dict[str, Any]:
    """turns: of each agent's caller, when it began and ended an utterance. A pause of none is `other`."""
    ducks, pauses = [], []
    count = other = 0
    for spoken, agent in zip(turns, stops, strict=True):
        count += len(spoken)
        for began, ended in spoken:
            ducks += _first(agent.ducked, began, ended)
            pauses += _first(agent.paused, began, ended)
        if spoken:
            within = [pause for pause in agent.paused if spoken[0][0] <= pause <= spoken[-1][1]]
            other += sum(not any(a <= pause <= b + _STOPS_WITHIN_NS for a, b in spoken) for pause in within)
    return {
        "utterances": count,
        "stopped": len(pauses),
        "duck_ms": spread(ducks, USUAL, 0),
        "pause_ms": spread(pauses, USUAL, 0),
        "other": other,
    }


def _first(times: Sequence[int], began: int, ended: int) -> list[float]:
    """Milliseconds from the beginning to the first of these that is this utterance's doing, if there is one."""
    after = [time - began for time in times if began <= time <= ended + _STOPS_WITHIN_NS]
    return [min(after) / 1e6] if after else []
