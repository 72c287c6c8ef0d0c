"""ITU-T G.711, µ-law and A-law, for all calls at once: every conversion is one look-up in a table.

The tables are made from the recommendation's rules: a code is a sign, a segment and an interval, and a sample gets the code
whose interval holds it (decision values of G.711 tables 1a and 2a). Samples are 16 bit, left-aligned, as the industry keeps them
(µ-law has 14 significant bits, A-law 13).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.frames import Codec, Pcm

Octets = NDArray[np.uint8]
Rows = NDArray[np.intp]

SILENCE = {Codec.PCMU: 0xFF, Codec.PCMA: 0xD5}
"""The code of the smallest positive sample: what a silent line carries."""

_MU_BIAS = 0x84
_MU_CLIP = 32635


def _mu_law_decoding() -> Pcm:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + _MU_BIAS) << (code >> 4 & 7)) - _MU_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _mu_law_encoding() -> Octets:
    sample = _every_sample()
    magnitude = np.minimum(_magnitude(sample), _MU_CLIP) + _MU_BIAS
    segment = np.frexp(magnitude)[1] - 8
    code = (sample < 0) << 7 | segment << 4 | (magnitude >> (segment + 3)) & 0x0F
    return np.asarray(~code & 0xFF, np.uint8)


def _a_law_decoding() -> Pcm:
    code = np.arange(256) ^ 0x55
    segment, interval = code >> 4 & 7, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, interval + 8, (interval + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _a_law_encoding() -> Octets:
    sample = _every_sample()
    magnitude = _magnitude(sample) >> 4
    segment = np.maximum(np.frexp(magnitude)[1] - 4, 0)
    code = (sample >= 0) << 7 | segment << 4 | magnitude >> np.maximum(segment - 1, 0) & 0x0F
    return np.asarray(code ^ 0x55, np.uint8)


def _every_sample() -> NDArray[np.int32]:
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _magnitude(sample: NDArray[np.int32]) -> NDArray[np.int32]:
    # Negative samples count by ones' complement, as the reference code of ITU-T G.191 does, so -1 lies beside 0.
    return np.where(sample < 0, ~sample, sample)


def _pairs(table: Pcm) -> NDArray[np.uint32]:
    # Two codes read as one 16-bit number find two samples read as one 32-bit number: half as many look-ups.
    codes = np.arange(65536, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    return table[codes].view(np.uint32)[:, 0]


_DECODE = {Codec.PCMU: _mu_law_decoding(), Codec.PCMA: _a_law_decoding()}
_ENCODE = {Codec.PCMU: _mu_law_encoding(), Codec.PCMA: _a_law_encoding()}
_DECODE_PAIRS = {codec: _pairs(table) for codec, table in _DECODE.items()}


def decode(payload: Octets, codec: Codec) -> Pcm:
    """Codes to samples. payload: uint8, any shape; returns int16 of that shape, 8 kHz."""
    return _DECODE[codec][payload]


def encode(pcm: Pcm, codec: Codec) -> Octets:
    """Samples to codes. pcm: int16, any shape; returns uint8 of that shape."""
    return _ENCODE[codec][pcm.view(np.uint16)]


class G711:
    """The law of every row, and conversions of whole frames for rows of either law.

    Rows are µ-law until `open_row` says otherwise. The arrays that are returned belong to the object and are overwritten
    by its next call of the same method.
    """

    def __init__(self, rows: int, samples: int = 160) -> None:
        self._a_law = np.zeros(rows, np.bool_)
        self._any_a_law = False
        self._pcm = np.zeros((rows, samples), np.int16)
        self._codes = np.zeros((rows, samples), np.uint8)
        self._silence = np.full(rows, SILENCE[Codec.PCMU], np.uint8)

    def open_row(self, row: int, codec: Codec) -> None:
        """From now on the row speaks this law."""
        self._a_law[row] = codec is Codec.PCMA
        self._silence[row] = SILENCE[codec]
        self._any_a_law = bool(self._a_law.any())

    def close_row(self, row: int) -> None:
        """The row is free again."""
        self.open_row(row, Codec.PCMU)

    @property
    def silence(self) -> Octets:
        """The code of silence for every row: uint8, (rows,)."""
        return self._silence

    def decode(self, payload: Octets, rows: Rows | None = None) -> Pcm:
        """payload: uint8, (n, samples), C-contiguous, line j of row `rows[j]` (None: of every row). Returns int16, (n, samples)."""
        pcm = self._pcm[: len(payload)]
        np.take(_DECODE_PAIRS[Codec.PCMU], payload.view(np.uint16), out=pcm.view(np.uint32), mode="clip")
        lines = self._a_law_lines(rows)
        if lines is not None:
            pcm[lines] = _DECODE[Codec.PCMA][payload[lines]]
        return pcm

    def encode(self, pcm: Pcm, rows: Rows | None = None) -> Octets:
        """pcm: int16, (n, samples), C-contiguous, line j of row `rows[j]` (None: of every row). Returns uint8, (n, samples)."""
        codes = self._codes[: len(pcm)]
        np.take(_ENCODE[Codec.PCMU], pcm.view(np.uint16), out=codes, mode="clip")
        lines = self._a_law_lines(rows)
        if lines is not None:
            codes[lines] = _ENCODE[Codec.PCMA][pcm[lines].view(np.uint16)]
        return codes

    def _a_law_lines(self, rows: Rows | None) -> Rows | None:
        if not self._any_a_law:
            return None
        return np.flatnonzero(self._a_law if rows is None else self._a_law[rows])
