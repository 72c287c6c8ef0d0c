"""Replaces on the time line (RFC 3891, RFC 5589 section 7): what comes to us with it, and what we send with it."""

from __future__ import annotations

import pytest

from sipserver.legs import Invitation
from sipserver.message import MessageError
from sipserver.replaces import DialogName, Replaces
from sipserver.useragent.face import EndpointLeg
from tests.sipserver.transcripts import OFFER, TRUNK, Transcript, user_agent


def called(script: Transcript) -> str:
    """A caller is talking to us; returns the Replaces that names this call to us."""
    script.run("0 < INVITE branch=a sdp\n0 > 100\n0 ! answer\n0 > 200\n0.01 < ACK\n0.01 * Answered")
    return f"call;to-tag={script.our_tag};from-tag=peer"


def test_an_attended_transfer_with_us_as_the_transferee() -> None:
    """RFC 5589 section 7.1, message by message as we see it: the new INVITE, our 200, our BYE on the old dialog."""
    script = Transcript()
    replaces = called(script)
    old = script.leg
    script.run(f"1 < INVITE branch=b call=new tag=colleague sdp Replaces={replaces} Require=replaces\n1 > 100")
    new = script.leg
    assert old is not None
    assert new is not None
    assert new.replaces is not None
    name = EndpointLeg(old, lambda deed: deed()).dialog
    assert name is not None
    assert new.replaces.names(name)
    script.run("1.1 ! answer\n1.1 > 200 Call-ID=new\n1.2 < ACK call=new tag=colleague\n1.2 * Answered")
    old.hang_up("replaced")
    script.run('1.3 > BYE Call-ID=call Reason="SIP;text=\\"replaced\\""\n1.3 * over\n1.4 < 200 BYE\n99 .')
    assert script.agent.legs == {new}


@pytest.mark.parametrize("value", ["x", "x;to-tag=a", "a b;to-tag=1;from-tag=2", ";to-tag=1;from-tag=2"])
def test_a_malformed_replaces_is_400(value: str) -> None:
    Transcript().run(f"0 < INVITE branch=a sdp 'Replaces={value}'\n0 > 400\n0.1 < ACK branch=a\n40 .")


def test_two_of_them_or_one_beside_another_method_is_400() -> None:
    """RFC 3891 section 3."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp Replaces=a;to-tag=b;from-tag=c replaces=a;to-tag=b;from-tag=c
        0.000  >  400
        0.100  <  ACK branch=a
        1.000  <  OPTIONS to=none Replaces=a;to-tag=b;from-tag=c
        1.000  >  400
        40.000 .
        """
    )


def test_a_full_node_takes_who_replaces_a_call_that_is_here() -> None:
    full = False
    script = Transcript(user_agent(is_full=lambda: full))
    replaces = called(script)
    full = True
    script.run(
        f"""
        1.000  <  INVITE branch=b call=b sdp
        1.000  >  503
        1.010  <  ACK branch=b call=b
        1.100  <  INVITE branch=c call=c sdp Replaces=other;to-tag=x;from-tag=y
        1.100  >  503
        1.110  <  ACK branch=c call=c
        1.200  <  INVITE branch=d call=d sdp Replaces=junk
        1.200  >  503
        1.210  <  ACK branch=d call=d
        1.300  <  INVITE branch=e call=e sdp Replaces={replaces}
        1.300  >  100
        """
    )


def test_what_we_send_to_take_the_place_of_a_dialog() -> None:
    """RFC 5589 section 7.1: whoever fulfils a REFER with Replaces calls its URI, and says in whose name (RFC 3892)."""
    script = Transcript()
    invitation = Invitation(
        TRUNK,
        "unused",
        "+12025550100",
        OFFER,
        uri="sip:target@192.0.2.20:5080",
        replaces=Replaces("7@h", "theirs", "ours"),
        referred_by="<sip:peer@192.0.2.9>;x=1",
        takes_refer=True,
    )
    script.leg = script.agent.invite(invitation, 0.0)
    script.run("0 > INVITE uri=sip:target@192.0.2.20:5080 To=<sip:target@192.0.2.20:5080>")
    headers = script.last("INVITE").headers
    assert headers.get("replaces") == "7@h;to-tag=theirs;from-tag=ours"
    assert headers.get("require") == "replaces"
    assert headers.get("referred-by") == "<sip:peer@192.0.2.9>;x=1"
    assert "REFER" in headers.all("allow")
    assert (script.target_of("INVITE").host, script.target_of("INVITE").port) == ("192.0.2.9", 5070)


@pytest.mark.parametrize("referred_by", ["sip:a@b\r\nX: y", "nonsense"])
def test_what_cannot_be_written_is_not_sent(referred_by: str) -> None:
    agent = user_agent()
    with pytest.raises(MessageError):
        agent.invite(Invitation(TRUNK, "1", "2", OFFER, referred_by=referred_by), 0.0)
    with pytest.raises(MessageError):
        agent.invite(Invitation(TRUNK, "1", "2", OFFER, uri=referred_by), 0.0)
    with pytest.raises(MessageError):
        agent.invite(Invitation(TRUNK, "1", "2", OFFER, replaces=Replaces("a", "b\r\n", "c")), 0.0)
    assert not agent.to_send()


def test_names_as_the_peer_sees_them() -> None:
    ours = DialogName("7@h", "ours", "theirs")
    there = Replaces.at_peer(ours)
    assert there == Replaces("7@h", to_tag="theirs", from_tag="ours")
    assert there.names(DialogName("7@h", "theirs", "ours"))
    assert not there.names(ours)
    assert Replaces("7@h", "ours", "0").names(DialogName("7@h", "ours", ""))


def test_a_peer_without_tags_is_named_by_0() -> None:
    """RFC 3891 section 6.1: of a peer of RFC 2543, which has none."""
    there = Replaces.at_peer(DialogName("c1", "ours", ""))
    assert str(there) == "c1;to-tag=0;from-tag=ours"
    assert Replaces("c1", "ours", "0").names(DialogName("c1", "ours", ""))
