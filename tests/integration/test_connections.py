"""What a visit costs its host in connections: few, kept, and TLS taken up again instead of proved anew."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator

import pytest

from rosterwatch.client import Network
from rosterwatch.district import District as Watched
from rosterwatch.district import parse_secret
from rosterwatch.probe import probe
from tests.sis import SimulatedSis

pytestmark = pytest.mark.integration


@pytest.fixture
def sis() -> Iterator[SimulatedSis]:
    with SimulatedSis(["springfield"]) as running:
        yield running


def test_only_the_first_connection_to_a_host_proves_itself_from_scratch(sis: SimulatedSis, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[bool | None] = []
    close = ssl.SSLSocket.close

    def noted(connection: ssl.SSLSocket) -> None:
        resumed.append(connection.session_reused)
        close(connection)

    monkeypatch.setattr(ssl.SSLSocket, "close", noted)
    watched = parse_secret("springfield", json.dumps(sis.districts[0].credentials))
    assert isinstance(watched, Watched)
    seen = asyncio.run(probe(watched, Network(ca_bundle=sis.ca_file, allow_private=True, turns=4), seconds=20))
    assert seen.requests > len(resumed)
    assert len(resumed) == 4
    # systeminfo and the token go out together, before there is anything to take up.
    assert sorted(map(bool, resumed)) == [False, False, True, True]
