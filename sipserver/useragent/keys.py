"""Keys that come by INFO, as gateways without RFC 4733 tell of them: application/dtmf-relay and application/dtmf. Sans-I/O.

Neither has an RFC; RFC 6086 section 7.2 names them as the legacy use of INFO. The first holds lines `Signal=5` and `Duration=160`,
the second the key alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from sipserver.legs import KeyPressed
from sipserver.message import Request
from sipserver.message.multipart import media_type

RELAY = "application/dtmf-relay"
PLAIN = "application/dtmf"
KEY_TYPES = f"{RELAY}, {PLAIN}"
USUAL_MS = 160
"""How long a key is taken to have been pressed whose INFO does not say."""
LONGEST_MS = 10_000

_KEYS = "0123456789*#ABCD"
_FLASH = "16"
"""The hook flash, a signal that is no key."""


@dataclass(frozen=True, slots=True)
class InfoAnswer:
    """What an INFO gets, and the key that it told of; None where it was of none."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    pressed: KeyPressed | None = None


class NoKey(ValueError):
    """This INFO tells of nothing that we know: 415 for its type, 400 for its body."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def answer_to_info(request: Request) -> InfoAnswer:
    """An INFO of a call: a key, or, empty, the question whether we are there. No package of RFC 6086 is done here."""
    if "info-package" in request.headers:
        return InfoAnswer(469, (("Recv-Info", ""),))
    if not request.body:
        return InfoAnswer(200)
    try:
        return InfoAnswer(200, (), key_of_info(request))
    except NoKey as error:
        return InfoAnswer(error.status, (("Accept", KEY_TYPES),) if error.status == 415 else ())


def key_of_info(request: Request) -> KeyPressed | None:
    """The key that an INFO tells of; None for a hook flash. Raises NoKey."""
    kind = media_type(request.headers.get("content-type") or "")
    text = request.body.decode("ascii", "replace")
    if kind == RELAY:
        fields = dict(_fields(text))
        return _pressed(fields.get("signal", ""), fields.get("duration", ""))
    if kind == PLAIN:
        return _pressed(text.strip(), "")
    raise NoKey(415, f"An INFO with {kind} is for an application that is not here.")


def _fields(text: str) -> list[tuple[str, str]]:
    pairs = (line.partition("=") for line in text.splitlines())
    return [(name.strip().lower(), value.strip()) for name, _, value in pairs]


def _pressed(signal: str, duration: str) -> KeyPressed | None:
    """Some write the events' numbers of RFC 4733 (10 is the star) in place of the keys."""
    if signal == _FLASH:
        return None
    numbered = signal in ("10", "11", "12", "13", "14", "15")
    key = _KEYS[int(signal)] if numbered else signal.upper()
    if len(key) != 1 or key not in _KEYS:
        raise NoKey(400, f"{signal[:20]!r} is no key.")
    known = duration.isascii() and duration.isdigit() and len(duration) <= 9
    return KeyPressed(key, min(int(duration), LONGEST_MS) if known and int(duration) else USUAL_MS)
