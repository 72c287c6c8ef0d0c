"""Digest credentials: the vectors of the RFCs, and which challenge gets an answer when."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipserver.digest import (
    MAX_REALMS,
    Attempt,
    Challenge,
    DigestClient,
    DigestError,
    challenges,
    credential,
    digest_params,
)
from sipserver.message import Headers, Request, Response, parse

RFC_7616 = {"realm": "http-auth@example.org", "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"}
CNONCE_7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def _answered(challenge: Challenge, username: str, password: str, uri: str, cnonce: str) -> dict[str, str]:
    return digest_params(credential(challenge, username, password, Request("GET", uri), cnonce, 1))


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    challenge = Challenge(False, **RFC_7616, algorithm=algorithm, qop=("auth", "auth-int"), opaque="FQhe")
    values = _answered(challenge, "Mufasa", "Circle of Life", "/dir/index.html", CNONCE_7616)
    assert values["response"] == response


def test_rfc_7616_section_3_9_2_as_corrected_by_erratum_4897() -> None:
    nonce = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK"
    challenge = Challenge(False, "api@example.org", nonce, "SHA-512-256", ("auth",))
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    values = _answered(challenge, "Jäsøn Doe", "Secret, or not?", "/doe.json", cnonce)
    assert values["response"] == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


RFC_2617 = {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"}


@pytest.mark.parametrize(
    ("qop", "response"), [(("auth",), "6629fae49393a05397450978507c4ef1"), ((), "670fd8c2df070c60b045671b8b24ff02")]
)
def test_rfc_2617_section_3_5_with_and_without_qop(qop: tuple[str, ...], response: str) -> None:
    challenge = Challenge(False, **RFC_2617, qop=qop)
    values = _answered(challenge, "Mufasa", "Circle Of Life", "/dir/index.html", "0a4f113b")
    assert values["response"] == response
    assert ("nc" in values, "cnonce" in values, "qop" in values) == (bool(qop),) * 3


def _hash(name: str, *parts: str) -> str:
    return hashlib.new(name, ":".join(parts).encode()).hexdigest()


@pytest.mark.parametrize(("algorithm", "name"), [("MD5-sess", "md5"), ("sha-256-SESS", "sha256")])
@pytest.mark.parametrize("qop", [("auth",), ("auth-int",), ("auth-int", "auth"), ()])
def test_sessions_and_bodies(algorithm: str, name: str, qop: tuple[str, ...]) -> None:
    challenge = Challenge(True, "r", "n", algorithm, qop)
    request = Request("INVITE", "sip:b@c", Headers(), b"v=0\r\n\xff")
    values = digest_params(credential(challenge, "u", "p", request, "c", 10))
    secret = _hash(name, _hash(name, "u", "r", "p"), "n", "c")
    if qop == ("auth-int",):
        act = hashlib.new(name, f"INVITE:sip:b@c:{hashlib.new(name, request.body).hexdigest()}".encode()).hexdigest()
    else:
        act = _hash(name, "INVITE", "sip:b@c")
    middle = ("0000000a", "c", "auth-int" if qop == ("auth-int",) else "auth") if qop else ()
    assert values["response"] == _hash(name, secret, "n", *middle, act)
    assert values["cnonce"] == "c"


def test_what_is_quoted_and_what_is_not() -> None:
    challenge = Challenge.parse(
        'digest REALM="a \\"b\\"", nonce="n,=", opaque="", algorithm=md5, qop="auth-int , AUTH", stale=TRUE, domain=x',
        True,
    )
    assert (challenge.realm, challenge.nonce, challenge.stale, challenge.qop) == (
        'a \\"b\\"',
        "n,=",
        True,
        ("auth-int", "auth"),
    )
    value = credential(challenge, 'u"v', "p", Request("INVITE", "sip:B@c;X=y"), "cn", 1)
    head, _, tail = value.partition(' response="')
    assert head == 'Digest username="u\\"v", realm="a \\"b\\"", nonce="n,=", uri="sip:B@c;X=y",'
    assert tail[32:] == '", algorithm=md5, cnonce="cn", opaque="", qop=auth, nc=00000001'


def test_what_the_challenge_does_not_name_is_not_answered_with() -> None:
    value = credential(Challenge(False, "r", "n"), "u", "p", Request("INVITE", "sip:b@c"), "cn", 1)
    assert set(digest_params(value)) == {"username", "realm", "nonce", "uri", "response"}


@pytest.mark.parametrize(
    "value", ["Basic realm=x", "Digest", 'Digest realm="a"', 'Digest nonce="a"', 'Digest realm="a', "Digest a b", ""]
)
def test_what_is_no_challenge_is_refused(value: str) -> None:
    with pytest.raises(DigestError):
        Challenge.parse(value, False)


# -- which challenges get an answer ----------------------------------------------------------------------------------------


def _challenged(*lines: str, status: int = 401) -> Response:
    name = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[status]
    return Response(status, "", Headers([(name, line) for line in lines]))


def _ask(nonce: str = "n1", realm: str = "r", more: str = ', qop="auth", algorithm=MD5') -> str:
    return f'Digest realm="{realm}", nonce="{nonce}"{more}'


def _invite(headers: list[tuple[str, str]] | None = None) -> Request:
    return Request("INVITE", "sip:b@c", Headers(headers or []))


def _values(headers: list[tuple[str, str]]) -> list[tuple[str, str, str, str | None]]:
    read = [(name, digest_params(value)) for name, value in headers]
    return [(name, values["realm"], values["nonce"], values.get("nc")) for name, values in read]


def _client() -> tuple[DigestClient, Attempt]:
    client = DigestClient("u", "p")
    return client, client.attempt()


@pytest.mark.parametrize(("status", "name"), [(401, "Authorization"), (407, "Proxy-Authorization")])
def test_a_challenge_is_answered_once(status: int, name: str) -> None:
    _, attempt = _client()
    headers = attempt.answer(_challenged(_ask(), status=status), _invite(), "c")
    assert _values(headers) == [(name, "r", "n1", "00000001")]
    for again in ("n1", "n2"):
        with pytest.raises(DigestError):
            attempt.answer(_challenged(_ask(again), status=status), _invite(headers), "c")


def test_a_stale_nonce_is_renewed_once() -> None:
    _, attempt = _client()
    headers = attempt.answer(_challenged(_ask("n1")), _invite(), "c")
    headers = attempt.answer(_challenged(_ask("n2") + ", stale=true"), _invite(headers), "c")
    assert _values(headers) == [("Authorization", "r", "n2", "00000001")]
    with pytest.raises(DigestError):
        attempt.answer(_challenged(_ask("n3") + ", stale=true"), _invite(headers), "c")


def test_a_stale_answer_to_the_same_nonce_is_a_refusal() -> None:
    _, attempt = _client()
    headers = attempt.answer(_challenged(_ask("n1")), _invite(), "c")
    with pytest.raises(DigestError):
        attempt.answer(_challenged(_ask("n1") + ", stale=true"), _invite(headers), "c")


def test_two_hops_ask_one_after_the_other_and_both_are_answered() -> None:
    _, attempt = _client()
    headers = attempt.answer(_challenged(_ask("p", "proxy"), status=407), _invite(), "c")
    headers = attempt.answer(_challenged(_ask("u", "uas"), status=401), _invite(headers), "c")
    assert _values(headers) == [
        ("Proxy-Authorization", "proxy", "p", "00000002"),
        ("Authorization", "uas", "u", "00000001"),
    ]


def test_of_each_realm_the_first_challenge_that_we_know_is_taken() -> None:
    response = _challenged(
        _ask("a", more=", algorithm=SHA-999"),
        _ask("b", more=', qop="auth-conf"'),
        "Basic realm=x",
        _ask("c", more=", algorithm=SHA-256"),
        _ask("d", more=", algorithm=MD5"),
        _ask("e", realm="other"),
    )
    assert [(challenge.realm, challenge.nonce) for challenge in challenges(response)] == [("r", "c"), ("other", "e")]
    _, attempt = _client()
    assert [value[2] for value in _values(attempt.answer(response, _invite(), "c"))] == ["c", "e"]


def test_nothing_to_answer_is_an_error() -> None:
    _, attempt = _client()
    for response in (_challenged(), _challenged("Basic realm=x"), _challenged(_ask(more=", algorithm=SHA-999"))):
        with pytest.raises(DigestError):
            attempt.answer(response, _invite(), "c")


def test_only_realms_that_are_ours_are_answered() -> None:
    client = DigestClient("u", "p", realms={"ours"})
    headers = client.attempt().answer(_challenged(_ask(realm="theirs"), _ask(realm="ours")), _invite(), "c")
    assert [value[1] for value in _values(headers)] == ["ours"]
    with pytest.raises(DigestError):
        client.attempt().answer(_challenged(_ask(realm="theirs")), _invite(), "c")


def test_the_next_request_goes_with_the_nonce_known() -> None:
    client, attempt = _client()
    assert client.credentials(_invite()) == []
    attempt.answer(_challenged(_ask("n1")), _invite(), "c")
    bye = Request("BYE", "sip:b@c")
    headers = client.credentials(bye)
    assert _values(headers) == [("Authorization", "r", "n1", "00000002")]
    assert _values(client.credentials(bye))[0][3] == "00000003"


def test_a_nonce_that_went_along_unasked_may_be_refused_once() -> None:
    client, attempt = _client()
    attempt.answer(_challenged(_ask("n1")), _invite(), "c")
    second = client.attempt()
    sent = _invite(client.credentials(_invite()))
    headers = second.answer(_challenged(_ask("n2")), sent, "c")
    assert _values(headers) == [("Authorization", "r", "n2", "00000001")]
    with pytest.raises(DigestError):
        second.answer(_challenged(_ask("n3")), _invite(headers), "c")


def test_a_nonce_that_went_along_unasked_and_is_asked_for_again_is_a_refusal() -> None:
    client, attempt = _client()
    attempt.answer(_challenged(_ask("n1")), _invite(), "c")
    with pytest.raises(DigestError):
        client.attempt().answer(_challenged(_ask("n1")), _invite(client.credentials(_invite())), "c")


def test_without_qop_nothing_goes_along_unasked() -> None:
    client, attempt = _client()
    attempt.answer(_challenged(_ask(more="")), _invite(), "c")
    assert client.credentials(_invite()) == []


def test_the_next_nonce_is_learnt() -> None:
    client, attempt = _client()
    request = _invite(attempt.answer(_challenged(_ask("n1")), _invite(), "c"))
    client.learn(request, Response(200, "OK", Headers([("Authentication-Info", 'nextnonce="n2", qop=auth')])))
    assert _values(client.credentials(_invite())) == [("Authorization", "r", "n2", "00000001")]
    for info in ("rspauth=x", "", '"'):
        client.learn(request, Response(200, "OK", Headers([("Authentication-Info", info)])))
    client.learn(_invite(), Response(200, "OK", Headers([("Authentication-Info", 'nextnonce="n9"')])))
    assert _values(client.credentials(_invite()))[0][2] == "n2"


def test_realms_are_forgotten_when_there_are_too_many() -> None:
    client = DigestClient("u", "p")
    for number in range(MAX_REALMS + 3):
        client.attempt().answer(_challenged(_ask(realm=f"r{number}")), _invite(), "c")
    kept = [value[1] for value in _values(client.credentials(_invite()))]
    assert kept == [f"r{number}" for number in range(3, MAX_REALMS + 3)]


@settings(deadline=None)
@given(st.text(max_size=60).map(lambda text: text.replace("\r", "").replace("\n", "")))
def test_any_challenge_is_answered_or_refused(text: str) -> None:
    response = Response(401, "", Headers([("WWW-Authenticate", f"Digest {text}"), ("WWW-Authenticate", text)]))
    assert challenges(response) == [] or len(challenges(response)) <= 2


def test_bytes_that_are_no_utf8_are_hashed_as_they_are() -> None:
    data = b'SIP/2.0 401 U\r\nWWW-Authenticate: Digest realm="caf\xe9", nonce="n"\r\n\r\n'
    response = parse(data)
    assert isinstance(response, Response)
    [(_, value)] = DigestClient("u", "p").attempt().answer(response, _invite(), "c")
    secret = hashlib.md5(b"u:caf\xe9:p").hexdigest()
    assert digest_params(value)["response"] == _hash("md5", secret, "n", _hash("md5", "INVITE", "sip:b@c"))
