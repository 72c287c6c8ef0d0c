"""Whether a call is on the record: what its recording gets, and what may be written down of it.

Three can switch the recording off, and it is on only while none of them does: the conversation until its disclosure is said
(`set_recording`, which concerns the sound alone), an operator, and a step of the agent's script. The last two put the call *off the
record*: both channels get silence, and of what is said or pressed meanwhile nothing is written down.
"""

from __future__ import annotations

from collections.abc import Callable

from media.frames import LINE_RATE, CallMedia
from sipserver.protocols import LiveEvent, OffRecordBy

_MS = LINE_RATE // 1000


class RecordingSwitch:
    """The switch of one call (`protocols.OffRecord`). `tell` is called with an event whenever the call goes off the record or on again."""

    def __init__(self, media: CallMedia) -> None:
        self.tell: Callable[[LiveEvent], None] = _nobody
        self._media = media
        self._wanted = True
        self._off_by: set[OffRecordBy] = set()
        self._over: list[tuple[int, int]] = []
        """(from, to) of the stretches that are over."""
        self._since = 0

    async def set_recording(self, on: bool) -> None:
        """The conversation's own switch; it does not put the call off the record."""
        self._wanted = on
        await self._apply()

    async def pause(self, by: OffRecordBy) -> None:
        """Off the record from now on; when this returns, the recording gets silence."""
        if not self._off_by:
            self._since = self._media.position()
            self._show(on=False, at=self._since)
        self._off_by.add(by)
        await self._apply()

    async def resume(self, by: OffRecordBy) -> None:
        """On the record again, unless another one still wants it off. Sound that was on its way to us stays out of the recording."""
        if by not in self._off_by:
            return
        self._off_by.discard(by)
        if not self._off_by:
            now = self._media.position()
            self._over.append((self._since, now))
            self._show(on=True, at=now)
        await self._apply()

    def covers(self, start: int, end: int) -> bool:
        """Whether any of what lies between two positions was off the record."""
        now_too = bool(self._off_by) and end >= self._since
        return now_too or any(start < until and end >= since for since, until in self._over)

    async def _apply(self) -> None:
        await self._media.set_recording(self._wanted and not self._off_by)

    def _show(self, *, on: bool, at: int) -> None:
        self.tell(LiveEvent("recording", {"on": on, "atMs": at // _MS}))


def _nobody(event: LiveEvent) -> None:
    """Nobody wants to know."""
