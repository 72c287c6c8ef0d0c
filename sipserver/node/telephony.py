"""What a node has of SIP: its port, the calls that come and go by it, and what is done for trunks beside."""

from __future__ import annotations

import time
import uuid
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

from control_api.dialling import DiallingPolicy
from control_api.egress import Egress, EgressPolicy
from control_api.hold_music import HoldMusicFetcher
from control_api.sip_metrics import SipFigures
from control_api.transfer_desk import Desk
from inference.conversation import Conversations
from media.music import decode_music, melody
from sipserver import party
from sipserver.calls import Calls
from sipserver.capacity import Limits
from sipserver.guests import Guests
from sipserver.inbound import Manners
from sipserver.ladder import Ladder
from sipserver.lookout import Lookout
from sipserver.media_hosts import MediaHosts
from sipserver.node.base import Base, now
from sipserver.settings import Settings, split_host_port
from sipserver.transport.credentials import TlsFiles
from sipserver.transport.own_address import OwnAddress
from sipserver.trunks import Trunks
from sipserver.useragent import SipEndpoint, TlsFace
from sipserver.useragent.identity import Limits as SipLimits

MUSIC_SECONDS = 30.0
"""How long the music of a `holdMusicUrl` may take to be fetched; callers do not wait for it that long."""


@dataclass(frozen=True, slots=True)
class Telephony:
    """What a node has of SIP."""

    endpoint: SipEndpoint
    calls: Calls
    trunks: Trunks
    lookout: Lookout

    def figures(self) -> SipFigures:
        """What has passed so far, for `/metrics`."""
        guard = self.lookout.guard
        dropped = self.endpoint.counters + guard.counters
        bans, made = len(guard.bans()), dropped.pop("bans", 0)
        return SipFigures(self.lookout.tap.messages, dropped, self.endpoint.retransmissions, made, bans)


async def telephony_of(base: Base, stack: AsyncExitStack) -> Telephony:
    """The SIP port, the calls that come and go by it, and what we do for trunks beside."""
    sip, server = base.settings.sip, base.settings.server
    host, port = split_host_port(sip.bind)
    trunks = Trunks.make(base.box.signing_keys()[0], now, probe_seconds=sip.probe_seconds, learn=sip.learn_address)
    sockets = stack.enter_context(ExitStack())
    users = base.directory.inbound_users
    lookout = Lookout.make(base.settings, base.folder.traces, base.directory, trunks.trunk_of, users, now, sockets)
    guests = Guests(base.directory, trunks, lookout.guard)
    base.live.tap(lookout.traces.observe)
    stack.push_async_callback(lookout.traces.flush)
    ladder = Ladder(base.live.publish, on_watch=lookout.traces.watch)
    endpoint = SipEndpoint(
        host,
        port,
        transports=sip.transports,
        advertised=sip.advertised,
        tls=_tls(base.settings),
        local_nets=sip.local_nets,
        learn_address=sip.learn_address,
        trunk_of=guests.trunk_of,
        guard=lookout.guard,
        tap=ladder.tap,
        wire=lookout.wire,
        limits=SipLimits(retry_after=sip.retry_after_seconds),
        takes_refer=guests.takes_refer,
    )
    services = party.Services(
        log=base.call_log,
        media=base.plane,
        conversations=Conversations(base.engines, base.call_log),
        ladder=ladder,
        clock=now,
        media_host=_media_hosts(base.settings, endpoint).of,
        transfer=_transfers(base, endpoint, stack),
        retry_after=sip.retry_after_seconds,
        rtp=lookout.traces.rtp,
    )
    limits = Limits(server.max_calls, server.max_calls_per_agent)
    manners = Manners(sip.ring_seconds)
    calls = Calls(
        endpoint,
        services,
        base.directory,
        _new_id,
        limits,
        manners,
        registered=trunks.trunk_of,
        shown=lookout.guard.shown,
    )
    stack.push_async_callback(endpoint.stop)
    stack.push_async_callback(calls.stop)
    await calls.start()
    lookout.looks_at(endpoint)
    stack.push_async_callback(trunks.stop)
    trunks.start(endpoint)
    base.directory.watch(trunks.follow)
    return Telephony(endpoint, calls, trunks, lookout)


def _media_hosts(settings: Settings, endpoint: SipEndpoint) -> MediaHosts:
    bound = OwnAddress(settings.media.bind or split_host_port(settings.sip.bind)[0], time.monotonic)
    return MediaHosts(endpoint, bound, settings.media.advertised)


def _transfers(base: Base, endpoint: SipEndpoint, stack: AsyncExitStack) -> party.TransferParts:
    """What handing callers over needs."""
    settings = base.settings
    egress = Egress(EgressPolicy(settings.egress.allow), MUSIC_SECONDS)
    stack.push_async_callback(egress.aclose)
    music = HoldMusicFetcher(egress, base.folder.hold_music, decode_music, melody(), now)
    stack.push_async_callback(music.aclose)
    return party.TransferParts(endpoint, Desk(dialling_of(settings), base.directory, base.checks), music, _new_id)


def dialling_of(settings: Settings) -> DiallingPolicy:
    """Whom the operator lets be rung."""
    dialling = settings.dialling
    return DiallingPolicy(dialling.allow_countries, dialling.allow_own_numbers, dialling.max_queue)


def _tls(settings: Settings) -> TlsFace | None:
    sip = settings.sip
    if sip.tls_bind is None or sip.tls_certificate is None or sip.tls_key is None:
        return None
    files = TlsFiles(sip.tls_certificate, sip.tls_key, sip.tls_ca, sip.tls_verify_clients)
    return TlsFace(*split_host_port(sip.tls_bind), files, sip.tls_advertised)


def _new_id() -> str:
    return str(uuid.uuid4())
