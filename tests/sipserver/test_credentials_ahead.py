"""Credentials before they are asked for, on the time line: what a trunk's nonce is good for saves each call a round trip
(RFC 3261 section 22.2, RFC 7616 sections 3.4 and 3.6).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipserver.digest import Challenge
from sipserver.message import Request
from sipserver.useragent.placing import digest_of
from sipserver.useragent.wallet import MAX_TRUNKS, Wallet
from tests.sipserver.transcripts import TRUNK, Transcript

FIRST_CALL = """
    0.000  !  invite
    0.000  >  INVITE branch=a cseq=1
    0.100  <  407 tag=x challenge
    0.100  >  ACK branch=a
    0.100  >  INVITE branch=b cseq=2
    """
IS_OVER = """
    0.200  <  486 tag=x
    0.200  >  ACK branch=b
    0.200  *  Refused 486
    0.200  *  over
    """


def shown(script: Transcript, method: str = "INVITE") -> list[str | None]:
    """The nonce count of each request's credentials; None for a request without."""
    values = [
        m.headers.get("Proxy-Authorization") for m in script.sent if isinstance(m, Request) and m.method == method
    ]
    return [None if value is None else value.partition("nc=")[2] for value in values]


def test_the_next_call_passes_at_the_first_try_and_so_does_its_bye() -> None:
    script = Transcript()
    script.run(
        FIRST_CALL
        + IS_OVER
        + """
        1.000  !  invite
        1.000  >  INVITE branch=c cseq=1
        1.100  <  200 tag=y sdp
        1.100  >  ACK cseq=1
        1.100  *  Answered sdp
        2.000  !  hang_up
        2.000  *  over
        2.000  >  BYE cseq=2
        2.100  <  200 BYE
        40.00  .
        """
    )
    assert shown(script) == [None, "00000001", "00000002"]
    assert shown(script, "ACK")[-1] == "00000002", "the ACK of a 200 has the INVITE's (section 13.2.2.4)"
    assert shown(script, "BYE") == ["00000003"]


def test_a_nonce_that_is_too_old_is_renewed() -> None:
    script = Transcript()
    script.run(
        FIRST_CALL
        + IS_OVER
        + """
        900.0  !  invite
        900.0  >  INVITE branch=c cseq=1
        900.1  <  407 tag=y challenge
        900.1  >  ACK branch=c
        900.1  >  INVITE branch=d cseq=2
        900.2  <  486 tag=z
        900.2  >  ACK branch=d
        900.2  *  Refused 486
        900.2  *  over
        """
    )
    assert shown(script) == [None, "00000001", "00000002", "00000001"]


def test_what_was_not_accepted_is_not_shown_again_unasked() -> None:
    """A registrar or proxy that bans who errs often would count twice for each call."""
    script = Transcript()
    script.run(
        FIRST_CALL
        + """
        0.200  <  407 tag=y challenge
        0.200  >  ACK branch=b
        0.200  *  Refused 407
        0.200  *  over
        1.000  !  invite
        1.000  >  INVITE branch=c
        1.100  <  486 tag=x
        1.100  >  ACK branch=c
        1.100  *  Refused 486
        1.100  *  over
        """
    )
    assert shown(script) == [None, "00000001", None]


def test_another_place_gets_nothing_before_it_asks() -> None:
    script = Transcript(trunk=replace(TRUNK, host="sip.example.com"), addresses=("192.0.2.9", "192.0.2.8"))
    script.run(FIRST_CALL + IS_OVER)
    script.run(
        """
        1.000  !  invite
        1.000  >  INVITE branch=c
        1.100  <  503 tag=x
        1.100  >  ACK branch=c
        1.100  >  INVITE branch=d
        1.200  <  486 tag=x
        1.200  >  ACK branch=d
        1.200  *  Refused 486
        1.200  *  over
        """
    )
    assert shown(script) == [None, "00000001", "00000002", None]


@pytest.mark.parametrize(("realm", "answered"), [(None, True), ("r", True), ("sip.example.com", False)])
def test_only_the_trunks_own_realm_gets_credentials_where_it_is_set(realm: str | None, answered: bool) -> None:
    """Whoever is called behind the trunk may challenge, too, and its proxy passes that on."""
    script = Transcript(trunk=replace(TRUNK, options=replace(TRUNK.options, auth_realm=realm)))
    if answered:
        script.run(FIRST_CALL + IS_OVER)
        return
    script.run("0 ! invite\n0 > INVITE\n0.1 < 407 tag=x challenge\n0.1 > ACK\n0.1 * Refused 407\n0.1 * over\n40 .")


def test_a_realm_is_compared_as_it_is_written_between_quotes() -> None:
    client = digest_of(replace(TRUNK, options=replace(TRUNK.options, auth_realm='the "best"')))
    assert client is not None
    assert client.may_answer(Challenge.parse(r'Digest realm="the \"best\"", nonce="n"', False))


def test_the_auth_user_is_not_the_user_of_from() -> None:
    script = Transcript(trunk=replace(TRUNK, auth_user="4711-auth", options=replace(TRUNK.options, from_user="main")))
    script.run(FIRST_CALL)
    again = script.last("INVITE")
    assert 'username="4711-auth"' in (again.headers.get("Proxy-Authorization") or "")
    assert again.from_.uri.startswith("sip:main@")


def test_another_trunk_and_another_password_begin_anew() -> None:
    for other in (replace(TRUNK, id="other"), replace(TRUNK, password="q")):
        script = Transcript()
        script.run(FIRST_CALL + IS_OVER)
        script.trunk = other
        script.run("1.0 ! invite\n1.0 > INVITE")
        assert shown(script) == [None, "00000001", None]


def test_what_follows_is_taken_from_authentication_info() -> None:
    script = Transcript()
    info = """'Authentication-Info=nextnonce="fresh", qop=auth'"""
    script.run(
        f"""
        0.000  !  invite
        0.000  >  INVITE branch=a
        0.100  <  401 tag=x challenge
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b
        0.200  <  200 tag=y sdp {info}
        0.200  >  ACK
        0.200  *  Answered sdp
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE
        1.100  <  200 BYE
        """
    )
    bye = script.last("BYE")
    assert 'nonce="fresh"' in (bye.headers.get("Authorization") or "")


def test_the_wallet_holds_so_many_trunks_and_none_without_credentials() -> None:
    wallet = Wallet()
    assert wallet.of(replace(TRUNK, password=None)) is None
    first, second = (wallet.of(replace(TRUNK, id=name)) for name in ("first", "second"))
    for number in range(MAX_TRUNKS - 1):
        assert wallet.of(replace(TRUNK, id="first")) is first
        wallet.of(replace(TRUNK, id=f"t{number}"))
    assert wallet.of(replace(TRUNK, id="first")) is first
    assert wallet.of(replace(TRUNK, id="second")) is not second
