"""Every backend that works here, on the loopback: one suite for all. And which ports are handed out."""

from __future__ import annotations

import ctypes
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.sockets import NOT_TIMED, PACKET_BYTES, PortsExhausted, source_key
from media.sockets.bound import BoundSockets
from media.sockets.build import BuildFailed, build
from media.sockets.choice import AUTO, BACKENDS, SocketsMissing, best, open_sockets
from media.sockets.native import NativeMissing, load
from media.sockets.ports import PortPairs
from tests.media.process.backends import backend


@pytest.fixture(params=BACKENDS)
def sockets(request: pytest.FixtureRequest, port_range: tuple[int, int]) -> Iterator[BoundSockets]:
    made = backend(request.param, "127.0.0.1", port_range)
    yield made
    made.shut()


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(2)
        yield made


def test_pairs_begin_with_an_even_port_and_the_longest_unused_comes_first() -> None:
    pairs = PortPairs(20001, 20007)
    assert len(pairs) == 3
    assert next(pairs.candidates()) == 20002
    pairs.give_back(20002)
    assert list(pairs.candidates()) == [20004, 20006, 20002]


def test_a_range_without_a_pair_is_an_error() -> None:
    with pytest.raises(ValueError, match="No pair"):
        PortPairs(20001, 20002)


def test_a_pair_of_which_one_port_is_in_use_is_passed_over(port_range: tuple[int, int], sockets: BoundSockets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port_range[0] + 1))
        assert sockets.open(0) == port_range[0] + 2


def test_all_ports_taken_is_said_and_a_freed_pair_serves_again(sockets: BoundSockets) -> None:
    ports = [sockets.open(row) for row in range(10)]
    with pytest.raises(PortsExhausted):
        sockets.open(10)
    sockets.close(3)
    assert sockets.open(10) == ports[3]


def test_packets_come_in_rows_with_their_sources(sockets: BoundSockets, peer: socket.socket) -> None:
    first, second = sockets.open(5), sockets.open(2)
    peer.sendto(b"one", ("127.0.0.1", first))
    peer.sendto(b"other", ("127.0.0.1", second))
    peer.sendto(b"two", ("127.0.0.1", first))
    peer.sendto(b"control", ("127.0.0.1", first + 1))
    peer.sendto(bytes(3000), ("127.0.0.1", second))
    received = sockets.receive()
    by_row = [
        (row, bytes(data[: min(length, 5)]))
        for row, data, length in zip(received.rows, received.data, received.lengths, strict=True)
    ]
    assert [packet for row, packet in by_row if row == 5] == [b"one", b"two"]
    assert [packet for row, packet in by_row if row == 2] == [b"other", bytes(5)]
    assert received.lengths.max() == PACKET_BYTES
    assert len(received.addresses) == 4
    assert received.addresses[0] == peer.getsockname()
    assert set(received.sources.tolist()) == {source_key(peer.getsockname())}
    assert list(received.addresses) == [peer.getsockname()] * 4
    assert received.control == [(5, b"control", peer.getsockname())]
    assert len(sockets.receive().rows) == 0


def test_a_flood_on_one_port_is_read_in_bounded_portions(sockets: BoundSockets, peer: socket.socket) -> None:
    flooded, quiet = sockets.open(0), sockets.open(1)
    for _ in range(50):
        peer.sendto(b"flood", ("127.0.0.1", flooded))
    peer.sendto(b"voice", ("127.0.0.1", quiet))
    rows = sockets.receive().rows.tolist()
    assert rows.count(0) == 8
    assert rows.count(1) == 1


