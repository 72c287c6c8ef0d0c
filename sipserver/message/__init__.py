"""The SIP grammar (RFC 3261 sections 7, 8.2, 18.3, 19, 20, 25): bytes in, messages out, and back. Sans-I/O."""

from sipserver.message.check import Capabilities, Refusal, discard, refuse
from sipserver.message.error import MessageError
from sipserver.message.fields import CSeq, NameAddr, Via
from sipserver.message.framer import PING, PONG, StreamFramer
from sipserver.message.headers import Headers
from sipserver.message.message import Request, Response
from sipserver.message.params import NO_PARAMS, Params
from sipserver.message.parser import MAX_HEADERS, MAX_LINE, MAX_MESSAGE, parse
from sipserver.message.reasons import REASONS, reason_of
from sipserver.message.reply import mark_source, response_to
from sipserver.message.uri import SipUri, escape_user, scheme_of, user_of

__all__ = [
    "MAX_HEADERS",
    "MAX_LINE",
    "MAX_MESSAGE",
    "NO_PARAMS",
    "PING",
    "PONG",
    "REASONS",
    "CSeq",
    "Capabilities",
    "Headers",
    "MessageError",
    "NameAddr",
    "Params",
    "Refusal",
    "Request",
    "Response",
    "SipUri",
    "StreamFramer",
    "Via",
    "discard",
    "escape_user",
    "mark_source",
    "parse",
    "reason_of",
    "refuse",
    "response_to",
    "scheme_of",
    "user_of",
]
