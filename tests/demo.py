"""The whole story on this machine, in one command: `make demo`.

Builds and deploys the stack into the local AWS, lets it watch six districts of a simulated SIS, has an administrator delete
and recreate a vendor record, shows the alert, stores the new credentials, and shows the resolution. Everything that is shown
is asserted; the exit code is 1 if the story goes wrong. Nothing stays behind, unless KEEP=1 asks for it.
LOG_LEVEL=DEBUG has the functions log all they can.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from tests.local_aws import REGION, REPOSITORY, Alert, LocalAws, LocalAwsError, local_aws, wait_for
from tests.sis.control import Control

DISTRICTS: Final = 6
BROKEN: Final = "shelbyville"
FIELDS: Final = ("base_url", "consumer_id", "consumer_secret", "api_certificate")
console = Console(highlight=False, soft_wrap=True)


class StoryError(AssertionError):
    """When something does not happen as the story says."""


def main() -> int:
    """Tell the story; with KEEP=1 in a process of its own, which goes on when this one is done."""
    if os.environ.get("KEEP") != "1":
        return _told(keep=False)
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper:
        os.close(writing)
        return int(os.read(reading, 1) or b"1")
    os.close(reading)
    os.setsid()
    return _told(keep=True, say_done=lambda code: os.write(writing, str(code).encode()))


def _told(*, keep: bool, say_done: Any = lambda _: None) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        with _sis() as sis, local_aws(_parameters(sis), _progress) as aws:
            _tell(sis, aws)
            console.print(f"\n[bold green]The story went as it should[/] ({time.monotonic() - started:.0f} s).")
            if keep:
                _leave_running(sis, aws, say_done)
    except (StoryError, LocalAwsError) as error:
        console.print(f"\n[bold red]The story went wrong:[/] {escape(str(error))}")
        say_done(1)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted. Everything that was started has been ended.")
        return 130
    return 0


def _parameters(sis: dict[str, Any]) -> dict[str, str]:
    """Everything as by default, but sooner, and with a way to a server on this machine."""
    return {
        "ScheduleExpression": "rate(1 minute)",
        "SpreadSeconds": "0",
        "BatchingWindowSeconds": "1",
        "SecondLookSeconds": "5",
        "AllowPrivateAddresses": "true",
        "CaBundleFile": sis["ca_file"],
        "LogLevel": os.environ.get("LOG_LEVEL", "INFO"),
    }


def _tell(sis: dict[str, Any], aws: LocalAws) -> None:
    control = Control(sis["control_url"])
    districts = {district["name"]: district for district in sis["districts"]}

    _chapter("Six districts are stored, and the schedule finds them")
    for name, district in districts.items():
        aws.put_secret(name, {field: district[field] for field in FIELDS})
        console.print(f"  secret [bold]{aws.outputs['SecretPrefix']}{name}[/] -> {district['base_url']}")
    _progress("Waiting for the next tick of the schedule (every minute here)")
    wait_for(lambda: _all_healthy(aws, set(districts)), 150, "all six districts healthy")
    _show_states(aws)
    _expect(not aws.alerts(), "healthy districts raise no alert")

    _chapter(f"An administrator deletes and recreates the vendor record of {BROKEN}")
    fresh = control.admin(BROKEN, "recreate_record")
    console.print("  Every stored copy of its Consumer ID and Secret is dead from now on. Nobody tells us.")
    _progress("Waiting for the next tick of the schedule")
    [alert] = aws.wait_for_alerts(1, 150)
    _show_alert(alert, "red")
    _expect(alert.attributes["cause"] == "credentials_revoked", "the cause is credentials_revoked")
    _expect(alert.attributes["district"] == BROKEN, f"the district is {BROKEN}")
    others = {status for name, status in _statuses(aws).items() if name != BROKEN}
    _expect(others == {"healthy"} and _statuses(aws)[BROKEN] == "failing", "the other five stay healthy")
    values = [str(value) for district in districts.values() for field, value in district.items() if field in FIELDS[1:]]
    _expect(not any(value in alert.text + alert.subject for value in values), "the alert shows no credential")

    _chapter("The on-call engineer stores the new pair")
    aws.put_secret(BROKEN, {**{field: districts[BROKEN][field] for field in FIELDS}, **_pair(fresh)})
    _progress("The changed secret starts a visit by itself")
    alerts = aws.wait_for_alerts(2, 90)
    _show_alert(alerts[1], "green")
    _expect(alerts[1].attributes["kind"] == "resolved", "the second message is the resolution")
    _expect(set(_statuses(aws).values()) == {"healthy"}, "all districts are healthy again")
    _expect(len(alerts) == 2, "two messages in all: one for the break, one for its end")
    for queue in ("DeadLettersUrl", "UnsentAlertsUrl", "UndeliveredTriggersUrl"):
        _expect(aws.messages_on(queue) == 0, f"nothing was left over ({queue} is empty)")


def _pair(record: dict[str, Any]) -> dict[str, str]:
    return {field: record[field] for field in FIELDS if field in record}


def _statuses(aws: LocalAws) -> dict[str, str]:
    return {item["sk"]["S"]: item["status"]["S"] for item in aws.items("district")}


def _all_healthy(aws: LocalAws, names: set[str]) -> bool | None:
    statuses = _statuses(aws)
    return True if set(statuses) == names and set(statuses.values()) == {"healthy"} else None


def _show_states(aws: LocalAws) -> None:
    for name, status in sorted(_statuses(aws).items()):
        console.print(f"  {name:<14} [green]{status}[/]")


def _show_alert(alert: Alert, colour: str) -> None:
    console.print()
    for line in (f"Subject: {alert.subject}", "", *alert.text.rstrip().splitlines()):
        console.print(f"  [{colour}]|[/] {escape(line)}")
    console.print()


def _expect(held: bool, what: str) -> None:
    if not held:
        raise StoryError(f"it does not hold that {what}")
    console.print(f"  [green]holds:[/] {what}")


def _chapter(title: str) -> None:
    console.print(f"\n[bold]{title}[/]")


def _progress(what: str) -> None:
    console.print(f"  [dim]{what} ...[/]")


@contextmanager
def _sis() -> Iterator[dict[str, Any]]:
    """The simulated SIS, a process of its own on two hosts."""
    _progress("Starting the simulated SIS")
    with tempfile.TemporaryDirectory(prefix="rosterwatch-sis-") as folder:
        state = Path(folder) / "sis.json"
        command = [sys.executable, "-m", "tests.sis", "--hosts", "2", "--districts", str(DISTRICTS), "--state-file", str(state)]
        # What is left running must not hold the screen: whoever reads it would wait for its end.
        screen = subprocess.DEVNULL if os.environ.get("KEEP") == "1" else None
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, start_new_session=True
        )
        try:
            wait_for(lambda: state.exists() or None, 30, "the simulated SIS")
            yield json.loads(state.read_text())
        finally:
            process.terminate()
            process.wait(10)


def _leave_running(sis: dict[str, Any], aws: LocalAws, say_done: Any) -> None:
    console.print("\n[bold]Left running.[/] Two lines for a shell that looks around in it:")
    variables = " ".join(f"{name}={value}" for name, value in aws.environment.items())
    console.print(f"  export {variables}")
    console.print(f"  aws --region {REGION} dynamodb scan --table-name {aws.outputs['TableName']}")
    console.print(f"  The simulated SIS and its controls: {sis['control_url']}")
    for district in sis["districts"]:
        console.print(f"    {district['name']:<14} {district['base_url']}")
    console.print(f"  CA file of the SIS: {sis['ca_file']}")
    console.print(f"[bold]To end it and clean up:[/] kill {os.getpid()}")
    sys.stdout.flush()
    # Whoever reads our output must not wait for us.
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)
    say_done(0)
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
