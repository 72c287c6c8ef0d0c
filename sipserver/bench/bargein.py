"""What stops the agent and how soon: callers who speak, and sounds that are no caller, against the engine with its detector.

Packets go in and out of the engine as on a call, under simulated time: nothing depends on how busy the machine is. An agent (the longest
recording of the folder, again and again) speaks throughout; two seconds later each call hears its sound over faint noise, through G.711.
The agent is ducked at the first sign and paused at the second; what follows, by words, is the conversation's. A pause counts as a stop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from media.call_media import RowCallMedia
from media.codecs.g711 import decode, encode
from media.frames import FRAME_MS, LINE_RATE, LINE_SAMPLES, BargeIn, Codec, Ducked, Paused, Pcm, RtpFormat, RtpRemote
from media.inprocess import InProcessPlane
from media.rtp import RtpPacket
from sipserver.bench.onsets import FAINT, THRESHOLD, detector_alone, loud_after, onset_of, spread
from sipserver.bench.recordings import LEVEL, Recording, Sound, noise, recordings

PEER = ("192.0.2.1", 4000)
BEGINS = 100
"""The tick at which sounds begin."""
TICKS = 350
APART = 11
"""Ticks between what one call's agent says and the next one's."""
LOUDNESS_DB = (0, -10, -20)
"""Of callers, beside the agent's own voice."""
ECHO_DB = (-6, -12, -20, -30, -40)
ECHO_TICKS = (1, 7, 13, 25)
"""20, 140, 260 and 500 ms."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One call. `sound` begins at BEGINS, `onset` samples later it is to be heard; `echo`: by how much, and how many ticks later.
    `caller` is whose voice it is."""

    kind: str
    sound: Sound | None = None
    onset: int = 0
    echo: tuple[float, int] | None = None
    caller: str = ""


def bench_bargein(folder: Path, rounds: int = 2, threshold: float = THRESHOLD) -> dict[str, Any]:
    """Stops by callers, with the time from the onset of speech (its first frame within 30 dB of the loudest), and by what is none.

    `threshold`: the probability of speech above which a frame is speech, `frameActivationThreshold` of an agent.

    Returned: for each sound `stopped` and `of`; for callers at each loudness also `duck_ms` and `pause_ms`, from the onset at the
    mouth to the first packet that shows it. `callers`: the same of each voice, all loudnesses together, beside what the detector alone
    takes from the same onset (`sipserver.bench.onsets`), and by how much later the sound is loud. Raises NoRecordings.
    """
    voices = recordings(folder)
    agent = max(voices, key=lambda voice: len(voice.sound))
    callers = [voice for voice in voices if voice is not agent] or voices
    scenes = [scene for turn in range(rounds) for scene in _scenes(callers, np.random.default_rng(turn))]
    heard = asyncio.run(_play(agent, scenes, threshold))
    found: dict[str, Any] = {
        kind: figures([one for one in heard if one.scene.kind == kind])
        for kind in dict.fromkeys(s.kind for s in scenes)
    }
    return found | {"callers": {caller.name: caller_figures(caller, heard, threshold) for caller in callers}}


def caller_figures(caller: Recording, heard: list[Heard], threshold: float = THRESHOLD) -> dict[str, Any]:
    """Of one voice."""
    of_it = [one for one in heard if one.scene.caller == caller.name]
    return {
        "detector_alone": detector_alone(caller.sound, threshold),
        "duck_ms": spread(_known(one.late(one.ducked) for one in of_it)),
        "pause_ms": spread(_known(one.late(one.paused) for one in of_it)),
        "loud_after_ms": loud_after(caller.sound),
    }


def _known(late: Iterable[int | None]) -> Sound:
    return np.array([ms for ms in late if ms is not None], np.float64)


def figures(heard: list[Heard]) -> dict[str, Any]:
    """Of scenes of one kind."""
    found: dict[str, Any] = {"stopped": sum(one.paused is not None for one in heard), "of": len(heard)}
    if heard[0].scene.kind.startswith("speech"):
        found["duck_ms"] = _times([one.late(one.ducked) for one in heard])
        found["pause_ms"] = _times([one.late(one.paused) for one in heard])
    return found


