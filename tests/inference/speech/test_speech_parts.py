"""The pure parts of the speech engines: resampling, shaping, pieces, phones, words of a grammar, rejection."""

from __future__ import annotations

import asyncio
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.pronounce import arpabet, spellable
from inference.stt.base import SttUnavailable
from inference.stt.decoder_pool import DecoderPool, Slot
from inference.stt.jsgf_words import undefined_rules, words_of
from inference.stt.rejection import Evidence, Segment, weigh
from inference.tts.base import WordMark
from inference.tts.clauses import pieces
from inference.tts.resample import StreamResampler
from inference.tts.shaping import Shaper
from inference.workers import Worker, WorkerGone, Workers, WorkerSpec


def _tone(frequency: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 900), min_size=1, max_size=8),
    st.sampled_from([(22050, 8000), (8000, 16000), (24000, 8000)]),
)
def test_resampling_does_not_depend_on_how_the_input_is_cut(sizes: list[int], rates: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=sum(sizes))
    whole, cut = StreamResampler(*rates), StreamResampler(*rates)
    expected = np.concatenate((whole.push(x), whole.finish()))
    parts = [cut.push(part) for part in np.split(x, np.cumsum(sizes)[:-1])]
    assert np.allclose(np.concatenate((*parts, cut.finish())), expected, atol=1e-12)
    assert len(expected) == -(-len(x) * rates[1] // rates[0])


def test_resampling_keeps_the_band_and_nothing_else() -> None:
    def through(frequency: float) -> np.ndarray:
        resampler = StreamResampler(22050, 8000)
        return np.concatenate((resampler.push(_tone(frequency, 22050)), resampler.finish()))

    assert np.allclose(through(1000)[200:-200], _tone(1000, 8000)[200 : len(through(1000)) - 200], atol=0.01)
    assert np.abs(through(5000)[200:-200]).max() < 0.001


def test_shaping_trims_silence_moves_marks_and_never_clips() -> None:
    loud = (30000 * _tone(300, 22050)).astype(np.int16)
    x = np.concatenate((np.zeros(2205, np.int16), loud, np.zeros(3000, np.int16), loud, np.zeros(7000, np.int16)))
    shaper = Shaper(22050, 3.0)
    words = [WordMark(2205, 0), WordMark(2205 + len(loud) + 3000, 6), WordMark(len(x), 12)]
    chunks = [shaper.push(part, words if i == 0 else ()) for i, part in enumerate(np.array_split(x, 50))]
    chunks.append(shaper.finish())
    pcm = np.concatenate([chunk.pcm for chunk in chunks])
    assert len(pcm) / 8000 == pytest.approx((2 * len(loud) + 3000) / 22050, abs=0.008)
    assert np.abs(pcm.astype(np.int32)).max() < 32767
    first, second, last = [mark.sample for chunk in chunks for mark in chunk.marks]
    assert first == pytest.approx(40, abs=2)
    assert second == pytest.approx(40 + (len(loud) + 3000) * 8000 / 22050, abs=2)
    assert last == len(pcm) - 1


@given(st.text(max_size=400), st.integers(1, 60))
def test_pieces_join_to_the_text(text: str, limit: int) -> None:
    cut = list(pieces(text, limit))
    assert "".join(piece for _, piece in cut) == text
    assert all(text[start : start + len(piece)] == piece and 0 < len(piece) <= limit for start, piece in cut)


def test_pieces_end_with_sentences_where_they_can() -> None:
    assert [piece for _, piece in pieces("One two. Three four, five six seven.", 20)] == [
        "One two. ",
        "Three four, ",
        "five six seven.",
    ]


def test_phones_from_ipa() -> None:
    assert arpabet("zˈɛndɛsk") == ("Z", "EH", "N", "D", "EH", "S", "K")
    assert arpabet("tʃˈiːz") == ("CH", "IY", "Z")
    assert arpabet("naɪˈiːv") == ("N", "AY", "IY", "V")
    assert arpabet("") is None
    assert arpabet("ǃ") is None


@pytest.mark.parametrize(
    ("word", "yes"), [("hello", True), ("o'brien", True), ("müller", True), ("a", True), ("4", False)]
)
def test_what_can_be_spelt(word: str, yes: bool) -> None:
    assert spellable(word) is yes
    assert not spellable(word + "?")


def test_the_words_of_a_grammar() -> None:
    grammar = """#JSGF V1.0 UTF-8 en;
    /* a * comment */ grammar desk; // another
    <day> = /0.5/ monday {MON} | /2e-1/ "new year" | tuesday*;
    public <x> = [please] on <day>+ (o'clock) <NULL>;"""
    assert words_of(grammar) == {"monday", "new year", "tuesday", "please", "on", "o'clock"}
    assert undefined_rules(grammar) == frozenset()
    assert undefined_rules("public <x> = <y> <NULL>;") == {"y"}


def _word(text: str, start: int, end: int, score: float) -> Segment:
    return Segment(text, start, end, score * (end - start + 1), 3)


PHONES = [_word("SIL", 0, 19, -1), _word("K", 20, 59, -2), _word("T", 60, 99, -2), _word("SIL", 100, 119, -1)]


def test_a_sentence_that_fits_like_free_speech_is_accepted() -> None:
    evidence = weigh([_word("cancel", 20, 59, -2), _word("order", 60, 99, -3)], PHONES)
    assert evidence == Evidence(-0.5, -1.0, False, 2)
    assert evidence.verdict() == "accept"
    assert evidence.confidence() > 0.9


def test_speech_that_the_sentence_leaves_unexplained_counts_against_it() -> None:
    evidence = weigh([_word("cancel", 20, 59, -2), _word("<sil>", 60, 99, -10)], PHONES)
    assert evidence is not None
    assert evidence.fit == pytest.approx(-4)
    assert evidence.verdict() == "reject"


def test_a_sentence_must_lie_upon_the_speech() -> None:
    """Silence may explain a voice not badly: that is no reason to believe in the one word beside it."""
    evidence = weigh([_word("<sil>", 0, 69, -3), _word("no", 70, 99, -2)], PHONES)
    assert evidence is not None
    assert (evidence.covered, evidence.verdict()) == (30 / 80, "reject")
    half = weigh([_word("<sil>", 0, 44, -3), _word("no", 45, 99, -2)], PHONES)
    assert half is not None
    assert half.verdict() == "confirm"
    # What is silence as well as it is speech is a breath.
    breath = weigh([_word("<sil>", 0, 69, -2), _word("no", 70, 99, -2)], PHONES)
    assert breath is not None
    assert (breath.covered, breath.verdict()) == (1.0, "accept")


def test_a_long_sentence_is_asked_back_where_a_short_one_is_rejected() -> None:
    assert Evidence(-3.1, -4.0, content=2).verdict() == "reject"
    assert Evidence(-3.1, -4.0, content=3).verdict() == "confirm"
    assert Evidence(-3.1, -4.0, content=3, covered=0.6).verdict() == "reject"


def test_a_word_too_short_to_be_true_is_asked_back() -> None:
    evidence = weigh([_word("five", 20, 32, -2), _word("ten", 33, 99, -2)], PHONES)
    assert evidence is not None
    assert (evidence.hurried, evidence.verdict()) == (True, "confirm")
    small = weigh([_word("the(2)", 20, 26, -9), _word("ten", 27, 99, -2)], PHONES)
    assert small is not None
    assert small.verdict() == "accept"


def test_a_loop_of_small_words_is_nothing() -> None:
    evidence = weigh([_word("the", 20, 59, -2), _word("it", 60, 99, -2)], PHONES)
    assert evidence is not None
    assert evidence.loose_verdict() == "reject"
    assert weigh([_word("<sil>", 0, 119, -1)], PHONES) is None


def test_a_worker_that_cannot_start_is_told_and_tried_again() -> None:
    async def story() -> None:
        ups: list[Worker] = []
        workers = Workers(WorkerSpec("no such role"), 1, on_up=ups.append)
        await workers.start()
        assert workers.problem == "a speech worker died while it started"
        with pytest.raises(WorkerGone, match="died"):
            await workers.one(0.3)
        assert workers.restarts >= 1
        assert ups == []
        await workers.aclose()

    asyncio.run(story())


class _Alive:
    """All that the pool wants of a worker."""

    alive = True


@pytest.mark.parametrize("gives_up", ["cancel", "time"])
def test_who_gives_up_in_the_moment_in_which_it_is_served_leaves_the_decoder(gives_up: str) -> None:
    """Being cancelled is not forgotten over it either: whoever waits for the end would wait for ever."""

    async def story() -> None:
        pool, slot = DecoderPool(), Slot(cast("Worker", _Alive()), 0)
        waiting = asyncio.create_task(pool.take("grammar", 0.0 if gives_up == "time" else 60.0))
        await asyncio.sleep(0)
        if gives_up == "cancel":
            pool.give(slot)
            waiting.cancel()
        else:
            asyncio.get_running_loop().call_soon(pool.give, slot)
        with pytest.raises((asyncio.CancelledError, SttUnavailable)):
            await waiting
        assert await pool.take("grammar", 1.0) is slot

    asyncio.run(story())
