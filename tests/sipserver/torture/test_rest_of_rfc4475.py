"""RFC 4475: the messages that `ANTIPHON_TEST_DATA` does not hold, through the whole user agent. With those it is all 49."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sipserver.legs import Source
from sipserver.message import Request, Response, StreamFramer, parse
from sipserver.useragent.events import Invited
from tests.sipserver.torture.rest_of_rfc4475 import MESSAGES, Message
from tests.sipserver.transcripts import user_agent

SOURCE = Source("udp", "198.51.100.7", 5075)
ROOT = os.environ.get("ANTIPHON_TEST_DATA")
BY_NAME = {message.name: bytes(message) for message in MESSAGES}


@pytest.mark.parametrize("message", MESSAGES, ids=[message.name for message in MESSAGES])
def test_each_gets_what_the_rfc_says(message: Message) -> None:
    agent = user_agent()
    agent.receive(bytes(message), SOURCE, 0.0)
    statuses = [sent.message.status for sent in agent.to_send() if isinstance(sent.message, Response)]
    assert statuses == ([] if message.status is None else [message.status])
    assert [type(event) for event in agent.events()] == ([Invited] if message.status == 100 else [])
    assert agent.counters["malformed"] == (1 if message.status == 400 else 0)


@pytest.mark.skipif(not ROOT, reason="ANTIPHON_TEST_DATA is not set: no RFC 4475 messages")
def test_both_sets_together_are_the_49_messages_of_the_rfc() -> None:
    cases = json.loads((Path(ROOT or "") / "rfc4475" / "index.json").read_text())["cases"]
    there = {case["section"] for case in cases}
    assert not there & {message.section for message in MESSAGES}
    sections = sorted(there | {message.section for message in MESSAGES})
    expected = [f"3.1.1.{n}" for n in range(1, 14)] + [f"3.1.2.{n}" for n in range(1, 20)] + ["3.2.1"]
    expected += [f"3.3.{n}" for n in range(1, 16)] + ["3.4.1"]
    assert sections == sorted(expected)
    assert len(expected) == 49


def test_escapes_stay_in_the_uri_and_are_undone_where_it_is_read() -> None:
    """3.1.1.3: the user is `sips:user@example.com`, not a SIPS URI; 3.1.1.9: the semicolon belongs to the user."""
    escaped, in_user = parse(BY_NAME["esc01"]), parse(BY_NAME["semiuri"])
    assert isinstance(escaped, Request)
    assert isinstance(in_user, Request)
    assert escaped.uri == "sip:sips%3Auser%40example.com@example.net"
    assert escaped.contacts[0].uri == "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31"
    assert in_user.uri == "sip:user;par=u%40example.net@example.com"


def test_what_is_not_supported_is_named() -> None:
    """3.3.5: the 420 lists what Require asked for; Proxy-Require is for proxies."""
    agent = user_agent()
    agent.receive(BY_NAME["bext01"], SOURCE, 0.0)
    [sent] = agent.to_send()
    assert sent.message.headers.get("unsupported") == "nothingSupportsThis, nothingSupportsThisEither"


def test_a_contact_with_a_route_in_it_is_kept_whole() -> None:
    """3.3.14: the escaped Route is a part of the URI."""
    [contact] = parse(BY_NAME["regescrt"]).contacts
    assert contact.uri == "sip:user@example.com?Route=%3Csip:sip.example.com%3E"


@pytest.mark.parametrize("message", MESSAGES, ids=[message.name for message in MESSAGES])
def test_what_parses_survives_being_written_and_byte_by_byte_is_the_whole(message: Message) -> None:
    if message.status == 400:
        return
    data = bytes(message)
    assert parse(bytes(parse(data))) == parse(data)
    framer = StreamFramer()
    assert [cut for byte in data for cut in framer.feed(bytes([byte]))] == StreamFramer().feed(data) == [data]
