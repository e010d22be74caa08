"""One stack in the local AWS and one simulated SIS for all tests that need them: starting both takes a quarter of a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.grounds import Grounds
from tests.fault_proxy import FaultProxy
from tests.local_aws import LocalAws, local_aws
from tests.sis import SimulatedSis


@pytest.fixture(scope="session")
def sis() -> Iterator[SimulatedSis]:
    """A simulated SIS without districts: each test adds its own."""
    with SimulatedSis([]) as running:
        yield running


def parameters(sis: SimulatedSis) -> dict[str, str]:
    """The stack as anyone deploys it, but sooner in what it does, and with a way to the simulated SIS."""
    return {
        "SpreadSeconds": "0",
        "SecondLookSeconds": "1",
        "BatchingWindowSeconds": "1",
        "AllowPrivateAddresses": "true",
        "CaBundleFile": sis.ca_file,
    }


@pytest.fixture(scope="session")
def faults() -> FaultProxy:
    """What the functions' calls go through. It lets them all pass, unless a test has it do something else for a while."""
    return FaultProxy()


@pytest.fixture(scope="session")
def aws(sis: SimulatedSis, faults: FaultProxy) -> Iterator[LocalAws]:
    """The stack in the local AWS."""
    with local_aws(parameters(sis), through=faults) as running:
        yield running


@pytest.fixture(scope="session")
def grounds(request: pytest.FixtureRequest) -> Iterator[Grounds]:
    """A stack to put through faults: in `make test` the one that all tests share, in `make prove` one of its own."""
    if not request.config.getoption("prove"):
        yield Grounds(*(request.getfixturevalue(name) for name in ("aws", "sis", "faults")))
        return
    proxy = FaultProxy()
    with SimulatedSis([], hosts=4) as sis, local_aws(parameters(sis), through=proxy) as aws:
        yield Grounds(aws, sis, proxy)
