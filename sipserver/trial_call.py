"""A call that tries a trunk out: somebody is rung, a tone is sent, and what comes back is listened to for some seconds.

    dial ─→ ringing ─→ answer ─→ codec ─→ first packet ─→ loss, jitter, and whether the tone came back

A number that echoes shows that both ways are open. From another number only some audio comes, which shows one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from media.call_report import MediaReport
from media.frames import LINE_RATE, BargeIn, CallMedia, MediaEvent, MediaUnavailable, Pcm
from sipserver.background import to_the_end
from sipserver.legs import (
    Answered,
    Ended,
    Endpoint,
    Invitation,
    Leg,
    LegEvent,
    OfferAnswered,
    Offered,
    OfferRefused,
    Progress,
    Referred,
    Refused,
)
from sipserver.media_session import MediaSession
from sipserver.message import MessageError
from sipserver.offer import NotAcceptable
from sipserver.once import Once
from sipserver.outcome import NOT_ACCEPTABLE, refused
from sipserver.party import Services
from sipserver.protocols import CheckFailure, CheckName, CheckStep, EndedReason, TrialCall, Trunk
from sipserver.renegotiation import Renegotiation

RING_SECONDS = 30.0
PACKET_SECONDS = 3.0
"""How long the first packet may take after the answer."""
LISTEN_SECONDS = 4.0
MEASURE_SECONDS = 2.0
"""Losses and jitter are counted for so long at least, though the tone was heard before."""
MAX_LOSS = 0.02
MAX_JITTER_MS = 30.0
FREQUENCY = 1004.0
"""Hz. The test tone of telephony (ITU-T O.9): not 1000, of which 8000 samples a second would see the same few points."""
HEARD_FRAMES = 15
"""Frames of 20 ms in which the tone has to stand out."""

_AMPLITUDE = 6000
_FAINT = 150.0
_HEAR_RATE = 16_000
_FAILURES = {
    EndedReason.BUSY: CheckFailure.BUSY,
    EndedReason.NO_ANSWER: CheckFailure.NO_ANSWER,
    EndedReason.CANCELED: CheckFailure.NO_ANSWER,
    EndedReason.REJECTED: CheckFailure.REJECTED,
    EndedReason.BLOCKED: CheckFailure.BLOCKED,
    EndedReason.INVALID_NUMBER: CheckFailure.INVALID_NUMBER,
    EndedReason.TRUNK_UNAVAILABLE: CheckFailure.TRUNK_UNAVAILABLE,
}


class _Failed(Exception):
    """A step failed, and none can follow. The sentence is for who tries the trunk out."""

    def __init__(self, failure: CheckFailure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


async def place_trial_call(
    endpoint: Endpoint, services: Services, trunk: Trunk, call: TrialCall
) -> Sequence[CheckStep]:
    """The steps as far as they came; the call is hung up and its media are closed when this returns. Raises nothing of its own."""
    log = _Log()
    try:
        host = await services.media_host(trunk, None)
        session = await MediaSession.open(
            services.media, f"trial-{trunk.id}", None, services.clock(), host, trunk.options
        )
    except MediaUnavailable as error:
        log.step("dial", str(error), CheckFailure.AT_CAPACITY)
        return log.steps
    trial = _Trial(endpoint, trunk, call, session, log)
    try:
        await trial.run()
    finally:
        await to_the_end(trial.close())
    return log.steps


class _Log:
    """The steps, each with the time since the one before."""

    def __init__(self) -> None:
        self.steps: list[CheckStep] = []
        self._since = _now()

    def step(self, name: CheckName, detail: str, failure: CheckFailure | None = None) -> None:
        now = _now()
        self.steps.append(CheckStep(name, failure is None, round((now - self._since) * 1000, 1), detail, failure))
        self._since = now


class _Trial:
    """One call."""

    def __init__(self, endpoint: Endpoint, trunk: Trunk, call: TrialCall, session: MediaSession, log: _Log) -> None:
        self._endpoint = endpoint
        self._trunk = trunk
        self._call = call
        self._session = session
        self._log = log
        self._leg: Leg | None = None
        self._offers = Renegotiation(lambda _problem: None)
        self._first: Once[None] = Once()
        """Anything was said to the INVITE."""
        self._rang: Once[Progress] = Once()
        self._answer: Once[bytes | _Failed | None] = Once()
        self._over: Once[None] = Once()
        self._report: MediaReport | None = None

    async def run(self) -> None:
        """From the INVITE to the last step."""
        try:
            self._leg = self._invite(self._session.offer())
        except MessageError as error:
            self._log.step("dial", f"{error}.", CheckFailure.TRUNK_UNAVAILABLE)
            return
        async with asyncio.TaskGroup() as group:
            works = (self._watch(self._leg), self._session.watched.watch(_unheeded), self._read_events())
            tasks = [group.create_task(work) for work in works]
            await self._signalling()
            for task in tasks:
                task.cancel()

    async def close(self) -> None:
        """Hang up and free the row; the second time it does nothing."""
        if self._leg is not None:
            self._leg.hang_up()
        try:
            self._report = await self._session.close()
        except TimeoutError:
            self._report = None

    # -- the steps ---------------------------------------------------------------------------------------------------------

    async def _signalling(self) -> None:
        name: CheckName = "dial"
        try:
            async with asyncio.timeout(RING_SECONDS):
                await self._first.wait()
                self._taken()
                name = "answer"
                answer = await self._rung()
            if isinstance(answer, _Failed):
                raise answer
            self._log.step("answer", "200 OK")
            name = "codec"
            self._agree(answer)
        except TimeoutError:
            self._log.step(name, f"Nobody answered for {RING_SECONDS:g} seconds.", CheckFailure.NO_ANSWER)
        except _Failed as failed:
            self._log.step(name, failed.detail, failed.failure)
        else:
            await self._listen()

    def _taken(self) -> None:
        """A final answer that only says that nobody is there fails here, every other one later."""
        answer = self._answer.get(None) if self._answer.is_set() else None
        if isinstance(answer, _Failed) and answer.failure is CheckFailure.TRUNK_UNAVAILABLE:
            raise answer
        self._log.step("dial", "The trunk took the INVITE.")

    async def _rung(self) -> bytes | _Failed | None:
        rang, answer = asyncio.ensure_future(self._rang.wait()), asyncio.ensure_future(self._answer.wait())
        try:
            await asyncio.wait([rang, answer], return_when=asyncio.FIRST_COMPLETED)
            if rang.done():
                told = rang.result()
                self._log.step("ringing", f"{told.status} {told.reason}{', with early media' if told.sdp else ''}")
            elif not isinstance(answer.result(), _Failed):
                self._log.step("ringing", "It was answered without ringing.")
            return await answer
        finally:
            rang.cancel()
            answer.cancel()

    def _agree(self, sdp: bytes | None) -> None:
        try:
            self._session.accept_answer(sdp)
        except NotAcceptable as error:
            raise _Failed(CheckFailure.NOT_ACCEPTABLE, f"The answer cannot be used: {error}.") from None
        agreed = self._session.format
        codec = "nothing" if agreed is None else f"{agreed.codec.value}, payload type {agreed.payload_type}"
        self._log.step("codec", f"{codec}, {'SRTP' if self._session.is_secure else 'RTP without encryption'}")

    async def _listen(self) -> None:
        """Send the tone, and hear what comes until it was heard, the time is over or they hang up."""
        media = self._session.media
        await self._session.connect()
        media.set_barge_in(BargeIn(enabled=False))
        ear = _Ear(self._log)
        works = [self._play(media), ear.hear(media), self._over.wait()]
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await asyncio.wait(tasks[1:], timeout=PACKET_SECONDS + LISTEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        hung_up = self._over.is_set()
        await self.close()
        self._judge(ear, hung_up)

    def _judge(self, ear: _Ear, hung_up: bool) -> None:
        if not ear.began:
            why = (
                "They hung up before any packet came."
                if hung_up
                else "No packet came: is the way to media.rtp_ports open?"
            )
            self._log.step("first_packet", why, CheckFailure.HUNG_UP if hung_up else CheckFailure.NO_PACKETS)
            return
        if self._report is not None:
            self._judge_quality(self._report)
        if ear.heard_tone:
            self._log.step("tone", "Our tone came back: audio goes both ways.")
        elif hung_up:
            self._log.step("tone", "They hung up before our tone came back.", CheckFailure.HUNG_UP)
        else:
            told = "Only other audio came, not our tone: the number is no echo, or does not hear us."
            self._log.step("tone", told)

    def _judge_quality(self, report: MediaReport) -> None:
        due = report.packets_received + report.packets_lost
        share = report.packets_lost / due if due else 0.0
        lost = f"{report.packets_lost} of {due} packets were lost, {report.packets_late} came too late."
        self._log.step("loss", lost, CheckFailure.LOSS if share > MAX_LOSS else None)
        jitter = f"{report.jitter_ms:.1f} ms{'' if report.mos is None else f', MOS {report.mos:.1f}'}"
        self._log.step("jitter", jitter, CheckFailure.JITTER if report.jitter_ms > MAX_JITTER_MS else None)

    # -- the leg -----------------------------------------------------------------------------------------------------------

    def _invite(self, sdp: bytes) -> Leg:
        call = self._call
        return self._endpoint.invite(Invitation(trunk=self._trunk, to=call.to, from_user=call.from_number, sdp=sdp))

    async def _watch(self, leg: Leg) -> None:
        """To the end of the leg. Many who do without SRTP say 488 to an offer with it: they are asked once more, without."""
        async for event in leg.events():
            offer = (
                self._session.plain_offer() if isinstance(event, Refused) and event.status in NOT_ACCEPTABLE else None
            )
            if offer is not None:
                self._leg = self._invite(offer)
                await self._watch(self._leg)
                return
            await self._happened(leg, event)
        self._answer.set(_Failed(CheckFailure.ERROR, "The call ended before its answer."))
        self._first.set(None)
        self._over.set(None)

    async def _happened(self, leg: Leg, event: LegEvent) -> None:
        match event:
            case Progress(status=status):
                if 180 <= status <= 189:
                    self._rang.set(event)
            case Answered(sdp=sdp):
                if not self._answer.set(sdp) and sdp is not None:
                    await self._offers.late_answer(self._session, sdp)
            case Refused(status=status, reason=reason, cause=cause):
                self._answer.set(_refusal(status, reason, cause))
            case Offered(sdp=sdp):
                await self._offers.offered(leg, self._session, sdp, flowing=True)
            case OfferAnswered():
                await self._offers.answered(self._session, event)
            case OfferRefused():
                self._offers.refused(self._session, event)
            case Referred():
                leg.decline_refer()
            case Ended():
                self._over.set(None)
        self._first.set(None)

    async def _play(self, media: CallMedia) -> None:
        left = _tone()
        while len(left):
            left = left[media.play(left) :]
            await media.wait_room(1)

    async def _read_events(self) -> None:
        async for _ in self._session.media.events():
            pass


class _Ear:
    """Whether packets come, and the tone in them."""

    def __init__(self, log: _Log) -> None:
        self.began = False
        self._log = log
        self._frames = 0
        self._loud = 0

    @property
    def heard_tone(self) -> bool:
        """In enough frames."""
        return self._loud >= HEARD_FRAMES

    async def hear(self, media: CallMedia) -> None:
        """Returns when the tone was heard and enough has come to judge the way by."""
        async for frame in media.hear(media.position()):
            if not self.began and not frame.concealed:
                self.began = True
                self._log.step("first_packet", "Audio comes.")
            self._frames += self.began
            self._loud += not frame.concealed and has_tone(frame.pcm)
            if self.heard_tone and self._frames >= MEASURE_SECONDS * 50:
                return


def has_tone(pcm: Pcm) -> bool:
    """Whether the test tone is most of these samples, int16 (n,), 16 kHz."""
    wave = np.exp(-2j * np.pi * FREQUENCY / _HEAR_RATE * np.arange(len(pcm)))
    samples = pcm.astype(np.float64)
    amplitude = 2 * abs(np.dot(samples, wave)) / len(pcm)
    whole = float(np.sqrt(2 * np.mean(samples**2)))
    return bool(amplitude > _FAINT and amplitude > 0.7 * whole)


def _tone() -> Pcm:
    """All of it, int16 (frames, 160), 8 kHz."""
    frames = round((PACKET_SECONDS + LISTEN_SECONDS) * 50)
    time_line = np.arange(frames * 160) / LINE_RATE
    tone = np.rint(_AMPLITUDE * np.sin(2 * np.pi * FREQUENCY * time_line))
    return np.asarray(tone, np.int16).reshape(frames, 160)


def _refusal(status: int, reason: str, cause: int | None) -> _Failed:
    if status in NOT_ACCEPTABLE:
        return _Failed(CheckFailure.NOT_ACCEPTABLE, f"{status} {reason}")
    failure = _FAILURES.get(refused(status, reason, cause).reason, CheckFailure.ERROR)
    return _Failed(failure, f"{status} {reason}")


def _unheeded(_event: MediaEvent) -> None:
    """What happens to these media is seen in what is heard."""


def _now() -> float:
    return asyncio.get_running_loop().time()
