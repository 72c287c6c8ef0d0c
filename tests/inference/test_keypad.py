"""Keys to answers."""

from __future__ import annotations

from inference.keypad import PAUSE, Keypad, KeysWanted

SINGLE = KeysWanted(frozenset("12"))
NUMBER = KeysWanted(collect=True)


def test_single_keys_answer_at_once_and_others_mean_nothing() -> None:
    keypad = Keypad()
    assert [keypad.press(key, 0, SINGLE) for key in "312#"] == [None, "1", "2", None]
    assert keypad.next_timer() is None


def test_a_number_ends_with_hash_and_begins_anew_with_star() -> None:
    keypad = Keypad()
    assert [keypad.press(key, 0, NUMBER) for key in "99*47#"] == [None] * 5 + ["47"]
    assert keypad.press("#", 0, NUMBER) is None
    assert not keypad.collecting()


def test_a_number_of_known_length_ends_by_itself() -> None:
    keypad = Keypad()
    wanted = KeysWanted(collect=True, length=3)
    assert [keypad.press(key, 0, wanted) for key in "4711"] == [None, None, "471", None]
    assert keypad.collecting()


def test_a_number_ends_with_a_pause() -> None:
    keypad = Keypad()
    keypad.press("4", 100, NUMBER)
    keypad.press("7", 200, NUMBER)
    assert keypad.next_timer() == 200 + PAUSE
    assert keypad.handle_timer(199 + PAUSE) is None
    assert keypad.handle_timer(200 + PAUSE) == "47"
    assert keypad.next_timer() is None


def test_keys_of_an_older_step_do_not_count() -> None:
    keypad = Keypad()
    keypad.press("4", 0, NUMBER)
    assert keypad.press("1", 0, SINGLE) == "1"
    assert not keypad.collecting()
