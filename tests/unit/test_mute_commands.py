from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from rosterwatch.mute_commands import named, parse_days, parse_duration, parse_until

NOW = datetime(2026, 10, 6, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("4h", timedelta(hours=4)),
        ("30m", timedelta(minutes=30)),
        ("30min", timedelta(minutes=30)),
        ("2d", timedelta(days=2)),
        ("1d12h30m", timedelta(days=1, hours=12, minutes=30)),
    ],
)
def test_a_length_of_time_is_read_as_people_write_it(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize("text", ["", "4", "h", "0h", "4x", "-4h", "401d", "1h1d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match="no length of time"):
        parse_duration(text)


def test_a_time_may_name_its_zone_and_has_to_lie_ahead() -> None:
    assert parse_until("2026-10-06T08:05-07:00", NOW) == NOW + timedelta(hours=1)
    for text in ("soon", "2026-13-01", "2026-10-06T14:05+00:00", "2036-10-06"):
        with pytest.raises(click.UsageError):
            parse_until(text, NOW)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("sat,sun", ["sat", "sun"]),
        ("mon-wed", ["mon", "tue", "wed"]),
        ("Sat-Mon", ["mon", "sat", "sun"]),
        ("daily", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
    ],
)
def test_days_are_read_as_people_write_them(text: str, days: list[str]) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize("text", ["", "monday", "xyz-sun", "1"])
def test_what_names_no_days_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match="names no days"):
        parse_days(text)


def test_a_plain_name_is_a_districts() -> None:
    assert [named(target) for target in ("springfield", "district/a", "host/b", "all", "host/", "ca/springfield")] == [
        "district/springfield",
        "district/a",
        "host/b",
        "all",
        "district/host/",
        "district/ca/springfield",
    ]
