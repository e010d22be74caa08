"""Below HTTP: what is no TLS, the wrong TLS, exchanges cut at every byte, and addresses that lead elsewhere."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from rosterwatch import rules
from rosterwatch.client import Answer, Client, Network
from rosterwatch.district import District, parse_secret
from rosterwatch.network import system_resolver
from rosterwatch.observation import BodyKind, CollectionState, Fault, Phase
from rosterwatch.probe import _read_collection, probe
from tests.integration.impostor import TOKEN, Bystander, Impostor, Liar, canaries, honest, listening, respond
from tests.integration.test_answers import GRACE, HOST, SECONDS, judge, only_the_named_host, watched
from tests.proof import Part, Proof
from tests.sis.certificates import Authority

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority((HOST,))


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    path.write_bytes(authority.root_pem)
    return path


def network(ca_file: Path | None, *, seconds: float = 2.0) -> Network:
    bundle = str(ca_file) if ca_file else None
    return Network(
        ca_bundle=bundle, allow_private=True, resolver=only_the_named_host, request_seconds=seconds, connect_seconds=seconds
    )


# --- no TLS, or the wrong one ------------------------------------------------------------------------------------------


@dataclass
class Talker(Bystander):
    """Says the same to whatever greets it, once or until it is left, and keeps what it is sent."""

    says: bytes = b""
    endless: bool = False
    greeted: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.CancelledError):
            self.received += await reader.read(65_536)
            writer.write(self.says)
            await writer.drain()
            while self.endless:
                writer.write(self.says)
                await writer.drain()
                await asyncio.sleep(0)
            while self.says and (data := await asyncio.wait_for(reader.read(65_536), 0.2)):
                self.received += data
        with suppress(TimeoutError):
            writer.close()


def _record(kind: int, payload: bytes, version: bytes = b"\x03\x03") -> bytes:
    return bytes([kind]) + version + len(payload).to_bytes(2, "big") + payload


_HELLO: Final = _record(22, b"\x02" + (70).to_bytes(3, "big") + b"\x03\x03" + b"r" * 32 + b"\x00" * 36)
TALK: Final[dict[str, tuple[bytes, bool]]] = {
    "nothing": (b"", False),
    "a line of SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", False),
    "a page over plain HTTP": (respond({}), False),
    "NULs": (b"\x00" * 1_000, False),
    "application data first": (_record(23, b"x" * 100), False),
    "a change of ciphers first": (_record(20, b"\x01") * 50, False),
    "a record of 64 KB": (b"\x16\x03\x03\xff\xff" + b"x" * 65_535, False),
    "half a greeting": (_HELLO[:20], False),
    "a greeting of zeros": (_HELLO, False),
    "a greeting that asks to begin anew": (_record(22, b"\x00\x00\x00\x00") * 20, False),
    "SSL 2": (b"\x80\x2e\x01\x00\x02" + b"x" * 60, False),
    "a flood of warnings": (_record(21, b"\x01\x5a") * 500, True),
    "a flood of empty records": (_record(22, b"") * 500, True),
    "a flood of zeros": (b"\x00" * 10_000, True),
    **{
        f"alert {code}": (_record(21, bytes([2, code])), False)
        for code in (0, 10, 20, 40, 42, 45, 48, 70, 71, 80, 86, 112, 116, 120, 255)
    },
}
_TLS_CAUSES: Final = frozenset(
    {"tls_not_spoken", "unreachable_tls", "unreachable_reset", "tls_too_old", "no_answer", "unreachable_timeout", "not_http"}
)


@pytest.mark.claim(
    "What is no TLS, or a TLS that means harm, is named as such, in time, and is sent a greeting and nothing more",
    part=Part.HOSTILE,
    how="raw sockets in place of a TLS server; every byte they received is searched for credentials in every form",
)
def test_what_is_no_tls_is_named_and_gets_nothing_but_a_greeting(ca_file: Path, proof: Proof) -> None:
    async def run(name: str, says: bytes, endless: bool) -> None:
        talker = Talker(says=says, endless=endless)
        async with listening(talker):
            seen = await probe(watched(talker.port), network(ca_file), seconds=SECONDS)
        worst = judge(seen).primary
        assert worst is not None
        assert worst.cause.name in _TLS_CAUSES, (name, worst.cause.name)
        assert seen.milliseconds < (SECONDS + GRACE) * 1000
        assert talker.received.startswith(b"\x16\x03")
        assert canaries().found_in(bytes(talker.received)) == set()
        assert b"HTTP/1.1" not in talker.received

    for name, (says, endless) in TALK.items():
        asyncio.run(run(name, says, endless))
        proof.tried()


WRONG: Final = {
    "wrong_name": "certificate_wrong_name",
    "expired": "certificate_expired",
    "not_yet_valid": "unreachable_tls",
    "self_signed": "certificate_self_signed",
    "unknown_authority": "certificate_self_signed",
    "incomplete_chain": "certificate_incomplete_chain",
}


@pytest.mark.claim(
    "A server that cannot prove its name, such as the one that answers for any, is sent no request at all",
    part=Part.HOSTILE,
    how="TLS servers with every wrong certificate; what reached them behind TLS is kept",
)
def test_a_server_that_cannot_prove_its_name_gets_no_request(authority: Authority, ca_file: Path, proof: Proof) -> None:
    async def run(kind: str) -> str:
        impostor = Impostor()
        async with listening(impostor, authority.context(kind)):
            seen = await probe(watched(impostor.port), network(ca_file), seconds=SECONDS)
        assert impostor.requests == []
        assert impostor.received == b""
        worst = judge(seen).primary
        return worst.cause.name if worst else ""

    for kind, cause in WRONG.items():
        assert asyncio.run(run(kind)) == cause
        proof.tried()


# --- cut at every byte -----------------------------------------------------------------------------------------------------


@dataclass
class Cutter(Bystander):
    """Passes a connection on to a port, and cuts it when so many bytes have come back."""

    to: int = 0
    after: int = 0
    passed: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        back, forth = await asyncio.open_connection("127.0.0.1", self.to)

        async def out() -> None:
            while data := await reader.read(65_536):
                forth.write(data)
                await forth.drain()

        sending = asyncio.ensure_future(out())
        self.passed = 0
        try:
            with suppress(ConnectionError):
                while self.passed < self.after and (data := await back.read(self.after - self.passed)):
                    writer.write(data)
                    self.passed += len(data)
                    await writer.drain()
        finally:
            sending.cancel()
            forth.transport.abort()
            writer.close()


@asynccontextmanager
async def _cut(impostor: Impostor, context: ssl.SSLContext) -> AsyncIterator[Cutter]:
    async with listening(impostor, context):
        cutter = Cutter(to=impostor.port)
        async with listening(cutter):
            yield cutter


async def _ask(net: Network, url: str) -> Answer:
    async with Client(net, asyncio.get_running_loop().time() + 5) as client:
        return await client.send(Phase.COLLECTION, "GET", url, target="/orgs", headers={"Authorization": f"Bearer {TOKEN}"})


def _is_whole(answer: Answer) -> bool:
    """Whether an answer is taken for one. Whatever is not says so, by its fault or its body, and has a cause."""
    found = _read_collection("orgs", True, answer)
    cause = rules.at_collection(found)
    if found.state is CollectionState.OK:
        assert cause is None
        return True
    assert cause is not None
    assert answer.document is None
    if answer.exchange.fault is None:
        assert answer.exchange.body.kind in (BodyKind.TRUNCATED, BodyKind.NONE, BodyKind.HTML, BodyKind.TEXT)
    else:
        assert answer.exchange.fault in (Fault.RESET, Fault.PROTOCOL, Fault.TLS_FAILED, Fault.TLS_NOT_SPOKEN, Fault.READ_TIMEOUT)
    return False


CUT: Final = "An exchange that is cut anywhere is never taken for a whole one, and has a cause wherever it was cut"


@pytest.mark.claim(CUT, part=Part.HOSTILE, how="an honest answer with a length, and one in chunks, cut after each of its bytes")
@pytest.mark.parametrize("how", ["length", "chunks"])
def test_an_answer_cut_after_any_byte_is_not_whole(proof: Proof, how: str) -> None:
    answer = honest("/ims/oneroster/v1p1/orgs")
    if how == "chunks":
        body = answer.partition(b"\r\n\r\n")[2]
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    async def run() -> None:
        impostor = Impostor()
        async with listening(impostor):
            for cut in range(len(answer) + 1):
                impostor.lie = _part(answer, cut)
                whole = _is_whole(await _ask(network(None), f"http://{HOST}:{impostor.port}/ims/oneroster/v1p1/orgs?limit=1"))
                assert whole == (cut == len(answer)), f"cut after {cut} of {len(answer)} bytes"
                proof.tried()

    asyncio.run(run())


def _part(answer: bytes, cut: int) -> Liar:
    return lambda _: answer[:cut]


@pytest.mark.claim(
    CUT, part=Part.HOSTILE, how="a connection over TLS, handshake and all, cut after each byte that the server sends"
)
def test_a_connection_cut_after_any_byte_is_not_whole(authority: Authority, ca_file: Path, proof: Proof) -> None:
    async def run() -> None:
        impostor = Impostor(closes=True)
        impostor.lie = honest  # so that it closes when it has answered
        net, kinds = network(ca_file), Counter[str]()
        async with _cut(impostor, authority.context()) as cutter:
            url = f"https://{HOST}:{cutter.port}/ims/oneroster/v1p1/orgs?limit=1"
            cutter.after = 1_000_000
            assert _is_whole(await _ask(net, url))
            total, length = cutter.passed, len(honest("/ims/oneroster/v1p1/orgs"))
            assert total > length + 1_000
            # Signatures differ by a few bytes from one handshake to the next, and a farewell of 24 may follow the answer.
            for cut in range(1, total + 60, proof.amount(quick=67, full=1)):
                cutter.after = cut
                answer = await _ask(net, url)
                whole = _is_whole(answer)
                kinds[answer.exchange.fault or answer.exchange.body.kind] += 1
                if cut < total - length - 60:
                    assert not whole, f"cut after {cut} of {total} bytes"
                if cut > total + 40:
                    assert whole, f"cut after {cut} of {total} bytes"
                proof.tried()
        proof.note(", ".join(f"{kind}: {count:,}" for kind, count in kinds.most_common()))

    asyncio.run(run())


# --- addresses --------------------------------------------------------------------------------------------------------------

INSIDE: Final = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "169.254.170.2", "0.0.0.0",
    "255.255.255.255", "224.0.0.1", "::1", "::", "fe80::1", "fe80::1%lo", "fc00::1", "fd00:ec2::254", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2001:0:a9fe:a9fe::1", "2001:0:1:2:3:4:5601:5601", "ff02::1",
    "not an address", "",
)  # fmt: skip
PRIVATE: Final = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "255.255.255.255", "::1", "fc00::1", "::ffff:127.0.0.1", "2002:7f00:1::",
    "64:ff9b::7f00:1",
)  # fmt: skip
SPELLINGS: Final = (
    "localhost", "localhost.", "127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "0x7f000001", "0x7f.1",
    "0x7f.0x0.0x0.0x1", "017700000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[0:0:0:0:0:0:0:1]", "0", "0.0.0.0", "[::]", "169.254.169.254", "0xa9fea9fe", "[::ffff:a9fe:a9fe]",
    "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "%31%32%37.0.0.1", "[::1%25lo]",
)  # fmt: skip


@pytest.mark.claim(
    "Whatever a name server answers, no connection is made to an address that is, or leads to, one inside",
    part=Part.HOSTILE,
    how="every answer alone, with a public one before and behind it, and in place of it at the second look; a listener on loopback",
)
def test_no_answer_of_a_name_server_leads_inside(ca_file: Path, proof: Proof) -> None:
    async def run(address: str) -> None:
        bystander = Bystander()
        async with listening(bystander):
            district = watched(bystander.port)

            async def answers(host: str, port: int) -> list[str]:
                return [address]

            for allow_private in (False, True):
                net = Network(ca_bundle=str(ca_file), allow_private=allow_private, resolver=answers, connect_seconds=1.0)
                if allow_private and address in PRIVATE:
                    continue  # which is what the stack then asked for
                seen = await probe(district, net, seconds=SECONDS)
                worst = judge(seen).primary
                assert worst is not None
                assert worst.cause.name == "address_not_allowed", address
                proof.tried()
        assert bystander.connections == 0

    for address in INSIDE:
        asyncio.run(run(address))


@pytest.mark.claim(
    "However an address of this machine or of a cloud's metadata is spelt, it is refused in the secret or before a connection",
    part=Part.HOSTILE,
    how="decimal, octal, hexadecimal, short, mapped, full-width and escaped spellings through the system's resolver; a listener",
)
def test_no_spelling_of_a_host_leads_inside(ca_file: Path, proof: Proof) -> None:
    async def run(host: str) -> None:
        bystander = Bystander()
        async with listening(bystander):
            text = f'{{"base_url": "https://{host}:{bystander.port}/aeries", "consumer_id": "a", "consumer_secret": "b"}}'
            district = parse_secret("springfield", text)
            if isinstance(district, District):
                net = Network(ca_bundle=str(ca_file), resolver=system_resolver(), connect_seconds=1.0)
                seen = await probe(district, net, seconds=SECONDS)
                worst = judge(seen).primary
                assert worst is not None
                assert worst.cause.name == "address_not_allowed", (host, worst.cause.name)
            else:
                assert "base_url" in district.mistakes[0]
        assert bystander.connections == 0

    for host in SPELLINGS:
        asyncio.run(run(host))
        proof.tried()
