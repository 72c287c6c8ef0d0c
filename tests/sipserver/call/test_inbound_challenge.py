"""Peers whose address nobody knows: challenged, let in once for right credentials, and all others told the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog

from sipserver.digest import Attempt, DigestClient, challenges, credential
from sipserver.guard import Challenger, Policy, SourceGuard
from sipserver.guard.challenge import NONCE_SECONDS, Algorithm
from sipserver.legs import Source
from sipserver.message import Headers, Request, Response
from sipserver.message.check import Refusal
from sipserver.protocols import Trunk
from tests.sipserver.call.fakes import TRUNK, TRUNK_HOST, FakeDirectory
from tests.sipserver.transcripts import counting_random, user_agent

HOST = "203.0.113.9"
GUEST = replace(TRUNK, id="guest", inbound_username="branch \"7\"", inbound_password="s3cret")  # fmt: skip
BOTH: tuple[Algorithm, ...] = ("SHA-256", "MD5")
POLICY = Policy(strikes=5)


class Door:
    """A guard with a trunk of known address and one with credentials, on a clock."""

    def __init__(
        self, algorithms: tuple[Algorithm, ...] = BOTH, users: tuple[Trunk, ...] = (GUEST,), secret: bytes = b"secret"
    ) -> None:
        self.now = 100.0
        self.users = {trunk.inbound_username or "": trunk for trunk in users}
        challenger = Challenger(lambda: self.users, "antiphon", algorithms, secret, counting_random())
        directory = FakeDirectory({TRUNK_HOST: (TRUNK,)})
        self.guard = SourceGuard(directory, lambda: self.now, POLICY, challenger=challenger)

    def asks(self, request: Request, host: str = HOST) -> Refusal | int | None:
        return self.guard.admit(request, Source("udp", host, 5060))

    def challenged(self, request: Request, host: str = HOST) -> Response:
        refusal = self.asks(request, host)
        assert isinstance(refusal, Refusal)
        return Response(refusal.status, "Unauthorized", Headers(refusal.headers))


def invite(*headers: tuple[str, str], method: str = "INVITE") -> Request:
    return Request(method, "sip:us@192.0.2.1", Headers([("To", "<sip:us@192.0.2.1>"), *headers]))


def answered(response: Response, user: str = GUEST.inbound_username or "", password: str = "s3cret") -> Request:
    client = DigestClient(user, password)
    return invite(*Attempt(client).answer(response, invite(), "c"))


def stale(response: Response) -> bool:
    return all(challenge.stale for challenge in challenges(response))


@pytest.mark.parametrize("algorithms", [BOTH, ("MD5",), ("SHA-256",)])
def test_a_challenge_is_answered_by_our_own_client(algorithms: tuple[Algorithm, ...]) -> None:
    door = Door(algorithms)
    response = door.challenged(invite())
    assert response.status == 401
    assert [
        value.partition("algorithm=")[2].partition(",")[0] for value in response.headers.all("www-authenticate")
    ] == [*algorithms]
    request = answered(response)
    assert door.asks(request) is None
    assert door.guard.shown(request) == GUEST
    assert door.guard.guest(HOST) == GUEST


def test_a_client_that_knows_the_second_algorithm_only_takes_that() -> None:
    door = Door()
    md5 = door.challenged(invite()).headers.all("www-authenticate")[1]
    second = Response(401, "Unauthorized", Headers([("WWW-Authenticate", md5)]))
    assert door.asks(answered(second)) is None


def test_known_sources_are_never_challenged_and_their_credentials_count_for_nothing() -> None:
    assert Door().asks(invite(), TRUNK_HOST) is None


def test_without_credentials_anywhere_there_is_the_403_for_all() -> None:
    assert Door(users=()).asks(invite()) == 403


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "BYE", "SUBSCRIBE"])
def test_only_an_invite_is_challenged(method: str) -> None:
    assert Door().asks(invite(method=method)) == 403


@pytest.mark.parametrize(("user", "password"), [("nobody", "s3cret"), ("", ""), (GUEST.inbound_username, "wrong")])
def test_an_unknown_user_is_told_what_a_wrong_password_is(user: str, password: str) -> None:
    door = Door()
    request = answered(door.challenged(invite()), user, password)
    again = door.challenged(request)
    assert not stale(again)
    assert [(challenge.realm, challenge.algorithm) for challenge in challenges(again)] == [("antiphon", "SHA-256")]
    assert door.guard.shown(request) is None


def test_a_wrong_password_is_logged_with_its_source_and_no_more_of_it() -> None:
    door = Door()
    request = answered(door.challenged(invite()), password="guess")
    with structlog.testing.capture_logs() as logs:
        door.challenged(request)
    assert logs == [{"event": "sip_credentials_refused", "source": HOST, "log_level": "warning"}]


def test_credentials_pass_once_and_a_higher_count_passes_again() -> None:
    door = Door()
    challenge = challenges(door.challenged(invite()))[0]
    counts = [1, 1, 3, 2, 4]
    requests = [
        invite(("Authorization", credential(challenge, GUEST.inbound_username or "", "s3cret", invite(), "c", count)))
        for count in counts
    ]
    assert [door.asks(request) is None for request in requests] == [True, False, True, False, True]
    assert stale(door.challenged(requests[0])), "who has the password may answer a fresh nonce"


def test_a_nonce_ages_and_belongs_to_an_address() -> None:
    door = Door()
    response = door.challenged(invite())
    assert stale(door.challenged(answered(response), "203.0.113.10")), "it was made for another"
    door.now += NONCE_SECONDS + 1
    again = door.challenged(answered(response))
    assert stale(again)
    assert door.asks(answered(again)) is None


def test_a_nonce_from_before_a_restart_is_stale_and_no_guess() -> None:
    """Each process signs with a secret of its own: a peer that kept its nonce goes round once more, and is not banned for it."""
    before, door = Door(secret=b"the last process"), Door()
    kept = challenges(before.challenged(invite()))[0]
    for count in range(1, 3 * POLICY.strikes):
        value = credential(kept, GUEST.inbound_username or "", "s3cret", invite(), "c", count)
        again = door.challenged(invite(("Authorization", value)))
        assert stale(again)
        assert door.asks(answered(again)) is None
    assert door.guard.bans() == ()


def test_what_was_let_in_is_not_let_in_again_when_much_has_come_since() -> None:
    """What is remembered has a bound: what fell out of it is as good as too old."""
    door = Door()
    first = answered(door.challenged(invite()))
    assert door.asks(first) is None
    for _ in range(5000):
        door.now += 0.001
        assert door.asks(answered(door.challenged(invite()))) is None
    assert stale(door.challenged(first))


@pytest.mark.parametrize(
    "value",
    [
        "", "Basic Zm9v", "Digest", 'Digest realm="antiphon"', 'Digest realm="antiphon", nonce="é", response="é"',
        'Digest realm="antiphon", nonce="' + "0" * 60 + '", username="x"',
    ],
)  # fmt: skip
def test_rubbish_is_challenged_like_anybody(value: str) -> None:
    assert Door().challenged(invite(("Authorization", value))).status == 401


@pytest.mark.parametrize(
    ("old", "new"), [("qop=auth", "qop=auth-int"), ("nc=00000001", "nc=1"), ("SHA-256", "SHA-512")]
)
def test_what_was_not_offered_is_not_taken(old: str, new: str) -> None:
    door = Door()
    value = answered(door.challenged(invite())).headers.get("authorization") or ""
    assert old in value
    assert door.challenged(invite(("Authorization", value.replace(old, new)))).status == 401


def test_who_guesses_is_banned_and_a_guest_who_calls_often_is_not() -> None:
    door = Door()
    for _ in range(50):
        assert door.asks(answered(door.challenged(invite()))) is None
    assert door.guard.bans() == ()
    for _ in range(5):
        door.challenged(answered(door.challenged(invite()), password="guess"))
    assert [(ban.address, ban.why) for ban in door.guard.bans()] == [(HOST, "refused")]


def test_the_user_agent_sends_the_challenge_without_a_state() -> None:
    agent = user_agent(Door().guard)
    text = (
        "INVITE sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKa\r\nMax-Forwards: 70\r\n"
        "From: <sip:a@b>;tag=f\r\nTo: <sip:us@192.0.2.1>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@203.0.113.9>\r\n\r\n"
    )
    agent.receive(text.encode(), Source("udp", HOST, 5060), 0.0)
    [outgoing] = agent.to_send()
    assert outgoing.data.startswith(b"SIP/2.0 401 Unauthorized\r\n")
    assert outgoing.data.count(b"WWW-Authenticate: Digest realm=") == 2
    assert len(agent.transactions) == 0


def test_a_trunk_shows_no_password() -> None:
    assert "s3cret" not in repr(GUEST)
