"""One stack in the local AWS and one simulated SIS for all tests that need them: starting both takes a quarter of a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local_aws import LocalAws, local_aws
from tests.sis import SimulatedSis


@pytest.fixture(scope="session")
def sis() -> Iterator[SimulatedSis]:
    """A simulated SIS without districts: each test adds its own."""
    with SimulatedSis([]) as running:
        yield running


@pytest.fixture(scope="session")
def aws(sis: SimulatedSis) -> Iterator[LocalAws]:
    """The stack as anyone deploys it, but sooner in what it does, and with a way to the simulated SIS."""
    parameters = {
        "SpreadSeconds": "0",
        "SecondLookSeconds": "1",
        "BatchingWindowSeconds": "1",
        "AllowPrivateAddresses": "true",
        "CaBundleFile": sis.ca_file,
    }
    with local_aws(parameters) as running:
        yield running
