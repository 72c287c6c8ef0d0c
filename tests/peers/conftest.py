"""One server for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.switchboard import Switchboard


@pytest.fixture(scope="module")
def switchboard(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    """The module's server; its `ENVIRONMENT` sets it up."""
    # Scenarios of SIPp expect no OPTIONS between their messages; those that do ask for them.
    environment = {"ANTIPHON__SIP__PROBE_SECONDS": "0"} | getattr(request.module, "ENVIRONMENT", {})
    with Switchboard(tmp_path_factory.mktemp("switchboard"), environment) as board:
        yield board
