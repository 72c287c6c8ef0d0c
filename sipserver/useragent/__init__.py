"""The SIP user agent behind `sipserver.legs`.

`core` is the sans-I/O middle: messages and time in, messages and events out. `server_leg` and `client_leg` are the two ends of
a call, `leg` what they share; `exchange` is a request of ours with its way and its credentials; `placing` writes the requests that
begin something; `accepted` repeats a 2xx; `refers` is what begins on a leg with a REFER, `referral` ours, `notifier` what we owe
the peer for its own. `door` decides who is let in. `endpoint` is the asyncio side, on its `sockets`; `face` is a leg as its
owner sees it.
"""

from sipserver.useragent.endpoint import SipEndpoint
from sipserver.useragent.identity import Limits
from sipserver.useragent.sockets import TlsFace

__all__ = ["Limits", "SipEndpoint", "TlsFace"]
