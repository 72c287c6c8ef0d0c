"""Nonsense from everywhere at a server that takes calls: it answers or drops it, logs no defect, grows no memory, and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.house import House, speaks_for, until
from tests.acceptance.wire import request

SEED = 4475
CALLER = "+12025550128"
ROUNDS = 6
GROWTH = 12 * 2**20
"""Bytes by which the server may grow over all rounds but the first, which fills its tables and caches."""


def test_torture_messages_of_rfc_4475_over_udp_and_tcp(runner: asyncio.Runner, shared: House) -> None:
    root = os.environ.get("ANTIPHON_TEST_DATA")
    if root is None:
        pytest.skip("ANTIPHON_TEST_DATA is not set: the messages of RFC 4475 are not part of the repository")
    messages = [file.read_bytes() for file in sorted((Path(root) / "rfc4475").glob("*.dat"))]
    assert len(messages) > 30
    _proven(runner, shared, "+12025550125", messages)


def test_random_bytes_and_broken_messages_over_udp_and_tcp(runner: asyncio.Runner, shared: House) -> None:
    _proven(runner, shared, "+12025550126", _nonsense(random.Random(SEED)))


def test_garbage_on_the_ports_of_a_call(runner: asyncio.Runner, shared: House) -> None:
    """RTP and RTCP, from the caller's own address and from a stranger's: the call goes on, and is heard."""

    async def test() -> None:
        await shared.agent("+12025550127")
        call = await shared.ring_until_answered("+12025550127", CALLER)
        await call.line.agent_ends(20)
        await call.line.press("1")
        await speaks_for(call, 0.5)
        remote = call.line.remote
        assert remote is not None
        chance = random.Random(SEED)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(1500):
                data = _rtp_like(chance)
                for port in (remote[1], remote[1] + 1):
                    stranger.sendto(data, (remote[0], port))
                call.line.send_raw(data)
                await asyncio.sleep(0)
        packets = call.line.received.packets
        await until(lambda: call.line.received.packets > packets + 50, "the agent goes on speaking")
        await call.line.press("2")
        assert await call.until_ended(20) == "bye"
        found = await shared.over(await shared.newest(CALLER))
        assert (found["status"], found["endedReason"]) == ("completed", "agent_ended")
        assert found["transcript"][-1]["content"] == "Goodbye."
        assert call.line.received.sequence_gaps == 0
        assert "Traceback" not in shared.log()

    runner.run(test())


def test_malformed_requests_to_the_api(runner: asyncio.Runner, shared: House) -> None:
    runner.run(_api(shared))


async def _api(home: House) -> None:
    http = home.node.http
    assert http is not None
    bodies: Sequence[tuple[bytes, int]] = (
        (b"", 400), (b"{", 400), (b"[]", 400), (b"null", 400), (b'"x"', 400), (b"\xff\xfe", 400), (b"{}", 400),
        (b'{"name": "\\ud800"}', 400), (b'{"name": NaN}', 400), (b'{"name": 1e999}', 400), (b"[" * 100_000, 400),
        (b'{"name": "a", "name": ' + b"9" * 5000 + b"}", 400), (b'{"name": "' + b"x" * 2**20 + b'"}', 413),
        (json.dumps({"name": "a\0b"}).encode(), 400),
    )  # fmt: skip
    for body, status in bodies:
        answer = await http.post("/v1/agents", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == status, (body[:40], answer.text)
        assert answer.json()["error"]
    for path in (
        "/v1/calls/x",
        "/v1/calls/%00",
        "/v1/calls?limit=x",
        "/v1/calls?createdAfter=%ff",
        "/v1/%2e%2e/%2e%2e/etc",
    ):
        answer = await http.get(path)
        assert answer.status_code in (400, 404), (path, answer.text)
    # Connections that say nothing, half a request, or something else, all at once and left open.
    async with contextlib.AsyncExitStack() as stack:
        for start in (
            b"",
            b"GET / HT",
            b"POST /v1/agents HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n",
            b"\x16\x03\x01\x02",
        ):
            for _ in range(25):
                await stack.enter_async_context(_connection(home.node.api, start))
        async with asyncio.timeout(5):
            assert (await http.get("/readyz")).status_code == 200
    for broken in (
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 5000,
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"A: b\r\n" * 20_000,
    ):
        async with _connection(home.node.api, broken) as reader:
            async with asyncio.timeout(5):
                assert (await reader.read(10)) in (b"", b"HTTP/1.1 4")
    assert (await http.get("/readyz")).status_code == 200
    assert "Traceback" not in home.log()


@contextlib.asynccontextmanager
async def _connection(address: tuple[str, int], data: bytes) -> Any:
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(data)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        yield reader
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


# -- SIP ------------------------------------------------------------------------------------------------------------------


def _proven(runner: asyncio.Runner, home: House, number: str, messages: Sequence[bytes]) -> None:
    """Send them over and over; then a call is as it should be, and the server is as large as it was."""

    async def test() -> None:
        await home.agent(number)
        sizes = []
        for _ in range(ROUNDS):
            await _over_udp(home, messages)
            await _over_tcp(home, messages)
            sizes.append(_resident(home.node.pid))
        found = await home.good_call(number, CALLER)
        assert found["problems"] == []
        assert "Traceback" not in home.log()
        assert max(sizes[1:]) - sizes[0] < GROWTH, sizes

    runner.run(test())


async def _over_udp(home: House, messages: Sequence[bytes]) -> None:
    """Each in a datagram; then the server still answers a request that is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.setblocking(False)
        peer.bind(("127.0.0.1", 0))
        for message in messages:
            peer.sendto(message[:65_000], home.node.sip)
            await asyncio.sleep(0)
        await _still_answers(home, peer)


