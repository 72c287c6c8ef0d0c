"""Which pairs of ports are free."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class PortPairs:
    """Even ports of a range whose odd neighbour is in it too, handed out longest-unused first.

    A port that was just freed goes to the end of the queue: packets that a peer still sends to the call before must not
    reach the next one (RTP bleed).
    """

    def __init__(self, first: int, last: int) -> None:
        self._free = deque(range(first + first % 2, last, 2))
        if not self._free:
            raise ValueError(f"No pair of ports between {first} and {last}.")

    def __len__(self) -> int:
        return len(self._free)

    def candidates(self) -> Iterator[int]:
        """Each free pair once. The one at which the caller stops is taken; those it passed over are in use elsewhere."""
        for _ in range(len(self._free)):
            port = self._free.popleft()
            yield port
            self._free.append(port)

    def give_back(self, port: int) -> None:
        """The pair is free again."""
        self._free.append(port)
