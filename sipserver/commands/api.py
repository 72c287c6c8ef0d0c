"""What commands that speak to a running server share: its address, the key, and errors as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import typer

DEFAULT_API = "http://127.0.0.1:8080"

Api = Annotated[str, typer.Option("--api", envvar="ANTIPHON_API", help="The server's base URL.")]
Key = Annotated[str, typer.Option("--key", envvar="ANTIPHON_KEY", help="An API key (antiphon keys create).")]


def fail(sentence: str) -> typer.Exit:
    """Say what is wrong, on stderr; raise what is returned."""
    typer.secho(f"antiphon: {sentence}", fg="red", err=True)
    return typer.Exit(1)


class Client:
    """The HTTP API for commands. Every refusal becomes its sentence and exit status 1."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def get(self, path: str, **query: Any) -> Any:
        """The answer's body; `query` without the Nones."""
        return self._body("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: Any = None) -> Any:
        """The answer's body."""
        return self._body("POST", path, json={} if body is None else body)

    @contextmanager
    def stream(self, path: str) -> Iterator[httpx.Response]:
        """An answer that is read as it comes."""
        with self._guarded(), self._http.stream("GET", path, timeout=None) as response:
            if response.is_error:
                response.read()
            self._check(response)
            yield response

    def _body(self, method: str, path: str, **how: Any) -> Any:
        with self._guarded():
            response = self._http.request(method, path, **how)
            self._check(response)
            return response.json() if response.content else None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise fail(f"cannot reach {self._http.base_url}: {error}") from None

    def _check(self, response: httpx.Response) -> None:
        if not response.is_error:
            return
        try:
            answer = response.json()
            details = "; ".join(f"{item['field']}: {item['message']}" for item in answer.get("details") or [])
            sentence = f"{answer['error']}{': ' + details if details else ''}"
        except (ValueError, KeyError, TypeError):
            sentence = response.reason_phrase
        raise fail(f"{response.status_code}: {sentence}")


@contextmanager
def connect(api: str, key: str) -> Iterator[Client]:
    """A client for `--api` and `--key`."""
    with httpx.Client(base_url=api, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False) as http:
        yield Client(http)
