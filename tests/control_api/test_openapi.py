"""schemathesis reads the document and asks everything it allows, and much that it does not: no 500, no answer beyond the document."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from control_api import openapi
from control_api.app import create_app
from control_api.http import HttpServer, listen
from control_api.operation import Operation
from control_api.operations import OPERATIONS
from tests.control_api.installation import add_call, installation

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    missing_required_header,
    unsupported_method,
]
EXAMPLES = 10

schema = schemathesis.openapi.from_dict(openapi.document(OPERATIONS, "0"))
# By the contract what we do not know is passed over and named in `warnings`; that is no violation.
schema.config.generation.update(allow_extra_parameters=False)
# Streams end with their call and are tested by themselves.
schema = schema.exclude(path_regex="/events$|^/metrics$")


async def _serve(root: Path, started: Future[tuple[str, str]], stop: threading.Event) -> None:
    async with installation(root) as made:
        async with made.client() as client:
            await add_call(client)
        server = HttpServer(create_app(made.services), listen("127.0.0.1", 0))
        server.start()
        host, port = server.address
        started.set_result((f"http://{host}:{port}", made.keys["admin"]))
        await asyncio.to_thread(stop.wait)
        await server.stop()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """An installation behind a real socket, in a loop of its own: its address and an admin's key."""
    started: Future[tuple[str, str]] = Future()
    stop = threading.Event()
    root = tmp_path_factory.mktemp("served")
    thread = threading.Thread(target=lambda: asyncio.run(_serve(root, started, stop)))
    thread.start()
    try:
        yield started.result(timeout=20)
    finally:
        stop.set()
        thread.join()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_is_beyond_the_document(case: schemathesis.Case, served: tuple[str, str]) -> None:
    base_url, key = served
    case.call_and_validate(
        base_url=base_url, headers={"Authorization": f"Bearer {key}"}, checks=CHECKS, additional_checks=[]
    )


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.scope is not None], ids=lambda one: one.name)
def test_nothing_is_answered_without_a_key_that_is_ours(operation: Operation, served: tuple[str, str]) -> None:
    """schemathesis would ask this of each of its thousands of requests, twice."""
    base_url, _ = served
    url = base_url + re.sub(r"{\w+}", "6585a319-db8b-4430-8b15-6b225687e584", operation.path)
    for headers in ({}, {"Authorization": "Bearer sk_nobody"}, {"Authorization": "Basic c2tfbm9ib2R5"}):
        assert httpx.request(operation.method, url, headers=headers).status_code == 401


def test_every_operation_tells_what_it_may_answer() -> None:
    document = openapi.document(OPERATIONS, "0")
    for operation in OPERATIONS:
        item = document["paths"][operation.path][operation.method.lower()]
        assert str(operation.status) in item["responses"]
        assert ("401" in item["responses"]) is (operation.scope is not None)
        assert ("415" in item["responses"]) is (operation.body is not None)
    names = [item["operationId"] for methods in document["paths"].values() for item in methods.values()]
    assert len(names) == len(set(names))
