"""A speech worker: `python -m inference.worker --role stt|tts --fd N`, started and watched by `inference.workers`.

It holds the models, so that the main process holds none, and it may load espeak-ng (GPL), which the main process must
not. It lives as long as its socket: end of file ends it, SIGINT and SIGTERM do not (a terminal or systemd sends those to
every process of the group, while the main process still wants to finish its calls), and should the main process be
killed, the kernel kills the worker too (PR_SET_PDEATHSIG). Whatever goes wrong inside ends the process; the parent
starts a new one. There is no half-broken worker.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

from inference.service import Service, ServiceFailed
from inference.wire import Message, MessageReader

_PR_SET_PDEATHSIG = 1
_READ_SIZE = 1 << 16


class Link:
    """The worker's end of the socket. Sending blocks: the parent always reads."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._reader = MessageReader()

    def send(self, message: Message) -> None:
        """Send one message. OSError when the parent is gone."""
        self._socket.sendall(bytes(message))

    def receive(self, *, wait: bool) -> list[Message]:
        """The messages that are there; with `wait` until there is something. Raises EOFError when the parent closed."""
        readable, _, _ = select.select([self._socket], [], [], None if wait else 0)
        if not readable:
            return []
        data = self._socket.recv(_READ_SIZE)
        if not data:
            raise EOFError
        return self._reader.feed(data)


def serve(link: Link, service: Service) -> None:
    """Read, answer, do a step, until the parent closes the socket."""
    while True:
        dispatch(link, service, wait=not service.busy())
        if service.busy():
            service.step()


def dispatch(link: Link, service: Service, *, wait: bool) -> None:
    """Handle the messages that are there."""
    for message in link.receive(wait=wait):
        if message.kind == "ping":
            link.send(Message("pong", message.id))
        else:
            service.handle(message)


def _service(role: str, options: Mapping[str, Any], link: Link) -> Service:
    """Imports stay inside: a role loads its own libraries only."""
    service: Service
    if role == "stt":
        from inference.stt.sphinx_service import SphinxService

        return SphinxService(options, link.send)
    from inference.tts.espeak_service import EspeakService

    service = EspeakService(options, link.send, lambda: dispatch(link, service, wait=False))
    return service


def _die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL at the parent's death, and look whether it has happened already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m inference.worker", description=__doc__.partition("\n")[0])
    parser.add_argument("--role", choices=("stt", "tts"), required=True)
    parser.add_argument("--fd", type=int, required=True, help="the socket to the main process")
    parser.add_argument("--parent", type=int, required=True, help="the process id of the main process")
    parser.add_argument("--options", type=json.loads, default={}, help="a JSON object for the role")
    return parser.parse_args()


def main() -> int:
    """Start the role, say `ready` or `failed`, serve. Returns the exit status."""
    arguments = _arguments()
    _die_with(arguments.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=arguments.fd) as sock:
        link = Link(sock)
        try:
            service = _service(arguments.role, arguments.options, link)
            link.send(Message("ready", fields=service.describe()))
            serve(link, service)
        except ModuleNotFoundError as error:
            link.send(Message("failed", fields={"reason": f"the Python package {error.name!r} is not installed"}))
        except ServiceFailed as error:
            link.send(Message("failed", fields={"reason": str(error)}))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
