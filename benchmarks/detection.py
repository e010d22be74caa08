"""From a break to the alert: in the stack as it is deployed into the local AWS, however many districts it watches."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.lambda_rig import REPOSITORY
from benchmarks.statistics_of import spread, table
from rosterwatch.causes import CAUSES
from tests.local_aws import LocalAws, LocalAwsError, local_aws, wait_for
from tests.sis import District, SimulatedSis

#: Districts go round so many hosts, each at a loopback address of its own.
_HOSTS: Final = 40
_TICK: Final = json.loads((REPOSITORY / "events" / "schedule.json").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Break:
    """A way to break a district, and the cause that its alert has to name."""

    what: str
    cause: str
    make: Callable[[District], object]

    @property
    def looks(self) -> int:
        """How many visits in a row must find it before anybody is told."""
        return CAUSES[self.cause].patience


BREAKS: Final = (
    Break("its vendor record is deleted", "credentials_revoked", lambda district: district.admin.delete_record()),
    Break("its server answers 500 to everything", "server_error", lambda district: district.fail("status", status=500)),
)


def measure(sizes: tuple[int, ...], repetitions: int, progress: Callable[[str], None]) -> tuple[list[str], list[str]]:
    """The table, and what could not be measured here with the reason."""
    rows = []
    try:
        for size in sizes:
            for broken, seconds, everyone in _in_a_fleet(size, repetitions, progress):
                rows.append([f"{size:,}", broken.what, str(broken.looks), spread(seconds), f"{everyone:.0f}"])
    except LocalAwsError as error:
        return [], [f"the time from a break to the alert: {error}"]
    head = [
        "districts",
        "a district breaks:",
        "looks that it takes",
        "from the tick to the alert, s",
        "a tick's visits, all made, s",
    ]
    return table(head, rows), []


def _in_a_fleet(size: int, repetitions: int, progress: Callable[[str], None]) -> list[tuple[Break, list[float], float]]:
    hosts = min(size, _HOSTS)
    addresses = [f"127.0.1.{number}" for number in range(1, hosts + 1)]
    with SimulatedSis([], addresses=addresses) as sis:
        parameters = {"SpreadSeconds": "0", "AllowPrivateAddresses": "true", "CaBundleFile": sis.ca_file}
        with local_aws(parameters, lambda what: progress(f"{size} districts: {what}")) as aws:
            districts = [sis.add_district(f"district-{number:04}") for number in range(size)]
            for district in districts:
                aws.put_secret(district.name, dict(district.credentials))
            progress(f"{size} districts: the first look at each")
            started = time.monotonic()
            aws.invoke("DispatchFunction", _TICK)
            wait_for(lambda: _all_healthy(aws, size), 900, f"{size} healthy districts")
            everyone = time.monotonic() - started
            # From all over the fleet: where in a tick's messages a district comes is a matter of luck.
            chosen = iter(districts[:: max(1, size // (len(BREAKS) * repetitions))])
            return [
                (broken, [_until_told(aws, next(chosen), broken, size, progress) for _ in range(repetitions)], everyone)
                for broken in BREAKS
            ]


def _until_told(aws: LocalAws, district: District, broken: Break, size: int, progress: Callable[[str], None]) -> float:
    """Seconds from the tick after the break until the alert is with its reader."""
    progress(f"{size} districts: {broken.what}")
    wait_for(lambda: aws.messages_on("QueueUrl") == 0 or None, 900, "an empty queue")
    broken.make(district)
    started = time.monotonic()
    aws.invoke("DispatchFunction", _TICK)
    cause = wait_for(lambda: _cause_told(aws, district.name), 900, f"the alert about {district.name}")
    seconds = time.monotonic() - started
    if cause != broken.cause:
        raise LocalAwsError(f"{district.name} was told as {cause}, and {broken.what}")
    return seconds


def _cause_told(aws: LocalAws, district: str) -> str | None:
    about = [alert.attributes["cause"] for alert in aws.alerts() if alert.attributes.get("district") == district]
    return about[0] if about else None


def _all_healthy(aws: LocalAws, size: int) -> bool | None:
    return sum(item["status"]["S"] == "healthy" for item in aws.items("district")) == size or None
