"""Why nothing is heard: each finding from what the line shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from media.call_report import Finding
from media.signs import Line, Signs

FINE = Line(ticks=1000, hearing=True, received=900, kept=900, sent=1000, unauthentic=0)
DEAF = replace(FINE, received=0, kept=0)
STRANGER = ("198.51.100.9", 4000)


def signs(*, foreign: int = 0, comfort: int = 0, unknown: int = 0, spoke: bool = True) -> Signs:
    made = Signs(1)
    made.open_row(0)
    for _ in range(foreign):
        made.refused(0, STRANGER)
    for payload_type, count in ((13, comfort), (97, unknown)):
        for _ in range(count):
            made.other_payload(0, payload_type)
    made.spoke[0] = spoke
    return made


@pytest.mark.parametrize(
    ("made", "line", "found"),
    [
        (signs(), FINE, []),
        (signs(), DEAF, [Finding.NO_PACKET]),
        (signs(), replace(DEAF, hearing=False), []),
        (signs(), replace(DEAF, ticks=50), []),
        (signs(foreign=20), DEAF, [Finding.OTHER_ADDRESS]),
        (signs(foreign=20), FINE, []),
        (signs(), replace(DEAF, unauthentic=300), [Finding.NOT_AUTHENTIC]),
        (signs(comfort=9), replace(FINE, kept=0), [Finding.ONLY_COMFORT_NOISE]),
        (signs(unknown=9), replace(FINE, kept=0), [Finding.UNKNOWN_PAYLOAD]),
        (signs(spoke=False), FINE, [Finding.NO_SPEECH]),
        (signs(spoke=False), replace(FINE, ticks=200), []),
    ],
)
def test_findings(made: Signs, line: Line, found: list[Finding]) -> None:
    assert list(made.findings(0, line)) == found


def test_a_learnt_address_is_told() -> None:
    made = signs(foreign=4)
    made.took(0, STRANGER)
    made.refused(0, ("203.0.113.1", 9))
    assert list(made.findings(0, FINE)) == [Finding.ADDRESS_LEARNT]
    assert made.source[0] == "198.51.100.9:4000"


@pytest.mark.parametrize(("about_us", "lost", "deaf"), [(0, 0.0, True), (3, 100.0, True), (3, 20.0, False)])
def test_a_peer_that_hears_nothing(about_us: int, lost: float, deaf: bool) -> None:
    made = signs()
    made.reports[0], made.about_us[0], made.lost_percent[0] = 3, about_us, lost
    assert list(made.findings(0, FINE)) == ([Finding.PEER_HEARS_NOTHING] if deaf else [])
