"""What the demo shows while a call runs: the SIP ladder, who is speaking, words as they are recognised, the latency of each turn.

Lines that stay are printed; what changes all the time (who speaks, the words so far) is one live line below them, where the
terminal can show one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sipserver.ladder import summary_of
from sipserver.message import Request, Response

CALLER, AGENT = "caller", "agent"
COLOURS = {CALLER: "cyan", AGENT: "green"}


class Screen:
    """One call on the terminal. Use as a context manager; `show` takes the server's live events."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()
        self._speaking = {CALLER: False, AGENT: False}
        self._partial = ""
        self._keys: list[tuple[int, str]] = []
        self._live = Live(console=console, refresh_per_second=12, transient=True)

    def __enter__(self) -> Screen:
        self._began = time.monotonic()
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, kind: str, data: Mapping[str, Any]) -> None:
        """An event of `/v1/calls/{id}/events`."""
        show = getattr(self, f"_show_{kind}", None)
        if show is not None:
            show(data)

    def ladder(self, sip_call_id: str, direction: Literal["<", ">"], message: Request | Response) -> None:
        """A SIP message, as the telephone sent or got it (a `legs.LadderTap`)."""
        arrow = "──▶" if direction == ">" else "◀──"
        self.line(f"[magenta]phone {arrow} server[/]  {escape(summary_of(message))}")

    def keys_pressed(self) -> list[tuple[int, str]]:
        """(milliseconds of the recording, text) of each key that the server noticed."""
        return self._keys

    def speaking(self, who: str, on: bool) -> None:
        """`caller` or `agent` begins or ends to speak, as heard at the caller's end of the wire."""
        self._speaking[who] = on
        self._refresh()

    def line(self, text: str) -> None:
        """A line that stays. `text` is rich markup."""
        self.console.print(f"[dim]{time.monotonic() - self._began:7.2f}[/]  {text}", highlight=False)

    def _show_status(self, data: Mapping[str, Any]) -> None:
        self.line(f"[bold]{escape(str(data['status']))}[/]")

    def _show_partial(self, data: Mapping[str, Any]) -> None:
        self._partial = str(data["text"])
        self._refresh()

    def _show_utterance(self, data: Mapping[str, Any]) -> None:
        who = CALLER if data["role"] == "user" else AGENT
        cut = " [red]✂ interrupted[/]" if data.get("interrupted") else ""
        self.line(f"[{COLOURS[who]}]{who:>6}[/]  “{escape(str(data['text']))}”{cut}")
        self._partial = ""
        self._refresh()

    def _show_digit(self, data: Mapping[str, Any]) -> None:
        self._keys.append((int(data.get("atMs", 0)), f"key {data['digit']}"))
        self.line(f"[{COLOURS[CALLER]}]caller[/]  key {escape(str(data['digit']))}")

    def _show_barge_in(self, data: Mapping[str, Any]) -> None:
        self.line("[red]barge-in[/]  the agent stops")

    def _show_turn(self, data: Mapping[str, Any]) -> None:
        self.line(f"[yellow]turn[/]    answered after {data['latencyMs']} ms")

    def _show_problem(self, data: Mapping[str, Any]) -> None:
        self.line(f"[red]problem[/] {escape(str(data.get('message', '')))}")

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
