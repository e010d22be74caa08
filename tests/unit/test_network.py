from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import httpcore
import pytest

from rosterwatch.network import AddressNotAllowedError, fault_of, is_allowed
from rosterwatch.observation import Fault


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_may_be_visited(address: str) -> None:
    assert is_allowed(address, allow_private=False)
    assert is_allowed(address, allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "fd12::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "2002:a00:1::",
        "64:ff9b::a00:1",
    ],
)
def test_private_and_loopback_addresses_only_where_the_stack_allows_them(address: str) -> None:
    assert not is_allowed(address, allow_private=False)
    assert is_allowed(address, allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2001:0:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:5601:5601",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fd00:ec2::254",
        "224.0.0.1",
        "ff02::1",
        "::ffff:224.0.0.1",
        "0.0.0.0",
        "::",
        "100.64.0.1",
        "4000::1",
        "",
        "sis.example.org",
        "010.0.0.1",
        "0x7f.1",
        "2130706433",
    ],
)
def test_metadata_link_local_multicast_and_reserved_addresses_never(address: str) -> None:
    assert not is_allowed(address, allow_private=False)
    assert not is_allowed(address, allow_private=True)


def verify_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "verify failed")
    error.verify_code = code
    return error


def ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


LINKS = [
    (AddressNotAllowedError(), Fault.ADDRESS_NOT_ALLOWED),
    (socket.gaierror(socket.EAI_NONAME, "x"), Fault.DNS_NOT_FOUND),
    (socket.gaierror(socket.EAI_AGAIN, "x"), Fault.DNS_FAILING),
    (verify_error(10), Fault.TLS_EXPIRED),
    (verify_error(18), Fault.TLS_SELF_SIGNED),
    (verify_error(19), Fault.TLS_SELF_SIGNED),
    (verify_error(20), Fault.TLS_INCOMPLETE_CHAIN),
    (verify_error(21), Fault.TLS_INCOMPLETE_CHAIN),
    (verify_error(62), Fault.TLS_WRONG_NAME),
    (verify_error(64), Fault.TLS_WRONG_NAME),
    (verify_error(26), Fault.TLS_FAILED),
    (ssl.SSLEOFError(8, "x"), Fault.RESET),
    (ssl.SSLZeroReturnError(6, "x"), Fault.RESET),
    (ssl_error("WRONG_VERSION_NUMBER"), Fault.TLS_NOT_SPOKEN),
    (ssl_error("TLSV1_ALERT_PROTOCOL_VERSION"), Fault.TLS_TOO_OLD),
    (ssl_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), Fault.TLS_TOO_OLD),
    (ssl_error("SOMETHING_ELSE"), Fault.TLS_FAILED),
    (ConnectionRefusedError(), Fault.CONNECT_REFUSED),
    (ConnectionResetError(), Fault.RESET),
    (BrokenPipeError(), Fault.RESET),
    (OSError(errno.EHOSTUNREACH, "x"), Fault.NO_ROUTE),
    (OSError(errno.ENETUNREACH, "x"), Fault.NO_ROUTE),
    (OSError(errno.ETIMEDOUT, "x"), Fault.CONNECT_TIMEOUT),
    (httpcore.RemoteProtocolError("Server disconnected without sending a response."), Fault.RESET),
]


@pytest.mark.parametrize(("error", "fault"), LINKS)
def test_the_fault_is_read_from_the_exception_itself(error: BaseException, fault: Fault) -> None:
    assert fault_of(error) is fault


@pytest.mark.parametrize(("error", "fault"), LINKS)
def test_the_fault_is_read_from_whatever_lies_behind_the_exception(error: BaseException, fault: Fault) -> None:
    def wrapped() -> None:
        try:
            raise error
        except type(error) as inner:
            raise httpcore.ConnectError("x") from inner

    with pytest.raises(httpcore.ConnectError) as caught:
        wrapped()
    assert fault_of(caught.value) is fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (httpcore.ConnectTimeout(), Fault.CONNECT_TIMEOUT),
        (httpcore.PoolTimeout(), Fault.CONNECT_TIMEOUT),
        (httpcore.ConnectError(), Fault.RESET),
        (httpcore.ReadTimeout(), Fault.READ_TIMEOUT),
        (httpcore.WriteTimeout(), Fault.READ_TIMEOUT),
        (TimeoutError(), Fault.READ_TIMEOUT),
        (httpcore.ReadError(), Fault.RESET),
        (httpcore.RemoteProtocolError("illegal status line"), Fault.PROTOCOL),
        (RuntimeError(), Fault.PROTOCOL),
    ],
)
def test_an_exception_that_says_nothing_more_has_a_fault_of_its_own_kind(error: BaseException, fault: Fault) -> None:
    assert fault_of(error) is fault


def test_a_circle_of_causes_comes_to_an_end() -> None:
    one, two = RuntimeError(), httpcore.ReadError()
    one.__cause__, two.__cause__ = two, one
    assert fault_of(two) is Fault.RESET


def test_a_cancelled_wait_is_no_protocol_error_of_the_host_once_it_became_a_timeout() -> None:
    async def wait() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(wait())
    assert fault_of(caught.value) is Fault.READ_TIMEOUT


def test_only_faults_before_the_connection_make_a_host_unreachable_for_all() -> None:
    after = {fault for fault in Fault if not fault.before_connection}
    assert after == {Fault.READ_TIMEOUT, Fault.PROTOCOL, Fault.DEADLINE, Fault.RESET}
