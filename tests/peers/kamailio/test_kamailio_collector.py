"""Kamailio as a collector of HEP: it has a decoder of its own, and finds in our datagrams what we have put in."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipserver.trace.export import HepExport
from sipserver.trace.hep import Agent
from tests.acceptance.house import until
from tests.peers.ports import free_block
from tests.sipserver.trace.sip_packets import INVITE, RINGING, START, packet

KAMAILIO = shutil.which("kamailio")
pytestmark = [pytest.mark.peer, pytest.mark.skipif(KAMAILIO is None, reason="kamailio is not installed")]
TEMPLATE = Path(__file__).with_name("collector.cfg")
TABLE = "sip_capture"
NUMBERS = {
    "date",
    "micro_ts",
    "source_port",
    "destination_port",
    "contact_port",
    "originator_port",
    "proto",
    "family",
    "type",
}
COLUMNS = (
    *(
        "date",
        "micro_ts",
        "method",
        "reply_reason",
        "ruri",
        "ruri_user",
        "ruri_domain",
        "from_user",
        "from_domain",
        "from_tag",
    ),
    *("to_user", "to_domain", "to_tag", "pid_user", "contact_user", "auth_user", "callid", "callid_aleg", "via_1"),
    *("via_1_branch", "cseq", "diversion", "reason", "content_type", "auth", "user_agent", "source_ip", "source_port"),
    *("destination_ip", "destination_port", "contact_ip", "contact_port", "originator_ip", "originator_port"),
    *(
        "correlation_id",
        "custom_field1",
        "custom_field2",
        "custom_field3",
        "proto",
        "family",
        "rtp_stat",
        "type",
        "node",
        "msg",
    ),
)
Row = dict[str, str]


@asynccontextmanager
async def a_collector(folder: Path) -> AsyncIterator[int]:
    """Kamailio on a port of the loopback, ended by the id of its own process. Gives the port; once it
    has ended its rows are in `folder`."""
    assert KAMAILIO is not None
    port = free_block(2)
    types = ((name, "int" if name in NUMBERS else "string") for name in COLUMNS)
    (folder / TABLE).write_text(" ".join(f"{name}({kind},null)" for name, kind in types) + "\n")
    text = TEMPLATE.read_text().replace("@PORT@", str(port)).replace("@FOLDER@", str(folder))
    (folder / "kamailio.cfg").write_text(text)
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            KAMAILIO, "-f", str(folder / "kamailio.cfg"), "-DD", "-E", "-m", "64", "-M", "8",
            "-Y", str(folder), "-w", str(folder), stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def listens() -> bool:
        assert process.returncode is None, (folder / "log").read_text()[-2000:]
        return f":{port:04X} " in Path("/proc/net/udp").read_text()

    try:
        await until(listens, "kamailio listens")
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def rows(folder: Path) -> list[Row]:
    """What it has written: cells between colons; a colon of the text has a backslash before it."""
    lines = (folder / TABLE).read_text().splitlines()[1:]
    cells = ([re.sub(r"\\(.)", _plain, cell) for cell in re.split(r"(?<!\\):", line)] for line in lines)
    return [dict(zip(COLUMNS, row, strict=True)) for row in cells]


def _plain(escaped: re.Match[str]) -> str:
    return {"r": "\r", "n": "\n"}.get(escaped[1], escaped[1])


def test_a_collector_of_another_codebase_reads_what_we_send(tmp_path: Path) -> None:
    async def collected() -> list[Row]:
        async with a_collector(tmp_path) as port:
            export = HepExport("127.0.0.1", port, Agent(2001, "pw"))
            try:
                export.send(packet(INVITE))
                export.send(packet(RINGING, ">", 20))
                export.send(packet(INVITE, at=40, transport="tls", local="2001:db8::1", peer="2001:db8::9"))

                async def has_all() -> bool:
                    return (tmp_path / "log").read_text().count("taken") == 3

                await until(has_all, "all three are taken")
            finally:
                export.close()
        return rows(tmp_path)

    found = sorted(asyncio.run(collected()), key=lambda row: int(row["micro_ts"]))
    names = ("source_ip", "source_port", "destination_ip", "destination_port", "family", "proto")
    ends = [tuple(row[name] for name in names) for row in found]
    four, six = ("192.0.2.1", "192.0.2.9"), ("2001:db8::1", "2001:db8::9")
    assert ends[0] == (four[1], "5070", four[0], "5060", "2", "1"), "its 1 is UDP"
    assert ends[1] == (four[0], "5060", four[1], "5070", "2", "1")
    assert ends[2][:5] == (six[1], "5070", six[0], "5060", "10")
    assert ends[2][5] != "1"
    assert [row["method"] for row in found] == ["INVITE", "180", "INVITE"]
    assert {row["correlation_id"] for row in found} == {"c1"}
    assert {row["node"] for row in found} == {"node:2001"}
    assert {row["date"] for row in found} == {str(START // 1_000_000)}
    times = [int(row["micro_ts"]) for row in found]
    assert [time - times[0] for time in times] == [0, 20_000, 40_000]
    assert found[1]["msg"].encode() == RINGING
    assert "5ec4e7" not in "".join(row["msg"] for row in found)
