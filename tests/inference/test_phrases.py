"""Text in pieces to sentences."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.phrases import Phrases, sentences, speakable


def cut(text: str, size: int = 1) -> list[str]:
    phrases = Phrases()
    found = [s for at in range(0, len(text), size) for s in phrases.feed(text[at : at + size])]
    return found + phrases.end()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        ("Dr. Smith is in. He is.", ["Dr. Smith is in.", "He is."]),
        ("It costs 3.50 today. Ok.", ["It costs 3.50 today.", "Ok."]),
        ("Come at 9 a.m. on Monday. Yes.", ["Come at 9 a.m. on Monday.", "Yes."]),
        ("It opens at 9 a.m. Please call then.", ["It opens at 9 a.m.", "Please call then."]),
        ("One\ntwo\n\nthree", ["One", "two", "three"]),
        ("**Bold** and `code`: [here](http://x).", ["Bold and code: here."]),
        ("- first\n- second", ["first", "second"]),
        ('He said "No." Then left.', ['He said "No."', "Then left."]),
        ("... !", []),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert cut(text) == expected
    assert cut(text, 1000) == expected


def test_a_sentence_is_let_go_as_soon_as_it_is_complete() -> None:
    phrases = Phrases()
    assert phrases.feed("Sure. Let") == ["Sure."]
    assert phrases.feed(" me see.") == []
    assert phrases.feed(" ") == ["Let me see."]


def test_a_long_first_sentence_begins_at_a_comma() -> None:
    first = "I can certainly help you with that question about your order, "
    phrases = Phrases()
    assert phrases.feed(first + "which") == [first.strip()]
    assert phrases.feed(" is here, and there, and everywhere that you could ever think of, really, ") == []


def test_text_without_any_end_is_cut_at_a_word() -> None:
    pieces = cut("word " * 200)
    assert len(pieces) > 3
    assert all(len(piece) <= 240 and piece.startswith("word") and piece.endswith("word") for piece in pieces)


@given(st.text(alphabet="ab .,!?\n*_1", max_size=300), st.integers(1, 20))
def test_no_word_is_lost_however_the_text_is_cut(text: str, size: int) -> None:
    joined = " ".join(cut(text, size))
    assert [c for c in joined if c.isalnum()] == [c for c in text if c.isalnum()]


def test_pieces_of_a_stream() -> None:
    async def main() -> list[str]:
        async def pieces() -> AsyncIterator[str]:
            for piece in ("Hel", "lo. ", "You"):
                yield piece

        return [sentence async for sentence in sentences(pieces())]

    assert asyncio.run(main()) == ["Hello.", "You"]


def test_what_is_left_of_nothing_speakable_is_nothing() -> None:
    assert speakable(" ** \n …") == ""
