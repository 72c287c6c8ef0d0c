"""What `antiphon doctor` says of trunks that encrypt media and tell the keys to everybody on the way."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path


def keys_in_the_clear(database: Path) -> list[str]:
    """The trunks whose SDES keys go over UDP or TCP, where whoever reads the signalling reads them (RFC 4568 section 7).

    The database is read as it is, also beside a running server, and nothing is written. One that is not there, or of another
    version, has no trunks to speak of.
    """
    if not database.exists():
        return []
    # Without a log beside it nobody has the file open, and opening it as it lies makes no files of SQLite's either.
    lies_still = not database.with_name(f"{database.name}-wal").exists()
    mode = "immutable=1" if lies_still else "mode=ro"
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?{mode}", uri=True)) as connection:
            rows = connection.execute("SELECT id, name, transport, options FROM trunks").fetchall()
    except sqlite3.Error:
        return []
    return [name or id_ for id_, name, transport, options in rows if transport in ("udp", "tcp") and _encrypts(options)]


def _encrypts(options: str) -> bool:
    return bool(json.loads(options).get("srtp", "off") != "off")
