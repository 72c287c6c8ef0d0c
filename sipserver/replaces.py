"""The Replaces header (RFC 3891): a new INVITE that is to take the place of a dialog, and the names by which it tells which.

The one who gets the header compares `to-tag` with its own tag and `from-tag` with the peer's, as in any request within that
dialog (section 3). Whoever writes it therefore swaps: to the peer of a leg of ours, our tag is the `from-tag`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sipserver.message import MessageError, Params, Request
from sipserver.message.grammar import is_token

_CALL_ID = re.compile(r"[^\x00-\x20\x7f;,]++")


@dataclass(frozen=True, slots=True)
class DialogName:
    """What names a confirmed or early dialog of ours: its Call-ID, our tag and the peer's (RFC 3261 section 12)."""

    call_id: str
    local_tag: str
    remote_tag: str


@dataclass(frozen=True, slots=True)
class Replaces:
    """A Replaces header: `Call-ID;to-tag=…;from-tag=…`, and whether only an early dialog may be replaced."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Replaces:
        """From the header's value. Raises MessageError, also where one of the tags is missing (RFC 3891 section 6.1)."""
        call_id, semicolon, rest = text.partition(";")
        params = Params.parse(semicolon + rest)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if _CALL_ID.fullmatch(call_id := call_id.strip()) is None or not to_tag or not from_tag:
            raise MessageError(f"This names no dialog to be replaced: {text[:80]!r}.")
        return cls(call_id, to_tag, from_tag, "early-only" in params)

    @classmethod
    def at_peer(cls, dialog: DialogName) -> Replaces:
        """How a third party names this dialog of ours to the peer of it (RFC 5589 section 7.1). One without a tag has 0."""
        return cls(dialog.call_id, dialog.remote_tag or "0", dialog.local_tag or "0")

    def names(self, dialog: DialogName) -> bool:
        """Whether the header, come to us, means this dialog of ours. A tag of 0 is that of a peer without tags (RFC 3891 section 6.1)."""
        ours = (dialog.local_tag or "0", dialog.remote_tag or "0")
        return self.call_id == dialog.call_id and (self.to_tag, self.from_tag) == ours

    def __str__(self) -> str:
        """The header's value. Raises MessageError for what cannot be written."""
        if _CALL_ID.fullmatch(self.call_id) is None or not is_token(self.to_tag) or not is_token(self.from_tag):
            raise MessageError("This dialog cannot be named in a Replaces header.", 0)
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


def replaced_dialog(request: Request) -> tuple[str, str, str] | None:
    """The id, as in `sipserver.dialog`, of the dialog that an INVITE is to replace; None without a proper Replaces."""
    try:
        replaces = replaces_of(request)
    except MessageError:
        return None
    return None if replaces is None else (replaces.call_id, replaces.to_tag, replaces.from_tag)


def replaces_of(request: Request) -> Replaces | None:
    """The dialog that an INVITE is to replace. Raises MessageError for a malformed header and for more than one (section 3)."""
    values = request.headers.all("replaces")
    if not values:
        return None
    if len(values) > 1:
        raise MessageError("There is more than one Replaces header.")
    return Replaces.parse(values[0])
