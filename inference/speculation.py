"""Answers that are prepared while the caller may go on: written and synthesised, but nothing of them is heard or has effects."""

from __future__ import annotations

from inference.dialogue import Dialogue, Heard
from inference.floor import Floor, cancel
from inference.hear import words_of
from inference.reply import Reply


class Speculation:
    """The prepared answer of one call, if there is any."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._prepared: tuple[tuple[str, ...], Reply] | None = None

    def begin(self, leader: Dialogue, text: str) -> None:
        """Prepare an answer to these words, where the dialogue can and the floor is free."""
        self.forget()
        words = words_of(text)
        if leader.speculates and words and self._floor.reply is None:
            self._prepared = (words, self._floor.prepare(leader.answer(Heard(text))))

    def forget(self) -> None:
        """The caller goes on, or something else is said."""
        if self._prepared is not None:
            cancel(self._prepared[1])
        self._prepared = None

    def take(self, heard: Heard) -> Reply | None:
        """The prepared answer, if it answers these words and has not failed; else it is forgotten."""
        if self._prepared is not None and not heard.keyed and heard.understood:
            words, reply = self._prepared
            if words == words_of(heard.text) and reply.speech.failure is None:
                self._prepared = None
                return reply
        self.forget()
        return None
