"""The traces of calls, live and finished: in memory while a call runs and a moment longer, then in its file."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import structlog

from sipserver.protocols import CallStatus, LiveEvent
from sipserver.trace.files import TraceFiles
from sipserver.trace.followers import Followers
from sipserver.trace.keeper import CallTrace, Keeper
from sipserver.trace.packet import Glance, Packet, shown
from sipserver.trace.pcap import pcap
from sipserver.trace.rtp import RtpTrace, RtpTraces
from sipserver.trace.text import ladder

log = structlog.get_logger(__name__)

LINGER = 5.0
"""Seconds after a call's end in which the answer to its BYE, and what is repeated, still belong to it."""
_FINAL = (CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.NO_ANSWER)


class Traces:
    """What the API asks for a call's messages. `files` is None where finished calls are kept in memory only, as long as there is
    room; `clock` tells seconds that never go back.
    """

    def __init__(
        self, keeper: Keeper, files: TraceFiles | None, clock: Callable[[], float], rtp: RtpTraces | None = None
    ) -> None:
        self.followers = Followers()
        self.rtp = RtpTraces() if rtp is None else rtp
        self._keeper = keeper
        self._files = files
        self._clock = clock
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._news = asyncio.Event()

    def take(self, seen: Glance, packet: Packet) -> None:
        """A `wiretap.Sink`."""
        if seen.call_id:
            self._keeper.take(seen.call_id, packet)
        self.followers.publish(packet)

    def watch(self, sip_call_id: str, call_id: str) -> None:
        """This Call-ID belongs to that call."""
        self._keeper.watch(sip_call_id, call_id)

    def observe(self, call_id: str, event: LiveEvent) -> None:
        """A live event of a call: after its last status its file is written."""
        if event.kind == "status" and event.data["status"] in _FINAL and self._files is not None:
            self._ended.setdefault(call_id, self._clock() + LINGER)
            self._news.set()

    async def run(self) -> None:
        """Write the files of the calls that are over, until cancelled."""
        while True:
            await self._news.wait()
            left = await self.write_due()
            if left is None:
                self._news.clear()
            else:
                await asyncio.sleep(left)

    async def write_due(self) -> float | None:
        """Write the files of the calls that ended `LINGER` seconds ago; the seconds until the next is due, None without one."""
        while self._ended:
            call_id, due = next(iter(self._ended.items()))
            if due > self._clock():
                return due - self._clock()
            await self._write(call_id)
        return None

    async def flush(self) -> None:
        """Write what has ended, without waiting for more of it."""
        while self._ended:
            await self._write(next(iter(self._ended)))

    async def messages(self, call_id: str) -> tuple[list[dict[str, Any]], int]:
        """The call's messages as JSON, oldest first, and how many older ones were not kept."""
        trace = await self._of(call_id)
        return [shown(packet) for packet in trace.packets], trace.dropped

    async def text(self, call_id: str) -> str:
        """The call's messages as a readable ladder."""
        return ladder(await self._of(call_id))

    async def pcap(self, call_id: str) -> bytes:
        """The call's messages as a capture file, and the headers of its RTP where they were asked for."""
        trace, rtp = await self._of(call_id), await self._rtp_of(call_id)
        return await asyncio.to_thread(pcap, trace.packets, rtp.headers() if rtp else ())

    async def refused(self) -> list[dict[str, Any]]:
        """The latest INVITEs that became no call, each with its messages as JSON, the newest first: refused ones, and trial calls."""
        return [
            {"sipCallId": sip_call_id, "messages": [shown(one) for one in trace.packets], "dropped": trace.dropped}
            for sip_call_id, trace in self._keeper.unclaimed()
        ]

    async def refused_text(self) -> str:
        """The same as readable ladders, one below the other."""
        return "\n".join(
            f"{shown(trace.packets[0])['at']}  {sip_call_id}\n{ladder(trace)}"
            for sip_call_id, trace in self._keeper.unclaimed()
        )

    async def refused_pcap(self) -> bytes:
        """The same as a capture file."""
        return pcap([packet for _, trace in self._keeper.unclaimed() for packet in trace.packets])

    async def follow(self) -> AsyncIterator[dict[str, Any]]:
        """Every message of the server from now on, as JSON."""
        async with aclosing(self.followers.follow()) as packets:
            async for packet in packets:
                yield shown(packet)

    async def _of(self, call_id: str) -> CallTrace:
        trace = self._keeper.of(call_id)
        if trace is None and self._files is not None:
            trace = await asyncio.to_thread(self._files.read, call_id)
        return trace or CallTrace()

    async def _rtp_of(self, call_id: str) -> RtpTrace | None:
        trace = self.rtp.of(call_id)
        if trace is None and self._files is not None:
            return await asyncio.to_thread(self._files.read_rtp, call_id)
        # What goes on being told must not change under the thread that writes it down.
        return trace and replace(trace, ends=[*trace.ends], records=trace.records.copy())

    async def _write(self, call_id: str) -> None:
        try:
            if self._files is not None and (trace := self._keeper.of(call_id)) is not None:
                await asyncio.to_thread(self._files.write, call_id, trace)
            if self._files is not None and (rtp := self.rtp.of(call_id)) is not None:
                await asyncio.to_thread(self._files.write_rtp, call_id, rtp)
        except OSError as error:
            log.warning("trace not written", call_id=call_id, error=error.strerror)
        self._ended.pop(call_id, None)
        self._keeper.forget(call_id)
        self.rtp.forget(call_id)
