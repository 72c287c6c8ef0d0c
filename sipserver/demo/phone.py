"""A synthetic telephone: a SIP endpoint of its own, and a line for each call. It rings the server as any peer would."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sipserver.demo.line import Line, SilentLine
from sipserver.legs import Answered, Ended, Invitation, LadderTap, Leg, LegEvent, Refused, Source
from sipserver.message import Request
from sipserver.offer import OfferAnswer
from sipserver.protocols import Trunk
from sipserver.sdp import sdp_body
from sipserver.useragent import SipEndpoint


class CallRefused(Exception):
    """The server did not take the call; the text says with which answer."""


class _Everybody:
    """A telephone answers whoever rings."""

    def trusts(self, source: Source) -> bool:
        return False

    def admit(self, request: Request, source: Source) -> int | None:
        return None


@dataclass(slots=True)
class PhoneCall:
    """One call at the telephone's end. `answer_seconds`: from the INVITE to the 200, for a call that the phone placed."""

    leg: Leg
    line: Line
    answer_seconds: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    ended_by: str | None = None
    _watching: asyncio.Task[None] | None = None

    async def until_ended(self, timeout: float) -> str:
        """Who ended the call: `bye` is the other side. Raises SilentLine when nobody does."""
        try:
            async with asyncio.timeout(timeout):
                await self.ended.wait()
        except TimeoutError:
            raise SilentLine(f"nobody ended the call within {timeout:g} s") from None
        return self.ended_by or "lost"

    async def close(self) -> None:
        """Hang up if need be, and free the line."""
        self.leg.hang_up()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self.line.close()

    def _watch(self, events: asyncio.Queue[LegEvent | None]) -> None:
        self._watching = asyncio.create_task(self._until_over(events), name="synthetic-leg")

    async def _until_over(self, events: asyncio.Queue[LegEvent | None]) -> None:
        while (event := await events.get()) is not None:
            if isinstance(event, Ended):
                self.ended_by = event.by
                self.ended.set()


class Phone:
    """Rings and answers. Use as an asynchronous context manager. `line` makes each call's media, of a host to bind to."""

    def __init__(
        self, host: str = "127.0.0.1", tap: LadderTap | None = None, line: Callable[[str], Line] = Line
    ) -> None:
        self._host = host
        self._line = line
        self.endpoint = SipEndpoint(host, 0, transports=("udp",), guard=_Everybody(), tap=tap)
        self._incoming: asyncio.Queue[Leg] = asyncio.Queue(maxsize=10)
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Phone:
        await self.endpoint.start(self._on_invite)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.endpoint.stop()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    @property
    def port(self) -> int:
        """Where the telephone takes calls."""
        return self.endpoint.port

    async def ring(self, server: tuple[str, int], number: str, own_number: str, timeout: float = 10) -> PhoneCall:
        """Call `number` at the server and wait for the answer. Raises CallRefused."""
        line = self._line(self._host)
        session = OfferAnswer(self._host, line.port, secrets.randbits(31))
        trunk = Trunk("phone", "phone", "ip_allowlist", server[0], server[1])
        started = asyncio.get_running_loop().time()
        leg = self.endpoint.invite(Invitation(trunk, number, own_number, session.offer()))
        events = self._pump(leg)
        try:
            sdp = await self._answer(events, timeout)
            session.accept_answer(sdp)
        except (CallRefused, TimeoutError) as error:
            leg.hang_up()
            await line.close()
            raise CallRefused(str(error) or f"no answer within {timeout:g} s") from None
        call = PhoneCall(leg, line, asyncio.get_running_loop().time() - started)
        return self._connected(call, session, events)

    async def take(self, timeout: float) -> PhoneCall:
        """Answer the next call that comes. Raises TimeoutError, CallRefused."""
        return self.answer(await self.incoming(timeout))

    async def incoming(self, timeout: float) -> Leg:
        """The next call that comes; it rings when its leg is told so. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            return await self._incoming.get()

    def answer(self, leg: Leg) -> PhoneCall:
        """Answer a call that came. Raises CallRefused."""
        offer = sdp_body(leg.invite)
        if offer is None:
            raise CallRefused("the INVITE brought no offer")
        line = self._line(self._host)
        session = OfferAnswer(self._host, line.port, secrets.randbits(31))
        events = self._pump(leg)
        leg.ring()
        leg.answer(session.answer(offer))
        return self._connected(PhoneCall(leg, line), session, events)

    async def _on_invite(self, leg: Leg) -> None:
        self._incoming.put_nowait(leg)

    def _connected(self, call: PhoneCall, session: OfferAnswer, events: asyncio.Queue[LegEvent | None]) -> PhoneCall:
        agreed = session.negotiated
        assert agreed is not None
        call.line.connect(agreed.remote, agreed.format)
        call._watch(events)
        return call

    def _pump(self, leg: Leg) -> asyncio.Queue[LegEvent | None]:
        """A leg's events have one consumer; the phone reads them in two places, one after the other."""
        queue: asyncio.Queue[LegEvent | None] = asyncio.Queue()

        async def pump() -> None:
            async for event in leg.events():
                queue.put_nowait(event)
            queue.put_nowait(None)

        task = asyncio.create_task(pump(), name="synthetic-events")
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)
        return queue

    @staticmethod
    async def _answer(events: asyncio.Queue[LegEvent | None], timeout: float) -> bytes:
        async with asyncio.timeout(timeout):
            while True:
                match await events.get():
                    case Answered(sdp) if sdp is not None:
                        return sdp
                    case Refused(status, reason):
                        raise CallRefused(f"{status} {reason}")
                    case None | Ended():
                        raise CallRefused("the call ended before its answer")
