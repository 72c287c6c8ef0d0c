"""Calls refused under overload from the bytes of their INVITE, without its being read: what that costs is taken from those that are served.

Local overload control in the words of RFC 6357: who is behind with the datagrams that have come (`transport.lateness`) begins no calls from
them. A 503 that remembers nothing (RFC 3261 section 8.2.7) costs a tenth of one that is parsed for, logged and traced. Whatever is
unusual is left to be read in full. Sans-I/O.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from sipserver.locate import Target, default_port
from sipserver.useragent.identity import Identity

_FIELD = re.compile(
    rb"\r\n(via|v|from|f|to|t|call-id|i|cseq|replaces)[ \t]*:[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE
)
_LONG = {b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id"}
_VIA = re.compile(
    rb"SIP/2\.0/UDP[ \t]+([A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?[ \t]*;([^,\r\n]*)\Z",
    re.IGNORECASE,
)
_BRANCH = re.compile(rb"(?:\A|;)[ \t]*branch=(z9hG4bK[^;, \t]+)", re.IGNORECASE)
_RPORT = re.compile(rb"(?:\A|;)[ \t]*rport[ \t]*(?=;|\Z)", re.IGNORECASE)
_ELSEWHERE = re.compile(rb"(?:\A|;)[ \t]*(?:maddr|received|rport=)", re.IGNORECASE)
_CSEQ = re.compile(rb"[0-9]{1,10}[ \t]+INVITE[ \t]*\Z")
_TAG = re.compile(rb";[ \t]*tag[ \t]*=", re.IGNORECASE)
_LONGEST = 8192

Serves = Callable[[str, str, int | None], bool]
"""Whether there is a transaction of an INVITE with this branch, from this host and port of its Via."""


class Shedding:
    """Answers INVITEs with 503 by their bytes, and knows the ACKs of these answers. `retry_after`: seconds."""

    def __init__(self, identity: Identity, retry_after: int, serves: Serves) -> None:
        self._serves = serves
        self._mark = b"shed" + identity.tag().encode()
        self._tail = (
            f"Retry-After: {retry_after}\r\nServer: {identity.user_agent}\r\nContent-Length: 0\r\n\r\n".encode()
        )

    def is_acknowledgement(self, data: bytes) -> bool:
        """Whether this is an ACK of an answer of ours, which nobody waits for."""
        return data.startswith(b"ACK ") and self._mark in data

    def answer(self, data: bytes, host: str, port: int) -> tuple[bytes, Target] | None:
        """A 503 for an INVITE over UDP from `host` and `port`, and where it goes; None for what has to be read in full.

        That is what belongs to a call or takes one over, what has come before and was served, and what is not as nearly all INVITEs are.
        """
        end = data.find(b"\r\n\r\n")
        if not data.startswith(b"INVITE ") or not 0 < end <= _LONGEST:
            return None
        vias, fields = _fields(data[: end + 2])
        via = _VIA.match(vias[0]) if vias else None
        if via is None or fields is None or _ELSEWHERE.search(via[3]):
            return None
        branch = _BRANCH.search(via[3])
        sent_by, its_port = via[1].decode("ascii"), int(via[2]) if via[2] else None
        if branch is None or self._serves(branch[1].decode("ascii", "replace"), sent_by, its_port):
            return None
        rport = _RPORT.search(via[3]) is not None
        first = _RPORT.sub(b";rport=%d" % port, vias[0]) if rport else vias[0]
        target = Target("udp", host, port if rport else its_port or default_port("udp"))
        return self._written([first + b";received=" + host.encode("ascii"), *vias[1:]], fields), target

    def _written(self, vias: list[bytes], fields: dict[bytes, bytes]) -> bytes:
        tag = self._mark + b"%08x" % zlib.crc32(fields[b"call-id"] + fields[b"from"])
        lines = [b"SIP/2.0 503 Service Unavailable", *(b"Via: " + via for via in vias)]
        lines += [b"From: " + fields[b"from"], b"To: " + fields[b"to"] + b";tag=" + tag]
        lines += [b"Call-ID: " + fields[b"call-id"], b"CSeq: " + fields[b"cseq"], self._tail]
        return b"\r\n".join(lines)


def _fields(head: bytes) -> tuple[list[bytes], dict[bytes, bytes] | None]:
    """The Vias, and the other fields that an answer repeats; None for these where one is missing, there twice, or of a dialog."""
    vias: list[bytes] = []
    fields: dict[bytes, bytes] = {}
    for name, value in _FIELD.findall(head):
        known = name.lower()
        known = _LONG.get(known, known)
        if known == b"via":
            vias.append(value)
        elif known in fields or known == b"replaces":
            return vias, None
        else:
            fields[known] = value
    if len(fields) != 4 or _TAG.search(fields[b"to"]) or not _CSEQ.match(fields[b"cseq"]):
        return vias, None
    return vias, fields
