"""`antiphon serve`: the server, with its errors as sentences."""

from __future__ import annotations

import asyncio
import sys

import structlog
from sqlalchemy.exc import SQLAlchemyError

from control_api.folder import FolderInUse
from control_api.secrets import SecretsUnreadable
from media.frames import MediaUnavailable
from sipserver.commands.common import fail, reason_of
from sipserver.garbage import settle_in
from sipserver.logs import configure
from sipserver.server import Node, run
from sipserver.settings import Settings

log = structlog.get_logger(__name__)


def run_server(settings: Settings) -> None:
    """Serve until a signal has drained the node. Exits with a sentence when it cannot start."""
    configure(settings.server.log_level, settings.server.log_format)
    settle_in()
    try:
        asyncio.run(run(settings, _ready))
    except (OSError, FolderInUse, MediaUnavailable, SecretsUnreadable, ValueError) as error:
        raise fail(f"the server cannot start: {reason_of(error)}") from None
    except SQLAlchemyError as error:
        raise fail(f"the database cannot be used: {reason_of(error)}") from None


def _ready(node: Node) -> None:
    log.info("ready", sip=f"{node.sip[0]}:{node.sip[1]}", api=f"http://{node.api[0]}:{node.api[1]}")
    sys.stderr.flush()
