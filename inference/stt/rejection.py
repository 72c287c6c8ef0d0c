"""Was that a sentence of the grammar at all? A grammar decoder turns any speech into one of its sentences, nonsense included.

So a second decoder listens beside it: a loop over all phones, bound to no grammar. It tells how well these sounds can be
explained by *any* speech. Frame by frame the two acoustic scores are subtracted; a sentence that was really said costs little
against the loop, one that was forced upon other words costs much.

* All frames count where either decoder hears speech: a sentence that leaves half of the speech unexplained is none.
* Both decoders must score all senones (`compallsen`). Otherwise each normalises by the best of those it looked at, and
  a tiny grammar looks good on anything.
* One word that does not fit is enough: the weakest word has a threshold of its own (small words vary too much to be asked).
* A word that is not spoken can hide in a moment of noise, or in a false start ("t- ten" becomes "five ten"). It gives itself away by
  being too short: a digit or a noun in less than 55 ms per phone is a guess, so such a sentence is asked back.

Measured over 161 utterances through G.711 (espeak's klatt4, three recorded-voice synthesisers, and the human speech of the CMU
Sphinx tests), the same that the thresholds were chosen on. Of 89 sentences that were recognised correctly 88 were accepted
and 1 asked back; of 6 that were not, 3 were accepted (two of them "nope" for "no"); of 66 that are in no grammar 54 were
rejected, 10 asked back, 2 accepted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ACCEPT_FIT = -2.3
CONFIRM_FIT = -2.8
ACCEPT_WEAKEST = -4.5
CONFIRM_WEAKEST = -6.0
LOOSE_FIT = -3.6
"""Of a word loop: its insertion penalty is part of the score, so it is lower."""
HURRIED = 5.5
"""Frames per phone."""
HURRIED_SHORTEST = 7
"""Frames: less is too short for a word of one phone ("oh")."""

_LIGHT = frozenset(
    "a an am and are as at be been but by can could did do does for from had has have he her his i i'd i'm if in is it"  # noqa: SIM905
    " it's its may me my of on or our she should so that the their them then there they this to was we were will with"
    " would you your".split()
)
"""Words that people swallow: short is how they are spoken."""

_SILENCE = frozenset({"<sil>", "SIL", "(NULL)", "<s>", "</s>", "+SPN+", "+NSN+", "[NOISE]", "[SPEECH]"})

Verdict = Literal["accept", "confirm", "reject"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A word, phone or silence of a decoder's result.

    It lies on the frames `start` to `end` inclusive, 10 ms each; `score` is the logarithm of their acoustic score, summed;
    `phones` how many the word is made of. Alternative pronunciations are written `to(2)`.
    """

    word: str
    start: int
    end: int
    score: float
    phones: int = 1

    @property
    def frames(self) -> int:
        """Its length."""
        return self.end - self.start + 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well the sentence fits, per frame against the phone loop: 0 is as well as free speech.

    `content` is how many words are there that people do not swallow; `weakest` is the worst of them; `hurried`: one was too
    short to be true.
    """

    fit: float
    weakest: float
    hurried: bool = False
    content: int = 1

    def verdict(self) -> Verdict:
        """Take it, ask back, or treat it as not understood."""
        if self.fit > ACCEPT_FIT and self.weakest > ACCEPT_WEAKEST and not self.hurried:
            return "accept"
        if self.fit > CONFIRM_FIT and self.weakest > CONFIRM_WEAKEST:
            return "confirm"
        return "reject"

    def loose_verdict(self) -> Verdict:
        """The same for a word loop, which fits everything a little: what is doubtful is nothing, and small words alone are."""
        if self.content == 0 or self.hurried or self.weakest <= ACCEPT_WEAKEST or self.fit <= LOOSE_FIT:
            return "reject"
        return "accept" if self.fit > ACCEPT_FIT else "confirm"

    def confidence(self) -> float:
        """0–1: one half where asking back begins, 0.73 where a sentence is accepted."""
        return 1 / (1 + math.exp(-2 * (min(self.fit, 30) - CONFIRM_FIT)))


def weigh(words: Sequence[Segment], phones: Sequence[Segment]) -> Evidence | None:
    """Compare a sentence with the phone loop's reading of the same frames; None when there is no word in it."""
    spoken = [word for word in words if _is_speech(word)]
    if not spoken:
        return None
    frames = 1 + max(segment.end for segment in (*words, *phones))
    difference = _scores(words, frames) - _scores(phones, frames)
    judged = _speech(phones, frames)
    judged[spoken[0].start : spoken[-1].end + 1] = True
    content = [word for word in spoken if not _light(word)]
    weakest = min((difference[word.start : word.end + 1].mean() for word in content), default=0.0)
    hurried = any(map(_hurried, content))
    return Evidence(float(difference[judged].mean()), float(weakest), hurried, len(content))


def _light(word: Segment) -> bool:
    return word.word.partition("(")[0] in _LIGHT


def _hurried(word: Segment) -> bool:
    return word.frames < max(HURRIED_SHORTEST, HURRIED * word.phones)


def _is_speech(segment: Segment) -> bool:
    return segment.word not in _SILENCE and segment.end >= segment.start >= 0


def _scores(segments: Iterable[Segment], frames: int) -> NDArray[np.float64]:
    scores = np.zeros(frames)
    for segment in segments:
        if segment.end >= segment.start >= 0:
            scores[segment.start : segment.end + 1] = segment.score / segment.frames
    return scores


def _speech(segments: Iterable[Segment], frames: int) -> NDArray[np.bool_]:
    speech = np.zeros(frames, bool)
    for segment in filter(_is_speech, segments):
        speech[segment.start : segment.end + 1] = True
    return speech
