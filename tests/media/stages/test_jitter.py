"""The jitter buffer as time lines: what arrives at each tick, and what is taken.

Ticks are divided by `|`. An arrival is the number of a packet, counted from the first; `12~` is packet 12 of another SSRC. What is
taken: a number, `L` for a slot to conceal, nothing where nothing is to be heard.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.jitter import GAP_TICKS, LONG_GAP, OVERDUE_TICKS, SILENT_TICKS, STANDING_TICKS, EarJitter

SAMPLES = 160


class Line:
    """One row of a buffer of three, fed by packet numbers; numbers are found again in the payload."""

    def __init__(self, sequence: int = 1000, timestamp: int = 5000, more: bool = True) -> None:
        self.jitter = EarJitter(3)
        self.jitter.open_row(1)
        self.sequence, self.timestamp, self.more = sequence, timestamp, more
        self.now = 0
        self.positions: list[int] = []

    def packet(self, number: int, ssrc: int = 7, shift: int = 0) -> tuple[int, int, bytes, int]:
        sequence = (self.sequence + number) % 2**16
        timestamp = (self.timestamp + SAMPLES * (number + shift)) % 2**32
        return sequence, timestamp, number.to_bytes(4, "big") * 40, ssrc

    def feed(self, packets: list[tuple[int, int, bytes, int]]) -> None:
        rows = np.full(len(packets), 1, np.intp)
        sequence, timestamp, ssrc = ([packet[k] for packet in packets] for k in (0, 1, 3))
        payload = np.array([np.frombuffer(packet[2], np.uint8) for packet in packets]).reshape(-1, SAMPLES)
        self.jitter.insert(
            rows,
            np.array(sequence, np.uint16),
            np.array(timestamp, np.uint32),
            payload,
            self.now,
            np.array(ssrc, np.uint32),
        )

    def tick(self, packets: list[tuple[int, int, bytes, int]]) -> str:
        if packets:
            self.feed(packets)
        taken = self.jitter.take()
        assert not taken.have[[0, 2]].any()
        assert not taken.lost[[0, 2]].any()
        said = []
        if taken.have[1]:
            said.append(str(int.from_bytes(taken.payload[1, :4].tobytes(), "big")))
        elif taken.lost[1]:
            said.append("L")
        if said:
            self.positions.append(int(taken.position[1]))
        while self.more and (more := self.jitter.take_more()).rows.size:
            said.append(str(int.from_bytes(more.payload[0, :4].tobytes(), "big")))
            self.positions.append(int(more.position[0]))
        self.now += 1
        return " ".join(said)

    def play(self, script: str) -> str:
        taken = []
        for arrivals in script.split("|"):
            names = arrivals.split()
            taken.append(self.tick([self.packet(int(n.rstrip("~")), 8 if n.endswith("~") else 7) for n in names]))
        return "|".join(taken)


@pytest.mark.parametrize(
    ("arrives", "taken"),
    [
        # In order: each packet is given in the tick in which it came.
        ("0|1|2|3", "0|1|2|3"),
        # 9 before 8 within a tick: put right at once.
        ("0|2 1|3", "0|1 2|3"),
        # 2 a tick before 1: nothing is given until the hole is filled.
        ("0|2|1|3", "0||1 2|3"),
        # Packet 1 is lost: 40 ms are waited, then it is concealed, and what stood behind it follows in the same tick.
        ("0|2|3|4|5", "0|||L 2 3 4|5"),
        # It comes just in time.
        ("0|2|3|1|4", "0|||1 2 3|4"),
        # It comes too late.
        ("0|2|3|4|1 5", "0|||L 2 3 4|5"),
        # Two lost in a row: one waiting time for both.
        ("0|3|4|5|6|7", "0|||L|L 3 4 5 6|7"),
        # Twice the same, in one tick and later.
        ("0 0|1|1 2|0 3", "0|1|2|3"),
        # Nothing for a while, then a heap: nothing is lost, all of it is taken at once.
        ("0|||||1 2 3 4 5|6", "0|||||1 2 3 4 5|6"),
        # Packets of another stream now and then do not disturb it.
        ("0|1 44~|2|3 90~|4", "0|1|2|3|4"),
        # Nothing before the first packet.
        ("||0|1", "||0|1"),
    ],
)
def test_timelines(arrives: str, taken: str) -> None:
    assert Line().play(arrives) == taken


def test_sequence_and_timestamp_wrap_around() -> None:
    line = Line(sequence=2**16 - 2, timestamp=2**32 - 200)
    assert line.play("0|2|1|3|5|6|7|8") == "0||1 2|3|||L 5 6 7|8"
    assert line.positions == [SAMPLES * k for k in range(9)]


def test_counters_say_what_became_of_each_packet() -> None:
    line = Line()
    line.play("0 0|2|3|4|1 5|9~")
    jitter = line.jitter
    assert [int(counter[1]) for counter in (jitter.received, jitter.duplicate, jitter.late, jitter.lost)] == [
        5,
        1,
        1,
        1,
    ]
    assert (jitter.strange[1], jitter.concealed[1], jitter.skipped[1]) == (1, 1, 0)


def test_silence_of_the_peer_is_no_loss() -> None:
    # The sequence goes on, the timestamp has jumped over 5 s: the peer sent nothing because it said nothing (RFC 3551 4.1).
    line = Line()
    line.play("0|1")
    for _ in range(248):
        line.tick([])
    assert line.tick([line.packet(2, shift=248)]) == "2"
    assert line.positions[-1] == 250 * SAMPLES
    assert line.jitter.lost[1] == 0


def test_a_silent_peer_is_concealed_until_it_speaks() -> None:
    line = Line()
    assert line.play("0" + "|" * (SILENT_TICKS + 2)) == "0" + "|" * (SILENT_TICKS + 1) + "L|L"
    assert line.jitter.lost[1] == 0
    assert line.jitter.concealed[1] == 2


def test_a_long_gap_is_waited_for_and_stepped_over() -> None:
    line = Line()
    line.play("0|1")
    for _ in range(LONG_GAP + 2):
        line.tick([])
    concealed = int(line.jitter.concealed[1])
    after = LONG_GAP + 20
    heard = [line.tick([line.packet(after + k)]) for k in range(GAP_TICKS + 1)]
    assert heard == [""] * GAP_TICKS + [" ".join(str(after + k) for k in range(GAP_TICKS + 1))]
    assert line.jitter.lost[1] == after - 2 - concealed
    assert line.jitter.skipped[1] == 0


def test_another_stream_takes_over_at_its_second_packet() -> None:
    line = Line()
    line.play("0|1|2")
    line.sequence, line.timestamp = 40000, 3_000_000_000
    assert line.play("3~|4~|5~|6~") == "|4|5|6"
    assert line.positions == sorted(line.positions)
    assert line.positions[-1] == 6 * SAMPLES


def test_a_jump_of_the_clock_is_laid_where_it_arrived() -> None:
    line = Line()
    line.play("0|1|2")
    line.timestamp += 900_000
    assert line.play("3|4|5") == "|4|5"
    assert line.positions == [0, SAMPLES, 2 * SAMPLES, 4 * SAMPLES, 5 * SAMPLES]


def test_a_clock_that_stood_still_is_followed_again() -> None:
    # Held for a second with the timestamp frozen: everything after is overdue, until that is believed.
    line = Line()
    line.play("0|1|2")
    for _ in range(50):
        line.tick([])
    heard = [line.tick([line.packet(number)]) for number in range(3, 30)]
    assert set(heard[:OVERDUE_TICKS]) == {"L"}
    assert heard[-1] == "29"
    assert line.positions[-1] == (line.now - 1) * SAMPLES


def test_who_takes_one_a_tick_is_brought_back_by_dropping() -> None:
    line = Line(more=False)
    line.play("0|||||1 2 3 4 5")
    number = 6
    for _ in range(3 * STANDING_TICKS):
        line.tick([line.packet(number)])
        number += 1
    standing = int(line.jitter.skipped[1])
    assert standing >= 2
    # Far too much at once is not borne for that long.
    line.tick([line.packet(number + k) for k in range(20)])
    before = int(line.jitter.skipped[1])
    for k in range(6):
        line.tick([line.packet(number + 20 + k)])
    assert line.jitter.skipped[1] >= before + 5


def test_who_takes_all_never_drops() -> None:
    line = Line()
    number = 0
    for k in range(2 * STANDING_TICKS):
        heap = 2 if k % 2 else 0
        line.tick([line.packet(number + n) for n in range(heap)])
        number += heap
    assert line.jitter.skipped[1] == 0
    assert line.jitter.received[1] == number


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_packets_of_any_length_make_slots(ptime: int) -> None:
    line, length = Line(), ptime * 8
    sound = np.random.default_rng(1).integers(0, 256, 9600).astype(np.uint8).tobytes()
    heard = b""
    for number in range(9600 // length):
        start = number * length
        line.jitter.insert_packet(1, number, start, sound[start : start + length], start // SAMPLES, 7)
        line.jitter.insert_packet(1, number, start, sound[start : start + length], start // SAMPLES, 7)
        taken = line.jitter.take()
        heard += taken.payload[1].tobytes() if taken.have[1] else b""
        while (more := line.jitter.take_more()).rows.size:
            heard += more.payload[0].tobytes()
    assert heard == sound
    assert line.jitter.received[1] >= 9600 // length
    assert line.jitter.lost[1] == 0


def test_a_lost_packet_of_30_ms_is_concealed_and_its_successor_begins_a_slot() -> None:
    line = Line()
    heard, positions = [], []
    for tick in range(30):
        number, rest = divmod(tick * SAMPLES, 240)
        if rest < SAMPLES and number != 4:
            line.jitter.insert_packet(1, number, number * 240, bytes([number]) * 240, tick, 7)
        taken = line.jitter.take()
        if taken.have[1] or taken.lost[1]:
            heard.append("L" if taken.lost[1] else int(taken.payload[1, 0]))
            positions.append(int(taken.position[1]))
        while (more := line.jitter.take_more()).rows.size:
            heard.append(int(more.payload[0, 0]))
            positions.append(int(more.position[0]))
    assert heard[:9] == [0, 0, 1, 2, 2, 3, "L", 5, 5]
    assert positions[:9] == [0, 160, 320, 480, 640, 800, 1040, 1200, 1360]
    assert heard.count("L") == 1


def test_a_talkspurt_may_begin_between_slots() -> None:
    line = Line()
    line.play("0|1")
    for _ in range(50):
        line.tick([])
    line.timestamp += 50 * SAMPLES + 37
    assert line.play("2|3|4") == "2|3|4"
    assert line.positions[-3:] == [52 * SAMPLES + 37, 53 * SAMPLES + 37, 54 * SAMPLES + 37]


def test_rows_are_independent_and_begin_anew() -> None:
    jitter = EarJitter(2)
    jitter.open_row(0)
    payload = np.full((2, SAMPLES), 9, np.uint8)
    both = np.array([0, 1])
    jitter.insert(both, np.array([5, 5], np.uint16), np.array([0, 0], np.uint32), payload, 0)
    assert jitter.take().have.tolist() == [True, False]
    jitter.open_row(1)
    jitter.insert(both, np.array([6, 700], np.uint16), np.array([160, 99], np.uint32), payload, 1)
    taken = jitter.take()
    assert taken.have.tolist() == [True, True]
    assert taken.position.tolist() == [160, 0]
    jitter.close_row(0)
    jitter.insert(both, np.array([7, 701], np.uint16), np.array([320, 259], np.uint32), payload, 2)
    assert jitter.take().have.tolist() == [False, True]


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.randoms(),
)
def test_whatever_is_late_by_up_to_two_ticks_is_heard_in_order(
    delays: list[int], sequence: int, timestamp: int, shuffle
) -> None:  # type: ignore[no-untyped-def]
    line = Line(sequence, timestamp)
    arrivals: dict[int, list[int]] = {0: [0]}
    for number, delay in enumerate(delays, start=1):
        arrivals.setdefault(number + min(delay, GAP_TICKS), []).append(number)
    heard: list[str] = []
    for tick in range(len(delays) + 10):
        numbers = arrivals.get(tick, [])
        shuffle.shuffle(numbers)
        heard += line.tick([line.packet(number) for number in numbers]).split()
    assert [word for word in heard if word != "L"] == [str(number) for number in range(len(delays) + 1)]
    assert line.positions == sorted(set(line.positions))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 2**16 - 1),
            st.integers(0, 2**32 - 1),
            st.integers(0, 300),
            st.integers(0, 3),
        ),
        max_size=60,
    )
)
def test_whatever_comes_in_nothing_breaks_and_positions_only_grow(
    packets: list[tuple[int, int, int, int, int]],
) -> None:
    jitter = EarJitter(2)
    jitter.open_row(1)
    now, end = 0, -(10**9)
    for wait, sequence, timestamp, length, ssrc in packets:
        now += wait
        if length == SAMPLES:
            line = np.zeros((1, SAMPLES), np.uint8)
            one = np.array([1])
            jitter.insert(
                one,
                np.array([sequence], np.uint16),
                np.array([timestamp], np.uint32),
                line,
                now,
                np.array([ssrc], np.uint32),
            )
        else:
            jitter.insert_packet(1, sequence, timestamp, bytes(length), now, ssrc)
        taken = jitter.take()
        given_now = [int(taken.position[1])] if taken.have[1] or taken.lost[1] else []
        while (more := jitter.take_more()).rows.size:
            given_now += more.position.tolist()
        for position in given_now:
            assert position > end
            end = position
        assert not (taken.have & taken.lost).any()
