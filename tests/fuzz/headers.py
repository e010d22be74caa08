"""Headers: times, challenges, redirects, totals and cookies; and the end of a certificate."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

import httpx

from rosterwatch.client import (
    _COOKIE_CAP_BYTES,
    Client,
    Network,
    _challenges,
    _clock_offset,
    _end_of,
    _media_type,
    _redirect,
    _retry_after,
)
from rosterwatch.probe import _total
from rosterwatch.visits import _LONGEST_RETRY_AFTER
from tests.fuzz.chance import PLANTED, Chance

_NOW: Final = datetime(2026, 10, 6, 14, 5, tzinfo=UTC)
_DATES: Final = (
    format_datetime(_NOW, usegmt=True), format_datetime(_NOW), "Tue, 06-Oct-26 14:05:00 GMT", "Tue Oct  6 14:05:00 2026",
    "6 Oct 2026 14:05:00 -0700", "Tue, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359", "0", "120",
)  # fmt: skip
_SCHEMES: Final = ("Basic", "Bearer", "Negotiate", "NTLM", "Digest", "realm=", '"', ",", " ", "error=", f'"{PLANTED}"', PLANTED)
_KNOWN: Final = {"basic", "bearer", "negotiate", "ntlm", "digest", "kerberos", "oauth"}
_PLACES: Final = (
    "https://", "http://", "//", "/", "sis.example.org", "SIS.EXAMPLE.ORG.", "sso.example.net", f"{PLANTED}.example.net",
    ":443", ":8443", ":0", ":99999", "@", "[::1]", "[", "169.254.169.254", "login", "?", "#", "\\", "\t", "javascript:",
    "\u2100", "xn--", PLANTED,
)  # fmt: skip
_COOKIE_PIECES: Final = (
    "ARRAffinity=", "ASP.NET_SessionId=", PLANTED, "; ", ";", ",", "=", "Path=/", "path=", "Domain=", ".example.org",
    "sis.example.org", ".org", "expires=", "Tue, 06-Oct-2026 14:05:00 GMT", "99999999999999999999", "max-age=", "-1",
    "Secure", "HttpOnly", "Version=1", "port=", '"80,443"', '"', "\\", "comment=", "discard", "é", "$Version",
    "SameSite=None",
)  # fmt: skip


def _made_of(chance: Chance, pieces: tuple[str, ...], most: int = 8) -> str:
    return "".join(chance.choice(pieces) if chance.randrange(8) else chance.text() for _ in range(chance.randrange(most)))


def times(chance: Chance) -> None:
    """A time is a number that can be reckoned with, or nothing."""
    value = chance.any_of(lambda: chance.spoilt(chance.choice(_DATES)), chance.text, lambda: str(chance.choice((0, 7, 10**9, -1))))
    wait, offset = _retry_after(value), _clock_offset(value)
    if wait is not None:
        assert wait >= 0
        assert min(timedelta(seconds=wait), _LONGEST_RETRY_AFTER) <= _LONGEST_RETRY_AFTER
    if value.isascii() and value.isdigit() and len(value) < 10:
        assert wait == int(value)
    assert offset is None or abs(offset) < 1e12
    ends = _end_of({"notAfter": chance.spoilt(chance.choice(("Jun  1 12:00:00 2027 GMT", "Dec 31 23:59:59 9999 GMT")))})
    assert ends is None or ends.tzinfo is UTC
    total = _total(value, 1)
    assert total is None or 1 <= total < 10**9


def words(chance: Chance) -> None:
    """Challenges, content types and redirects come down to names of closed lists and the name of a host."""
    headers = httpx.Headers([("WWW-Authenticate", _ascii(_made_of(chance, _SCHEMES))) for _ in range(chance.randrange(4))])
    assert _challenges(headers) <= _KNOWN
    media_type = _media_type({"content-type": _made_of(chance, ("text", "/", "html", ";", " ", "charset=utf-8", "json"))})
    assert media_type is None or (media_type.isascii() and media_type.count("/") == 1 and len(media_type) < 80)
    here = chance.choice(
        ("https://sis.example.org/aeries/token", "https://sis.example.org:8443/token", "http://sis.example.org/token")
    )
    status, location = chance.choice((200, 301, 302, 307, 399, 400)), _made_of(chance, _PLACES)
    there = _redirect(here, status, location)
    assert (there is not None) == (300 <= status < 400 and location != "")
    if there is not None:
        assert PLANTED.lower() not in repr(there).lower()
        assert there.host is None or len(there.host) < 254
        if there.same_host:
            assert there.host == "sis.example.org"
        if there.to_https:
            assert here.startswith("http://")


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


@functools.cache
def _client() -> Client:
    async def nowhere(host: str, port: int) -> list[str]:
        raise AssertionError(f"nobody asked for {host}:{port}")

    return Client(Network(resolver=nowhere), 0.0)


def cookies(chance: Chance) -> None:
    """Cookies go back where they came from and nowhere else, and no more of them than a header holds."""
    client, here = _client(), httpx.Request("GET", "https://sis.example.org/aeries/token")
    jar = client._http.cookies
    jar.clear()
    many = 300 if chance.one_in(50) else chance.randrange(6)
    set_cookie = [("Set-Cookie", _made_of(chance, _COOKIE_PIECES).encode("utf-8", "replace")) for _ in range(min(many, 5))]
    set_cookie += [("Set-Cookie", b"c%d=%d" % (number, chance.randrange(10**30))) for number in range(many)]
    jar.extract_cookies(httpx.Response(200, headers=[(name.encode(), value) for name, value in set_cookie], request=here))
    client._limit_cookies()
    assert sum(len(cookie.name) + len(cookie.value or "") for cookie in jar.jar) <= _COOKIE_CAP_BYTES
    assert len(client._without_cookies.cookies.jar) == 0
    for url in ("https://sso.example.net/", "https://evil.org/", "https://sis.example.org.evil.net/", "https://169.254.169.254/"):
        elsewhere = httpx.Request("GET", url)
        jar.set_cookie_header(elsewhere)
        assert "cookie" not in elsewhere.headers
