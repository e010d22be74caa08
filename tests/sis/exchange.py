"""One request as it arrived and one answer as it will leave, whatever carries them (hypercorn or a bare socket)."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from tests.sis.faults import Fault

Headers = tuple[tuple[str, str], ...]
Stream = Callable[[], AsyncIterator[bytes]]

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """A request as the socket gave it. `target` is undecoded; header names are lower case, values untouched."""

    method: str
    target: str
    headers: Headers
    body: bytes
    http_version: str  # "1.1" or "2"
    connection: str  # names the TCP connection; the same string means the same connection
    tls: bool = True

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def header(self, name: str) -> str | None:
        """The only value of a header, or None when it is missing or sent twice (a strict server trusts neither)."""
        values = [value for header, value in self.headers if header == name]
        return values[0] if len(values) == 1 else None

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        jar: dict[str, str] = {}
        for name, value in self.headers:
            if name == "cookie":  # HTTP/2 may split the cookie header (RFC 9113, 8.2.3)
                try:
                    jar.update({key: morsel.value for key, morsel in SimpleCookie(value).items()})
                except CookieError:
                    continue
        return jar


@dataclass(frozen=True)
class Answer:
    """What goes back. A callable body is streamed; `delay` is the seconds before the first byte."""

    status: int
    headers: Headers = ()
    body: bytes | Stream = b""
    delay: float = 0.0
    clock_skew: float = 0.0  # seconds added to the Date header
    wire: "Fault | None" = None  # what the bare socket that carries it shall do wrong

    def with_headers(self, *headers: tuple[str, str]) -> "Answer":
        """The same answer with headers added; one of the same name is replaced, except Set-Cookie."""
        names = {name.lower() for name, _ in headers} - {"set-cookie"}
        kept = tuple((name, value) for name, value in self.headers if name.lower() not in names)
        return replace(self, headers=kept + headers)

    def header(self, name: str) -> str | None:
        return next((value for header, value in self.headers if header.lower() == name.lower()), None)

    @cached_property
    def json(self) -> object:
        """The body as JSON, or None for anything else."""
        if not isinstance(self.body, bytes):
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def with_json(self, value: object) -> "Answer":
        return replace(self, body=dump(value))


def dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_answer(status: int, value: object, *headers: tuple[str, str]) -> Answer:
    return Answer(status, (("Content-Type", JSON_TYPE), *headers), dump(value))


def html_answer(status: int, page: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, (("Content-Type", "text/html; charset=utf-8"), *headers), page.encode())
