"""All transactions: which one a message belongs to (RFC 3261 sections 17.1.3 and 17.2.3), and how many there may be."""

from __future__ import annotations

from collections.abc import Callable

from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.message import Request, Response
from sipserver.transaction.machine import State
from sipserver.transaction.timers import Intervals, TimerQueue
from sipserver.transaction.transaction import ClientTransaction, Key, Outgoing, ServerTransaction, Transaction

COOKIE = "z9hG4bK"
"""What a branch of RFC 3261 begins with; another branch is of RFC 2543 and identifies nothing (section 8.1.1.7)."""


_EXPENDABLE = frozenset({"OPTIONS", "REGISTER"})


class TransactionLayer:
    """The client and server transactions of one user agent. `transmit` takes what is to be sent."""

    def __init__(self, timers: TimerQueue, intervals: Intervals, transmit: Callable[[Outgoing], None]) -> None:
        self.timers = timers
        self.intervals = intervals
        self.transmit = transmit
        self.retransmissions = 0
        self._clients: dict[Key, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._invites: dict[Key, Key] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def waiting(self) -> bool:
        """Whether any request of ours that somebody depends on is still without its final answer.

        Nobody loses anything by an OPTIONS; whoever unregisters waits for that by himself.
        """
        unanswered = (State.CALLING, State.TRYING, State.PROCEEDING)
        return any(
            client.state in unanswered and client.request.method not in _EXPENDABLE for client in self._clients.values()
        )

    def request(
        self,
        request: Request,
        target: Target,
        on_response: Callable[[Response], None],
        on_failure: Callable[[int], None],
        *,
        ladder: bool = False,
    ) -> ClientTransaction:
        """Send a request, whose top Via is ours with a new branch, and see it through."""
        key = (request.via.branch, request.method)
        transaction = ClientTransaction(key, request, target, self, on_response, on_failure, ladder=ladder)
        self._clients[key] = transaction
        transaction.begin()
        return transaction

    def serve(self, request: Request, target: Target, *, ladder: bool = False) -> ServerTransaction:
        """A request that belongs to none yet; its answers go to `target`."""
        key = server_key(request, request.method)
        transaction = ServerTransaction(key, request, target, self, ladder=ladder)
        self._servers[key] = transaction
        if request.method == "INVITE":
            self._invites[merge_key(request)] = key
        return transaction

    def server_of(self, request: Request) -> ServerTransaction | None:
        """The transaction that a request, or an ACK, belongs to."""
        return self._servers.get(server_key(request, "INVITE" if request.method == "ACK" else request.method))

    def serves_invite(self, branch: str, host: str, port: int | None) -> bool:
        """Whether an INVITE with this branch and sent-by in its top Via is being served."""
        return (branch, host.lower(), port, "INVITE") in self._servers

    def cancelled_by(self, cancel: Request) -> ServerTransaction | None:
        """The INVITE that a CANCEL means (RFC 3261 section 9.2)."""
        return self._servers.get(server_key(cancel, "INVITE"))

    def client_of(self, response: Response) -> ClientTransaction | None:
        """The transaction that a response belongs to; None for a stray."""
        return self._clients.get((response.via.branch, response.cseq.method))

    def merged(self, request: Request) -> bool:
        """Whether this INVITE has come already by another way (RFC 3261 section 8.2.2.2)."""
        known = self._invites.get(merge_key(request))
        return known is not None and known != server_key(request, request.method)

    def unreachable(self, target: Target) -> None:
        """Nobody receives at this address and port: what waits for an answer from there has failed."""
        there = (target.transport, target.host, target.port)
        for client in tuple(self._clients.values()):
            if (client.target.transport, client.target.host, client.target.port) == there:
                client.transport_failed()

    def lost(self, flow: Source) -> None:
        """This connection broke: requests that went over it get no answer by it any more."""
        for client in tuple(self._clients.values()):
            if flow in (client.target.flow, client.target.connection):
                client.transport_failed()

    def forget(self, transaction: Transaction) -> None:
        """The transaction is over."""
        if isinstance(transaction, ClientTransaction):
            self._clients.pop(transaction.key, None)
            return
        self._servers.pop(transaction.key, None)
        if transaction.request.method == "INVITE":
            merged = merge_key(transaction.request)
            if self._invites.get(merged) == transaction.key:
                del self._invites[merged]


def server_key(request: Request, method: str) -> Key:
    """What identifies a server transaction: branch and sent-by of the top Via; before RFC 3261, nearly everything."""
    via = request.via
    branch = via.transaction_branch
    if branch is not None:
        return (branch, via.host.lower(), via.port, method)
    sender = (via.transport, via.host.lower(), via.port, via.branch)
    return (sender, request.uri, request.from_.tag, request.call_id, request.cseq.number, method)


def merge_key(request: Request) -> Key:
    """What two requests have in common that are one request come by two ways."""
    return (request.call_id, request.from_.tag, request.cseq.number, request.cseq.method)
