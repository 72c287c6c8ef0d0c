"""The `hear` phrases: parsing, matching on words, captures, grammars."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.hear import PhraseError, find, match, parse, read_ahead, spoken, to_jsgf, to_loose_jsgf, words_of
from inference.hear.jsgf import words_heard
from inference.hear.words import cardinal

SUNDAY = datetime(2026, 11, 22, 12, tzinfo=UTC)


def value(phrase: str, said: str) -> object:
    """What `x` captures when a phrase is said; None when it does not match."""
    found = match([parse(phrase)], words_of(said), SUNDAY)
    return found.values["x"] if found else None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("That's right!", "that is right"),
        ("I can’t, I cannot", "i can not i can not"),
        ("I don't, we won't, let's", "i do not we will not let us"),
        ("the 14th of March", "the fourteenth of march"),
        ("order 4711", "order four seven one one"),
        ("42 people, 07", "forty two people zero seven"),
        ("1,500", "one five zero zero"),
        ("at 3:30 pm or 9:05 a.m.", "at three thirty p.m. or nine oh five a.m."),
        ("Okay, uh-huh", "ok uh huh"),
        ("?!", ""),
    ],
)
def test_words_have_one_form(text: str, words: str) -> None:
    assert words_of(text) == tuple(words.split())


@pytest.mark.parametrize(
    ("phrase", "said", "matches"),
    [
        ("yes [please]", "Yes.", True),
        ("yes [please]", "yes please", True),
        ("yes [please]", "please", False),
        ("that is (fine|right|correct)", "that's correct", True),
        ("that is (fine|right|correct)", "that is", False),
        ("i can't [make it]", "I can not make it", True),
        ("cancel [my [next] appointment]", "cancel my appointment", True),
        ("cancel [my [next] appointment]", "cancel my next appointment", True),
        ("cancel [my [next] appointment]", "cancel next appointment", False),
        ("YES, (of course | sure).", "yes sure", True),
    ],
)
def test_optional_parts_and_alternatives(phrase: str, said: str, matches: bool) -> None:
    assert (match([parse(phrase)], words_of(said), SUNDAY) is not None) is matches


@pytest.mark.parametrize(
    ("phrase", "said", "captured"),
    [
        ("<digits:x>", "four seven double one oh", "471" + "10"),
        ("<digits:x>", "twenty one thirteen", "2113"),
        ("[my number is] <digits:x> please", "my number is 4711 please", "4711"),
        ("<number:x> people", "two hundred and five people", 205),
        ("<number:x>", "three thousand and twenty", 3020),
        ("<number:x>", "a hundred", 100),
        ("<number:x>", "one two three", 123),
        ("[on] <date:x>", "on the fourteenth of march", "2027-03-14"),
        ("<date:x>", "November 22nd", "2026-11-22"),
        ("<date:x>", "today", "2026-11-22"),
        ("<date:x>", "the day after tomorrow", "2026-11-24"),
        ("<date:x>", "sunday", "2026-11-29"),
        ("<date:x>", "monday", "2026-11-23"),
        ("<date:x>", "next monday", "2026-11-23"),
        ("<date:x>", "next friday", "2026-11-27"),
        ("<date:x>", "the twenty first", "2026-12-21"),
        ("<date:x>", "in two weeks", "2026-12-06"),
        ("<date:x>", "the twenty ninth of february", "2028-02-29"),
        ("<date:x>", "the thirtieth of february", None),
        ("<time:x>", "three", "15:00"),
        ("<time:x>", "nine thirty", "09:30"),
        ("<time:x>", "half past three in the morning", "03:30"),
        ("<time:x>", "quarter to one", "12:45"),
        ("<time:x>", "a quarter after twelve at night", "00:15"),
        ("<time:x>", "twenty five to four", "15:35"),
        ("<time:x>", "half to nine", None),
        ("<time:x>", "15:30", "15:30"),
        ("<time:x>", "twelve a.m.", "00:00"),
        ("<time:x>", "midday", "12:00"),
        ("<time:x>", "twenty two thirty", "22:30"),
        ("<letters:x>", "alpha b double u x ray", "ABWX"),
        ("<yesno:x>", "yes that's right", True),
        ("<yesno:x>", "no thank you", False),
        ("the <x: dark red|Green> one", "the green one", "Green"),
        ("the <x: dark red|Green> one", "the dark red one", "dark red"),
        ("<date: red|green>", "red", None),
    ],
)
def test_captures_become_json_values(phrase: str, said: str, captured: object) -> None:
    if phrase == "<date: red|green>":
        assert match([parse(phrase)], words_of(said), SUNDAY).values == {"date": "red"}  # type: ignore[union-attr]
    else:
        assert value(phrase, said) == captured


@given(st.integers(0, 999_999))
def test_every_number_is_read_as_it_is_said(number: int) -> None:
    found = match([parse("<number:x>")], cardinal(number), SUNDAY)
    assert found is not None
    assert found.values["x"] == number


@given(st.text(alphabet="0123456789", min_size=1, max_size=12))
def test_digits_are_read_as_they_are_said(digits: str) -> None:
    assert value("<digits:x>", " ".join(digits)) == digits
    assert spoken("digits", digits) == " ".join(digits)


@given(st.dates(date(2026, 11, 22), date(2027, 11, 21)))
def test_every_day_of_the_coming_year_is_found(day: date) -> None:
    assert value("<date:x>", f"{day:%B} {day.day}th") == day.isoformat()


PHRASES = [
    parse(text) for text in ("yes [please]", "no", "that is (fine|right)", "my order is <digits:order>", "cancel")
]


@pytest.mark.parametrize(
    ("said", "phrase"),
    [
        ("yes please", 0),
        ("well yes, absolutely", 0),
        ("um I think that's fine, thank you", 2),
        ("no that's not right", None),
        ("that is not fine", None),
        ("there is no problem", None),
        ("i would like a coffee and a cake", None),
        ("hello my order is 4711 from last tuesday", 3),
        ("", None),
    ],
)
def test_a_phrase_inside_other_words_is_found_but_never_something_else(said: str, phrase: int | None) -> None:
    found = find(PHRASES, words_of(said), SUNDAY)
    assert (found.phrase if found else None) == phrase


def test_the_longest_phrase_wins() -> None:
    phrases = [parse("cancel"), parse("cancel my appointment")]
    found = find(phrases, words_of("please cancel my appointment now"), SUNDAY)
    assert found is not None
    assert (found.phrase, found.length) == (1, 3)


@pytest.mark.parametrize(
    ("said", "complete", "is_open"),
    [
        ("yes", True, False),
        ("that is", False, False),
        ("my order is", False, True),
        ("my order is four seven", True, True),
        ("on the fourteenth", True, True),
        ("on the fourteenth of", False, True),
        ("on the fourteenth of march", True, False),
        ("tomorrow", True, False),
        ("at three", True, True),
        ("at three thirty", True, False),
        ("something else", False, False),
        ("", False, False),
    ],
)
def test_the_judge_is_told_what_is_complete_and_what_may_go_on(said: str, complete: bool, is_open: bool) -> None:
    phrases = [*PHRASES, parse("[on] <date:day>"), parse("at <time:hour>")]
    reading = read_ahead(phrases, words_of(said))
    assert (reading.complete, reading.open) == (complete, is_open)


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("", 0, "empty"),
        ("[please]", 0, "must not be optional"),
        ("yes | no", 4, "parentheses"),
        ("(yes|", 5, "missing"),
        ("(yes", 0, "never closed"),
        ("yes )", 4, "never opened"),
        ("<dgits:order>", 0, "no type"),
        ("<digits order>", 8, "<type:name>"),
        ("<:order>", 1, "name"),
        ("say {{name}}", 4, "no meaning"),
        ("()", 1, "missing"),
        ("(" * 20 + "a" + ")" * 20, 12, "nested"),
        ("yes " * 200, 500, "500 characters"),
    ],
)
def test_what_cannot_be_parsed_names_its_place(text: str, at: int, says: str) -> None:
    with pytest.raises(PhraseError, match=re.escape(says)) as caught:
        parse(text)
    assert caught.value.at == at
    assert f"character {at + 1}:" in str(caught.value)


@given(st.text(alphabet="ab [](|)<>:{,'1_", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        phrase = parse(text)
    except PhraseError:
        return
    find([phrase], words_of("a b a"), SUNDAY)
    read_ahead([phrase], words_of("a b"))
    assert to_jsgf([phrase]).startswith("#JSGF V1.0;\n")


def test_matching_costs_no_more_for_nested_alternatives() -> None:
    bomb = "a"
    for _ in range(10):
        bomb = f"({bomb}|{bomb})"
        if len(bomb) > 150:
            break
    phrase = parse(" ".join([bomb, "[a] [a] [a] [a] [a] [a] [a] [a] [a] [a] [a] [a] b"]))
    assert match([phrase], ["a"] * 30, SUNDAY) is None


def test_the_strict_grammar_holds_the_phrases_with_their_short_forms() -> None:
    grammar = to_jsgf([parse("that is (fine|right)"), parse("ok [then]"), parse("order <digits:n>")])
    assert grammar.splitlines()[:2] == ["#JSGF V1.0;", "grammar hear;"]
    assert "<digits> = ( ( zero | one" in grammar
    assert grammar.splitlines()[-1] == (
        "public <sentence> = ( that is | that's ) ( fine | right ) | okay [ then ] | order <digits>;"
    )


def test_the_loose_grammar_is_a_loop_of_words_fillers_and_captures() -> None:
    grammar = to_loose_jsgf([parse("cancel [my order]"), parse("on <date:day>")])
    loop = grammar.splitlines()[-1]
    assert loop.startswith("public <loose> = ( ")
    assert loop.endswith(" )+;")
    assert {"cancel", "my", "order", "on", "um", "<date>"} <= set(loop.split())


def test_the_recogniser_takes_both_grammars() -> None:
    pocketsphinx = pytest.importorskip("pocketsphinx")
    every = [parse(f"x <{kind}:a> [y]") for kind in ("digits", "number", "date", "time", "letters", "yesno")]
    every.append(parse("that's <colour: dark red|green>"))
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    decoder.add_jsgf_string("strict", to_jsgf(every))
    decoder.add_jsgf_string("loose", to_loose_jsgf(every))
    missing = {word for word in re.findall(r"[a-z][a-z.']*", to_jsgf(every)) if decoder.lookup_word(word) is None}
    assert missing <= {"grammar", "hear", "public", "sentence", "digits", "yesno"}
    assert words_heard([parse("that is <colour: dark red|green>")]) == {"that", "is", "dark", "red", "green"}
