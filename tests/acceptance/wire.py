"""SIP by hand: what a peer writes into a socket, and what comes back."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import socket

from sipserver.message import MessageError, Response, parse

_OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
_numbers = itertools.count(1)


def request(method: str, to: str, port: int, branch: str) -> bytes:
    """A request to the user `to`, as a peer at this port sends it; the same branch makes the ACK of an INVITE that was refused."""
    body = _OFFER.format(port=port) if method == "INVITE" else ""
    return (
        f"{method} sip:{to}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{branch};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:+12025550123@127.0.0.1>;tag={branch}\r\nTo: <sip:{to}@127.0.0.1>\r\n"
        f"Call-ID: {branch}\r\nCSeq: 1 {method}\r\nContact: <sip:x@127.0.0.1:{port}>\r\n"
        f"{'Content-Type: application/sdp' + chr(13) + chr(10) if body else ''}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def refusal(server: tuple[str, int], to: str) -> Response:
    """INVITE this number by hand: the final answer, acknowledged. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.setblocking(False)
        peer.bind(("127.0.0.1", 0))
        port, branch = peer.getsockname()[1], f"{secrets.token_hex(6)}{next(_numbers)}"
        await loop.sock_sendto(peer, request("INVITE", to, port, branch), server)
        async with asyncio.timeout(10):
            while True:
                answer = await _answer(peer)
                if answer is not None and answer.status >= 200:
                    break
        await loop.sock_sendto(peer, request("ACK", to, port, branch), server)
    return answer


async def _answer(peer: socket.socket) -> Response | None:
    try:
        message = parse(await asyncio.get_running_loop().sock_recv(peer, 65536))
    except MessageError:
        return None
    return message if isinstance(message, Response) else None
