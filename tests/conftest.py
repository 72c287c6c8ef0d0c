"""How the tests are spread over the two processes of `make test`: `pytest -n 2 --dist loadgroup`.

What drives real peers, whole servers and the demo waits for the clock more than it works, and stays in one process, where it does not
crowd itself. All else goes file by file, so that a server that a file's tests share is started once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
REAL_TIME = frozenset({"acceptance", "peers", "test_demo.py"})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Each test gets its group, before xdist looks for it; without `-n` nothing comes of it."""
    for item in items:
        parts = item.path.relative_to(TESTS).parts
        item.add_marker(pytest.mark.xdist_group("real time" if parts[0] in REAL_TIME else "/".join(parts)))
