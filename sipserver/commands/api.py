"""What commands that speak to a running server share: its address, the key, and errors as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sipserver.commands.common import fail

if TYPE_CHECKING:
    import httpx

DEFAULT_API = "http://127.0.0.1:8080"

Api = Annotated[
    str, typer.Option("--api", envvar="ANTIPHON_API", help="The server: a base URL, or HOST:PORT as serve takes it.")
]
Key = Annotated[str, typer.Option("--key", envvar="ANTIPHON_KEY", help="An API key (antiphon keys create).")]


PATIENCE = 30.0
"""Seconds until an answer must have come."""


class Client:
    """The HTTP API for commands. Every refusal becomes its sentence and exit status 1."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The answer's body; `query` without the Nones."""
        return self._body("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: Any = None, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """The answer's body, empty where there is none; it may take `seconds`."""
        return self._body("POST", path, json={} if body is None else body, timeout=seconds)

    def delete(self, path: str) -> None:
        """Nothing comes back."""
        self._body("DELETE", path)

    def raw(self, path: str, **query: Any) -> bytes:
        """An answer that is no JSON."""
        with self._guarded():
            response = self._http.get(path, params=query)
        self._check(response)
        return response.content

    @contextmanager
    def stream(self, path: str) -> Iterator[httpx.Response]:
        """An answer that is read as it comes."""
        with self._guarded(), self._http.stream("GET", path, timeout=None) as response:
            if response.is_error:
                response.read()
            self._check(response)
            yield response

    def _body(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        with self._guarded():
            response = self._http.request(method, path, **how)
        self._check(response)
        if not response.content:
            return {}
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or "data" not in body:
            raise fail(f"{self._http.base_url} does not answer as Antiphon's API does: is it another server?")
        return body

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.HTTPError as error:
            raise fail(f"cannot reach {self._http.base_url}: {error or type(error).__name__}") from None

    def _check(self, response: httpx.Response) -> None:
        if not response.is_success:
            raise fail(f"{response.status_code}: {_sentence(response)}")


def _sentence(response: httpx.Response) -> str:
    """What the API says is wrong; of another server's answer, its reason phrase."""
    try:
        answer = response.json()
        details = "; ".join(f"{item['field']}: {item['message']}" for item in answer.get("details") or [])
        return f"{answer['error']}{': ' + details if details else ''}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return response.reason_phrase


@contextmanager
def connect(api: str, key: str) -> Iterator[Client]:
    """A client for `--api` and `--key`."""
    import httpx

    url = api if "://" in api else f"http://{api}"
    if not key.isascii() or not key.isprintable():
        raise fail("--key: an API key is plain letters, digits, - and _")
    try:
        http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE, trust_env=False)
    except httpx.InvalidURL as error:
        raise fail(f"--api {api}: {error}") from None
    with http:
        yield Client(http)
