"""Was that a sentence of the grammar at all? A grammar decoder turns any speech into one of its sentences, nonsense included.

So a second decoder listens beside it: a loop over all phones, bound to no grammar. It tells how well these sounds can be
explained by *any* speech. Frame by frame the two acoustic scores are subtracted; a sentence that was really said costs little
against the loop, one that was forced upon other words costs much.

* All frames count where either decoder hears speech. Silence explains some voices not badly, so a sentence must also lie
  upon the speech: one that leaves half of it unexplained is none, one that leaves a quarter is asked back.
* Both decoders must score all senones (`compallsen`). Otherwise each normalises by the best of those it looked at, and
  a tiny grammar looks good on anything.
* One word that does not fit is enough: the weakest word has a threshold of its own (small words vary too much to be asked).
* A word that is not spoken can hide in a moment of noise, or in a false start ("t- ten" becomes "five ten"). It gives itself away by
  being too short: a digit or a noun in less than 55 ms per phone is a guess, so such a sentence is asked back.

* A long sentence is harder to hit by chance than a short one, so it is asked back where a short one is rejected.

Measured through G.711 on 95 sentences of the agents in `config/agents` and 15 of no grammar, each of those at two steps. Of
the 95, a voice of recorded speech (flite's rms) was understood 93 times, asked back once and rejected once; the synthetic
caller (espeak's klatt4) 65, asked back 30, twice with other words, and never rejected; espeak's plain voice, which sounds least
like a person, 43, asked back 37. Of 90 times that something else was said none was accepted, 12 were asked back.
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
CONFIRM_LONG_FIT = -3.3
LONG = 3
"""Words that people do not swallow, from which on a sentence is long."""
ACCEPT_WEAKEST = -4.5
CONFIRM_WEAKEST = -6.0
ACCEPT_COVERED = 0.75
CONFIRM_COVERED = 0.5
"""The part of the speech, as the phone loop hears it, on which there are words."""
SILENCE_FIT = -0.5
"""A stretch without words that fits silence better than this is a breath or the line's noise."""
LOOSE_FIT = -3.3
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
    short to be true. `covered` is the part of the speech that the words are on.
    """

    fit: float
    weakest: float
    hurried: bool = False
    content: int = 1
    covered: float = 1.0

    def verdict(self) -> Verdict:
        """Take it, ask back, or treat it as not understood."""
        if self.fit <= self._lowest_fit() or self.weakest <= CONFIRM_WEAKEST or self.covered < CONFIRM_COVERED:
            return "reject"
        sure = self.fit > ACCEPT_FIT and self.weakest > ACCEPT_WEAKEST and self._is_whole()
        return "accept" if sure else "confirm"

    def loose_verdict(self) -> Verdict:
        """The same for a word loop, which fits everything a little: what is doubtful is nothing, and small words alone are."""
        if self.content == 0 or self.hurried or self.covered < CONFIRM_COVERED:
            return "reject"
        if self.weakest <= ACCEPT_WEAKEST or self.fit <= LOOSE_FIT:
            return "reject"
        return "accept" if self.fit > ACCEPT_FIT else "confirm"

    def confidence(self) -> float:
        """0–1: one half where asking back begins (for a long sentence a little below), 0.73 where a sentence is accepted."""
        return 1 / (1 + math.exp(-2 * (min(self.fit, 30) - CONFIRM_FIT)))

    def _is_whole(self) -> bool:
        """Every word has its time, and the speech its words."""
        return self.covered >= ACCEPT_COVERED and not self.hurried

    def _lowest_fit(self) -> float:
        return CONFIRM_LONG_FIT if self.content >= LONG and self._is_whole() else CONFIRM_FIT


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
    covered = _covered(_speech(phones, frames), _speech(spoken, frames), difference)
    return Evidence(float(difference[judged].mean()), float(weakest), hurried, len(content), covered)


def _covered(speech: NDArray[np.bool_], words: NDArray[np.bool_], difference: NDArray[np.float64]) -> float:
    """The part of the speech that has words. What the grammar's silence explains as well as the phones do was no speech."""
    left = speech & ~words
    for start, end in np.flatnonzero(np.diff(left, prepend=False, append=False)).reshape(-1, 2):
        left[start:end] = difference[start:end].mean() < SILENCE_FIT
    explained = (speech & words).sum()
    return float(explained / max(1, explained + left.sum()))


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