async def _still_answers(home: House, peer: socket.socket) -> None:
    branch = os.urandom(6).hex()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(10):
        while True:
            # What comes now may be answers to the nonsense, and a datagram may be lost under so many.
            await loop.sock_sendto(peer, request("OPTIONS", "x", peer.getsockname()[1], branch), home.node.sip)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    while True:
                        answer = await loop.sock_recv(peer, 65_536)
                        if branch.encode() in answer:
                            return


async def _over_tcp(home: House, messages: Sequence[bytes]) -> None:
    """Each in a connection of its own: after nonsense the rest of a stream means nothing."""
    gate = asyncio.Semaphore(20)

    async def one(message: bytes) -> None:
        async with gate, _connection(home.node.sip, message) as reader:
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(0.05):
                    await reader.read(4096)

    await asyncio.gather(*map(one, messages))


def _nonsense(chance: random.Random) -> list[bytes]:
    """Random bytes; random text; and good requests with a few bytes changed, cut off, or doubled."""
    found = [chance.randbytes(chance.randrange(1, 1500)) for _ in range(60)]
    found += [
        bytes(chance.choices(b'INVITE sip:@;="<>, \r\n\t0123456789', k=chance.randrange(1, 900))) for _ in range(60)
    ]
    for method in ("INVITE", "OPTIONS", "ACK", "BYE", "CANCEL", "REGISTER", "NOTIFY"):
        for _ in range(20):
            message = bytearray(request(method, "+12025550129", 5060, chance.randbytes(4).hex()))
            for _ in range(chance.randrange(1, 9)):
                message[chance.randrange(len(message))] = chance.randrange(256)
            start, stop = sorted(chance.choices(range(len(message)), k=2))
            found.append(bytes(chance.choice((message, message[:stop], message + message[start:], message[start:]))))
    return found


def _rtp_like(chance: random.Random) -> bytes:
    """Bytes that begin like RTP or RTCP, most of them."""
    first = chance.choice((0x80, 0x80, 0x81, 0xBF, chance.randrange(256)))
    second = chance.choice((0, 0x80, 101, 200, 201, 202, 203, 204, chance.randrange(256)))
    return bytes((first, second)) + chance.randbytes(chance.choice((0, 2, 10, 26, 30, 170, 172, 1400)))


def _resident(pid: int) -> int:
    """Bytes of memory that the process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
