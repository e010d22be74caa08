"""The installed `rosterwatch` program, run as anyone runs it, against the local AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.local_aws import LocalAws
from tests.sis import SimulatedSis

PROGRAM = str(Path(sys.executable).with_name("rosterwatch"))


@dataclass(frozen=True)
class Ended:
    """How a run ended, and all that it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass
class CommandLine:
    """`run` keeps what every run has said, so that secrets can be looked for in all of it."""

    aws: LocalAws
    sis: SimulatedSis
    environment: Mapping[str, str] = field(default_factory=dict)
    everything: list[str] = field(default_factory=list)

    def run(self, *arguments: str, answers: tuple[str, ...] = (), environment: Mapping[str, str] | None = None) -> Ended:
        """Run the program; `answers` are the lines of its standard input."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ROSTERWATCH_"))}
        done = subprocess.run(
            [PROGRAM, *arguments],
            env=clean | self.aws.environment | dict(self.environment) | dict(environment or {}),
            input="".join(f"{answer}\n" for answer in answers),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        self.everything.append(done.stdout + done.stderr)
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    @property
    def from_here(self) -> tuple[str, ...]:
        """The options with which a visit from this machine reaches the simulated SIS."""
        return "--allow-private", "--ca-bundle", self.sis.ca_file

    def as_role(self, credentials: Mapping[str, str]) -> CommandLine:
        """The same with the credentials of a role that was assumed."""
        names = {
            "AccessKeyId": "AWS_ACCESS_KEY_ID",
            "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
            "SessionToken": "AWS_SESSION_TOKEN",
        }
        return CommandLine(self.aws, self.sis, {names[name]: credentials[name] for name in names}, self.everything)


def four_answers(credentials: Mapping[str, Any]) -> tuple[str, ...]:
    """What an administrator hands over, in the order of the questions."""
    return tuple(str(credentials[name]) for name in ("base_url", "api_certificate", "consumer_id", "consumer_secret"))


def renewal(credentials: Mapping[str, Any]) -> tuple[str, ...]:
    """What `rotate` asks for, in the order of its questions."""
    return tuple(str(credentials[name]) for name in ("consumer_id", "consumer_secret", "api_certificate"))


def leaks(sis: SimulatedSis, said: str) -> Iterator[str]:
    """The names of the planted values that were said."""
    for name, values in sis.ledger.watched.items():
        if any(value in said for value in values):
            yield name
