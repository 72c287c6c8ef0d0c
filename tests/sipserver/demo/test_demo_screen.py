"""What the demo prints: lines in order, ids whole, nothing wider than the terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sipserver.demo.receiver import Received
from sipserver.demo.report import show_checks, show_files, show_hook, show_latencies, show_transcript
from sipserver.demo.scenario import Heard
from sipserver.demo.screen import Screen
from sipserver.demo.verdict import Check
from sipserver.message import parse

BYE = parse(
    b"BYE sip:+12025550123@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb\r\nFrom: <sip:a@a>;tag=1\r\n"
    b"To: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
OK = parse(
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\n"
    b"Call-ID: c\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"
)
UUID = "743fc0a6-96ab-404c-8737-aa98ef086be3"
HOOK_ID = "msg_915a454900204168b89c3835678d49b6"
LONG = "I have noted Friday. Please remember to bring your insurance card, and a list of the medicines that you take."


class Paper:
    """A terminal's text."""

    def __init__(self, width: int) -> None:
        self.console = Console(file=io.StringIO(), width=width, highlight=False)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


@pytest.fixture(params=[80, 120])
def paper(request: pytest.FixtureRequest) -> Paper:
    return Paper(request.param)


def utterance(role: str, text: str, interrupted: bool = False) -> dict[str, Any]:
    return {"role": role, "text": text, "interrupted": interrupted}


def test_the_end_of_a_call_is_told_in_its_order() -> None:
    paper = Paper(80)
    with Screen(paper.console, clock=lambda: 0.0) as screen:
        screen.show("status", {"status": "in_progress", "endedReason": None})
        screen.ladder("c", "<", BYE)
        screen.ladder("c", ">", OK)
        screen.show("utterance", utterance("assistant", "Goodbye."))
        screen.show("status", {"status": "completed", "endedReason": "agent_ended"})
    assert paper.lines == [
        "  0.00  call      in_progress",
        "  0.00  agent     “Goodbye.”",
        "  0.00  SIP       phone ◀── server  BYE sip:+12*******23@127.0.0.1",
        "  0.00  SIP       phone ──▶ server  200 OK",
        "  0.00  call      completed, agent_ended",
    ]


def test_a_bye_whose_call_is_never_final_is_shown_at_the_end() -> None:
    paper = Paper(80)
    with Screen(paper.console, clock=lambda: 0.0) as screen:
        screen.ladder("c", "<", BYE)
    assert "BYE" in paper.lines[0]


def test_long_words_wrap_under_themselves() -> None:
    paper = Paper(80)
    Screen(paper.console, clock=lambda: 0.0).show("utterance", utterance("assistant", LONG, interrupted=True))
    first, *more = paper.lines
    assert first.startswith("  0.00  agent     “I have noted")
    assert len(more) == 2
    assert all(line.startswith(" " * 18) and line[18] != " " for line in more)
    assert " ".join(line.strip() for line in more).endswith("take.” ✂ interrupted")


def test_a_key_is_told_once_and_kept_for_the_picture() -> None:
    paper = Paper(80)
    with Screen(paper.console, clock=lambda: 0.0) as screen:
        screen.show("digit", {"digit": "1", "atMs": 22_960})
        screen.show("utterance", utterance("user", "[key 1]"))
        screen.show("queueing", {"unknown": "to this screen"})
    assert paper.lines == ["  0.00  caller    presses 1"]
    assert screen.keys_pressed() == [(22_960, "key 1")]
    with screen:
        assert screen.keys_pressed() == []


def test_markup_in_what_was_said_is_only_words() -> None:
    paper = Paper(80)
    said = {"role": "user", "startMs": 0, "endMs": 990, "content": "[bold]me[/bold] [key 1]", "interrupted": False}
    show_transcript(paper.console, {"transcript": [said]})
    assert "[bold]me[/bold] [key 1]" in paper.lines[-1]


def test_ids_and_paths_are_never_broken(paper: Paper, tmp_path: Path) -> None:
    hook = Received(HOOK_ID, {"event": "call.completed", "callId": UUID, "transcript": [1, 2]}, True, b"")
    path = tmp_path / ("a-long-folder-name-" * 6) / "webhook.json"
    show_hook(paper.console, hook, path)
    show_files(paper.console, {"recording": path})
    came = Check("the webhook came, its signature is good", True, HOOK_ID)
    show_checks(paper.console, {"a call": [came, Check("it tells of this call", True, UUID)]})
    text = "\n".join(paper.lines)
    assert text.count(HOOK_ID) == 2
    assert text.count(UUID) == 2
    assert text.count(str(path)) == 2
    assert "transcript       2 utterances" in text


def test_nothing_is_wider_than_the_terminal(paper: Paper) -> None:
    call = {"transcript": [{"role": "assistant", "startMs": 1, "endMs": 99_999, "content": LONG, "interrupted": True}]}
    show_transcript(paper.console, call)
    show_latencies(paper.console, "answer: INVITE → 200", Heard(0.02, (0.2, 0.3), 0.1, 10, 0, 0, "bye"))
    show_checks(paper.console, {"a call": [Check("one utterance was cut, in mid-sentence", True, LONG)]})
    assert max(len(line) for line in paper.lines) <= paper.console.width


def test_latencies_name_each_turn_their_median_and_the_interruption() -> None:
    paper = Paper(80)
    show_latencies(paper.console, "answer: INVITE → 200", Heard(0.0214, (0.1, 0.3, 0.2), 0.1415, 10, 0, 0, "bye"))
    assert paper.lines[2:] == [
        " 21  answer: INVITE → 200",
        "100  turn 1: caller's last sample → agent's first",
        "300  turn 2: caller's last sample → agent's first",
        "200  turn 3: caller's last sample → agent's first",
        "200  turns, p50",
        "142  barge-in: caller's first sample → agent silent",
    ]


def test_a_forged_signature_is_shouted() -> None:
    paper = Paper(80)
    show_hook(paper.console, Received(HOOK_ID, {}, False, b""), Path("webhook.json"))
    assert "signature WRONG" in paper.lines[1]
