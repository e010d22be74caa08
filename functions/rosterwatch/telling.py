"""Pure: a notice laid out for writing: everything that more than one dialect says, and where its readers can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from rosterwatch.causes import CAUSES
from rosterwatch.incidents import Incident, Kind, Notice
from rosterwatch.links import Links
from rosterwatch.times import lasting


class Telling:
    """One notice of an incident."""

    def __init__(self, incident: Incident, notice: Notice, links: Links) -> None:
        self.record: Mapping[str, Any] = notice.record
        self.kind, self.links = notice.kind, links
        self.key, self.number = incident.key, notice.number
        cause = CAUSES[incident.cause]
        self.cause, self.owner, self.scope, self.severity = cause.name, cause.owner.value, cause.scope.value, cause.severity.word
        self.districts: Sequence[str] = self.record["districts"]
        self.count: int = self.record["district_count"]
        self.opened_at = datetime.fromisoformat(self.record["opened_at"])
        self.told_at = datetime.fromisoformat(self.record["told_at"])
        self.is_over = notice.kind is Kind.RESOLVED
        self.group = incident.group

    @property
    def is_elsewhere(self) -> bool:
        """Whether all that it was about has left it for reasons of their own, and is told by itself."""
        return self.is_over and bool(self.record.get("moved"))

    @property
    def what(self) -> str:
        """What the incident is about, in a word or two."""
        kind, _, name = self.group.partition("/")
        if kind == "district":
            return name
        if kind == "host":
            return self.districts[0] if self.count == 1 else f"{self.count} districts on {name}"
        return "Rosterwatch"

    @property
    def headline(self) -> str:
        """What is wrong, in one line."""
        return str(self.record.get("headline") or CAUSES["monitor_network"].headline)

    @property
    def status(self) -> str:
        """How the district stands, in a word."""
        return "healthy" if self.is_over else str(self.record.get("status", "unknown"))

    @property
    def next_steps(self) -> Sequence[str]:
        """What to do, in order."""
        return self.record.get("next_steps") or CAUSES["monitor_network"].next_steps

    @property
    def named(self) -> str:
        """The districts by name, and how many more there are."""
        more = self.count - len(self.districts)
        return ", ".join(self.districts) + (f" and {more} more" if more > 0 else "")

    @property
    def recheck(self) -> str | None:
        """The same as ``proof``, for who has our command line: it also waits for the verdict."""
        if not self.districts:
            return None
        stack = self.links.dispatch_function.removesuffix("-dispatch-districts")
        named = stack not in ("rosterwatch", self.links.dispatch_function)
        return f"rosterwatch recheck {self.districts[0]}" + (f" --stack {stack}" if named else "")

    @property
    def proof(self) -> str | None:
        """The command that visits again and so proves the fix."""
        if not self.districts:
            return None
        payload = json.dumps({"district": self.districts[0]})
        return (
            f"aws lambda invoke --function-name {self.links.dispatch_function} --cli-binary-format raw-in-base64-out "
            f"--payload '{payload}' /dev/stdout"
        )

    @property
    def dashboard(self) -> str | None:
        """Where the console shows the fleet."""
        region, name = self.links.region, self.links.dashboard
        if not name or not region:
            return None
        return f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards/dashboard/{quote(name)}"

    @property
    def secret(self) -> str | None:
        """Where the console shows the secret; the console asks before it shows the value."""
        if self.count != 1 or not self.links.region:
            return None
        name = quote(self.links.secret_prefix + self.districts[0], safe="")
        return f"https://{self.links.region}.console.aws.amazon.com/secretsmanager/secret?name={name}&region={self.links.region}"

    @property
    def runbook(self) -> str:
        """Where the cause is described."""
        return f"{self.links.runbook_url or 'docs/causes.md'}#{self.cause}"

    @property
    def lasted(self) -> str:
        """For how long it has been so."""
        return lasting((self.told_at - self.opened_at).total_seconds())
