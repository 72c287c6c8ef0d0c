"""The media session of a call (RFC 3264): an open media row, and what was offered and answered for it."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import cast

from media.call_report import MediaReport
from media.frames import CallMedia, Direction, MediaPlane, RtpFormat
from sipserver.codecs import codecs_named
from sipserver.legs import Source
from sipserver.offer import OfferAnswer
from sipserver.protocols import Trunk, TrunkOptions
from sipserver.recording_switch import RecordingSwitch
from sipserver.sdes import Sdes
from sipserver.trace.rtp_view import LookFrom
from sipserver.watched import WatchedMedia

CLOSE_SECONDS = 10.0
"""How long media may take to close."""

_DEFAULTS = TrunkOptions()


def exchange_of(host: str, port: int, session_id: int, options: TrunkOptions) -> OfferAnswer:
    """Offers and answers as a trunk's options want them."""
    sdes = Sdes(options.srtp, secrets.token_bytes)
    return OfferAnswer(
        host, port, session_id, codecs_named(options.codecs), ptime=options.ptime, sdes=sdes, metrics=options.rtcp_xr
    )


class MediaSession:
    """Media follow what was agreed last: after each exchange `connect` tells them.

    `session_id` is that of our o= line; `host` is where peers reach our media, the bound address if it is not given.
    """

    def __init__(
        self, media: CallMedia, session_id: int, host: str | None = None, options: TrunkOptions = _DEFAULTS
    ) -> None:
        self.watched = WatchedMedia(media)
        self._media = media
        self._host = host or media.host
        self._options = options
        self._exchange = exchange_of(self._host, media.port, session_id, options)
        self._wanted = Direction.SENDRECV
        self._proposed: Direction | None = None

    @classmethod
    async def open(
        cls,
        plane: MediaPlane,
        call_id: str,
        recording: Path | None,
        session_id: int,
        host: str | None = None,
        options: TrunkOptions = _DEFAULTS,
        beside: CallMedia | None = None,
    ) -> MediaSession:
        """Take a row, `beside` that of another call where the two are to be bridged. Raises MediaUnavailable."""
        return cls(await plane.open(call_id, recording, beside), session_id, host, options)

    @property
    def media(self) -> CallMedia:
        """The media as a conversation sees them."""
        return cast(CallMedia, self.watched)

    @property
    def off_record(self) -> RecordingSwitch:
        """What puts the call off the record."""
        return self.watched.switch

    async def record(self, *, on: bool) -> None:
        """Put the call off the record as an operator, or on it again."""
        await (self.off_record.resume("operator") if on else self.off_record.pause("operator"))

    def look(self, who: LookFrom | None) -> None:
        """Have packets told to whom `who` names for our end's address; None: to nobody."""
        self._media.look(None if who is None else who((self._media.host, self._media.port)))

    @property
    def is_agreed(self) -> bool:
        """Whether an offer has been answered."""
        return self._exchange.negotiated is not None

    @property
    def format(self) -> RtpFormat | None:
        """What was agreed to be sent; None before that."""
        return None if self._exchange.negotiated is None else self._exchange.negotiated.format

    @property
    def is_secure(self) -> bool:
        """Whether SRTP was agreed to."""
        return self._exchange.negotiated is not None and self._exchange.negotiated.srtp is not None

    def keys_in_the_open(self, source: Source | None, trunk: Trunk | None) -> bool:
        """SDES keeps keys from those alone who cannot read the signalling (RFC 4568 section 7): whether these could. `source` is where
        the call came from, if it came; what `auto` came to is not known here.
        """
        transport = source.transport if source else trunk.transport if trunk else None
        return self.is_secure and transport in ("udp", "tcp")

    @property
    def local(self) -> bytes | None:
        """Our last description, byte for byte."""
        return self._exchange.local

    def offer(self, *, plain: bool = False) -> bytes:
        """Our offer. plain: to a peer that must not be asked twice, so without encryption where the trunk permits that."""
        return self._exchange.offer(direction=self._wanted, plain=plain)

    def plain_offer(self) -> bytes | None:
        """Our offer once more, without encryption; None where it had none, or the trunk wants it."""
        return self._exchange.offer(plain=True) if self._exchange.offered_needlessly_secure else None

    def propose(self, direction: Direction) -> bytes:
        """Our offer of another direction, seen from us. `accept_answer` makes it the wanted one, `withdraw` takes it back."""
        self._proposed = direction
        return self._exchange.offer(direction=direction)

    def withdraw(self) -> None:
        """Our last offer was refused: the session is as it was (RFC 3261 section 14.1)."""
        if self._proposed is not None:
            self._proposed = None
            self._exchange.withdraw()

    def answer(self, sdp: bytes) -> bytes:
        """Our answer to the peer's offer. Raises NotAcceptable; the session then is as it was."""
        return self._exchange.answer(sdp, self._wanted)

    def accept_answer(self, sdp: bytes | None) -> None:
        """The peer's answer to our offer. Raises NotAcceptable, also where there is none; the session then is as it was."""
        self._exchange.accept_answer(sdp or b"")
        self._wanted, self._proposed = self._proposed or self._wanted, None

    def another(self, session_id: int) -> OfferAnswer:
        """An exchange with somebody else about the same media; what holds is as it was until `adopt`."""
        return exchange_of(self._host, self._media.port, session_id, self._options)

    def adopt(self, exchange: OfferAnswer) -> None:
        """What was agreed with somebody else holds from now on."""
        self._exchange = exchange

    def begin_anew(self, offer: bytes | None, session_id: int) -> bytes:
        """Our answer to the offer of a peer that takes the place of the one before, or our offer where it made none.

        Raises NotAcceptable; the session then is as it was.
        """
        exchange = self.another(session_id)
        sdp = exchange.offer(plain=True) if offer is None else exchange.answer(offer)
        self._exchange = exchange
        self._wanted, self._proposed = Direction.SENDRECV, None
        return sdp

    async def close(self) -> MediaReport:
        """Free the row. Raises TimeoutError where that takes longer than `CLOSE_SECONDS`."""
        async with asyncio.timeout(CLOSE_SECONDS):
            return await self._media.close()

    async def connect(self) -> None:
        """Let media flow as agreed. Before the first agreement there is nothing to follow."""
        agreed = self._exchange.negotiated
        if agreed is not None:
            await self._media.connect(agreed.remote, agreed.format, agreed.direction, agreed.srtp)
