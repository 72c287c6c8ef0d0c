"""SIPp as a measuring device: its built-in caller and callee, and what its statistics say."""

from __future__ import annotations

import asyncio
import csv
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

GRACE = 40
"""Seconds that SIPp gets beyond the planned time before it gives up."""

Transport = Literal["udp", "tcp"]
_MODES: Mapping[Transport, str] = {"udp": "u1", "tcp": "t1"}
_REASON = re.compile(r"Failed(?!Call)(\w+)\(C\)")


class SippMissing(Exception):
    """There is no SIPp on this machine."""


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` calls per second for `seconds`, each held for `hold_ms`, over one socket of `transport`.

    `cpu` is the core that SIPp is bound to, None for any.
    """

    rate: int
    seconds: float
    hold_ms: int = 0
    cpu: int | None = None
    transport: Transport = "udp"

    @property
    def calls(self) -> int:
        """How many calls that is."""
        return round(self.rate * self.seconds)


@dataclass(frozen=True, slots=True)
class Tally:
    """What SIPp counted. `answer_ms` are the times from INVITE to 200, sorted; `seconds` is how long it took; `why` counts the
    failed calls by SIPp's words for what went wrong, such as UnexpectedMessage."""

    successful: int
    failed: int
    retransmissions: int
    seconds: float
    answer_ms: Sequence[float]
    why: Mapping[str, int] = field(default_factory=dict)


async def ring(port: int, load: Load, folder: Path, service: str = "service") -> Tally:
    """Place the calls with SIPp's built-in caller (INVITE, ACK, BYE). It writes into `folder`. Raises SippMissing."""
    process = await _spawn(
        load.cpu,
        folder,
        *("-sn", "uac", f"127.0.0.1:{port}", "-i", "127.0.0.1", "-s", service, "-t", _MODES[load.transport]),
        *("-r", str(load.rate), "-m", str(load.calls), "-d", str(load.hold_ms), "-l", "100000"),
        *("-buff_size", "4194304", "-timeout", str(round(load.seconds) + GRACE)),
        *("-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "1"),
    )
    await process.wait()
    return tally(folder)


async def callee(cpu: int | None, port: int, folder: Path, transport: Transport = "udp") -> asyncio.subprocess.Process:
    """SIPp's built-in callee, for comparison. Terminate it. Raises SippMissing."""
    where = ("-i", "127.0.0.1", "-p", str(port), "-t", _MODES[transport])
    return await _spawn(cpu, folder, "-sn", "uas", *where, "-buff_size", "4194304")


async def _spawn(cpu: int | None, folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    sipp = shutil.which("sipp")
    if sipp is None:
        raise SippMissing("SIPp is not installed (Debian: sip-tester).")
    process = await asyncio.create_subprocess_exec(
        sipp,
        *arguments,
        "-nostdin",
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if cpu is not None:
        os.sched_setaffinity(process.pid, {cpu})
    return process


def tally(folder: Path) -> Tally:
    """What a SIPp that has ended wrote into `stat.csv` and by `-trace_rtt`."""
    with (folder / "stat.csv").open(newline="") as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    return Tally(
        successful=int(last["SuccessfulCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        retransmissions=int(last["Retransmissions(C)"]),
        seconds=_seconds(last["ElapsedTime(C)"]),
        answer_ms=sorted(_answers(folder)),
        why={found[1]: int(value) for name, value in last.items() if (found := _REASON.fullmatch(name)) and int(value)},
    )


def _answers(folder: Path) -> list[float]:
    """The response times that `-trace_rtt` wrote: date, milliseconds, name."""
    found = []
    for path in folder.glob("*_rtt.csv"):
        with path.open(newline="") as file:
            found += [float(row[1]) for row in list(csv.reader(file, delimiter=";"))[1:] if len(row) > 1]
    return found


def _seconds(text: str) -> float:
    hours, minutes, seconds = text.split(":")[:3]
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
