"""The bench of barge-in: its sounds are what they are called, its times are counted from the mouth to the wire."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sipserver.bench.bargein import BEGINS, Heard, Scene, clicks, cough, figures
from sipserver.bench.onsets import detected, detector_alone, loud_after, onset_of, spread
from sipserver.cli import app
from tests.tones import tone

CHANCE = np.random.default_rng(1)


def test_times_run_from_the_first_sample_said_to_the_packet_that_is_silent() -> None:
    """The packet of tick BEGINS was spoken in the 20 ms before it, and ours leaves 10 ms after it came."""
    scene = Scene("speech_0_db", onset=800)
    assert Heard(Scene("speech_0_db")).late(BEGINS) == 30
    assert Heard(scene).late(BEGINS + 10) == 130
    assert Heard(scene).late(None) is None


def test_what_is_told_of_a_kind() -> None:
    speech = Scene("speech_0_db")
    heard = [Heard(speech, BEGINS + 4, BEGINS + 5), Heard(speech, BEGINS + 5, BEGINS + 9), Heard(speech)]
    assert figures(heard) == {
        "stopped": 2,
        "of": 3,
        "duck_ms": {"p50": 130, "p95": 130, "worst": 130},
        "pause_ms": {"p50": 210, "p95": 210, "worst": 210},
    }
    assert figures([Heard(speech)]) == {"stopped": 0, "of": 1, "duck_ms": None, "pause_ms": None}
    assert figures([Heard(Scene("cough"), BEGINS, BEGINS)]) == {"stopped": 1, "of": 1}


def test_sounds() -> None:
    twice = cough(CHANCE)
    assert len(twice) == 8000 * 0.6
    assert np.abs(twice).max() == pytest.approx(6000)
    assert np.abs(twice[2000:2800]).max() == 0
    made = clicks(16000, CHANCE)
    assert 6 * 8 <= np.count_nonzero(made) <= 12 * 8


def test_a_sound_begins_softly_or_loudly() -> None:
    soft = np.concatenate((np.zeros(800), tone(300, 0.1, 600), tone(300, 0.1, 6000))).astype(float)
    assert (onset_of(soft), loud_after(soft)) == (800, 100)
    assert (onset_of(soft[1600:]), loud_after(soft[1600:])) == (0, 0)


def test_the_detector_by_itself_is_counted_from_the_onset_to_the_end_of_its_frames() -> None:
    """Above a threshold of 0 every frame is speech, so what is found is where frames end: eight places 4 ms apart, the second 32 ms on."""
    sound = np.concatenate((np.zeros(1600), tone(300, 0.5))).astype(float)
    first, second = detected(sound, threshold=-1.0)
    assert sorted(first) == [4, 8, 12, 16, 20, 24, 28, 32]
    assert sorted(second - first) == [32] * 8
    assert detector_alone(sound, threshold=2.0) == {"first_ms": None, "second_ms": None}
    assert spread(first) == {"mean": 18, "earliest": 4, "latest": 32}


@pytest.mark.skipif("ANTIPHON_TEST_DATA" not in os.environ, reason="ANTIPHON_TEST_DATA is not set")
def test_a_caller_stops_the_agent_and_a_click_does_not() -> None:
    folder = Path(os.environ["ANTIPHON_TEST_DATA"]) / "speech"
    result = CliRunner().invoke(app, ["bench", "bargein", str(folder), "--rounds", "1", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["speech_0_db"]["stopped"] == found["speech_0_db"]["of"] == 5
    assert found["clicks"] == {"stopped": 0, "of": 5}
    assert found["speech_0_db"]["duck_ms"]["p50"] < found["speech_0_db"]["pause_ms"]["p50"] < 500
    assert len(found["callers"]) == 5
    for voice, told in found["callers"].items():
        alone = told["detector_alone"]
        # A call hears by the same detector, in packets: it cannot be sooner than the soonest place of a frame.
        assert alone["first_ms"]["earliest"] <= told["duck_ms"]["earliest"] < told["pause_ms"]["latest"], voice
        assert alone["first_ms"]["mean"] < alone["second_ms"]["mean"] < told["pause_ms"]["latest"], voice


def test_a_folder_without_recordings_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["bench", "bargein", str(tmp_path)])
    assert (result.exit_code, "There is no .wav" in result.output) == (1, True)
