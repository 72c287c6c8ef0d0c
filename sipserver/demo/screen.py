"""What the demo shows while a call runs: the SIP ladder, who is speaking, words as they are recognised, the latency of each turn.

Lines that stay are printed; what changes all the time (who speaks, the words so far) is one live line below them, where the
terminal can show one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal

from rich.console import Console
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from sipserver.ladder import summary_of
from sipserver.message import Request, Response

CALLER, AGENT = "caller", "agent"
COLOURS = {CALLER: "cyan", AGENT: "green"}
ARROWS = {">": "phone ──▶ server", "<": "phone ◀── server"}
KEY_WORDS = "[key "
"""How the transcript tells of a key; the screen shows the key itself, when it is pressed."""


class Screen:
    """One call on the terminal. Use as a context manager; `show` takes the server's live events.

    The words of the last utterance are told when they are written, a moment after the telephone sees the BYE. The BYE and what
    follows it on the ladder wait for the call's final status, so that the end of the call is read in its order.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self._clock = clock
        self._began = clock()
        self._speaking = {CALLER: False, AGENT: False}
        self._partial = ""
        self._keys: list[tuple[int, str]] = []
        self._after_bye: list[str] = []
        self._live = Live(console=console, refresh_per_second=12, transient=True)

    def __enter__(self) -> Screen:
        self._began = self._clock()
        self._keys.clear()
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show_end()
        self._live.stop()

    def show(self, kind: str, data: Mapping[str, Any]) -> None:
        """An event of `/v1/calls/{id}/events`."""
        show = getattr(self, f"_show_{kind}", None)
        if show is not None:
            show(data)

    def ladder(self, sip_call_id: str, direction: Literal["<", ">"], message: Request | Response) -> None:
        """A SIP message, as the telephone sent or got it (a `legs.LadderTap`)."""
        line = f"{ARROWS[direction]}  {summary_of(message)}"
        if self._after_bye or (isinstance(message, Request) and message.method == "BYE"):
            self._after_bye.append(line)
        else:
            self.line("SIP", line, "magenta")

    def keys_pressed(self) -> list[tuple[int, str]]:
        """(milliseconds of the recording, text) of each key that the server noticed in the call that was shown last."""
        return list(self._keys)

    def speaking(self, who: str, on: bool) -> None:
        """`caller` or `agent` begins or ends to speak, as heard at the caller's end of the wire."""
        self._speaking[who] = on
        self._refresh()

    def line(self, who: str, text: str, style: str = "", text_style: str = "") -> None:
        """A line that stays: when, who, and what, which wraps under itself."""
        row = Table.grid(Column(width=6, justify="right"), Column(width=8), Column(), padding=(0, 2, 0, 0))
        when = f"{self._clock() - self._began:.2f}"
        row.add_row(Text(when, "dim"), Text(who, style), Text(text, text_style))
        self.console.print(row)

    def _show_status(self, data: Mapping[str, Any]) -> None:
        if data.get("endedReason"):
            self._show_end()
            self.line("call", f"{data['status']}, {data['endedReason']}", "bold", "bold")
        elif data["status"] != "queued":
            self.line("call", str(data["status"]), "bold", "bold")

    def _show_end(self) -> None:
        for line in self._after_bye:
            self.line("SIP", line, "magenta")
        self._after_bye.clear()

    def _show_partial(self, data: Mapping[str, Any]) -> None:
        self._partial = str(data["text"])
        self._refresh()

    def _show_utterance(self, data: Mapping[str, Any]) -> None:
        who, words = (CALLER if data["role"] == "user" else AGENT), str(data["text"])
        if not words.startswith(KEY_WORDS):
            self.line(who, f"“{words}”" + (" ✂ interrupted" if data.get("interrupted") else ""), COLOURS[who])
        self._partial = ""
        self._refresh()

    def _show_digit(self, data: Mapping[str, Any]) -> None:
        self._keys.append((int(data.get("atMs", 0)), f"key {data['digit']}"))
        self.line(CALLER, f"presses {data['digit']}", COLOURS[CALLER])

    def _show_barge_in(self, data: Mapping[str, Any]) -> None:
        self.line("barge-in", "the agent stops", "red")

    def _show_turn(self, data: Mapping[str, Any]) -> None:
        self.line("turn", f"answered after {data['latencyMs']} ms", "yellow", "dim")

    def _show_problem(self, data: Mapping[str, Any]) -> None:
        self.line("problem", str(data.get("message", "")), "red")

    def _refresh(self) -> None:
        if not self._live.is_started:
            return
        row = Table.grid(padding=(0, 2))
        lamps = [
            Text(("● " if on else "○ ") + who, style=COLOURS[who] if on else "dim")
            for who, on in self._speaking.items()
        ]
        row.add_row(*lamps, Text(f"hears: {self._partial} …" if self._partial else "", style="italic"))
        self._live.update(row)
