"""`antiphon trace`: the SIP messages of a call, or of the whole server as they pass; to read, or for Wireshark."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

import typer

from sipserver.commands.api import DEFAULT_API, Api, Key, connect
from sipserver.commands.common import fail
from sipserver.commands.watching import server_sent

File = Annotated[
    Path | None, typer.Option("--pcap", metavar="FILE", help="Write a capture file, which Wireshark reads.")
]

Rtp = Annotated[
    bool | None, typer.Option("--rtp/--no-rtp", help="Keep the RTP headers of a live call from now on, or no more.")
]


def trace(
    key: Key,
    call_id: Annotated[str | None, typer.Argument(metavar="ID", help="The call (antiphon calls list).")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Every message of the server, until Ctrl-C.")] = False,
    refused: Annotated[
        bool, typer.Option("--refused", help="The latest calls that came to nothing at our door.")
    ] = False,
    pcap: File = None,
    rtp: Rtp = None,
    api: Api = DEFAULT_API,
) -> None:
    """Show the SIP messages of a call, live or finished, or follow all of them. Credentials are stars.

    With --refused those of INVITEs that became no call: refused ones, and trial calls.

    With --rtp the headers of a live call's RTP packets are kept from then on, and come with --pcap.
    """
    if (call_id is not None) + follow + refused != 1:
        raise fail("give either the id of a call, or --follow, or --refused")
    if call_id is not None and rtp is not None:
        _look_at_rtp(api, key, call_id, on=rtp)
        return
    if rtp is not None:
        raise fail("--rtp is for one call")
    if follow:
        _follow(api, key, pcap)
        return
    path = "/v1/trace/refused" if call_id is None else f"/v1/calls/{quote(call_id, safe='')}/trace"
    with connect(api, key) as client:
        content = client.raw(path, format="text" if pcap is None else "pcap")
    if pcap is None:
        typer.echo(content.decode(), nl=False)
    else:
        _write(pcap, content)


def _look_at_rtp(api: str, key: str, call_id: str, *, on: bool) -> None:
    with connect(api, key) as client:
        client.post(f"/v1/calls/{quote(call_id, safe='')}/trace", {"rtp": on})
    typer.echo("The headers of its RTP packets are kept." if on else "No more headers of its RTP packets are kept.")


def _follow(api: str, key: str, pcap: Path | None) -> None:
    from sipserver.trace.pcap import HEAD, record

    with connect(api, key) as client, client.stream("/v1/trace") as response, ExitStack() as stack:
        file: BinaryIO | None = None
        if pcap is not None:
            file = stack.enter_context(_opened(pcap))
            file.write(HEAD)
            file.flush()
        try:
            for _, message in server_sent(response.iter_lines()):
                if file is not None:
                    file.write(record(_packet(message)))
                    file.flush()
                typer.echo(_line(message))
                sys.stdout.flush()
        except KeyboardInterrupt:
            return


def _line(message: Mapping[str, Any]) -> str:
    arrow = "──▶" if message["direction"] == "<" else "◀──"
    ends = f"{message['peer']}/{message['transport']} {arrow} {message['local']}"
    return f"{message['at']}  {ends}  {message['summary']}  ({message['cseq']})"


def _packet(message: Mapping[str, Any]) -> Any:
    """The packet that the API showed."""
    from sipserver.settings import split_host_port
    from sipserver.trace.packet import Packet

    at = datetime.fromisoformat(message["at"])
    micros = int(at.timestamp()) * 1_000_000 + at.microsecond
    ends = split_host_port(message["local"]), split_host_port(message["peer"])
    return Packet(micros, message["direction"], message["transport"], *ends, message["message"].encode())


def _write(path: Path, content: bytes) -> None:
    with _opened(path) as file:
        file.write(content)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise fail(f"{path}: {error.strerror}") from None
