"""One loop for all tests of this folder, and one server for those that leave it as they found it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.acceptance.house import House, house

MAX_CALLS = 20


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """Runs what a test does. The shared server's process and telephone belong to its loop."""
    with asyncio.Runner() as shared:
        yield shared


@pytest.fixture
def shared(runner: asyncio.Runner, lasting_house: House) -> Iterator[House]:
    """A house with every engine and room for `MAX_CALLS` calls; each test makes agents with numbers of its own."""
    yield lasting_house
    runner.run(lasting_house.hang_up())


@pytest.fixture(scope="session")
def lasting_house(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The house behind `shared`, for the whole session."""
    stack = AsyncExitStack()
    environment = {"ANTIPHON__SERVER__MAX_CALLS": str(MAX_CALLS), "ANTIPHON__WEBHOOK__TIMEOUT_SECONDS": "1"}
    yield runner.run(stack.enter_async_context(house(tmp_path_factory.mktemp("shared"), environment)))
    runner.run(stack.aclose())
