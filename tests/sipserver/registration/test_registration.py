"""Registrations on a time line: the registrar answers what the transcript says. Randomness is always the middle: 0.5."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.message import response_to
from sipserver.registration import Patience, Registration
from tests.sipserver.registration.registrations_on_a_line import LINE, TRUNK, OnALine, facts


def test_the_granted_time_counts_and_the_refresh_comes_before_it_ends() -> None:
    """RFC 3261 section 10.2.4. Half of what was granted, and 35 % of it times 0.5."""
    line = OnALine()
    line.run(
        """
        0.0    ! register
        0.0    > REGISTER cseq=1 expires=600 uri=sip:sip.example.com to=sip:alice@sip.example.com contact=sip:ln0123@192.0.2.1:5060
        0.0    = registering
        0.1    < 200 expires=100
        0.1    = registered until=100.1
        67.6   > REGISTER cseq=2 expires=600
        67.6   = registered until=100.1
        67.7   < 200 expires=200
        67.7   = registered until=267.7
        202.7  > REGISTER cseq=3 expires=600
        """
    )
    assert len({request.call_id for request in line.requests}) == 1
    assert len({request.from_.tag for request in line.requests}) == 1


@pytest.mark.parametrize(("draw", "share"), [(0.0, 0.5), (0.5, 0.675), (0.999999, 0.85)])
def test_refreshes_are_spread_between_half_and_85_percent(draw: float, share: float) -> None:
    line = OnALine(draw=draw)
    line.run("0.0 ! register\n0.0 > REGISTER cseq=1\n0.0 < 200 expires=1000")
    assert line.registration.next_timer() == pytest.approx(1000 * share, abs=0.01)


@pytest.mark.parametrize(
    ("answer", "granted"),
    [
        ("200 expires=60 Expires=3600", 60),
        ("200 Expires=90", 90),
        ("200", 600),
        ("200 expires=70 other='<sip:desk@192.0.2.50>;expires=20'", 70),
        ("200 other='<sip:rewritten@203.0.113.5:1024>;expires=80' Expires=3600", 80),
        ("200 expires=soon Expires=90", 90),
    ],
)
def test_what_is_granted(answer: str, granted: int) -> None:
    """The Contact's `expires` over Expires over what was asked for; others' Contacts are not ours, a lone one is."""
    line = OnALine()
    line.run(f"0.0 ! register\n0.0 > REGISTER cseq=1\n0.0 < {answer}\n0.0 = registered until={granted}")


def test_a_registrar_that_keeps_nothing_has_not_registered_us() -> None:
    OnALine().run(
        """
        0.0 ! register
        0.0 > REGISTER cseq=1
        0.0 < 200 expires=0
        0.0 = failed error="The registrar did not keep the registration."
        7.5 > REGISTER cseq=2
        """
    )


@pytest.mark.parametrize(("status", "by"), [(401, "Authorization"), (407, "Proxy-Authorization")])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_challenge_is_answered_and_its_nonce_is_used_again(status: int, by: str, algorithm: str) -> None:
    """The number rises with the credentials, too; refreshes carry them at once, each with the next nonce count."""
    line = OnALine()
    line.run(
        f"""
        0.0   ! register
        0.0   > REGISTER cseq=1
        0.1   < {status} nonce=n1 algorithm={algorithm}
        0.1   > REGISTER cseq=2 nonce=n1 nc=00000001 algorithm={algorithm} by={by} username=al
        0.2   < 200 expires=100
        0.2   = registered until=100.2
        67.7  > REGISTER cseq=3 nonce=n1 nc=00000002
        67.8  < {status} nonce=n2 stale=true algorithm={algorithm}
        67.8  > REGISTER cseq=4 nonce=n2 nc=00000001
        67.9  < 200 expires=100
        67.9  = registered until=167.9
        """
    )
    assert len({request.call_id for request in line.requests}) == 1
    branches = [request.via.branch for request in line.requests]
    assert len(set(branches)) == len(branches)


def test_a_nonce_without_qop_is_not_used_again() -> None:
    line = OnALine()
    line.run(
        """
        0.0   ! register
        0.0   > REGISTER cseq=1
        0.1   < 401 nonce=n1 qop=none
        0.1   > REGISTER cseq=2 nonce=n1
        0.2   < 200 expires=100
        67.7  > REGISTER cseq=3
        """
    )
    assert "nonce" not in facts(line.requests[-1])


def test_wrong_credentials_are_not_tried_often() -> None:
    """75 % of half an hour: a registrar bans those who guess."""
    OnALine().run(
        """
        0.0    ! register
        0.0    > REGISTER cseq=1
        0.1    < 401 nonce=n1
        0.1    > REGISTER cseq=2 nonce=n1
        0.2    < 401 nonce=n2
        0.2    = failed error="401 Unauthorized"
        1350.2 > REGISTER cseq=3
        """
    )


def test_no_password_for_a_challenge() -> None:
    OnALine(replace(TRUNK, password=None)).run(
        """
        0.0    ! register
        0.0    > REGISTER cseq=1
        0.1    < 407 nonce=n1
        0.1    = failed error="407 Proxy Authentication Required"
        """
    )


def test_403_stops_it() -> None:
    line = OnALine()
    line.run(
        """
        0.0    ! register
        0.0    > REGISTER cseq=1
        0.1    < 403
        0.1    = stopped error="403 Forbidden"
        90000  = stopped error="403 Forbidden"
        90000  ! leave
        90000  = stopped error="403 Forbidden"
        """
    )
    assert line.registration.over


def test_too_brief() -> None:
    """423 says how long it must be (section 10.2.8); that stays so for the refreshes."""
    OnALine().run(
        """
        0.0     ! register
        0.0     > REGISTER cseq=1 expires=600
        0.1     < 423 Min-Expires=1800
        0.1     > REGISTER cseq=2 expires=1800
        0.2     < 200 expires=1800
        1215.2  > REGISTER cseq=3 expires=1800
        """
    )


@pytest.mark.parametrize("least", ["", "Min-Expires=600", "Min-Expires=99999999", "Min-Expires=never"])
def test_too_brief_without_sense_is_a_failure(least: str) -> None:
    OnALine().run(
        f"""
        0.0 ! register
        0.0 > REGISTER cseq=1
        0.1 < 423 {least}
        0.1 = failed error="423 Interval Too Brief"
        7.6 > REGISTER cseq=2 expires=600
        """
    )


def test_failures_wait_longer_each_time_up_to_five_minutes() -> None:
    """75 % of 10, 20, 40 … seconds, and not more than 225."""
    line = OnALine()
    line.run(
        """
        0.0   ! register
        0.0   > REGISTER cseq=1
        0.0   < 404
        0.0   = failed error="404 Not Found"
        7.5   > REGISTER cseq=2
        7.5   < 500
        7.5   = failed error="500 Server Internal Error"
        22.5  > REGISTER cseq=3
        22.5  < 480
        52.5  > REGISTER cseq=4
        52.5  < 603
        112.5 > REGISTER cseq=5
        112.5 < 503
        232.5 > REGISTER cseq=6
        232.5 < 503
        457.5 > REGISTER cseq=7
        457.5 < 503
        682.5 > REGISTER cseq=8
        682.5 < 200 expires=600
        682.5 = registered until=1282.5
        1087.5 > REGISTER cseq=9
        1087.5 < 503
        1087.5 = registered until=1282.5 error="503 Service Unavailable"
        1095   > REGISTER cseq=10
        """
    )


def test_retry_after_is_kept() -> None:
    """Not before, and a little after: 120 s and 5 % of it."""
    OnALine().run(
        """
        0.0   ! register
        0.0   > REGISTER cseq=1
        0.0   < 503 Retry-After="120 (maintenance);duration=60"
        126   > REGISTER cseq=2
        """
    )


def test_silence_is_a_failure_and_the_binding_is_there_until_it_expires() -> None:
    """Timer F: 32 s. An earlier answer that comes late is not looked at."""
    line = OnALine()
    line.run(
        """
        0.0    ! register
        0.0    > REGISTER cseq=1
        0.0    < 200 expires=100
        67.5   > REGISTER cseq=2
        99.5   = registered until=100 error="No answer came."
        100    = failed error="No answer came."
        107    > REGISTER cseq=3
        107.1  < 200 expires=100
        107.1  = registered until=207.1
        """
    )


def test_a_flow_that_fails_is_registered_again_at_once() -> None:
    """RFC 5626 section 4.2.1: the binding leads nowhere."""
    OnALine().run(
        """
        0.0   ! register
        0.0   > REGISTER cseq=1
        0.0   < 200 expires=600
        40    ! flow-failed
        40    > REGISTER cseq=2
        40    = registering error="The connection to the registrar was lost."
        40.1  < 200 expires=600
        40.1  = registered until=640.1
        """
    )


def test_a_flow_that_does_not_last_waits_like_any_failure() -> None:
    """Or a registrar that takes registrations and closes the connection would be asked for ever, without a pause."""
    OnALine().run(
        """
        0.0   ! register
        0.0   > REGISTER cseq=1
        0.0   < 200 expires=600
        1     ! flow-failed
        1     = failed error="The connection to the registrar was lost."
        8.5   > REGISTER cseq=2
        8.5   < 200 expires=600
        9     ! flow-failed
        24    > REGISTER cseq=3
        24    < 200 expires=600
        25    ! flow-failed
        55    > REGISTER cseq=4
        """
    )


def test_another_address_is_registered_at_once_and_the_former_one_removed() -> None:
    OnALine().run(
        """
        0.0   ! register
        0.0   > REGISTER cseq=1 contact=sip:ln0123@192.0.2.1:5060
        0.0   < 200 expires=600
        40    ! rebind host=198.51.100.4 port=1024
        40    > REGISTER cseq=2 contact=sip:ln0123@198.51.100.4:1024 former=sip:ln0123@192.0.2.1:5060
        40.1  < 200 expires=600
        41    ! rebind host=198.51.100.4 port=1024
        445.1 > REGISTER cseq=3 contact=sip:ln0123@198.51.100.4:1024
        """
    )


def test_the_registrar_says_where_it_sees_us() -> None:
    """RFC 3581: behind a NAT the Contact is the address that the answer's Via names. A NAT that changes its mind all the time
    waits for the refresh.
    """
    line = OnALine(learn=True)
    line.run(
        """
        0.0   ! register
        0.0   > REGISTER cseq=1
        0.0   < 200 expires=100 received=203.0.113.8 rport=61000
        0.0   > REGISTER cseq=2 contact=sip:ln0123@203.0.113.8:61000 former=sip:ln0123@192.0.2.1:5060
        0.1   < 200 expires=100 received=203.0.113.8 rport=61001
        0.1   = registered until=100.1
        67.6  > REGISTER cseq=3 contact=sip:ln0123@203.0.113.8:61001 former=sip:ln0123@203.0.113.8:61000
        """
    )


def test_a_configured_address_is_not_for_the_registrar_to_change() -> None:
    OnALine().run(
        """
        0.0   ! register
        0.0   > REGISTER cseq=1
        0.0   < 200 expires=100 received=203.0.113.8 rport=61000
        67.5  > REGISTER cseq=2 contact=sip:ln0123@192.0.2.1:5060
        """
    )


def test_leaving_removes_our_contact_only() -> None:
    line = OnALine()
    line.run(
        """
        0.0   ! register
        0.0   > REGISTER cseq=1
        0.1   < 401 nonce=n1
        0.1   > REGISTER cseq=2
        0.2   < 200 expires=600
        5     ! leave
        5     > REGISTER cseq=3 expires=0 contact=sip:ln0123@192.0.2.1:5060 nonce=n1 nc=00000002
        5.1   < 200
        5.1   = stopped
        9000  = stopped
        """
    )
    assert line.registration.over
    assert not any("*" in (request.headers.get("Contact") or "") for request in line.requests)


def test_leaving_while_a_register_is_under_way() -> None:
    """The registrar may have bound us already: the later number undoes it."""
    line = OnALine()
    line.run("0.0 ! register\n0.0 > REGISTER cseq=1\n0.1 ! leave\n0.1 > REGISTER cseq=2 expires=0\n0.2 < 200")
    assert line.registration.over


def test_leaving_what_was_never_reached_sends_nothing() -> None:
    line = OnALine()
    line.run(
        "0.0 ! register\n0.0 > REGISTER cseq=1\n0.1 < 500\n1 ! leave\n1 = stopped error='500 Server Internal Error'"
    )
    assert line.registration.over


def test_leaving_has_an_end_without_an_answer() -> None:
    line = OnALine()
    line.run("0.0 ! register\n0.0 > REGISTER cseq=1\n0.0 < 200\n9 ! leave\n9 > REGISTER expires=0\n41 = stopped")
    assert line.registration.over


def test_over_tcp_and_through_a_proxy() -> None:
    trunk = replace(TRUNK, transport="tcp", outbound_proxy="192.0.2.77:5080", port=5070)
    line = OnALine(trunk)
    line.run(
        """
        0.0 ! register
        0.0 > REGISTER uri=sip:sip.example.com:5070 to=sip:alice@sip.example.com via=tcp "route=<sip:192.0.2.77:5080;lr>"
        """
    )
    assert facts(line.requests[0])["contact"] == "sip:ln0123@192.0.2.1:5060;transport=tcp"


def test_over_a_connection_the_flow_is_named() -> None:
    """RFC 5626 section 4.2.1: one instance for ever, one number for each flow, and Path for those in between."""
    first, later = OnALine(replace(TRUNK, transport="tcp")), OnALine(replace(TRUNK, transport="tcp"))
    for line in (first, later):
        line.run(
            "0.0 ! register\n0.0 > REGISTER cseq=1\n0.0 < 200 expires=100\n67.5 > REGISTER cseq=2\n68 ! leave\n68 > REGISTER expires=0"
        )
    contacts = [request.contacts[0].params for line in (first, later) for request in line.requests]
    assert len(contacts) == 6
    assert {contact.get("reg-id") for contact in contacts} == {"1"}
    (instance,) = {contact.get("+sip.instance") for contact in contacts}
    assert instance == f"<{first.registration.account.instance}>"
    assert UUID(first.registration.account.instance.removeprefix("urn:uuid:")).version == 5
    assert first.requests[0].headers.get("Supported") == "path, outbound"


def test_on_udp_and_before_a_proxy_without_outbound_it_is_a_plain_binding() -> None:
    udp, tcp = OnALine(), OnALine(replace(TRUNK, transport="tcp"))
    udp.run("0.0 ! register\n0.0 > REGISTER cseq=1")
    tcp.run(
        """
        0.0 ! register
        0.0 > REGISTER cseq=1
        0.1 < 439
        0.1 > REGISTER cseq=2
        0.1 < 439
        0.1 = failed error="439 First Hop Lacks Outbound Support"
        """
    )
    for request in (*udp.requests, tcp.requests[1]):
        assert (request.contacts[0].params.get("reg-id"), request.headers.get("Supported")) == (None, None)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["start", "leave", "flow", "timer"]),
            st.tuples(st.sampled_from([200, 302, 401, 403, 404, 407, 408, 423, 500, 503, 603]), st.booleans()),
            st.floats(0.1, 4000),
        ),
        max_size=30,
    )
)
def test_whatever_happens_numbers_rise_and_one_request_at_most_is_asked_for(deeds: list[object]) -> None:
    """No input raises; each REGISTER has a number above all before it, the same Call-ID and the same Contact user."""
    line = OnALine()
    registration: Registration = line.registration
    now, last, open_ = 0.0, 0, None
    for deed in deeds:
        match deed:
            case "start" if registration.over:
                registration.start()
            case "leave":
                registration.leave(now)
            case "flow":
                registration.flow_failed(now)
            case "timer":
                registration.handle_timer(now)
            case (int(status), bool(expired)) if open_ is not None:
                request = open_.request
                request.headers.set("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
                answer = response_to(request, status, to_tag="x", headers=[("Expires", "0" if expired else "60")])
                registration.answered(open_.number, request, answer, now)
                open_ = None
            case float(seconds):
                now += seconds
        assert registration.status(now) in ("registering", "registered", "failed", "stopped")
        if (register := registration.to_send()) is not None:
            open_ = register
            assert register.request.cseq.number > last
            last = register.request.cseq.number
            assert f"sip:{LINE}@" in (register.request.headers.get("Contact") or "")
            assert registration.next_timer() is None


def test_the_patience_is_that_of_the_documentation() -> None:
    assert (Patience().expires, Patience().base, Patience().most, Patience().refused) == (600, 5.0, 300.0, 1800.0)
