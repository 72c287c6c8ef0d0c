"""A URL that a user gave reaches public https, and else only what the operator named."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable

import pytest

from control_api.egress import Egress, EgressFailed, EgressPolicy, EgressRefused

NOTHING = EgressPolicy([])


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://10.1.2.3/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::127.0.0.1]/x",
        "https://[::ffff:0:127.0.0.1]/x",
        "https://[64:ff9b::10.0.0.1]/x",
        "https://[64:ff9b:1::1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[fec0::1]/x",
        "https://[fe80::1%25eth0]/x",
        "https://240.0.0.1/x",
        "https://exa mple.com/x",
        "https://example.com:0/x",
        "https:///x",
        f"https://{'a' * 64}.example/x",
        "https://example.com\n/x",
        "https://0.0.0.0/x",
        "http://example.com/x",
        "ftp://example.com/x",
        "https://user:secret@example.com/x",
        "https://example.com:99999/x",
        "nonsense",
    ],
)
def test_these_are_refused_as_they_stand(url: str) -> None:
    assert NOTHING.check_url(url) is not None


def test_public_https_passes() -> None:
    assert NOTHING.check_url("https://example.com/hook?x=1") is None
    assert NOTHING.check_url("https://93.184.216.34/hook") is None
    assert NOTHING.check_url("https://m\u00fcnchen.example/hook") is None
    assert NOTHING.check_url("https://[64:ff9b::93.184.216.34]/hook") is None
    assert NOTHING.check_url("https://[2606:2800:220:1::1]:8443/hook") is None


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost"])
def test_other_ways_to_write_this_machine_are_found_out_when_they_are_resolved(host: str) -> None:
    async def run() -> None:
        egress = Egress(NOTHING)
        try:
            with pytest.raises((EgressRefused, EgressFailed)):
                await egress.post(f"https://{host}:1/", b"", {})
        finally:
            await egress.aclose()

    asyncio.run(run())


def test_a_name_is_refused_when_any_of_its_addresses_is_private() -> None:
    addresses = [ipaddress.ip_address("93.184.216.34"), ipaddress.ip_address("10.0.0.1")]
    with pytest.raises(EgressRefused, match="private"):
        NOTHING.pick(addresses, "rebind.example", "https")


def test_what_the_operator_named_passes_over_http_too() -> None:
    policy = EgressPolicy(["127.0.0.0/8", "hooks.internal"])
    assert policy.check_url("http://127.0.0.1:9000/x") is None
    assert policy.pick([ipaddress.ip_address("10.0.0.1")], "hooks.internal", "http")
    assert policy.check_url("https://10.0.0.1/x") is not None


def test_a_nonsense_entry_is_named() -> None:
    with pytest.raises(ValueError, match=r"egress\.allow"):
        EgressPolicy(["10.0.0.0/99"])


def _against(answer: bytes, check: Callable[[Egress, str], Awaitable[None]], timeout: float = 5.0) -> list[bytes]:
    seen: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head + await reader.readexactly(2))
        writer.write(answer)
        await writer.drain()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        egress = Egress(EgressPolicy(["127.0.0.1"]), timeout=timeout)
        async with server:
            try:
                await check(egress, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook")
            finally:
                await egress.aclose()
                await over.wait()

    asyncio.run(run())
    return seen


def test_a_post_arrives_and_its_answer_comes_back() -> None:
    async def check(egress: Egress, url: str) -> None:
        answer = await egress.post(url, b"{}", {"content-type": "application/json"})
        assert (answer.status, answer.body) == (200, b"ok")

    seen = _against(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", check)
    assert seen[0].startswith(b"POST /hook HTTP/1.1")
    assert seen[0].endswith(b"\r\n\r\n{}")


def test_a_redirect_is_an_answer_like_any_other() -> None:
    async def check(egress: Egress, url: str) -> None:
        assert (await egress.post(url, b"{}", {})).status == 302

    seen = _against(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", check)
    assert len(seen) == 1


def test_silence_is_a_failure() -> None:
    async def check(egress: Egress, url: str) -> None:
        with pytest.raises(EgressFailed, match="no answer"):
            await egress.post(url, b"{}", {})

    _against(b"", check, timeout=0.2)


def test_a_closed_port_is_a_failure() -> None:
    async def run() -> None:
        egress = Egress(EgressPolicy(["127.0.0.1"]))
        with pytest.raises(EgressFailed, match="ConnectError"):
            await egress.post("http://127.0.0.1:1/hook", b"{}", {})
        await egress.aclose()

    asyncio.run(run())
