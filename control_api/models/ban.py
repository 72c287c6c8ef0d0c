"""Sources that are banned."""

from __future__ import annotations

from typing import Literal

from control_api.models.base import Resource, Time


class Ban(Resource):
    """Nothing is heard of this source until then. `address` is an IPv4 address, or an IPv6 /64: `2001:db8::/64`.

    `why`: it named itself a scanner, sent a flood or malformed messages, or was refused too often.
    """

    address: str
    until: Time
    why: Literal["scanner", "flood", "malformed", "refused"]