def test_a_closed_port_of_the_peer_is_counted_and_loses_no_later_packet(
    sockets: BoundSockets, peer: socket.socket
) -> None:
    sockets.open(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        nowhere = gone.getsockname()
    sockets.send([0], [memoryview(b"lost")], [nowhere])
    sockets.send([0], [memoryview(b"first")], [peer.getsockname()])
    assert peer.recv(100) == b"first"
    assert len(sockets.receive().rows) == 0
    assert sockets.refused == 1
    sockets.send([0], [memoryview(b"second")], [peer.getsockname()])
    assert peer.recv(100) == b"second"


def test_control_leaves_from_the_odd_port(sockets: BoundSockets, peer: socket.socket) -> None:
    port = sockets.open(0)
    sockets.send_control(0, b"report", peer.getsockname())
    assert peer.recvfrom(100) == (b"report", ("127.0.0.1", port + 1))


def test_rows_go_where_they_aim(sockets: BoundSockets, peer: socket.socket) -> None:
    ports = [sockets.open(row) for row in range(3)]
    packets = np.arange(3 * 172, dtype=np.uint64).astype(np.uint8).reshape(3, 172)
    sockets.aim(0, peer.getsockname())
    sockets.aim(1, peer.getsockname())
    sockets.send_rows(np.array([2, 0, 1]), packets)
    assert peer.recvfrom(500) == (packets[1].tobytes(), ("127.0.0.1", ports[0]))
    assert peer.recvfrom(500) == (packets[2].tobytes(), ("127.0.0.1", ports[1]))
    sockets.aim(1, None)
    sockets.send_rows(np.array([1, 0]), packets[:2, :80])
    assert peer.recvfrom(500) == (packets[1, :80].tobytes(), ("127.0.0.1", ports[0]))


def test_a_row_that_is_opened_again_aims_nowhere(sockets: BoundSockets, peer: socket.socket) -> None:
    port = sockets.open(100)
    sockets.aim(100, peer.getsockname())
    sockets.close(100)
    sockets.open(100)
    sockets.send_rows(np.array([100]), np.zeros((1, 172), np.uint8))
    sockets.send([100], [memoryview(b"this one")], [peer.getsockname()])
    assert peer.recv(500) == b"this one"
    assert port % 2 == 0


def test_packets_bring_the_kernels_time(sockets: BoundSockets, peer: socket.socket) -> None:
    """The plain backend asks for it of every eighth row at a time, the others of all."""
    ports = [sockets.open(row) for row in range(8)]
    for port in ports:
        peer.sendto(b"now", ("127.0.0.1", port))
    before = time.time()
    arrivals = sockets.receive().arrivals
    timed = arrivals[arrivals != NOT_TIMED]
    assert timed.size
    assert np.all(np.abs(timed / 8000 - before) < 60)


def test_many_packets_of_many_rows_come_whole(sockets: BoundSockets, peer: socket.socket) -> None:
    ports = [sockets.open(row) for row in range(10)]
    for turn in range(3):
        for number in range(5):
            for port in ports:
                peer.sendto(bytes([turn, number]) + port.to_bytes(2, "big"), ("127.0.0.1", port))
        received = sockets.receive()
        for row, port in enumerate(ports):
            lines = received.data[received.rows == row]
            assert [line[:2].tolist() for line in lines] == [[turn, number] for number in range(5)]
            assert {line[2:4].tobytes() for line in lines} == {port.to_bytes(2, "big")}


def test_source_keys_tell_addresses_apart() -> None:
    addresses = [
        ("192.0.2.1", 4000),
        ("192.0.2.1", 4001),
        ("192.0.2.2", 4000),
        ("2001:db8::1", 4000),
        ("2001:db8::2", 4000),
    ]
    keys = [source_key(address) for address in addresses]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key < 2**63 for key in keys)
    assert keys == [source_key(address) for address in addresses]


def test_the_backend_in_c_is_built_without_any_header_of_pythons(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    build(tmp_path / "native.so")
    assert ctypes.CDLL(str(tmp_path / "native.so")).antiphon_version() >= 1
    assert [path.name for path in tmp_path.iterdir()] == ["native.so"]


def test_a_compiler_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "a-compiler-that-nobody-has -m64")
    with pytest.raises(BuildFailed, match="a-compiler-that-nobody-has"):
        build(tmp_path / "native.so")
    assert not list(tmp_path.iterdir())


def test_a_library_that_is_none_or_of_another_release_is_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(NativeMissing, match="not built"):
        load(tmp_path / "absent.so")
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    with pytest.raises(NativeMissing, match="does not work here"):
        load(broken)


def test_the_best_backend_is_taken_and_one_that_is_asked_for_is_not_replaced(port_range: tuple[int, int]) -> None:
    chosen = open_sockets(AUTO, "127.0.0.1", PortPairs(*port_range))
    chosen.shut()
    assert best() in BACKENDS
    if best() == "plain":
        with pytest.raises(SocketsMissing, match="make native"):
            open_sockets("native", "127.0.0.1", PortPairs(*port_range))