def _times(late: list[int | None]) -> dict[str, int] | None:
    """None where nothing happened."""
    known = sorted(ms for ms in late if ms is not None)
    return {"p50": known[len(known) // 2], "p95": known[len(known) * 19 // 20], "worst": known[-1]} if known else None


@dataclass(slots=True)
class Heard:
    """What became of a scene. The ticks of the first duck and the first pause, None where there was none."""

    scene: Scene
    ducked: int | None = None
    paused: int | None = None

    def late(self, tick: int | None) -> int | None:
        """Milliseconds from the onset to the packet that leaves in this tick. One holds the 20 ms before it; ours leave in mid-tick."""
        if tick is None:
            return None
        return (tick + 1 - BEGINS) * FRAME_MS + FRAME_MS // 2 - self.scene.onset * 1000 // LINE_RATE


def _scenes(callers: list[Recording], chance: np.random.Generator) -> Iterator[Scene]:
    """One of each kind for every caller, sounds that are no voice too."""
    for caller in callers:
        onset = onset_of(caller.sound)
        for loudness in LOUDNESS_DB:
            yield Scene(f"speech_{loudness}_db", caller.sound * 10 ** (loudness / 20), onset, caller=caller.name)
        length = (TICKS - BEGINS) * LINE_SAMPLES
        yield Scene("cough", cough(chance))
        yield Scene("clicks", clicks(length, chance))
        yield Scene("white_-15_db", noise("white", length, chance, callers) * LEVEL * 10 ** (-15 / 20))
        yield Scene("babble_-15_db", noise("babble", length, chance, callers) * LEVEL * 10 ** (-15 / 20))
    for level in ECHO_DB:
        for delay in ECHO_TICKS:
            yield Scene(f"echo_{level}_db", echo=(level, delay))


def cough(chance: np.random.Generator) -> Sound:
    """Two bursts of noise with a throat's resonance, 250 ms each, that begin within 10 ms and fade: (n,)."""
    at = np.arange(LINE_RATE // 4) / LINE_RATE
    shape = np.minimum(at / 0.01, 1) * np.exp(-at / 0.06)
    rough = np.convolve(chance.normal(size=len(at) + 40), np.sin(np.arange(40) * 2 * np.pi * 900 / LINE_RATE), "valid")
    burst = shape * rough[: len(at)]
    pause = np.zeros(LINE_RATE // 10)
    return np.asarray(np.concatenate((burst, pause, 0.6 * burst)) * 4 * LEVEL / np.abs(burst).max(), np.float64)


def clicks(samples: int, chance: np.random.Generator) -> Sound:
    """Some six a second, of a millisecond each, up to full scale: (samples,)."""
    made = np.zeros(samples)
    for start in chance.integers(0, samples - 8, samples * 6 // LINE_RATE):
        made[start : start + 8] = chance.uniform(-1, 1, 8) * chance.uniform(2_000, 30_000)
    return made


async def _play(agent: Recording, scenes: list[Scene], threshold: float) -> list[Heard]:
    plane = InProcessPlane(rows=len(scenes))
    lines = [_Line(await plane.during(plane.open(str(number), None)), scene) for number, scene in enumerate(scenes)]
    readers = [asyncio.create_task(line.read()) for line in lines]
    voice = _whole(np.resize(agent.sound, TICKS * LINE_SAMPLES)).reshape(-1, LINE_SAMPLES)
    for line in lines:
        line.call.set_barge_in(BargeIn(threshold=threshold))
        await plane.during(line.call.connect(RtpRemote(*PEER), RtpFormat(Codec.PCMU, 0)))
    for number, line in enumerate(lines):
        line.begins = line.call.position() // LINE_SAMPLES
        # Calls do not say the same at the same time: what is searched in a tick is bounded, for all of them together.
        line.call.play(np.roll(voice, -number * APART, axis=0))
    by_port = {line.call.port: line for line in lines}
    chance = np.random.default_rng(3)
    for tick in range(TICKS):
        for line in lines:
            plane.deliver(line.call, line.packet(tick, chance), PEER)
        await plane.tick()
        for sent in plane.take_sent():
            if (line_of := by_port.get(sent.port)) is not None:
                line_of.returned(sent.data)
    for line in lines:
        await plane.during(line.call.close())
    await asyncio.gather(*readers)
    plane.stop()
    return [line.heard for line in lines]


class _Line:
    """One call and the far end of it. `begins`: where its own time line was when the agent began, in ticks."""

    def __init__(self, call: RowCallMedia, scene: Scene) -> None:
        self.call = call
        self.heard = Heard(scene)
        self.begins = 0
        self._sent: deque[Sound] = deque(maxlen=max(ECHO_TICKS))

    def packet(self, tick: int, chance: np.random.Generator) -> bytes:
        """What comes in this tick."""
        scene, heard = self.heard.scene, chance.normal(0, FAINT, LINE_SAMPLES)
        at = (tick - BEGINS) * LINE_SAMPLES
        if scene.sound is not None and 0 <= at < len(scene.sound):
            part = scene.sound[at : at + LINE_SAMPLES]
            heard[: len(part)] += part
        if scene.echo is not None and len(self._sent) >= scene.echo[1]:
            heard += self._sent[-scene.echo[1]] * 10 ** (scene.echo[0] / 20)
        return bytes(RtpPacket(0, tick, tick * LINE_SAMPLES, 77, encode(_whole(heard), Codec.PCMU).tobytes()))

    def returned(self, data: bytes) -> None:
        """What the call has sent, and an echo may bring back."""
        payload = np.frombuffer(RtpPacket.parse(data).payload, np.uint8)
        self._sent.append(decode(payload, Codec.PCMU).astype(np.float64))

    async def read(self) -> None:
        """Note the first duck and the first pause."""
        async for event in self.call.events():
            tick = event.at // LINE_SAMPLES - self.begins
            if isinstance(event, Ducked) and self.heard.ducked is None:
                self.heard.ducked = tick
            elif isinstance(event, Paused) and self.heard.paused is None:
                self.heard.paused = tick


def _whole(sound: Sound) -> Pcm:
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)
