"""An agent that cannot serve: it discloses, greets, says so, takes a message on the recording, and ends the call politely."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from inference.courtesy import Courtesies
from inference.happenings import Happening, Inbox, MediaOver
from inference.ledger import Ledger
from inference.speaker import Mouth
from media.frames import (
    LINE_RATE,
    BargeIn,
    CallMedia,
    DigitHeard,
    MediaFailed,
    MediaTimeout,
    SpeechStarted,
    SpeechStopped,
)
from sipserver.protocols import EndedReason, RecordingSettings, Utterance

_MS = LINE_RATE // 1000
LONGEST = 120 * LINE_RATE
"""A message has at most two minutes."""
PATIENCE = 8 * LINE_RATE
"""How long a caller may take to begin."""
PAUSE = 3 * LINE_RATE
"""Silence that ends a message."""
MESSAGE = "[message]"


class MessageTaker:
    """Takes one message. Runs instead of the conversation's loop, on its inbox."""

    def __init__(self, media: CallMedia, mouth: Mouth, ledger: Ledger, inbox: Inbox, polite: Courtesies) -> None:
        self._media = media
        self._mouth = mouth
        self._ledger = ledger
        self._inbox = inbox
        self._polite = polite

    async def run(self, disclosure: str, greeting: str, recording: RecordingSettings) -> EndedReason | None:
        """Greet, take a message where calls are recorded, say goodbye. None when the call ended meanwhile."""
        self._media.set_barge_in(BargeIn(enabled=False))
        text = self._polite.leave_message if recording.enabled else self._polite.call_again
        alive = await self._disclose(disclosure, recording)
        alive = alive and await self._say(f"{greeting or self._polite.greeting} {text}")
        if alive and recording.enabled:
            await self._mouth.tone()
            alive = await self._played() and await self._listen() and await self._say(self._polite.message_thanks)
        return EndedReason.AGENT_ENDED if alive else None

    async def _disclose(self, text: str, recording: RecordingSettings) -> bool:
        """What must be told first is told to who leaves a message too, and the recording waits for it where it has to."""
        if not text:
            return True
        waits = recording.enabled and recording.after_disclosure
        if waits:
            await self._media.set_recording(False)
        alive = await self._say(text)
        if waits:
            await self._media.set_recording(True)
        return alive

    async def _say(self, text: str) -> bool:
        """Say it and wait until it was heard; False when the call is over. A voice that fails is noted, and not missed."""
        speech, began = self._mouth.speech(), self._media.position()
        speech.may_play.set()
        alive = False
        try:
            await speech.speak(_once(text))
            if speech.failure is not None:
                await self._ledger.problem("tts", str(speech.failure))
            alive = await self._played()
        finally:
            if heard := speech.heard(self._media.played()):
                ended = self._media.position()
                await self._ledger.utterance(Utterance("assistant", heard, began // _MS, ended // _MS, not alive))
        return alive

    async def _played(self) -> bool:
        while not self._mouth.all_played():
            happening = await self._inbox.next(self._media.position() + LINE_RATE)
            if _is_over(happening):
                return False
        return True

    async def _listen(self) -> bool:
        """Wait while the caller speaks; False when the call is over before the message is."""
        heard = _Message(silent=self._media.position())
        start = self._media.position()
        try:
            while (due := heard.due(start)) > self._media.position():
                happening = await self._inbox.next(due)
                if isinstance(happening, DigitHeard):
                    break
                if _is_over(happening):
                    return False
                heard.note(happening)
        finally:
            if heard.began is not None:
                ended = heard.silent if heard.silent is not None else self._media.position()
                await self._ledger.utterance(Utterance("user", MESSAGE, heard.began // _MS, ended // _MS))
        return True


@dataclass(slots=True)
class _Message:
    """What has been heard of the message: where it began, and since when the caller is silent (None: speaks)."""

    silent: int | None
    began: int | None = None

    def note(self, happening: Happening) -> None:
        """The caller speaks, or falls silent."""
        if isinstance(happening, SpeechStarted):
            self.began, self.silent = self.began if self.began is not None else happening.at, None
        elif isinstance(happening, SpeechStopped):
            self.silent = happening.at

    def due(self, start: int) -> int:
        """When to stop listening, as things are."""
        longest = start + LONGEST
        if self.silent is None:
            return longest
        return min(longest, self.silent + (PAUSE if self.began is not None else PATIENCE))


def _is_over(happening: Happening) -> bool:
    return isinstance(happening, MediaOver | MediaFailed | MediaTimeout)


async def _once(text: str) -> AsyncIterator[str]:
    yield text
