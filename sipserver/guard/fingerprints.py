"""What scanners say of themselves. Whoever changes it is caught by the rate of his requests instead."""

from __future__ import annotations

import re

_SCANNERS = (
    rb"friendly-(?:scanner|request)|sip-?vicious|sipvicious|sipcli|sip-?scan|sipsak|sundayddr|vaxsipuseragent|vax_?sip|"
    rb"pplsip|iwar|smap|sipptk|svmap|svwar|svcrack|gulp|massive-?sip|nm@nm|custom sip scanner|sip-stress|wardialer"
)
_SAYS = re.compile(rb"\n(?:user-agent|server|from|f|to|t)[ \t]*:[^\r\n]*(?:" + _SCANNERS + rb")", re.IGNORECASE)
_LOOKED_AT = 4096
"""Bytes at the beginning of a message that are searched."""


def is_scanner(data: bytes) -> bool:
    """Whether a message says that a scanner sent it."""
    return _SAYS.search(data, 0, _LOOKED_AT) is not None
