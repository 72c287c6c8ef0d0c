"""The life of a call: one leg, its media and its conversation, in one task group.

Whoever makes the call (`inbound`, `outbound`) brings it to its answer; from then on both are alike. Many things can end a
call: the peer's BYE, the end of the conversation, the loss of media, the limit of its duration, an operator. The first to
say so decides (`Call.end`); then the leg is hung up at once, the rest is put down in order, and the row becomes final.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from media.call_report import MediaReport
from media.frames import Direction, MediaEvent, MediaFailed, MediaTimeout, MediaUnavailable
from sipserver.agents import Agents
from sipserver.background import to_the_end
from sipserver.call_work import CallWork
from sipserver.keys_out import pressed
from sipserver.legs import (
    Agreed,
    Answered,
    Ended,
    KeyPressed,
    Leg,
    LegEvent,
    OfferAnswered,
    Offered,
    OfferRefused,
    Progress,
    ReferProgress,
    Referred,
    Refused,
)
from sipserver.media_session import MediaSession
from sipserver.numbers import masked
from sipserver.once import Once
from sipserver.outcome import NotEstablished, Outcome, later, refused, status_of
from sipserver.party import Party, Services
from sipserver.protocols import CallDirection, CallEnd, CallStatus, EndedReason, KeysSent
from sipserver.renegotiation import Renegotiation
from sipserver.replaces import Replaces
from sipserver.sdp import sdp_body
from sipserver.trace.rtp_view import RtpView
from sipserver.transfer.caller import Caller
from sipserver.transfer.obeyed import ObeyedRefers

Establish = Callable[["Call"], Awaitable[None]]
"""Brings a call to its answer by `open_session`, `follow` and `answered`; raises NotEstablished where there is none."""


class Call:
    """One call. `run` sees it through; the rest may be called meanwhile, from the same loop. An inbound call brings its leg."""

    def __init__(self, party: Party, services: Services, leg: Leg | None = None) -> None:
        self.party = party
        self.id = party.call_id
        self.answered_at: int | None = None
        self.agreed: Once[bytes | None] = Once()
        """The SDP of the peer's answer: of the 2xx to our INVITE, or of the ACK of our 2xx, or of the PRACK of our 18x."""
        self.again: Callable[[Refused], Leg | None] = _never
        """For who placed the call: another leg, where a refusal is not the last word."""
        self._services = services
        self._over: Once[Outcome] = Once()
        self._work = CallWork(party.call_id, services.log, services.clock)
        self._leg = leg
        self._sip_call_id = "" if leg is None else leg.call_id
        self._rang = party.direction is CallDirection.INBOUND
        self._session: MediaSession | None = None
        self._offers = Renegotiation(partial(self._work.problem, "sip"))
        self._rtp = RtpView(partial(services.rtp.look, party.call_id), on=services.rtp.always)
        caller = Caller(
            party=party,
            services=services,
            rtp=self._rtp,
            leg=self._current_leg,
            session=self._agreed_session,
            spawn=self._work.spawn,
            write=self._work.write,
            problem=partial(self._work.problem, "sip"),
            being_referred=lambda: self._obeyed.under_way,
        )
        self.agents = Agents(caller, self.end)
        self._obeyed = ObeyedRefers(caller, self.follow, self.end)

    # -- for those who make, list and end calls -----------------------------------------------------------------------

    @property
    def status(self) -> CallStatus:
        """Where the call stands; never a final status, for a call that is over is gone."""
        if self.answered_at is not None:
            return CallStatus.IN_PROGRESS
        return CallStatus.RINGING if self._rang else CallStatus.QUEUED

    def end(self, outcome: Outcome) -> bool:
        """End the call for this reason. False when it has ended already; the first reason stays."""
        return self._over.set(outcome)

    def hang_up(self) -> bool:
        """End the call because somebody asked for it."""
        return self.end(Outcome(EndedReason.CANCELED if self.answered_at is None else EndedReason.AGENT_ENDED))

    @property
    def channels(self) -> int:
        """How many legs it has on its trunk, those that are on their way too."""
        return 1 + self.agents.second_legs + self._obeyed.under_way

    @property
    def is_over(self) -> bool:
        """Whether its end has been decided, though its leg and its row may still be there."""
        return self._over.is_set()

    def named_by(self, replaces: Replaces) -> bool:
        """Whether this call's leg is the one that a Replaces header means."""
        dialog = None if self._leg is None else self._leg.dialog
        return dialog is not None and replaces.names(dialog)

    async def replace_leg(self, leg: Leg) -> bool:
        """Another inbound leg takes the place of this call's, which is hung up (RFC 3891 section 3); the conversation goes on.

        False while the call is not fully established, and when it is over. Raises NotAcceptable for an offer that cannot be
        answered; the call then is as it was.
        """
        if not self.agents.talked or self._leg is None or self.is_over:
            return False
        offer, old, session = sdp_body(leg.invite), self._leg, self._agreed_session()
        sdp = session.begin_anew(offer, self._services.clock())
        self.follow(leg)
        leg.answer(sdp)
        old.hang_up("replaced")
        self._work.logger.info("leg replaced")
        if offer is not None:
            await session.connect()
        return True

    async def hold(self, direction: Direction = Direction.SENDONLY) -> bool:
        """Hear the peer no more, which may still hear us (`inactive`: neither). Whether it agreed; if not, all is as it was."""
        leg, session = self._leg, self._flowing()
        return leg is not None and session is not None and await self._offers.ask(leg, session, direction)

    async def resume(self) -> bool:
        """Speak with each other again after `hold`. Whether the peer agreed."""
        return await self.hold(Direction.SENDRECV)

    async def record(self, *, on: bool) -> bool:
        """Put the call off the record, or on it again. False while it is not answered, and when it is over."""
        if (session := self._flowing()) is None:
            return False
        await session.record(on=on)
        return True

    def look_at_rtp(self, *, on: bool) -> bool:
        """Keep the RTP headers of the call, and of its second legs, from now on, or no more. False without media, and when it is over."""
        if self._session is None or self.is_over:
            return False
        self._rtp.show(on=on)
        return True

    async def press(self, keys: str) -> KeysSent:
        """Press keys one after the other; `w` is half a second's pause. Returns when the last has been sent."""
        session = self._flowing()
        return KeysSent.NOT_LIVE if session is None else await pressed(session.media, keys)

    async def run(self, establish: Establish, begin: Coroutine[Any, Any, None] | None = None) -> None:
        """See the call through; when this returns, its row is final. Raises nothing but CancelledError, and that only then.
        `begin` writes the row of a call that has none; `kept` waits for that.
        """
        party = self.party
        self._work.logger.info(
            "call begins", direction=party.direction, agent_id=party.agent.id, customer=masked(party.customer_number)
        )
        try:
            await self._carry(establish, begin)
        except asyncio.CancelledError:
            self.end(Outcome(EndedReason.NODE_LOST))
            raise
        except Exception:  # the edge of a call: whatever broke, it ends properly and the others go on
            self._work.logger.exception("call broken by a defect")
            self.end(Outcome(EndedReason.ERROR))
        finally:
            await to_the_end(self._close())
            self._let_go()

    # -- for those who bring it to its answer --------------------------------------------------------------------------

    async def open_session(self) -> MediaSession:
        """Take a media row. Raises NotEstablished when there is none. The session id is a time, as RFC 8866 section 5.2 suggests."""
        recording = Path(self._services.log.recording_path(self.id)) if self.party.agent.recording.enabled else None
        try:
            self._session = await MediaSession.open(
                self._services.media,
                self.id,
                recording,
                session_id=self._services.clock(),
                host=await self._services.media_host(self.party.trunk, self._leg),
                options=self.party.options,
            )
        except MediaUnavailable as error:
            problem = f"No media could be opened: {error}"
            raise NotEstablished(Outcome(EndedReason.AT_CAPACITY), ("media", problem)) from None
        self._session.off_record.tell = partial(self._services.log.publish, self.id)
        self._rtp.follow(self._session)
        return self._session

    async def kept(self) -> None:
        """Until the call has its row: no call is answered that would be lost with this process. Raises NotEstablished without it."""
        if not await self._work.begun():
            raise NotEstablished(Outcome(EndedReason.AT_CAPACITY))

    def follow(self, leg: Leg) -> None:
        """This is the call's leg: what happens on it happens to the call."""
        self._offers.over()
        self._leg = leg
        self._sip_call_id = self._sip_call_id or leg.call_id
        self._services.ladder.watch(leg.call_id, self.id)
        self._work.spawn(self._watch_leg(leg))

    def answered(self) -> None:
        """The answer was given, or it came."""
        self.answered_at = self._services.clock()
        self._work.logger.info("call answered")
        self._work.write(self._services.log.answered(self.id, self._sip_call_id, self.answered_at))

    def complain(self, sentence: str) -> None:
        """For the call's problems: something about its SIP that whoever set up the trunk should know."""
        self._work.problem("sip", sentence)

    # -- the call itself -------------------------------------------------------------------------------------------------

    async def _carry(self, establish: Establish, begin: Coroutine[Any, Any, None] | None) -> None:
        async with self._work:
            if begin is not None:
                self._work.begin(begin)
            if self._leg is not None:
                self.follow(self._leg)
            self._work.spawn(self._live(establish))
            outcome = await self._over.wait()
            self._leave(outcome)
            self._offers.over()
            self._work.cancel()

    async def _live(self, establish: Establish) -> None:
        try:
            await establish(self)
        except NotEstablished as failure:
            if failure.problem is not None:
                self._work.problem(*failure.problem)
            self.end(failure.outcome)
            return
        session = self._agreed_session()
        await session.connect()
        if session.keys_in_the_open(self._leg.source if self._leg else None, self.party.trunk):
            self._work.logger.warning("media keys went over SIP without TLS")
        self._work.spawn(session.watched.watch(self._observe))
        self.end(await self.agents.run(session.media))

    def _observe(self, event: MediaEvent) -> None:
        if isinstance(event, MediaTimeout):
            self.end(Outcome(EndedReason.MEDIA_TIMEOUT))
        elif isinstance(event, MediaFailed):
            self._work.problem("media", event.reason)
            self.end(Outcome(EndedReason.ERROR))

    # -- what happens on the leg -----------------------------------------------------------------------------------------

    async def _watch_leg(self, leg: Leg) -> None:
        async for event in leg.events():
            if leg is self._leg:
                await self._happened(leg, event)
        if leg is self._leg and not self._obeyed.outlives(leg):
            self.end(Outcome(EndedReason.ERROR))

    async def _happened(self, leg: Leg, event: LegEvent) -> None:
        match event:
            case Progress():
                self._progressed(event)
            case Agreed():
                self.agreed.set(event.sdp)
            case Answered():
                await self._agreed(event.sdp)
            case Refused():
                self._refused(event)
            case Offered():
                flowing = self.answered_at is not None
                await self._offers.offered(leg, self._session, event.sdp, flowing=flowing)
            case OfferAnswered():
                await self._offers.answered(self._agreed_session(), event)
            case OfferRefused():
                self._offers.refused(self._agreed_session(), event)
            case KeyPressed():
                self._pressed(event)
            case Referred():
                self._obeyed.referred(leg, event, allowed=self.agents.have_caller)
            case ReferProgress():
                self.agents.refer_progress(event)
            case Ended():
                self._left(leg, event)

    def _pressed(self, event: KeyPressed) -> None:
        if self._session is not None and self.answered_at is not None:
            self._session.watched.press(event.digit, event.duration_ms)

    def _progressed(self, event: Progress) -> None:
        """The first 18x makes the call ringing. Early media are not listened to: nothing is said before the answer."""
        if 180 <= event.status <= 189 and not self._rang:
            self._rang = True
            self._work.write(self._services.log.ringing(self.id, self._sip_call_id, self._services.clock()))

    def _refused(self, event: Refused) -> None:
        leg = self.again(event)
        if leg is not None:
            self._sip_call_id = leg.call_id
            self.follow(leg)
            return
        if event.problem is not None:
            self._work.problem("sip", event.problem)
        self.end(refused(event.status, event.reason, event.cause))

    async def _agreed(self, sdp: bytes | None) -> None:
        """The first answer is for whoever waits for it; one in a later ACK answers what we offered in a 200."""
        if self.agreed.set(sdp) or sdp is None:
            return
        await self._offers.late_answer(self._agreed_session(), sdp)

    def _left(self, leg: Leg, event: Ended) -> None:
        if self._obeyed.outlives(leg):
            return
        if event.by == "lost":
            self._work.problem("sip", event.reason or "The peer no longer answers.")
            self.end(Outcome(EndedReason.ERROR))
        else:
            self.end(Outcome(EndedReason.CANCELED if self.answered_at is None else self.agents.parted))

    # -- the end ---------------------------------------------------------------------------------------------------------

    def _leave(self, outcome: Outcome) -> None:
        """Hang up. On a leg that is over this does nothing."""
        if self._leg is None:
            return
        if self.party.direction is CallDirection.INBOUND and self.answered_at is None:
            self._leg.reject(outcome.refusal, headers=later(outcome.refusal, self._services.retry_after))
        else:
            self._leg.hang_up(outcome.reason)

    async def _close(self) -> None:
        outcome = self._over.get(Outcome(EndedReason.ERROR))
        self._leave(outcome)
        end = self._last_word(outcome, await self._close_media())
        await self._work.finish(end)

    async def _close_media(self) -> MediaReport | None:
        if self._session is None:
            return None
        try:
            return await self._session.close()
        except Exception:  # a time-out, or a defect over there: neither may cost the call its last word
            self._work.logger.exception("media did not close")
            return None

    def _last_word(self, outcome: Outcome, report: MediaReport | None) -> CallEnd:
        return CallEnd(
            status=status_of(outcome.reason, answered=self.answered_at is not None),
            reason=outcome.reason,
            at=self._services.clock(),
            sip_code=outcome.sip_code,
            sip_reason=outcome.sip_reason,
            media=report,
            conversation=self.agents.result(),
            sip_call_id=self._sip_call_id or None,
        )

    def _let_go(self) -> None:
        """What points back at a call that is over is dropped: it is gone at once, and leaves nothing to the collector of garbage,
        whose runs hold up all the others.
        """
        self.again = _never
        del self.agents, self._obeyed

    # -- tools -------------------------------------------------------------------------------------------------------------

    def _current_leg(self) -> Leg:
        if self._leg is None:
            raise RuntimeError("The call has an agent and no leg.")
        return self._leg

    def _flowing(self) -> MediaSession | None:
        """The session of a call that is answered and not over."""
        return None if self.answered_at is None or self.is_over else self._session

    def _agreed_session(self) -> MediaSession:
        if self._session is None:
            raise RuntimeError("The call has an answer and no session.")
        return self._session


def _never(refusal: Refused) -> None:
    """A refusal is the last word."""
