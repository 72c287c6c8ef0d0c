"""The one error of the grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipserver.message.message import Request


class MessageError(ValueError):
    """What was received, or is to be sent, is not SIP; the sentence says why.

    `status` is what to answer (400, 414, 505, 513), 0 where there is nobody to answer: a response, an ACK, bytes without
    a Via. `request` is what could be read of the request, good enough for `response_to`; None where nothing could.
    """

    def __init__(self, sentence: str, status: int = 400, request: Request | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.request = request
