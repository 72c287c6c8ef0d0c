"""Dialogs: route sets from both sides, targets, numbers, and what no dialog can be made of (RFC 3261 section 12)."""

from __future__ import annotations

import pytest

from sipserver.dialog import Dialog, server_dialog_id
from sipserver.legs import Source
from sipserver.message import Headers, MessageError, Request, Response, response_to

ROUTES = ["<sip:p1.example;lr=on;ftag=a1b2>", '"A, B" <sip:p2.example:5061;transport=tcp;lr>']


def invite(routes: list[str] = ROUTES, contact: str = "<sip:alice@10.0.0.1:5080;ob>") -> Request:
    headers = Headers()
    headers.add("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1")
    if routes:
        headers.add("Record-Route", ", ".join(routes))
    headers.add("From", '"Alice" <sip:alice@a.example>;tag=at;x=y')
    headers.add("To", "<sip:bob@b.example>")
    headers.add("Call-ID", "c1")
    headers.add("CSeq", "7 INVITE")
    if contact:
        headers.add("Contact", contact)
    return Request("INVITE", "sip:bob@b.example", headers, b"")


def answer(routes: list[str] = ROUTES, contact: str = "<sip:bob@10.0.0.2>") -> Response:
    headers = [("Contact", contact)] if contact else []
    return response_to(invite(routes), 200, to_tag="bt", headers=headers)


def test_the_called_side_keeps_the_order_and_the_calling_side_turns_it_round() -> None:
    server = Dialog.of_server(invite(), "bt")
    client = Dialog.of_client(invite([]), answer())
    assert list(server.route_set) == ROUTES
    assert list(client.route_set) == ROUTES[::-1]
    assert server.next_hop().host == "p1.example"
    assert client.next_hop().host == "p2.example"


def test_both_sides_know_the_same_dialog() -> None:
    server = Dialog.of_server(invite(), "bt", Source("tcp", "10.0.0.1", 4000))
    client = Dialog.of_client(invite([]), answer())
    assert server_dialog_id(client.request("BYE")) == server.id
    assert server_dialog_id(server.request("BYE")) == client.id
    assert server.flow == Source("tcp", "10.0.0.1", 4000)


def test_a_request_in_the_dialog() -> None:
    client = Dialog.of_client(invite([]), answer())
    bye = client.request("BYE")
    assert bye.uri == "sip:bob@10.0.0.2"
    assert bye.routes == ROUTES[::-1]
    assert bye.cseq.number == 8
    assert bye.headers.get("from") == '"Alice" <sip:alice@a.example>;tag=at;x=y'
    assert client.request("INFO").cseq.number == 9
    assert client.request("ACK", 7).cseq.number == 7


def test_the_peers_numbers_only_rise() -> None:
    server = Dialog.of_server(invite(), "bt")
    assert not server.in_order(7)
    assert server.in_order(9)
    assert not server.in_order(8)
    client = Dialog.of_client(invite([]), answer())
    assert client.in_order(1)


def test_a_strict_router_takes_the_request_uri() -> None:
    server = Dialog.of_server(invite(["<sip:strict.example;method=INVITE?X=y>", "<sip:p2.example;lr>"]), "bt")
    bye = server.request("BYE")
    assert bye.uri == "sip:strict.example"
    assert bye.routes == ["<sip:p2.example;lr>", "<sip:alice@10.0.0.1:5080;ob>"]
    assert server.next_hop().host == "strict.example"


def test_a_refresh_moves_the_target_and_not_the_routes() -> None:
    server = Dialog.of_server(invite(), "bt")
    server.refresh(invite([], "<sip:alice@10.0.0.9>"))
    assert server.remote_target == "sip:alice@10.0.0.9"
    assert list(server.route_set) == ROUTES
    server.refresh(invite([], ""))
    assert server.remote_target == "sip:alice@10.0.0.9"


def test_the_2xx_replaces_what_the_early_dialog_knew() -> None:
    early = Dialog.of_client(invite([]), answer([], "<sip:ringing@10.0.0.3>"))
    early.confirm(invite([]), answer())
    assert early.remote_target == "sip:bob@10.0.0.2"
    assert list(early.route_set) == ROUTES[::-1]


@pytest.mark.parametrize(("so_far", "following"), [(7, 8), (12, 13), (3, 8)])
def test_the_2xx_takes_no_number_back(so_far: int, following: int) -> None:
    """A PRACK or UPDATE has counted further meanwhile, or the INVITE has, which was sent again with credentials."""
    early = Dialog.of_client(invite([]), answer([]))
    early.local_cseq = so_far
    early.confirm(invite([]), answer([]))
    assert early.next_cseq() == following


@pytest.mark.parametrize(
    ("routes", "contact"),
    [([], ""), ([], "<tel:+1202>"), ([], "*"), (["<tel:+1202>"], "<sip:alice@10.0.0.1>")],
)
def test_no_dialog_with_somebody_who_cannot_be_reached(routes: list[str], contact: str) -> None:
    with pytest.raises(MessageError):
        Dialog.of_server(invite(routes, contact), "bt")
    with pytest.raises(MessageError):
        Dialog.of_client(invite([]), answer(routes, contact))
