"""Order, loss, replays, forgeries and new keys, packet by packet."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.frames import CryptoSuite, SrtpKeys
from media.rtp import RtpPacket
from media.srtp import Incoming, Outgoing, SrtpError
from media.srtp.context import MOST_STREAMS, WINDOW

SUITE = CryptoSuite.AES_CM_128_HMAC_SHA1_80
KEY, OTHER = bytes(range(30)), bytes(range(100, 130))
ALL = pytest.mark.parametrize("suite", list(CryptoSuite))
CONTROL = bytes.fromhex("80c90001 00000007")


def rtp(index: int, ssrc: int = 7) -> bytes:
    return bytes(RtpPacket(0, index & 0xFFFF, 160 * index & 0xFFFFFFFF, ssrc, index.to_bytes(6, "big") * 26))


def sealed(indexes: list[int], key: bytes = KEY, ssrc: int = 7) -> list[bytes]:
    """The packets of one sender, who sends them in this order."""
    sender = Outgoing(SUITE, key)
    return [sender.protect(rtp(index, ssrc)) for index in indexes]


def opens(receiver: Incoming, packets: list[bytes]) -> list[bool]:
    """Which packets are believed."""
    return [believed(receiver.unprotect, packet) for packet in packets]


def believed(unprotect: Callable[[bytes], bytes], packet: bytes) -> bool:
    try:
        unprotect(packet)
    except SrtpError:
        return False
    return True


@pytest.mark.parametrize(("suite", "tag"), list(zip(CryptoSuite, (16, 10, 4), strict=True)))
def test_a_packet_grows_by_its_tag_and_its_payload_is_hidden(suite: CryptoSuite, tag: int) -> None:
    secure = Outgoing(suite, KEY[: suite.key_octets]).protect(rtp(5))
    assert len(secure) - len(rtp(5)) == tag
    assert secure[:12] == rtp(5)[:12]
    assert rtp(5)[12:20] not in secure


@ALL
def test_every_octet_of_a_packet_is_authentic(suite: CryptoSuite) -> None:
    master = KEY[: suite.key_octets]
    secure, control = Outgoing(suite, master).protect(rtp(5)), Outgoing(suite, master).protect_control(CONTROL)
    receiver = Incoming(suite, master)
    for packet, unprotect in ((secure, receiver.unprotect), (control, receiver.unprotect_control)):
        for place in range(len(packet)):
            forged = packet[:place] + bytes([packet[place] ^ 1]) + packet[place + 1 :]
            assert not believed(unprotect, forged), place
        assert believed(unprotect, packet)


def test_what_was_there_is_not_believed_again() -> None:
    receiver, packets = Incoming(SUITE, KEY), sealed([10, 11, 12])
    assert opens(receiver, [packets[0], packets[2], packets[1]]) == [True] * 3
    assert opens(receiver, packets) == [False] * 3


def test_control_is_not_believed_again_either() -> None:
    sender, receiver = Outgoing(SUITE, KEY), Incoming(SUITE, KEY)
    first, second = sender.protect_control(CONTROL), sender.protect_control(CONTROL)
    assert [believed(receiver.unprotect_control, packet) for packet in (second, first, first, second)] == [
        True, True, False, False,
    ]  # fmt: skip


def test_what_is_older_than_the_window_is_refused() -> None:
    receiver, packets = Incoming(SUITE, KEY), sealed(list(range(100, 100 + WINDOW + 1)))
    assert opens(receiver, [packets[-1], packets[1], packets[0]]) == [True, True, False]


def test_packets_around_a_wrap_come_in_any_order() -> None:
    receiver = Incoming(SUITE, KEY)
    packets = sealed([65000, 65533, 65534, 65535, 65536, 65537])
    assert opens(receiver, [packets[n] for n in (0, 1, 4, 2, 5, 3)]) == [True] * 6
    assert receiver.unprotect(sealed([65000, 65536, 65538])[-1]) == rtp(65538)


def test_a_stream_whose_first_packets_were_lost_at_a_wrap_is_found() -> None:
    assert opens(Incoming(SUITE, KEY), sealed([65535, 65536])[1:]) == [True]


def test_a_new_stream_of_ours_counts_its_wraps_anew() -> None:
    """After a change to a codec of another clock the sender has another SSRC, while its sequence numbers run on."""
    sender, receiver = Outgoing(SUITE, KEY), Incoming(SUITE, KEY)
    before = [sender.protect(rtp(index)) for index in (65534, 90000, 120000, 131077)]
    after = [sender.protect(rtp(index, ssrc=8)) for index in (131078, 131079)]
    assert opens(receiver, [*before, *after]) == [True] * 6


def test_nothing_before_the_beginning_is_believed() -> None:
    receiver = Incoming(SUITE, KEY)
    assert opens(receiver, sealed([3])) == [True]
    assert opens(receiver, [rtp(65534) + bytes(10)]) == [False]


def test_a_forgery_far_ahead_does_not_move_the_counter() -> None:
    receiver, packets = Incoming(SUITE, KEY), sealed([40000, 40001])
    assert opens(receiver, [packets[0], rtp(7000 + 65536) + bytes(10), packets[1]]) == [True, False, True]


def test_a_new_source_begins_at_zero() -> None:
    receiver = Incoming(SUITE, KEY)
    assert opens(receiver, sealed([65535, 65536])) == [True, True]
    assert opens(receiver, sealed([20, 21], ssrc=8)) == [True, True]
    assert opens(receiver, sealed([65535, 65536, 65537])[2:]) == [True]


def test_sources_without_end_are_refused() -> None:
    receiver = Incoming(SUITE, KEY)
    packets = [sealed([5], ssrc=ssrc)[0] for ssrc in range(MOST_STREAMS + 1)]
    assert opens(receiver, packets) == [True] * MOST_STREAMS + [False]
    controls = [
        Outgoing(SUITE, KEY).protect_control(CONTROL[:4] + bytes([0, 0, 1, n])) for n in range(MOST_STREAMS + 1)
    ]
    assert [believed(receiver.unprotect_control, one) for one in controls] == [True] * MOST_STREAMS + [False]


def test_control_that_is_not_encrypted_is_refused() -> None:
    secure = Outgoing(SUITE, KEY).protect_control(CONTROL)
    assert secure[-14] == 0x80
    assert not believed(Incoming(SUITE, KEY).unprotect_control, secure[:-14] + b"\0" + secure[-13:])


# -- new keys ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counter_stays", [True, False])
def test_a_peer_with_a_new_key_may_keep_its_counter_or_begin_anew(counter_stays: bool) -> None:
    before = Incoming(SUITE, KEY)
    assert opens(before, sealed([0xFFF0, 0x10001, 0x18000, 0x1FFFF, 0x20000])) == [True] * 5
    after = Incoming(SUITE, OTHER, before)
    indexes = [0xFFF0, 0x10001, 0x18000, 0x20001, 0x20002] if counter_stays else [1, 2]
    assert opens(after, sealed(indexes, OTHER)[-2:]) == [True, True]


def test_the_key_before_is_believed_until_the_new_one_is_used() -> None:
    """The peer learns that its new key has been taken only when it gets our answer."""
    before, old, new = Incoming(SUITE, KEY), sealed(list(range(10, 15))), sealed(list(range(12, 15)), OTHER)
    assert opens(before, old[:1]) == [True]
    after = Incoming(SUITE, OTHER, before)
    assert opens(after, [old[0], old[1], new[0], old[2], new[1]]) == [False, True, True, False, True]
    older = Outgoing(SUITE, KEY)
    assert not believed(after.unprotect, older.protect(rtp(90)))


def test_the_control_of_the_key_before_is_believed_as_long() -> None:
    before, old, new = Incoming(SUITE, KEY), Outgoing(SUITE, KEY), Outgoing(SUITE, OTHER)
    after = Incoming(SUITE, OTHER, before)
    assert believed(after.unprotect_control, old.protect_control(CONTROL))
    assert believed(after.unprotect_control, new.protect_control(CONTROL))
    assert opens(after, sealed([3], OTHER)) == [True]
    assert not believed(after.unprotect_control, old.protect_control(CONTROL))


def test_keys_are_in_no_text() -> None:
    keys = SrtpKeys(SUITE, KEY, OTHER)
    assert repr(keys) == "SrtpKeys(suite=<CryptoSuite.AES_CM_128_HMAC_SHA1_80: 'AES_CM_128_HMAC_SHA1_80'>)"


# -- whatever comes ---------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary(max_size=64), st.sampled_from(list(CryptoSuite)))
def test_whatever_comes_is_refused_or_never_was_a_packet(packet: bytes, suite: CryptoSuite) -> None:
    receiver = Incoming(suite, KEY[: suite.key_octets])
    assert not believed(receiver.unprotect, packet)
    assert not believed(receiver.unprotect_control, packet)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 70000), st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_each_packet_is_believed_once_whatever_the_order(start: int, order: list[int]) -> None:
    receiver, packets = Incoming(SUITE, KEY), sealed([start % 0x10000 + n for n in range(41)])
    assert opens(receiver, packets[:1]) == [True]
    seen = {0}
    for n in order:
        assert believed(receiver.unprotect, packets[n]) is (n not in seen)
        seen.add(n)
