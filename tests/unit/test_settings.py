from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from rosterwatch.links import DIALECTS, Links
from rosterwatch.settings import SettingError, alert_settings, check_settings, dispatch_settings, render_settings

Reader = Callable[[Mapping[str, str]], object]
DISPATCH = {
    "SECRET_PREFIX": "rosterwatch/",
    "TABLE": "table",
    "QUEUE_URL": "https://queue",
    "SPREAD_SECONDS": "600",
    "STALE_MINUTES": "45",
}
CHECK = {
    "SECRET_PREFIX": "rosterwatch/",
    "TABLE": "table",
    "QUEUE_URL": "https://queue",
    "ALLOW_PRIVATE": "false",
    "HOST_CONCURRENCY": "4",
    "SECOND_LOOK_SECONDS": "60",
    "FINGERPRINT_SECRET": "arn:key",
    "TRY_PREVIOUS": "true",
    "DISTRICT_METRICS": "false",
}
ALERT = {
    "TABLE": "table",
    "TEXT_TOPIC_ARN": "arn:text",
    "CARD_TOPIC_ARN": "arn:card",
    "ALARM_TOPIC_ARN": "arn:alarm",
    "EVENT_TOPIC_ARN": "arn:event",
    "DISPATCH_FUNCTION": "dispatch",
    "SECRET_PREFIX": "rosterwatch/",
}
RENDER = {"SECRET_PREFIX": "rosterwatch/", "TABLE": "table", "QUEUE_URL": "https://queue", "STALE_MINUTES": "45"}
READERS: list[tuple[Reader, dict[str, str]]] = [
    (dispatch_settings, DISPATCH),
    (check_settings, CHECK),
    (alert_settings, ALERT),
    (render_settings, RENDER),
]


def environ(values: Mapping[str, str]) -> dict[str, str]:
    return {f"ROSTERWATCH_{name}": value for name, value in values.items()}


def test_what_is_set_is_read() -> None:
    assert dispatch_settings(environ(DISPATCH)).spread_seconds == 600
    settings = check_settings(environ(CHECK))
    assert (settings.secret_prefix, settings.allow_private, settings.ca_bundle) == ("rosterwatch/", False, None)
    assert (settings.host_concurrency, settings.second_look_seconds) == (4, 60)
    assert check_settings(environ({**CHECK, "ALLOW_PRIVATE": "true", "CA_BUNDLE": "ca.pem"})).allow_private
    assert check_settings(environ({**CHECK, "CA_BUNDLE": "ca.pem"})).ca_bundle == "ca.pem"
    assert (settings.control_url, settings.try_previous) == ("", True)
    assert check_settings(environ({**CHECK, "CONTROL_URL": "https://control"})).control_url == "https://control"


def test_a_district_is_stale_after_the_minutes_that_are_set() -> None:
    assert render_settings(environ(RENDER)).stale_after == timedelta(minutes=45)


def test_every_dialect_has_its_topic_and_the_links_may_be_few() -> None:
    settings = alert_settings(environ(ALERT))
    assert settings.topic_arns == {dialect: f"arn:{dialect}" for dialect in DIALECTS}
    assert settings.links == Links("", "dispatch", "rosterwatch/")
    more = environ({**ALERT, "DASHBOARD": "Fleet", "RUNBOOK_URL": "https://docs"}) | {"AWS_REGION": "us-west-2"}
    assert alert_settings(more).links == Links("us-west-2", "dispatch", "rosterwatch/", "Fleet", "https://docs")


@pytest.mark.parametrize(("read", "values", "name"), [(read, values, name) for read, values in READERS for name in values])
@pytest.mark.parametrize("empty", [False, True])
def test_a_missing_variable_is_named(read: Reader, values: dict[str, str], name: str, empty: bool) -> None:
    broken = environ(values)
    if empty:
        broken[f"ROSTERWATCH_{name}"] = ""
    else:
        del broken[f"ROSTERWATCH_{name}"]
    with pytest.raises(SettingError, match=rf"^the environment variable ROSTERWATCH_{name} is missing$"):
        read(broken)


@pytest.mark.parametrize(
    ("read", "values", "name", "value", "said"),
    [
        (dispatch_settings, DISPATCH, "SPREAD_SECONDS", "901", "a number from 0 to 900"),
        (dispatch_settings, DISPATCH, "SPREAD_SECONDS", "-1", "a number from 0 to 900"),
        (dispatch_settings, DISPATCH, "SPREAD_SECONDS", "ten", "a number from 0 to 900"),
        (check_settings, CHECK, "HOST_CONCURRENCY", "0", "a number from 1 to 4"),
        (check_settings, CHECK, "HOST_CONCURRENCY", "5", "a number from 1 to 4"),
        (check_settings, CHECK, "SECOND_LOOK_SECONDS", "1.5", "a number from 0 to 900"),
        (check_settings, CHECK, "ALLOW_PRIVATE", "yes", "true or false"),
        (check_settings, CHECK, "TRY_PREVIOUS", "1", "true or false"),
    ],
)
def test_a_bad_value_is_named_with_what_it_may_be(read: Reader, values: dict[str, str], name: str, value: str, said: str) -> None:
    with pytest.raises(SettingError, match=rf"^the environment variable ROSTERWATCH_{name} must be {said}$"):
        read(environ({**values, name: value}))
