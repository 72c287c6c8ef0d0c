"""Transactions (RFC 3261 section 17, RFC 6026): a request and its answers on one hop, repeated where the transport loses.

`machine` says what a table is; `invite_client`, `non_invite_client`, `invite_server` and `non_invite_server` are the four tables,
each under a page of theory; `transaction` walks one; `layer` finds the one that a message belongs to; `timers` is time.
Sans I/O: what is to be sent is handed to a function, what is late is told by `TimerQueue.run(now)`.
"""

from sipserver.transaction.layer import TransactionLayer
from sipserver.transaction.machine import State
from sipserver.transaction.messages import cancel_of
from sipserver.transaction.timers import Alarm, Intervals, TimerQueue
from sipserver.transaction.transaction import ClientTransaction, Outgoing, ServerTransaction, Transaction

__all__ = [
    "Alarm",
    "ClientTransaction",
    "Intervals",
    "Outgoing",
    "ServerTransaction",
    "State",
    "TimerQueue",
    "Transaction",
    "TransactionLayer",
    "cancel_of",
]
