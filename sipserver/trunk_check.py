"""Whether a trunk works, step by step: its name, its certificate, its registration or its answer to OPTIONS, and what it speaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from sipserver.locate import LocateError, Target
from sipserver.message import MessageError, Response
from sipserver.offer import NotAcceptable
from sipserver.protocols import CheckName, CheckStep, TrialCall, Trunk, TrunkStates
from sipserver.sdp import SdpError, Session, sdp_body
from sipserver.transport.domains import speaks_for
from sipserver.useragent import SipEndpoint

PATIENCE = 6.0
"""Seconds for each step."""

Found = tuple[bool, str]
"""Whether it is well, and a sentence about it."""


class Calling(Protocol):
    """Whoever places calls."""

    async def try_out(self, trunk: Trunk, call: TrialCall) -> Sequence[CheckStep]:
        """Place a call of a few seconds, and tell what became of it."""


class TrunkCheck:
    """Implements `protocols.TrunkTester`. `clock` tells seconds that never go back."""

    def __init__(
        self, endpoint: SipEndpoint, states: TrunkStates, calls: Calling, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calls = calls
        self._endpoint = endpoint
        self._states = states
        self._clock = clock

    async def check(self, trunk: Trunk, call: TrialCall | None = None) -> Sequence[CheckStep]:
        """Every step that makes sense after those before it, of each of the trunk's hosts. Never raises for what the network does.

        The call is placed whatever is said to OPTIONS: some trunks do not answer them, and carry calls.
        """
        hosts = trunk.each_host()
        if len(hosts) == 1:
            steps, found = await self._host(trunk)
        else:
            each = await asyncio.gather(*map(self._host, hosts))
            steps = [
                replace(step, host=host.host)
                for host, (of_host, _) in zip(hosts, each, strict=True)
                for step in of_host
            ]
            found = any(found for _, found in each)
        if found and trunk.mode == "registration":
            steps.append(await self._step("register", self._registration(trunk)))
        if found and call is not None:
            steps += await self._calls.try_out(trunk, call)
        return steps

    async def _host(self, trunk: Trunk) -> tuple[list[CheckStep], bool]:
        """The steps of one host, and whether its name leads anywhere."""
        targets: list[Target] = []
        steps = [await self._step("dns", self._dns(trunk, targets))]
        if not targets:
            return steps, False
        if targets[0].transport == "tls":
            steps.append(await self._step("tls", self._tls(trunk, targets[0])))
        answers: list[Response] = []
        steps.append(await self._step("options", self._options(trunk, answers)))
        steps += [await self._step("codecs", _codecs(trunk, answer)) for answer in answers]
        return steps, True

    async def _step(self, name: CheckName, work: Awaitable[Found]) -> CheckStep:
        begun = self._clock()
        try:
            async with asyncio.timeout(PATIENCE):
                ok, detail = await work
        except TimeoutError:
            ok, detail = False, f"Nothing came for {PATIENCE:g} seconds."
        except OSError as error:
            ok, detail = False, f"{error.strerror or error}."
        return CheckStep(name, ok, round((self._clock() - begun) * 1000, 1), detail)

    async def _dns(self, trunk: Trunk, targets: list[Target]) -> Found:
        try:
            targets += await self._endpoint.targets(trunk)
        except (LocateError, MessageError) as error:
            return False, f"{error}."
        return True, ", ".join(f"{target.host}:{target.port}/{target.transport}" for target in targets)

    async def _tls(self, trunk: Trunk, target: Target) -> Found:
        """A handshake of its own, so that what the certificate says can be told whatever it is."""
        context = self._endpoint.tls_context
        if context is None:
            return False, "TLS is not set up here: sip.tls_bind, sip.tls_certificate and sip.tls_key."
        domain = target.server_name or trunk.host
        _, writer = await asyncio.open_connection(target.host, target.port, ssl=context, server_hostname=domain)
        try:
            certificate = writer.get_extra_info("peercert")
            version = writer.get_extra_info("ssl_object").version()
        finally:
            writer.close()
        names = ", ".join(value for _, value in certificate.get("subjectAltName", ())) or "no names"
        told = f"{version}; the certificate is for {names}, until {certificate.get('notAfter')}"
        if speaks_for(certificate, domain):
            return True, f"{told}."
        return False, f"{told}: it does not speak for {domain}."

    async def _registration(self, trunk: Trunk) -> Found:
        """Registering is kept up all the time: how it stands is what a REGISTER now would say."""
        while True:
            state = self._states.registration(trunk.id)
            if state is None or state.status != "registering":
                break
            await asyncio.sleep(0.1)
        if state is None:
            return False, "There is no registration: no number uses this trunk yet."
        return (
            state.status == "registered",
            f"{state.status}{'' if state.last_error is None else f': {state.last_error}'}.",
        )

    async def _options(self, trunk: Trunk, answers: list[Response]) -> Found:
        """Any answer is a sign of life; a trunk need not know OPTIONS (RFC 3261 section 11)."""
        try:
            response = await self._endpoint.options(trunk, PATIENCE)
        except MessageError as error:
            return False, f"{error}."
        if response is None:
            return False, "No answer came."
        answers.append(response)
        return response.status not in (408, 503), f"{response.status} {response.reason}"


async def _codecs(trunk: Trunk, answer: Response) -> Found:
    """A 200 to OPTIONS may carry what its sender could take (RFC 3261 section 11.2); most carry nothing."""
    ours = ", ".join(trunk.options.codecs)
    body = sdp_body(answer)
    if body is None:
        return True, f"The answer names none; offered will be {ours}."
    try:
        theirs = [form.name.upper() for media in Session.parse(body).media for form in media.codecs]
    except (SdpError, NotAcceptable) as error:
        return False, f"The answer's session description cannot be read: {error}."
    common = [name for name in trunk.options.codecs if name.upper() in theirs]
    return bool(common), f"Theirs are {', '.join(theirs) or 'none'}; in common: {', '.join(common) or 'none'}."
