from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.client import (
    Answer,
    Client,
    Network,
    _challenges,
    _clock_offset,
    _date,
    _end_of,
    _media_type,
    _redirect,
    _retry_after,
    tls_context,
)
from rosterwatch.observation import Exchange, Fault, Phase, Redirect

URL = "https://sis.example.org/aeries/token"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 30, None),
        ("8\x1c", 8.0),
    ],
)
def test_retry_after_is_read_as_seconds(value: str | None, seconds: float | None) -> None:
    assert _retry_after(value) == seconds


def test_retry_after_is_read_as_a_date_and_never_lies_in_the_past() -> None:
    soon = _retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=90)))
    assert soon is not None
    assert 80 < soon <= 90
    assert _retry_after("Mon, 01 Jan 2024 00:00:00 GMT") == 0.0


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Tue, 01 Sep 2026 14:05:00 GMT", datetime(2026, 9, 1, 14, 5, tzinfo=UTC)),
        ("Tue, 01 Sep 2026 14:05:00 -0000", datetime(2026, 9, 1, 14, 5, tzinfo=UTC)),
        ("Tue, 01 Sep 2026 07:05:00 -0700", datetime(2026, 9, 1, 14, 5, tzinfo=UTC)),
        ("Fri, 31 Dec 9999 23:59:59 -0100", None),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
        ("", None),
        ("0", None),
    ],
)
def test_a_date_is_read_or_left_alone(value: str, moment: datetime | None) -> None:
    assert _date(value) == moment


@given(st.text() | st.datetimes().map(format_datetime) | st.from_regex(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"))
def test_no_header_at_all_makes_a_reader_of_times_raise(value: str) -> None:
    offset, wait = _clock_offset(value), _retry_after(value)
    assert offset is None or isinstance(offset, float)
    assert wait is None or wait >= 0


@pytest.mark.parametrize(
    ("value", "schemes"),
    [
        ("Negotiate", {"negotiate"}),
        ("NTLM, Negotiate", {"ntlm", "negotiate"}),
        ('Basic realm="sis.example.org"', {"basic"}),
        ('Basic realm="log in with ntlm, please"', {"basic"}),
        ('Bearer error="invalid_token"', {"bearer"}),
        ("Secret-Scheme abc", set()),
        ("", set()),
    ],
)
def test_challenges_are_kept_as_names_of_known_schemes_only(value: str, schemes: set[str]) -> None:
    assert _challenges(httpx.Headers([("WWW-Authenticate", value)])) == schemes


def test_challenges_of_several_headers_are_put_together() -> None:
    headers = httpx.Headers([("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM")])
    assert _challenges(headers) == {"negotiate", "ntlm"}


@pytest.mark.parametrize(
    ("location", "redirect"),
    [
        ("/aeries/Login.aspx", Redirect("sis.example.org", same_host=True, to_https=False, to_login=True)),
        ("https://sis.example.org/portal", Redirect("sis.example.org", same_host=True, to_https=False, to_login=False)),
        ("//sso.example.net/x", Redirect("sso.example.net", same_host=False, to_https=False, to_login=False)),
        ("https://idp.example.net/adfs/ls", Redirect("idp.example.net", same_host=False, to_https=False, to_login=True)),
        ("https://[::1", Redirect(None, same_host=False, to_https=False, to_login=False)),
        ("https://exa$mple.net/", Redirect(None, same_host=False, to_https=False, to_login=False)),
        ("https://" + "a" * 300 + "/", Redirect(None, same_host=False, to_https=False, to_login=False)),
        # A name that may be made of a token is not kept; the server's own name is known anyway.
        ("https://5f4dcc3b5aa765d61d83.example.net/", Redirect(None, same_host=False, to_https=False, to_login=False)),
    ],
)
def test_a_redirect_is_described_and_its_path_is_not_kept(location: str, redirect: Redirect) -> None:
    assert _redirect(URL, 302, location) == redirect


def test_where_the_servers_own_name_looks_like_a_token_it_may_be_told() -> None:
    redirect = _redirect("https://5f4dcc3b5aa765d61d83.example.net/token", 302, "/login")
    assert redirect is not None
    assert redirect.host == "5f4dcc3b5aa765d61d83.example.net"


def test_an_answer_shows_neither_its_document_nor_its_headers() -> None:
    answer = Answer(Exchange(Phase.TOKEN, "/token"), {"access_token": "zq7"}, {"set-cookie": "zq7"})
    assert "zq7" not in repr(answer)


def test_a_redirect_from_http_to_https_is_known() -> None:
    redirect = _redirect("http://127.0.0.1/aeries", 301, "https://127.0.0.1/aeries")
    assert redirect is not None
    assert redirect.to_https


def test_only_a_3xx_with_a_location_is_a_redirect() -> None:
    assert _redirect(URL, 201, "/x") is None
    assert _redirect(URL, 302, None) is None
    assert _redirect(URL, 302, "") is None


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        ("application/JSON; charset=utf-8", "application/json"),
        ("text/html", "text/html"),
        ("", None),
        ("json", None),
        ("a/b/c", None),
        ("téxt/html", None),
        ("a/" + "b" * 200, None),
    ],
)
def test_the_media_type_is_kept_only_if_it_has_the_shape_of_one(value: str, media_type: str | None) -> None:
    assert _media_type({"content-type": value} if value else {}) == media_type


