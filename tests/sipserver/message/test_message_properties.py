"""Whatever comes in, either it parses or it raises MessageError; what we write we read back as it was."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sipserver.message import (
    Capabilities,
    CSeq,
    Headers,
    MessageError,
    NameAddr,
    Params,
    Request,
    Response,
    SipUri,
    StreamFramer,
    Via,
    discard,
    escape_user,
    parse,
    refuse,
    response_to,
    user_of,
)

TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=30)
BODY = st.binary(max_size=60)
HOST = st.sampled_from(["example.com", "192.0.2.1", "[2001:db8::1]", "a_b"])
PORT = st.none() | st.integers(0, 65535)
PARAMS = st.lists(st.tuples(TOKEN, st.none() | TEXT), max_size=4, unique_by=lambda pair: pair[0].lower()).map(
    lambda pairs: _params(pairs)
)
URIS = st.builds(
    lambda scheme, user, host, port: SipUri(scheme, user, None, host, port),
    st.sampled_from(["sip", "sips"]),
    st.none() | st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12).map(escape_user),
    HOST,
    PORT,
)
ADDRESSES = st.builds(NameAddr, st.none() | TEXT, URIS.map(str), PARAMS)
VIAS = st.builds(Via, TOKEN.map(str.upper), HOST, PORT, PARAMS)
CSEQS = st.builds(CSeq, st.integers(0, 2**32 - 1), TOKEN)
LINES = st.one_of(
    st.tuples(st.sampled_from(["Via", "v"]), VIAS.map(str)),
    st.tuples(st.sampled_from(["From", "t", "Contact", "Record-Route"]), ADDRESSES.map(str)),
    st.tuples(st.just("CSeq"), CSEQS.map(str)),
    st.tuples(TOKEN, TEXT),
)
HEADERS = st.lists(LINES.filter(lambda line: line[0].lower() not in ("l", "content-length")), max_size=8).map(Headers)
REQUESTS = st.builds(Request, TOKEN, URIS.map(str), HEADERS, BODY)
RESPONSES = st.builds(Response, st.integers(100, 699), TEXT, HEADERS, BODY)
# What a scanner, a broken peer or a fuzzer sends: pieces of SIP in a wrong order, and bytes.
PIECES = st.lists(
    st.sampled_from(
        [
            *(
                b"INVITE sip:a@b SIP/2.0\r\n",
                b"SIP/2.0 200 OK\r\n",
                b"Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n",
                b"\r\n",
                b"\r",
                b"\n",
            ),
            *(
                b"To: ",
                b"From: ",
                b"CSeq: 1 INVITE\r\n",
                b"Contact: ",
                b"Call-ID: x\r\n",
                b"l: 3\r\n",
                b"Content-Length: ",
            ),
            *(
                b"<sip:a@b>",
                b";tag=1",
                b'"',
                b"\\",
                b",",
                b";",
                b"=",
                b" ",
                b"\t",
                b"<",
                b">",
                b":",
                b"%",
                b"?",
                b"\xff",
                b"1",
                b"abc",
            ),
        ]
    )
    | st.binary(max_size=4),
    max_size=40,
).map(b"".join)


def _read(data: bytes) -> Request | Response | MessageError:
    try:
        return parse(data)
    except MessageError as error:
        return error


def _params(pairs: list[tuple[str, str | None]]) -> Params:
    params = Params()
    for name, value in pairs:
        params = params.with_value(name, value)
    return params


@settings(deadline=None)
@given(REQUESTS | RESPONSES)
def test_a_message_is_read_back_as_it_was_written(message: Request | Response) -> None:
    data = bytes(message)
    again = parse(data)
    assert again == message
    assert bytes(again) == data
    assert StreamFramer().feed(data) == [data]


@settings(deadline=None)
@given(ADDRESSES, VIAS, CSEQS, URIS, PARAMS)
def test_a_field_is_read_back_as_it_was_written(
    address: NameAddr, via: Via, cseq: CSeq, uri: SipUri, params: Params
) -> None:
    assert NameAddr.parse(str(address)) == address
    assert Via.parse(str(via)) == via
    assert CSeq.parse(str(cseq)) == cseq
    assert SipUri.parse(str(uri)) == uri
    assert uri.equivalent(uri)
    assert Params.parse(str(params)) == params


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_any_text_can_be_the_user_of_a_uri(text: str) -> None:
    uri = SipUri("sip", escape_user(text), None, "example.com")
    assert SipUri.parse(str(uri)).user == escape_user(text)
    assert user_of(str(uri)) is not None


@settings(max_examples=300, deadline=None)
@given(PIECES | st.binary(max_size=200))
def test_whatever_comes_in_one_error_type_goes_out(data: bytes) -> None:
    message = _read(data)
    if isinstance(message, MessageError):
        assert (message.request is None) == (message.status == 0)
        if message.request is not None:
            bytes(response_to(message.request, message.status, to_tag="t"))
        return
    if isinstance(message, Request):
        refusal = refuse(message, Capabilities())
        bytes(response_to(message, refusal.status if refusal else 200, to_tag="t"))
    else:
        discard(message)
    assert parse(bytes(message)) == message


@settings(max_examples=200, deadline=None)
@given(PIECES)
def test_fields_parse_or_raise(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for parser in (NameAddr.parse, Via.parse, CSeq.parse, SipUri.parse, Params.parse, user_of):
        try:
            parser(text)
        except MessageError:
            continue


@settings(deadline=None)
@given(st.lists(PIECES | (REQUESTS | RESPONSES).map(bytes), max_size=4).map(b"".join), st.data())
def test_a_stream_is_cut_alike_however_it_arrives(stream: bytes, data: st.DataObject) -> None:
    whole, error = _feed([stream])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[i:j] for i, j in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert _feed(chunks) == (whole, error)
    assert _feed([stream[i : i + 1] for i in range(len(stream))]) == (whole, error)


def _feed(chunks: list[bytes]) -> tuple[list[bytes], str | None]:
    framer, found = StreamFramer(), []
    for chunk in chunks:
        if framer.error is None:
            try:
                found += framer.feed(chunk)
            except MessageError:
                break
    return found, str(framer.error) if framer.error else None
