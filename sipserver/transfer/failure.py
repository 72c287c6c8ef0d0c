"""Why a transfer came to nothing, and how SIP's codes are read into it."""

from __future__ import annotations

from sipserver.outcome import refused
from sipserver.protocols import EndedReason, TransferFailure

_BY_REASON = {
    EndedReason.BUSY: TransferFailure.BUSY,
    EndedReason.NO_ANSWER: TransferFailure.NO_ANSWER,
    EndedReason.CANCELED: TransferFailure.NO_ANSWER,
    EndedReason.REJECTED: TransferFailure.REJECTED,
}


class NotTransferred(Exception):
    """The caller stays with the agent. `sip_code` is the answer that said no, None where there was none."""

    def __init__(self, failure: TransferFailure, sip_code: int | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.sip_code = sip_code


def not_reached(code: int) -> NotTransferred:
    """What a final answer of 3xx–6xx of the target means."""
    failure = _BY_REASON.get(refused(code, "").reason, TransferFailure.UNAVAILABLE)
    return NotTransferred(failure, code)
