"""The scripts that peers talk to."""

from __future__ import annotations

from typing import Any

RANKS = "ace|two|three|four|five|six|seven|eight|nine|ten|jack|queen|king|lady"
SUITS = "clubs|hearts|diamonds|spades"
DISTANCES = "one|two|three|four|five|six|seven|eight|nine|ten"
END = {"say": "Thank you. Goodbye.", "end": True}
TIMES = 3
"""How often a question is asked again before the agent gives up."""


def asking(question: str, phrases: list[str], again: str = "Please say that again.") -> dict[str, Any]:
    """A script of one question."""
    ask = {"say": question, "listen": [{"hear": phrases, "go": "bye"}], "else": {"say": again, "times": TIMES}}
    return {"start": "ask", "steps": {"ask": ask, "bye": END}}


def cards() -> dict[str, Any]:
    """What `cards.gram` of the test data understands."""

    def card(number: int) -> str:
        return f"<rank{number}: {RANKS}> [of] <suit{number}: {SUITS}>"

    one, two, three = card(1), card(2), card(3)
    phrases = [
        f"{one} {two} {three}",
        f"{one} {two}",
        one,
        f"<rank1: {RANKS}> {two}",
        f"<rank1: {RANKS}> <rank2: {RANKS}>",
    ]
    return asking("Which cards?", phrases)


def go_forward() -> dict[str, Any]:
    """What `goforward.gram` of the test data understands."""
    return asking("Where to?", [f"go <direction: forward|backward> <distance: {DISTANCES}> [meter|meters]"])


def appointment() -> dict[str, Any]:
    """Two questions, of which each is answered in a sentence."""
    wish = ["i would like to (move|cancel) my appointment", "please call me back"]
    return {
        "start": "wish",
        "steps": {
            "wish": {
                "say": "How can I help you?",
                "listen": [{"hear": wish[:1], "set": {"wish": "move"}, "go": "day"}, {"hear": wish[1:], "go": "bye"}],
            },
            "day": {
                "say": "Which day?",
                "listen": [{"hear": ["i can come on <date:day> [please]", "any day is fine"], "go": "bye"}],
            },
            "bye": END,
        },
    }


def keyed() -> dict[str, Any]:
    """A number that is keyed in, and one key."""
    return {
        "start": "code",
        "steps": {
            "code": {"say": "Your number?", "listen": [{"dtmf": "<digits:code>", "go": "sure"}]},
            "sure": {
                "say": "Is it {{code}}?",
                "listen": [{"dtmf": "5", "set": {"sure": True}, "go": "bye"}],
            },
            "bye": END,
        },
    }
