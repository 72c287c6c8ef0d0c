"""A transfer's row, written again at every step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sipserver.protocols import TransferRecord, TransferStatus, TransferTarget
from sipserver.transfer.caller import Caller
from sipserver.transfer.failure import NotTransferred


class Row:
    """One transfer as it stands. Ids are UUID texts."""

    def __init__(self, caller: Caller, target: TransferTarget, id_: str) -> None:
        self._caller = caller
        self.record = TransferRecord(
            id=id_,
            mode=target.mode,
            status=TransferStatus.INITIATED,
            label=target.label,
            to=target.to,
            created_at=caller.services.clock(),
        )
        self._write()

    def ringing(self) -> None:
        """Their telephone rings; the first time counts."""
        if self.record.status is TransferStatus.INITIATED:
            self._note(status=TransferStatus.RINGING)

    def answered(self) -> None:
        """They have answered our leg."""
        self._note(status=TransferStatus.ANSWERED, started_at=self._caller.services.clock())

    def completed(self, **changes: Any) -> None:
        """Somebody else has the caller. The row of a leg of ours ends when that does."""
        ended = None if self.record.started_at is not None else self._caller.services.clock()
        self._note(status=TransferStatus.COMPLETED, ended_at=ended, **changes)

    def failed(self, why: NotTransferred) -> None:
        """The caller stays with the agent."""
        ended = self._caller.services.clock()
        self._note(status=TransferStatus.FAILED, failure=why.failure, sip_code=why.sip_code, ended_at=ended)

    def _note(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes)
        self._write()

    def _write(self) -> None:
        caller = self._caller
        caller.write(caller.services.log.transfer(caller.party.call_id, self.record))
