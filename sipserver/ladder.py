"""The SIP ladder of a call: one line for each message, shown live, without numbers and credentials."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Literal, NamedTuple

from sipserver.message import MessageError, Request, Response, SipUri
from sipserver.message.remembered import remembered
from sipserver.numbers import masked
from sipserver.protocols import LiveEvent

Publish = Callable[[str, LiveEvent], None]
OnWatch = Callable[[str, str], None]
"""Told of each (SIP Call-ID, id of its call)."""

_KEPT_EACH = 32
_CSEQ_SHOWN = 64


class Rung(NamedTuple):
    """One message of the ladder. `<` came in, `>` went out."""

    direction: Literal["<", ">"]
    summary: str
    cseq: str
    sdp: bool

    def event(self) -> LiveEvent:
        """What is published."""
        return LiveEvent(
            "sip", {"direction": self.direction, "summary": self.summary, "cseq": self.cseq, "sdp": self.sdp}
        )


class Ladder:
    """Joins the messages of a SIP Call-ID to the call they belong to. `tap` is a `legs.LadderTap`.

    An INVITE comes before anybody knows its call, so messages of unknown calls are kept until `watch` tells whose they
    are. Both tables hold `size` Call-IDs and forget the oldest; a BYE's answer, which comes after the call's end, is
    thereby still shown.
    """

    def __init__(
        self, publish: Publish, size: int = 1024, on_watch: OnWatch = lambda _sip_call_id, _call_id: None
    ) -> None:
        self._publish = publish
        self._on_watch = on_watch
        self._size = size
        self._calls: OrderedDict[str, str] = OrderedDict()
        self._early: OrderedDict[str, deque[Rung]] = OrderedDict()

    def watch(self, sip_call_id: str, call_id: str) -> None:
        """From now on, and for what has been kept: this Call-ID is that call."""
        self._calls[sip_call_id] = call_id
        _shorten(self._calls, self._size)
        self._on_watch(sip_call_id, call_id)
        for rung in self._early.pop(sip_call_id, ()):
            self._publish(call_id, rung.event())

    def tap(self, sip_call_id: str, direction: Literal["<", ">"], message: Request | Response) -> None:
        """A message came in or went out."""
        rung = Rung(direction, summary_of(message), _cseq(message), bool(message.body))
        call_id = self._calls.get(sip_call_id)
        if call_id is not None:
            self._publish(call_id, rung.event())
            return
        self._early.setdefault(sip_call_id, deque(maxlen=_KEPT_EACH)).append(rung)
        _shorten(self._early, self._size)


def summary_of(message: Request | Response) -> str:
    """`INVITE sip:+12*******23@198.51.100.7` or `180 Ringing`."""
    if isinstance(message, Request):
        return f"{message.method} {masked_uri(message.uri)}"
    return _status_line(message.status, message.reason)


@lru_cache(256)
def _status_line(status: int, reason: str) -> str:
    return f"{status} {masked(reason)}"


@lru_cache(1024)
def masked_uri(uri: str) -> str:
    """The URI with its number masked, without password, headers and parameters, for those may carry either.

    A call's requests name few URIs many times; the latest are remembered.
    """
    try:
        parsed = SipUri.parse(uri)
    except MessageError:
        return masked(uri.partition(";")[0])
    user = None if parsed.user is None else masked(parsed.user.partition(";")[0])
    return str(replace(parsed, user=user, password=None, params=type(parsed.params)(), headers=()))


def _cseq(message: Request | Response) -> str:
    """As it was written: who wrote it badly is shown that."""
    return _spaced(message.headers.first("cseq") or "")


@remembered
def _spaced(text: str) -> str:
    return " ".join(text.split())[:_CSEQ_SHOWN]


def _shorten(table: OrderedDict[str, str] | OrderedDict[str, deque[Rung]], size: int) -> None:
    while len(table) > size:
        table.popitem(last=False)
