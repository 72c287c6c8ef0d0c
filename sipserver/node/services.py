"""What the HTTP operations and the worker of the jobs work with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from control_api.calllog import MEBIBYTE
from control_api.egress import Egress, EgressPolicy
from control_api.encoder_process import EncoderProcess
from control_api.encoding import Encoder, forget_parts
from control_api.jobs import JobRunner
from control_api.metrics import Metrics
from control_api.models.background_sound import BackgroundSound
from control_api.services import Catalogue, Services
from control_api.signing import LinkSigner
from control_api.worker import job_runner
from inference.engines import Engines
from inference.extraction import CallAnalyst
from media.sound_table import Sound
from sipserver import __version__
from sipserver.banlist import GuardBans
from sipserver.node.base import Base, now
from sipserver.node.telephony import Telephony, dialling_of
from sipserver.trunk_check import TrunkCheck


def services_of(base: Base, phone: Telephony, policy: EgressPolicy, public_url: str, encoder: Encoder) -> Services:
    """What the HTTP operations work with."""
    settings, engines, calls = base.settings, base.engines, phone.calls
    metrics = Metrics(lambda: len(calls.live()), calls.capacity, phone.figures)
    base.live.tap(metrics.observe)
    return Services(
        store=base.store,
        box=base.box,
        directory=base.directory,
        checks=base.checks,
        dialler=calls,
        call_log=base.call_log,
        live=base.live,
        links=LinkSigner(public_url, base.box.signing_keys()),
        encoder=encoder,
        now=now,
        version=__version__,
        metrics=metrics,
        catalogue=_catalogue(engines, base.sounds),
        dialling=dialling_of(settings),
        check_url=policy.check_url,
        unready=lambda: _unready(base),
        draining=lambda: calls.draining,
        poke_jobs=base.wake.set,
        ring_timeout_seconds=settings.sip.ring_timeout_seconds,
        link_days=settings.recording.url_days,
        retention_days=settings.recording.retention_days,
        trunk_states=phone.trunks,
        trunk_tester=TrunkCheck(phone.endpoint, phone.trunks, calls),
        traces=phone.lookout.traces,
        bans=GuardBans(phone.lookout.guard, time.monotonic, now),
    )


def _catalogue(engines: Engines, sounds: Sequence[Sound]) -> Catalogue:
    shown = [
        BackgroundSound(id=sound.id, name=sound.name, built_in=sound.built_in, seconds=round(sound.seconds, 2))
        for sound in sounds
    ]
    return Catalogue(engines.tts.voices() if engines.tts else (), tuple(engines.models), background_sounds=tuple(shown))


def encoder_of(base: Base, stack: AsyncExitStack) -> Encoder:
    """Who makes compressed recordings, in a process that begins with the first of them."""
    forget_parts(base.folder.recordings)
    process = EncoderProcess()
    stack.callback(process.close)
    return Encoder(process.transcode, base.settings.recording.min_free_mb * MEBIBYTE, base.vault.files)


def _unready(base: Base) -> list[str]:
    """Why calls cannot be served, beyond what the calls and their log say."""
    return [*(() if base.plane.free() else ("No media process takes calls.",)), *base.background.ended]


def worker_of(base: Base, services: Services, policy: EgressPolicy, stack: AsyncExitStack) -> JobRunner:
    """Whoever does what is queued: dials, encodes, analyses, tells."""
    webhook = base.settings.webhook
    egress = Egress(policy, webhook.timeout_seconds)
    stack.push_async_callback(egress.aclose)
    analyst = CallAnalyst(base.engines)
    return job_runner(
        services, base.name, base.folder.recordings, analyst, egress, base.wake, hmac_header=webhook.hmac_header
    )