def test_tls_is_verified_and_nothing_below_1_2_is_spoken() -> None:
    context = tls_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls_context(None) is context


def test_a_bundle_that_is_missing_or_empty_is_an_error_and_not_a_weaker_check(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        tls_context(str(tmp_path / "missing.pem"))
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(ssl.SSLError):
        tls_context(str(tmp_path / "empty.pem"))


@pytest.mark.parametrize(
    ("certificate", "ends"),
    [
        ({"notAfter": "Jun  1 12:00:00 2027 GMT"}, datetime(2027, 6, 1, 12, tzinfo=UTC)),
        ({"notAfter": "Dec 31 23:59:59 9999 GMT"}, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ({"notAfter": "Jun  1 12:00:00.5 2027 GMT"}, None),
        ({"notAfter": "Bad time value"}, None),
        ({"notAfter": ""}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_end_of_a_certificate_is_read_or_left_alone(certificate: dict[str, str] | None, ends: datetime | None) -> None:
    assert _end_of(certificate) == ends


def test_a_host_goes_by_the_name_it_was_asked_for_by() -> None:
    class Secured:
        def get_extra_info(self, _: str) -> Any:
            return self

        def getpeercert(self) -> dict[str, str]:
            return {"notAfter": "Jun  1 12:00:00 2027 GMT"}

    async def noted() -> set[str]:
        client = Client(Network(resolver=_unknown), deadline=0.0)
        request = httpx.Request("GET", "https://xn--bcher-kva.example/")
        client._note_certificate(httpx.Response(200, request=request, extensions={"network_stream": Secured()}))
        return set(client.tls_expires)

    assert asyncio.run(noted()) == {"xn--bcher-kva.example"}


async def _unknown(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port}")


async def _metadata(host: str, port: int) -> list[str]:
    return ["169.254.169.254"]


def send(network: Network, *urls: str, seconds: float = 5.0) -> tuple[list[Exchange], int]:
    async def visit() -> tuple[list[Exchange], int]:
        async with Client(network, asyncio.get_running_loop().time() + seconds) as client:
            answers = [await client.send(Phase.TOKEN, "POST", url, target="/token") for url in urls]
            return [answer.exchange for answer in answers], client.requests

    return asyncio.run(visit())


def test_a_host_that_does_not_exist_is_asked_for_once_a_batch() -> None:
    exchanges, requests = send(Network(resolver=_unknown), URL, URL)
    assert [exchange.fault for exchange in exchanges] == [Fault.DNS_NOT_FOUND] * 2
    assert requests == 1


def test_a_name_that_leads_to_the_metadata_service_is_never_connected_to() -> None:
    (exchange,), _ = send(Network(resolver=_metadata, allow_private=True), URL)
    assert exchange.fault is Fault.ADDRESS_NOT_ALLOWED


@pytest.mark.parametrize("host", ["xn--zz--", "a..b", "[v1.a:b]", "999.1.1.1"])
def test_a_host_that_cannot_be_read_is_a_fault_and_no_exception(host: str) -> None:
    (exchange,), _ = send(Network(resolver=_unknown), f"https://{host}/token")
    assert exchange.fault is not None


@pytest.mark.parametrize("host", ["xn--99999999999.example", "xn--a.example", "xn--.example"])
def test_a_name_that_no_international_name_is_written_as_does_not_exist(host: str) -> None:
    (exchange,), _ = send(Network(resolver=_unknown), f"https://{host}/token")
    assert exchange.fault is Fault.DNS_NOT_FOUND


def test_a_visit_that_never_gets_its_turn_is_starved_and_sends_nothing() -> None:
    async def visit() -> tuple[bool, Fault | None, int]:
        network = Network(resolver=_unknown, turns=1)
        await network.semaphore("sis.example.org", 443).acquire()
        async with Client(network, asyncio.get_running_loop().time() + 0.05) as client:
            answer = await client.send(Phase.TOKEN, "POST", URL, target="/token")
            return answer.starved, answer.exchange.fault, client.requests

    assert asyncio.run(visit()) == (True, Fault.DEADLINE, 0)
