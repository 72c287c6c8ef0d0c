"""An agent that cannot serve: it greets, says so, takes a message on the recording, and ends the call politely."""

from __future__ import annotations

from collections.abc import AsyncIterator

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
from sipserver.protocols import EndedReason, Utterance

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

    async def run(self, greeting: str, *, recorded: bool) -> EndedReason | None:
        """Greet, take a message where calls are recorded, say goodbye. None when the call ended meanwhile."""
        self._media.set_barge_in(BargeIn(enabled=False))
        text = self._polite.leave_message if recorded else self._polite.call_again
        alive = await self._say(f"{greeting or self._polite.greeting} {text}")
        if alive and recorded:
            await self._mouth.tone()
            alive = await self._played() and await self._listen() and await self._say(self._polite.message_thanks)
        return EndedReason.AGENT_ENDED if alive else None

    async def _say(self, text: str) -> bool:
        """Say it and wait until it was heard; False when the call is over. A voice that fails is noted, and not missed."""
        speech = self._mouth.speech()
        speech.may_play.set()
        await speech.speak(_once(text))
        if speech.failure is not None:
            await self._ledger.problem("tts", str(speech.failure))
        began = self._media.position()
        alive = await self._played()
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
        start = self._media.position()
        began: int | None = None
        silent: int | None = start
        while (due := _due(start, began, silent)) > self._media.position():
            happening = await self._inbox.next(due)
            if isinstance(happening, SpeechStarted):
                began, silent = began if began is not None else happening.at, None
            elif isinstance(happening, SpeechStopped):
                silent = happening.at
            elif isinstance(happening, DigitHeard):
                break
            elif _is_over(happening):
                await self._note(began, self._media.position())
                return False
        await self._note(began, silent if silent is not None else self._media.position())
        return True

    async def _note(self, began: int | None, ended: int) -> None:
        if began is not None:
            await self._ledger.utterance(Utterance("user", MESSAGE, began // _MS, max(began, ended) // _MS))


def _due(start: int, began: int | None, silent: int | None) -> int:
    """When to stop listening, as things are."""
    longest = start + LONGEST
    if silent is None:
        return longest
    return min(longest, silent + (PAUSE if began is not None else PATIENCE))


def _is_over(happening: Happening) -> bool:
    return isinstance(happening, MediaOver | MediaFailed | MediaTimeout)


async def _once(text: str) -> AsyncIterator[str]:
    yield text
