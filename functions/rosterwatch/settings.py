"""The only reader of the environment. Each function reads the settings it uses; a missing or bad one is named at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from rosterwatch.links import DIALECTS, Links


class SettingError(Exception):
    """When an environment variable is missing or has a value that cannot be used. Names the variable."""


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """For ``dispatch_districts``. ``spread_seconds``: over how long one tick's visits are spread.

    ``stale_minutes``: after how long without a look a district counts as stale.
    """

    secret_prefix: str
    table: str
    queue_url: str
    spread_seconds: int
    stale_minutes: int


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """For ``check_districts``. ``host_concurrency``: requests at a time to one host from one invocation."""

    secret_prefix: str
    table: str
    queue_url: str
    allow_private: bool
    ca_bundle: str | None
    host_concurrency: int
    second_look_seconds: int
    fingerprint_secret: str
    control_url: str
    try_previous: bool
    district_metrics: bool


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """For ``send_alerts``. ``topic_arns`` by dialect; ``links`` go into the messages."""

    table: str
    topic_arns: Mapping[str, str]
    links: Links


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """For ``render_dashboard``. ``stale_after``: how long after its last visit a district counts as not watched."""

    secret_prefix: str
    table: str
    queue_url: str
    stale_after: timedelta


def dispatch_settings(environ: Mapping[str, str] = os.environ) -> DispatchSettings:
    """Read them. Raises SettingError."""
    return DispatchSettings(
        secret_prefix=_text(environ, "SECRET_PREFIX"),
        table=_text(environ, "TABLE"),
        queue_url=_text(environ, "QUEUE_URL"),
        spread_seconds=_number(environ, "SPREAD_SECONDS", 0, 900),
        stale_minutes=_number(environ, "STALE_MINUTES", 1, 10080),
    )


def check_settings(environ: Mapping[str, str] = os.environ) -> CheckSettings:
    """Read them. Raises SettingError."""
    return CheckSettings(
        secret_prefix=_text(environ, "SECRET_PREFIX"),
        table=_text(environ, "TABLE"),
        queue_url=_text(environ, "QUEUE_URL"),
        allow_private=_flag(environ, "ALLOW_PRIVATE"),
        ca_bundle=environ.get(_PREFIX + "CA_BUNDLE") or None,
        host_concurrency=_number(environ, "HOST_CONCURRENCY", 1, 4),
        second_look_seconds=_number(environ, "SECOND_LOOK_SECONDS", 0, 900),
        fingerprint_secret=_text(environ, "FINGERPRINT_SECRET"),
        control_url=environ.get(_PREFIX + "CONTROL_URL", ""),
        try_previous=_flag(environ, "TRY_PREVIOUS"),
        district_metrics=_flag(environ, "DISTRICT_METRICS"),
    )


def alert_settings(environ: Mapping[str, str] = os.environ) -> AlertSettings:
    """Read them. Raises SettingError."""
    return AlertSettings(
        table=_text(environ, "TABLE"),
        topic_arns={dialect: _text(environ, f"{dialect.upper()}_TOPIC_ARN") for dialect in DIALECTS},
        links=Links(
            region=environ.get("AWS_REGION", ""),
            dispatch_function=_text(environ, "DISPATCH_FUNCTION"),
            dashboard=environ.get(_PREFIX + "DASHBOARD", ""),
            secret_prefix=_text(environ, "SECRET_PREFIX"),
            runbook_url=environ.get(_PREFIX + "RUNBOOK_URL", ""),
        ),
    )


def render_settings(environ: Mapping[str, str] = os.environ) -> RenderSettings:
    """Read them. Raises SettingError."""
    return RenderSettings(
        secret_prefix=_text(environ, "SECRET_PREFIX"),
        table=_text(environ, "TABLE"),
        queue_url=_text(environ, "QUEUE_URL"),
        stale_after=timedelta(minutes=_number(environ, "STALE_MINUTES", 1, 10080)),
    )


_PREFIX = "ROSTERWATCH_"


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(_PREFIX + name, "")
    if not value:
        raise SettingError(f"the environment variable {_PREFIX}{name} is missing")
    return value


def _number(environ: Mapping[str, str], name: str, least: int, most: int) -> int:
    value = _text(environ, name)
    if not value.isdecimal() or not least <= int(value) <= most:
        raise SettingError(f"the environment variable {_PREFIX}{name} must be a number from {least} to {most}")
    return int(value)


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = _text(environ, name)
    if value not in ("true", "false"):
        raise SettingError(f"the environment variable {_PREFIX}{name} must be true or false")
    return value == "true"
